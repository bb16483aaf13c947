/** The simulated engine's part of what images.ts promises, and of what port.ts says of images. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
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
  PushOptions,
  RemovedImage,
  TransferOptions,
} from './images.ts'
import type { ObservedImage } from './port.ts'
import type { ImageConfig } from './settings.ts'
import { type ArchivedImage, readFiles, readImages, writeImages } from './simarchive.ts'
import { type HeldImage, refuse, type SimHost } from './simhost.ts'
import * as view from './simimagesview.ts'
import { SimLooks, type SimLooksParts } from './simlooks.ts'
import {
  canonicalName,
  digestReference,
  familiarName,
  makeSimImage,
  type SimImage,
  type SimRegistry,
} from './simregistry.ts'
import { removeImage } from './simremoval.ts'
import { imageConfig } from './simsettings.ts'

export interface SimImagesParts extends SimLooksParts {
  readonly registry: SimRegistry
  readonly emitImage: (action: string, id: string, name: string) => void
}

export class SimImages extends SimLooks implements EngineImages {
  readonly host: SimHost
  readonly registry: SimRegistry
  readonly #parts: SimImagesParts

  constructor(parts: SimImagesParts) {
    super(parts)
    this.host = parts.host
    this.registry = parts.registry
    this.#parts = parts
  }

  listImages(): Promise<readonly ObservedImage[]> {
    const isShown = ({ image, references }: HeldImage) =>
      references.size > 0 || ![...this.host.images.values()].some(({ parent }) => parent === image.id)
    return this.#parts.door.call('listImages', [], () =>
      [...this.host.images.values()].filter(isShown).map(view.observeImage),
    )
  }

  listAllImages(): Promise<readonly ListedImage[]> {
    return this.#parts.door.call('listAllImages', [], () =>
      [...this.host.images.values()].map(view.listImage),
    )
  }

  inspectImage(image: string): Promise<ImageConfig | undefined> {
    return this.#parts.door.call('inspectImage', [image], () => {
      const held = this.host.findAnyImage(image)
      return held && imageConfig(held.image)
    })
  }

  imageDetails(image: string): Promise<ImageDetails | undefined> {
    return this.#parts.door.call('imageDetails', [image], () => {
      const held = this.host.findAnyImage(image)
      return held && view.detailsOf(held)
    })
  }

  rawImage(image: string): Promise<unknown> {
    return this.#parts.door.call('rawImage', [image], () => {
      const held = this.host.findAnyImage(image)
      return held && { Id: held.image.id, RepoTags: [...held.references].map(familiarName) }
    })
  }

  imageHistory(image: string): Promise<readonly ImageHistoryEntry[]> {
    return this.#parts.door.call('imageHistory', [image], () => view.historyOf(this.#must(image)))
  }

  pullImage(reference: string, options: PullOptions): Promise<PulledImage> {
    const { signal, credentials, allTags } = options
    return this.#parts.door.call('pullImage', [reference], async () => {
      signal.throwIfAborted()
      const references = allTags === true ? this.#allTags(reference) : [reference]
      let upToDate = true
      let digest = ''
      for (const name of references) {
        const { image, pullTime } = this.registry.fetch(name, credentials)
        upToDate &&= isHeld(this.host.images.get(image.id), name)
        digest = image.id
        await this.#download(image, pullTime, options)
        this.host.holdImage(image, name, this.#parts.clock.now())
        this.#parts.emitImage('pull', name, name)
      }
      return { upToDate, digest }
    })
  }

  pushImage(reference: string, options: PushOptions): Promise<{ readonly digest: string }> {
    return this.#parts.door.call('pushImage', [reference], () => {
      options.signal.throwIfAborted()
      const held = this.host.mustImage(reference)
      const digest = this.registry.push(reference, held.image, options.credentials)
      for (const [layer, totalBytes] of Object.entries(held.image.spec.layers ?? {}))
        options.onProgress?.({ layer, state: 'Pushed', currentBytes: totalBytes, totalBytes })
      held.digests.add(canonicalName(digestReference(reference, held.image)))
      this.#parts.emitImage('push', reference, familiarName(reference))
      return { digest }
    })
  }

  tagImage(image: string, reference: string): Promise<void> {
    return this.#parts.door.call('tagImage', [image, reference], () => {
      const held = this.host.findAnyImage(image) ?? this.host.mustImage(image)
      this.host.tagImage(held, reference)
      this.#parts.emitImage('tag', held.image.id, familiarName(reference))
    })
  }

  removeImage(image: string, options: { readonly force: boolean }): Promise<RemovedImage> {
    return this.#parts.door.call('removeImage', [image, options], () => {
      const removed = removeImage(this.host, this.#must(image), image, options.force)
      for (const name of removed.untagged) this.#parts.emitImage('untag', name, name)
      for (const id of removed.deleted) this.#parts.emitImage('delete', id, id)
      return removed
    })
  }

  saveImages(images: readonly string[], signal: AbortSignal): Promise<AsyncIterable<Uint8Array>> {
    return this.#parts.door.call('saveImages', [images], () => {
      signal.throwIfAborted()
      const byImage = Map.groupBy(images, (name) => this.#must(name))
      const saved = [...byImage].map(([{ image }, names]) => ({
        image,
        references: names.filter((name) => !isId(name)).map(familiarName),
      }))
      return writeImages(saved)
    })
  }

  loadImages(archive: AsyncIterable<Uint8Array>, { signal }: TransferOptions): Promise<LoadedImages> {
    return this.#parts.door.call('loadImages', [], async () => {
      signal.throwIfAborted()
      const loaded = await readImages(archive, (layer) => this.host.layers.has(layer))
      const held = loaded.map((one) => this.#hold(one))
      return {
        references: loaded.flatMap(({ references }) => references),
        ids: held.filter((_, index) => loaded[index]?.references.length === 0).map(({ image }) => image.id),
      }
    })
  }

  importImage(
    archive: AsyncIterable<Uint8Array>,
    options: ImportOptions,
  ): Promise<{ readonly image: string }> {
    const { reference, changes, message, signal } = options
    return this.#parts.door.call('importImage', [options], async () => {
      signal.throwIfAborted()
      const files = await readFiles(archive)
      const sizeBytes = [...files.values()].reduce((sum, { length }) => sum + length, 0)
      const layers = { [this.host.nextId().slice(0, 12)]: sizeBytes }
      const image = makeSimImage(
        { ...view.readChanges(changes), layers, ...(message !== undefined && { comment: message }) },
        this.host.nextId(),
      )
      const held = this.host.keepImage(image, this.#parts.clock.now())
      if (reference !== undefined) this.host.tagImage(held, reference)
      this.#parts.emitImage('import', image.id, reference ?? image.id)
      return { image: image.id }
    })
  }

  diskUsage(): Promise<DiskUsage> {
    return this.#parts.door.call('diskUsage', [], () => view.diskUsageOf(this.host))
  }

  pruneBuildCache(options: { readonly olderThanMs: number; readonly keepBytes: number }): Promise<number> {
    return this.#parts.door.call('pruneBuildCache', [options], () => {
      const { buildCache } = this.host
      const now = this.#parts.clock.now()
      const isOld = ({ createdAt, lastUsedAt = createdAt }: (typeof buildCache)[number]) =>
        now - Date.parse(lastUsedAt) >= options.olderThanMs
      let kept = buildCache.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
      const before = kept
      for (const record of buildCache.filter((one) => !one.inUse && isOld(one))) {
        if (kept <= options.keepBytes) break
        buildCache.splice(buildCache.indexOf(record), 1)
        kept -= record.sizeBytes
      }
      return before - kept
    })
  }

  #must(image: string): HeldImage {
    return this.host.findAnyImage(image) ?? refuse('NotFound', `No such image: ${image}`)
  }

  #allTags(reference: string): string[] {
    const parsed = parseReference(reference)
    if (!parsed.ok) return refuse('InvalidSpec', parsed.message)
    const { registry, repository } = parsed.reference
    const tags = this.registry.tags(reference)
    if (tags.length === 0) this.registry.fetch(reference)
    return tags.map((tag) => `${registry}/${repository}:${tag}`)
  }

  #hold({ config, layers, references }: ArchivedImage): HeldImage {
    const spec = view.readSpec(config)
    const inOrder = Object.fromEntries(layers.map((layer) => [layer, spec.layers?.[layer] ?? 0]))
    const whole = layers.length === 0 ? spec : { ...spec, layers: inOrder }
    const held = this.host.keepImage(makeSimImage(whole, ''), this.#parts.clock.now())
    for (const reference of references) this.host.tagImage(held, reference)
    this.#parts.emitImage('load', held.image.id, references[0] ?? held.image.id)
    return held
  }

  async #download(image: SimImage, pullTime: number, { onProgress, signal }: PullOptions): Promise<void> {
    const { clock, door } = this.#parts
    const layers = Object.entries(image.spec.layers ?? {})
    const total = layers.reduce((sum, [, size]) => sum + size, 0)
    const missing = layers.filter(([layer]) => !this.host.layers.has(layer))
    if (layers.length === 0 && pullTime > 0 && !this.host.images.has(image.id)) {
      await sleep(clock, pullTime, signal)
    }
    for (const [layer, totalBytes] of missing) {
      onProgress?.({ layer, state: 'Downloading', currentBytes: 0, totalBytes })
      const time = total === 0 ? 0 : (pullTime * totalBytes) / total
      if (time > 0) await sleep(clock, time, signal)
      door.mustAnswer()
      this.host.layers.add(layer)
      onProgress?.({ layer, state: 'Pull complete', currentBytes: totalBytes, totalBytes })
    }
  }
}

function isHeld(held: HeldImage | undefined, reference: string): boolean {
  if (held === undefined) return false
  const name = canonicalName(reference)
  return held.references.has(name) || held.digests.has(name)
}

function isId(name: string): boolean {
  return /^(sha256:)?[0-9a-f]{64}$/.test(name)
}
