/**
 * The part of a node's small API (streams.ts) that is about the images its engine holds: `GET /images`, and below it
 * `details`, `raw`, `history`, `tag`, `pull`, `push`, `save`, `load` and `import`; `DELETE /images`. Here is what looks
 * at them and names them; what moves them is in imagetransfers.ts.
 */
import { badRequest, isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { familiarReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { imageMeant, type MeantImage } from '#pkg/apis/imagename.ts'
import type { ImageUser, NodeImage } from '#pkg/apis/looks.images.ts'
import type { ListedImage } from '#pkg/engine/images.ts'
import type { ListedContainer } from '#pkg/engine/looks.ts'
import type { NodeTarget } from '../nodelooks.ts'
import { tellOwner } from '../owned.ts'
import { isTrue } from '../target.ts'

const apiVersion = 'cove.run/v1'

/** All of them, also those that only others are made of. */
export async function listImages({ engine, ownerOf, lastUsedOf }: NodeTarget): Promise<ApiResponse> {
  const [images, containers] = await Promise.all([engine.listAllImages(), engine.listContainers()])
  const parents = new Set(images.map(({ parent }) => parent))
  const items = images.map((image): NodeImage => {
    const lastUsedAt = lastUsedOf?.(image.id)
    return {
      ...image,
      children: parents.has(image.id),
      containers: usersOf(image, containers, ownerOf),
      ...(lastUsedAt !== undefined && { lastUsedAt }),
    }
  })
  return answer('NodeImages', { items })
}

function usersOf(
  { id }: Pick<ListedImage, 'id'>,
  containers: readonly ListedContainer[],
  ownerOf: NodeTarget['ownerOf'],
): ImageUser[] {
  return containers
    .filter(({ imageID }) => imageID === id)
    .map((container) => ({
      name: container.name,
      state: container.state,
      owner: tellOwner(container.labels, ownerOf(container)),
    }))
}

export async function imageDetails(target: NodeTarget): Promise<ApiResponse> {
  const { image } = await wantedImage(target)
  const details = await target.engine.imageDetails(image.id)
  if (details === undefined) throw justGone(image)
  return answer('ImageDetails', details)
}

/** In the engine's own words. */
export async function rawImage(target: NodeTarget): Promise<ApiResponse> {
  const { image } = await wantedImage(target)
  const raw = await target.engine.rawImage(image.id)
  if (raw === undefined) throw justGone(image)
  return json(raw)
}

export async function imageHistory(target: NodeTarget): Promise<ApiResponse> {
  const { image } = await wantedImage(target)
  return answer('ImageHistory', { items: await target.engine.imageHistory(image.id) })
}

/** `reference`: a name, never a digest; it is taken from the image that has it. */
export async function tagImage(target: NodeTarget): Promise<ApiResponse> {
  const reference = nameIn(target.request.query, 'reference')
  const { image } = await wantedImage(target)
  await target.engine.tagImage(image.id, reference)
  return answer('ImageTag', { id: image.id, reference })
}

/** `force` as `docker rmi` has it; only people ask for it. */
export async function removeImage(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request } = target
  const force = isTrue(request.query, 'force')
  const meant = await wantedImage(target)
  try {
    return answer('RemovedImage', await engine.removeImage(meant.reference ?? meant.image.id, { force }))
  } catch (error) {
    if (!isReason(error, 'InUse')) throw error
    throw await whyItStays(meant, error, target)
  }
}

/** The engine names the first container by its id, and no image at all. */
async function whyItStays(
  { image, reference }: MeantImage<ListedImage>,
  cause: StatusError,
  { engine, ownerOf }: NodeTarget,
): Promise<StatusError> {
  const [images, containers] = await Promise.all([engine.listAllImages(), engine.listContainers()])
  const users = usersOf(image, containers, ownerOf)
  const made = images.filter(({ parent }) => parent === image.id)
  const what = `image ${reference ?? shortID(image.id)}`
  if (users.length > 0)
    return new StatusError('InUse', `${what} is used by ${users.map(userText).join(', ')}`, {}, { cause })
  if (made.length > 0)
    return new StatusError('HasChildren', `${made.map(nameOf).join(', ')} is made of ${what}`, {}, { cause })
  if (reference !== undefined || image.references.length < 2) return cause
  const names = `${what} has several names: ${image.references.join(', ')}`
  return new StatusError('InUse', `${names}: remove them one by one, or all with --force`, {}, { cause })
}

function userText({ name, state, owner }: ImageUser): string {
  const { type, namespace = '', name: ownerName = '' } = owner
  if (type === 'Container') return `container ${namespace}/${ownerName} (${state})`
  const whose = {
    OtherCluster: `which is ${namespace}/${ownerName} of another cluster`,
    ComposeProject: `of the Compose project ${ownerName}`,
    SwarmService: `of the Swarm service ${ownerName}`,
    KubernetesPod: `of the Pod ${namespace}/${ownerName}`,
    Nobody: 'which is not of Cove',
  }[type]
  return `container ${name} (${state}), ${whose}`
}

/** The one that the parameter `image` means. */
export async function wantedImage(target: NodeTarget): Promise<MeantImage<ListedImage>> {
  return imageMeant(textIn(target.request.query, 'image'), await target.engine.listAllImages())
}

/** Throws BadRequest. */
export function textIn(query: URLSearchParams, name: string): string {
  const value = query.get(name)
  if (value === null || value === '') throw badRequest(`${name}: is required`)
  return value
}

/** A name as the engine lists it, `latest` if no tag is said. Throws BadRequest for what is none, or holds a digest. */
export function nameIn(query: URLSearchParams, parameter: string): string {
  const text = textIn(query, parameter)
  const parsed = parseReference(text)
  if (!parsed.ok) throw badRequest(`${parameter}: "${text}": ${parsed.message}`)
  if (parsed.reference.digest !== undefined)
    throw badRequest(`${parameter}: "${text}": a digest is no name that could be given`)
  return familiarReference(parsed.reference)
}

function nameOf({ id, references: [first] }: ListedImage): string {
  return first ?? shortID(id)
}

function shortID(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}

function justGone({ id }: ListedImage): StatusError {
  return new StatusError('ImageNotFound', `image ${shortID(id)} has just been removed`)
}

export function answer(kind: string, value: object): ApiResponse {
  return json({ kind, apiVersion, ...value })
}

function json(value: unknown): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
