/** Images on their way to a node's engine and away from it: parts of the node's small API (nodeimages.ts). */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { canonicalReference, familiarReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { imageMeant } from '#pkg/apis/imagename.ts'
import { decodeRegistryAuth, registryAuthHeader } from '#pkg/apis/registryauth.ts'
import type { ListedImage } from '#pkg/engine/images.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { isTrue } from '../target.ts'
import { type Offered, withEach } from './credentials.ts'
import { nameIn, textIn } from './nodeimages.ts'
import { transferLines } from './transferlines.ts'

/** `reference`, `platform`; with `allTags` every tag of its repository. Whoever asks, hangs up and so breaks it off. */
export async function pullImage(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request } = target
  const { query, signal } = request
  const reference = wholeReference(textIn(query, 'reference'))
  const platform = query.get('platform')
  const allTags = isTrue(query, 'allTags')
  const offered = await offeredFor(target, reference)
  const options = {
    ...(platform !== null && platform !== '' && { platform }),
    ...(allTags && { allTags }),
    signal,
  }
  return transferLines(async (onProgress) => {
    const { upToDate, digest } = await withEach(reference, offered, (credentials) =>
      engine.pullImage(reference, { ...options, onProgress, ...(credentials && { credentials }) }),
    )
    const images = await engine.listAllImages()
    const references = allTags ? tagsOfRepository(reference, images) : [reference]
    const { id } = imageMeant(references[0] ?? reference, images).image
    return { id, ...(digest !== undefined && { digest }), changed: !upToDate, references }
  })
}

/** `reference`: a name that an image has here. */
export async function pushImage(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request } = target
  const reference = nameIn(request.query, 'reference')
  const { image } = imageMeant(reference, await engine.listAllImages())
  const offered = await offeredFor(target, reference)
  const { signal } = request
  return transferLines(async (onProgress) => {
    const { digest, manifestBytes } = await withEach(reference, offered, (credentials) =>
      engine.pushImage(reference, { signal, onProgress, ...(credentials && { credentials }) }),
    )
    const size = manifestBytes !== undefined && { manifestBytes }
    return { id: image.id, digest, ...size, references: [reference] }
  })
}

/** `image`, any number of them: as docker save has it, names stay in the archive and ids have none. */
export async function saveImages({ engine, request }: NodeTarget): Promise<ApiResponse> {
  const words = request.query.getAll('image').filter((word) => word !== '')
  if (words.length === 0) throw badRequest('image: is required')
  const images = await engine.listAllImages()
  const wanted = words.flatMap((word) => savedAs(word, images))
  const body = await engine.saveImages([...new Set(wanted)], request.signal)
  return { status: 200, headers: { 'content-type': 'application/x-tar' }, body }
}

/** A repository without a tag is all of its tags. */
function savedAs(word: string, images: readonly ListedImage[]): readonly string[] {
  const parsed = parseReference(word)
  const repository = parsed.ok && !/[:@][^/]*$/.test(word) ? tagsOfRepository(word, images) : []
  if (repository.length > 0) return repository
  const { image, reference } = imageMeant(word, images)
  return [reference ?? image.id]
}

/** The body is what docker save makes; also compressed. */
export async function loadImages({ engine, request }: NodeTarget): Promise<ApiResponse> {
  const archive = bodyOf(request)
  return transferLines(async (onProgress) => {
    return await engine.loadImages(archive, { onProgress, signal: request.signal })
  })
}

/** The body is a tar archive of files, also compressed; `reference`, `message`, `platform`, any number of `change`. */
export async function importImage({ engine, request }: NodeTarget): Promise<ApiResponse> {
  const { query, signal } = request
  const archive = bodyOf(request)
  const [message, platform] = [query.get('message'), query.get('platform')]
  const { image } = await engine.importImage(archive, {
    ...(query.get('reference') && { reference: nameIn(query, 'reference') }),
    ...(message !== null && message !== '' && { message }),
    ...(platform !== null && platform !== '' && { platform }),
    changes: query.getAll('change'),
    signal,
  })
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ kind: 'ImageImport', apiVersion: 'cove.run/v1', id: image })
  return { status: 200, headers, body }
}

/** As the asker sends it, or all at once. */
function bodyOf({ input, body }: ApiRequest): AsyncIterable<Uint8Array> {
  if (input !== undefined) return input
  if (body === undefined || body.length === 0)
    throw badRequest('the archive is missing: it is the body of the request')
  return once(typeof body === 'string' ? Buffer.from(body) : body)
}

async function* once(data: Uint8Array): AsyncGenerator<Uint8Array> {
  yield data
}

/** Those that were sent along, else those that the node itself would use. */
export async function offeredFor(
  { request, credentialsOf }: NodeTarget,
  reference: string,
): Promise<Offered> {
  const credentials = decodeRegistryAuth(request.headers[registryAuthHeader])
  if (credentials !== undefined) return { found: [{ from: 'whoever asks', credentials }], troubles: [] }
  return (await credentialsOf?.(reference, request.signal)) ?? { found: [], troubles: [] }
}

function wholeReference(text: string): string {
  const parsed = parseReference(text)
  if (!parsed.ok) throw badRequest(`reference: "${text}": ${parsed.message}`)
  return familiarReference(parsed.reference)
}

function tagsOfRepository(reference: string, images: readonly ListedImage[]): readonly string[] {
  const wanted = repositoryOf(reference)
  return images.flatMap(({ references }) => references).filter((each) => repositoryOf(each) === wanted)
}

function repositoryOf(text: string): string | undefined {
  const parsed = parseReference(text)
  if (!parsed.ok) return undefined
  const { registry, repository } = parsed.reference
  return canonicalReference({ registry, repository })
}
