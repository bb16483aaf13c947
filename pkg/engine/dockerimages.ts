/**
 * Docker's part of what images.ts promises, and of what port.ts says of images. What is read of the answers stands in
 * dockerimagesview.ts. Work that takes as long as there is to do ends when it stands still (stall.ts).
 */
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Call, DockerConnection } from './dockerconnection.ts'
import { archiveError, imageError, pullError, pushError, type Refusal } from './dockererror.ts'
import * as view from './dockerimagesview.ts'
import { DockerLooks, found } from './dockerlooks.ts'
import { readImageConfig } from './dockersettings.ts'
import { imageName } from './dockerspec.ts'
import { jsonLines } from './dockerstream.ts'
import type {
  DiskUsage,
  EngineImages,
  ImageDetails,
  ImageHistoryEntry,
  ImportOptions,
  ListedImage,
  LoadedImages,
  PulledImage,
  PullOptions,
  PushedImage,
  PushOptions,
  RemovedImage,
  TransferOptions,
} from './images.ts'
import { array, number, object } from './json.ts'
import type { ObservedImage } from './port.ts'
import type { ImageConfig } from './settings.ts'
import { type StallWatch, watchStall } from './stall.ts'

export interface DockerImagesParts {
  readonly connection: DockerConnection
  readonly clock: Clock
  /** How long work may stand still, in ms. */
  readonly stallMs: number
}

/** A call that tells line by line how it goes on. */
interface Work {
  readonly call: Call
  /** For the sentence that it was given up. */
  readonly what: string
  /** Why it fails when it stands still. */
  readonly stalled: Reason
  readonly toError: (refusal: Refusal) => StatusError
  readonly options: TransferOptions
  readonly onLine: (line: unknown) => void
}

/** Deleting much takes its time, and no call for it tells how it goes on. */
const pruneTime = 600_000

/** ms until an engine that counts for others is asked again, and again: each question costs it much. */
const countingPauses: readonly number[] = [1000, 2000, 4000]

export class DockerImages extends DockerLooks implements EngineImages {
  readonly #connection: DockerConnection
  readonly #clock: Clock
  readonly #stallMs: number

  constructor({ connection, clock, stallMs }: DockerImagesParts) {
    super(connection)
    this.#connection = connection
    this.#clock = clock
    this.#stallMs = stallMs
  }

  async listImages(): Promise<readonly ObservedImage[]> {
    return array(await this.#connection.json({ method: 'GET', path: '/images/json' })).map(view.readImage)
  }

  async listAllImages(): Promise<readonly ListedImage[]> {
    const call: Call = { method: 'GET', path: '/images/json', query: { all: true } }
    return array(await this.#connection.json(call)).map(view.readListedImage)
  }

  async inspectImage(image: string): Promise<ImageConfig | undefined> {
    const answer = await this.rawImage(image)
    return answer === undefined ? undefined : readImageConfig(object(answer, 'Config'))
  }

  async imageDetails(image: string): Promise<ImageDetails | undefined> {
    const answer = await this.rawImage(image)
    return answer === undefined ? undefined : view.readImageDetails(answer)
  }

  rawImage(image: string): Promise<unknown> {
    return found(this.#connection, { method: 'GET', path: `${imagePath(image)}/json` }, 'ImageNotFound')
  }

  async imageHistory(image: string): Promise<readonly ImageHistoryEntry[]> {
    const call: Call = { method: 'GET', path: `${imagePath(image)}/history` }
    return view.readHistory(await this.#connection.json(call, 0, imageError))
  }

  async pullImage(reference: string, options: PullOptions): Promise<PulledImage> {
    const { credentials, platform, allTags } = options
    const { fromImage, tag } = pullQuery(reference)
    const query = { fromImage, tag: allTags === true ? '' : tag, ...(platform !== undefined && { platform }) }
    const call: Call = { method: 'POST', path: '/images/create', query, ...(credentials && { credentials }) }
    const said: string[] = []
    await this.#work({
      call,
      what: `the pull of ${reference}`,
      stalled: 'RegistryUnavailable',
      toError: pullError,
      options,
      onLine: (line) => said.push(...summaryOf(line)),
    })
    return view.readPulled(said)
  }

  async pushImage(reference: string, options: PushOptions): Promise<PushedImage> {
    const { repo, tag } = imageName(reference)
    // Without any the engine refuses the call itself.
    const { credentials = { username: '', password: '' } } = options
    const call: Call = { method: 'POST', path: `${imagePath(repo)}/push`, query: { tag }, credentials }
    let digest = ''
    let manifestBytes: number | undefined
    await this.#work({
      call,
      what: `the push of ${reference}`,
      stalled: 'RegistryUnavailable',
      toError: pushError,
      options,
      onLine: (line) => {
        digest = view.readPushedDigest(line) ?? digest
        manifestBytes = view.readPushedSize(line) ?? manifestBytes
      },
    })
    if (digest === '') throw new StatusError('EngineError', `the engine gave no digest of ${reference}`)
    return { digest, ...(manifestBytes !== undefined && { manifestBytes }) }
  }

  async tagImage(image: string, reference: string): Promise<void> {
    const { fromImage, tag } = pullQuery(reference)
    const query = { repo: fromImage, tag }
    await this.#connection.json({ method: 'POST', path: `${imagePath(image)}/tag`, query })
  }

  async removeImage(image: string, { force }: { readonly force: boolean }): Promise<RemovedImage> {
    const call: Call = { method: 'DELETE', path: imagePath(image), query: { force } }
    return view.readRemoved(await this.#connection.json(call, pruneTime, imageError))
  }

  saveImages(images: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    const names = new URLSearchParams(images.map((image) => ['names', image]))
    return this.#connection.stream({ method: 'GET', path: `/images/get?${names}` }, signal, saveError)
  }

  async loadImages(archive: AsyncIterable<Uint8Array>, options: TransferOptions): Promise<LoadedImages> {
    const call: Call = { method: 'POST', path: '/images/load', query: { quiet: false }, upload: archive }
    const loaded: LoadedImages[] = []
    await this.#work({
      call,
      what: 'loading the archive',
      stalled: 'EngineError',
      toError: archiveError,
      options,
      onLine: (line) => loaded.push(view.readLoaded(line)),
    })
    const references = loaded.flatMap((one) => one.references)
    const ids = loaded.flatMap((one) => one.ids)
    if (references.length + ids.length === 0)
      throw new StatusError('InvalidSpec', 'the archive holds no image')
    return { references, ids }
  }

  async importImage(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions,
  ): Promise<{ readonly image: string }> {
    const call: Call = { method: 'POST', path: `/images/create?${importQuery(options)}`, upload: archive }
    let image = ''
    await this.#work({
      call,
      what: 'the import of the archive',
      stalled: 'EngineError',
      toError: archiveError,
      options,
      onLine: (line) => {
        image = /^sha256:[0-9a-f]{64}$/.exec(view.readStatusLine(line))?.[0] ?? image
      },
    })
    if (image === '') throw new StatusError('EngineError', 'the engine did not say which image it made')
    return { image }
  }

  /** Older engines count for one at a time and turn all others away with InUse: those wait a while for their turn. */
  async diskUsage(signal: AbortSignal): Promise<DiskUsage> {
    const call: Call = { method: 'GET', path: '/system/df' }
    for (const pause of countingPauses) {
      try {
        return view.readDiskUsage(await this.#connection.patientJson(call, signal))
      } catch (error) {
        if (!(error instanceof StatusError) || error.reason !== 'InUse') throw error
        await sleep(this.#clock, pause, signal)
      }
    }
    return view.readDiskUsage(await this.#connection.patientJson(call, signal))
  }

  async pruneBuildCache({ olderThanMs, keepBytes }: { olderThanMs: number; keepBytes: number }) {
    const until = olderThanMs > 0 && { until: { [`${Math.ceil(olderThanMs / 1000)}s`]: true } }
    const filters = JSON.stringify({ ...until })
    const query = { all: true, 'keep-storage': keepBytes, filters }
    const call: Call = { method: 'POST', path: '/build/prune', query }
    return number(object(await this.#connection.json(call, pruneTime))['SpaceReclaimed'])
  }

  async #work({ call, what, stalled, toError, options, onLine }: Work): Promise<void> {
    const watch = watchStall({
      clock: this.#clock,
      stallMs: this.#stallMs,
      signal: options.signal,
      toError: (waited) => new StatusError(stalled, `${what} was given up: nothing came for ${waited}`),
    })
    const over = new AbortController()
    const signal = AbortSignal.any([watch.signal, over.signal])
    const upload = call.upload && { upload: watched(call.upload, watch, over) }
    try {
      const body = await this.#connection.stream({ ...call, ...upload }, signal, toError)
      for await (const line of jsonLines(body)) {
        watch.moved()
        const message = view.readStreamError(line)
        if (message !== undefined) throw toError({ statusCode: 200, message })
        const progress = view.readPullProgress(line)
        if (progress !== undefined) options.onProgress?.(progress)
        onLine(line)
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    } finally {
      watch.end()
      // Lets go of an archive of which the engine did not want the rest.
      over.abort()
    }
  }
}

/** Its own failure, or that there is nothing in it, ends the call with just that. */
async function* watched(
  archive: AsyncIterable<Uint8Array>,
  watch: StallWatch,
  over: AbortController,
): AsyncGenerator<Uint8Array> {
  try {
    let isEmpty = true
    for await (const piece of archive) {
      watch.moved()
      if (piece.length === 0) continue
      isEmpty = false
      yield piece
    }
    if (isEmpty) throw new StatusError('InvalidSpec', 'the archive is empty')
  } catch (error) {
    over.abort(error)
    throw error
  }
}

/** Of all that a pull tells only what it ends with is kept. */
function summaryOf(line: unknown): string[] {
  const words = view.readStatusLine(line)
  return /^(Digest|Status): /.test(words) ? [words] : []
}

function saveError(refusal: Refusal): StatusError {
  const isMissing = /reference does not exist/i.test(refusal.message)
  return isMissing ? new StatusError('NotFound', refusal.message) : imageError(refusal)
}

/** Images are named to the engine in full, so that `latest` and `docker.io/` are implied in one place only. */
function pullQuery(reference: string): { fromImage: string; tag: string } {
  const parsed = parseReference(reference)
  if (!parsed.ok) throw new StatusError('InvalidSpec', `image reference "${reference}": ${parsed.message}`)
  const { registry, repository, tag, digest } = parsed.reference
  return { fromImage: canonicalReference({ registry, repository }), tag: digest ?? tag ?? 'latest' }
}

function importQuery({ reference, message, changes, platform }: ImportOptions): URLSearchParams {
  return new URLSearchParams([
    ['fromSrc', '-'],
    ...(reference === undefined ? [] : Object.entries(imageName(reference))),
    ...(message === undefined ? [] : [['message', message]]),
    ...(platform === undefined ? [] : [['platform', platform]]),
    ...changes.map((change) => ['changes', change]),
  ])
}

function imagePath(image: string): string {
  return `/images/${encodeURIComponent(image)}`
}
