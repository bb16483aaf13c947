/**
 * What nodes tell of the images that their engines hold, and what they do with them when they are asked: the answers of
 * the subresources `images` and `disk` of a Node. Who reads one decodes it here: it comes from another machine.
 */
import { fromStatus, type StatusError } from '#pkg/apimachinery/errors.ts'
import { amount, array, number, object, optional, text, textMap, texts, truth, when } from './border.ts'
import { decodeOwner, type Owner } from './looks.ts'

/** A container that was made of an image. */
export interface ImageUser {
  readonly name: string
  readonly state: string
  readonly owner: Owner
}

/** An image of a node's engine. */
export interface NodeImage {
  /** `sha256:...` */
  readonly id: string
  /** Familiar references; empty: it is dangling, or others are made of it. */
  readonly references: readonly string[]
  /** `repository@sha256:...` */
  readonly digests: readonly string[]
  /** The image it was made of by a builder of this engine; empty: none, or none that is known. */
  readonly parent: string
  readonly labels: Readonly<Record<string, string>>
  readonly sizeBytes: number
  readonly createdAt: string
  /** Whether others are made of it. */
  readonly children: boolean
  readonly containers: readonly ImageUser[]
  /** Absent: not known. */
  readonly lastUsedAt?: string
}

export interface ImageHistoryLine {
  /** Of an image that the engine holds; `<missing>` otherwise. */
  readonly id: string
  readonly createdAt: string
  readonly createdBy: string
  readonly sizeBytes: number
  readonly comment: string
  readonly tags: readonly string[]
}

/** References that were cut, and digests of what really went. */
export interface RemovedNames {
  readonly untagged: readonly string[]
  readonly deleted: readonly string[]
}

/** How far a layer is, on its way to the node or away from it. */
export interface LayerProgress {
  readonly layer: string
  readonly state: string
  readonly currentBytes?: number
  readonly totalBytes?: number
}

/** What became of a transfer: each kind fills in what it knows. */
export interface TransferDone {
  /** Of the image, `sha256:...`. */
  readonly id?: string
  /** In its registry. */
  readonly digest?: string
  /** Of the manifest there. */
  readonly manifestBytes?: number
  /** Whether the name meant another image before, or none. */
  readonly changed?: boolean
  /** What was pulled or loaded. */
  readonly references?: readonly string[]
  /** Of loaded images without a name. */
  readonly ids?: readonly string[]
}

/** One line of a transfer; the last one says how it ended. */
export type TransferLine =
  | { readonly progress: LayerProgress }
  | { readonly done: TransferDone }
  | { readonly error: StatusError }

/** What is on the disk of a node's engine, and whose it is. */
export interface NodeDisk {
  /** Bytes of all layers, each counted once. */
  readonly layersBytes: number
  readonly images: readonly DiskImage[]
  readonly containers: readonly DiskContainer[]
  readonly volumes: readonly DiskVolume[]
  readonly buildCache: readonly DiskCache[]
}

export interface DiskImage {
  readonly id: string
  readonly references: readonly string[]
  readonly digests: readonly string[]
  readonly createdAt: string
  readonly sizeBytes: number
  /** Of layers that other images have too; -1: not known. */
  readonly sharedBytes: number
  readonly containers: number
}

export interface DiskContainer {
  readonly id: string
  readonly name: string
  readonly image: string
  readonly command: string
  readonly state: string
  /** In words. */
  readonly status: string
  readonly createdAt: string
  /** What it has written. */
  readonly writtenBytes: number
  readonly owner: Owner
}

export interface DiskVolume {
  readonly name: string
  /** -1: not known. */
  readonly sizeBytes: number
  readonly containers: number
  /** Of a Volume of this API; absent: nobody's that is known here. */
  readonly owner?: { readonly namespace: string; readonly name: string }
}

export interface DiskCache {
  readonly id: string
  readonly type: string
  readonly description: string
  readonly sizeBytes: number
  readonly inUse: boolean
  readonly shared: boolean
  readonly createdAt: string
  /** Absent: never. */
  readonly lastUsedAt?: string
}

export function decodeNodeImages(value: unknown): readonly NodeImage[] {
  return array(object(value)['items']).map((item) => {
    const from = object(item)
    return {
      id: text(from['id']),
      references: texts(from['references']),
      digests: texts(from['digests']),
      parent: text(from['parent']),
      labels: textMap(from['labels']),
      sizeBytes: amount(from['sizeBytes']),
      createdAt: when(from['createdAt']),
      children: truth(from['children']),
      containers: array(from['containers']).map(decodeUser),
      ...optional(from, 'lastUsedAt', when),
    }
  })
}

function decodeUser(value: unknown): ImageUser {
  const { name, state, owner } = object(value)
  return { name: text(name), state: text(state), owner: decodeOwner(owner) }
}

export function decodeHistory(value: unknown): readonly ImageHistoryLine[] {
  return array(object(value)['items']).map((item) => {
    const { id, createdAt, createdBy, sizeBytes, comment, tags } = object(item)
    return {
      id: text(id),
      createdAt: when(createdAt),
      createdBy: text(createdBy),
      sizeBytes: amount(sizeBytes),
      comment: text(comment),
      tags: texts(tags),
    }
  })
}

export function decodeRemoved(value: unknown): RemovedNames {
  const { untagged, deleted } = object(value)
  return { untagged: texts(untagged), deleted: texts(deleted) }
}

export function decodeTransferLine(value: unknown): TransferLine {
  const from = object(value)
  if (from['error'] !== undefined) return { error: decodeError(from['error']) }
  if (from['done'] === undefined) return { progress: decodeLayer(from) }
  const done = object(from['done'])
  return {
    done: {
      ...optional(done, 'id', text),
      ...optional(done, 'digest', text),
      ...optional(done, 'manifestBytes', amount),
      ...optional(done, 'changed', truth),
      ...optional(done, 'references', texts),
      ...optional(done, 'ids', texts),
    },
  }
}

function decodeLayer(from: Readonly<Record<string, unknown>>): LayerProgress {
  return {
    layer: text(from['layer']),
    state: text(from['state']),
    ...optional(from, 'currentBytes', amount),
    ...optional(from, 'totalBytes', amount),
  }
}

function decodeError(value: unknown): StatusError {
  const from = object(value)
  return fromStatus({
    code: number(from['code']),
    ...optional(from, 'reason', text),
    ...optional(from, 'message', text),
  })
}

export function decodeNodeDisk(value: unknown): NodeDisk {
  const from = object(value)
  return {
    layersBytes: amount(from['layersBytes']),
    images: array(from['images']).map(decodeDiskImage),
    containers: array(from['containers']).map(decodeDiskContainer),
    volumes: array(from['volumes']).map(decodeDiskVolume),
    buildCache: array(from['buildCache']).map(decodeDiskCache),
  }
}

function decodeDiskImage(value: unknown): DiskImage {
  const { id, references, digests, createdAt, sizeBytes, sharedBytes, containers } = object(value)
  return {
    id: text(id),
    references: texts(references),
    digests: texts(digests),
    createdAt: when(createdAt),
    sizeBytes: amount(sizeBytes),
    sharedBytes: number(sharedBytes),
    containers: amount(containers),
  }
}

function decodeDiskContainer(value: unknown): DiskContainer {
  const { id, name, image, command, state, status, createdAt, writtenBytes, owner } = object(value)
  return {
    id: text(id),
    name: text(name),
    image: text(image),
    command: text(command),
    state: text(state),
    status: text(status),
    createdAt: when(createdAt),
    writtenBytes: amount(writtenBytes),
    owner: decodeOwner(owner),
  }
}

function decodeDiskVolume(value: unknown): DiskVolume {
  const from = object(value)
  const owner = (found: unknown) => {
    const { namespace, name } = object(found)
    return { namespace: text(namespace), name: text(name) }
  }
  return {
    name: text(from['name']),
    sizeBytes: number(from['sizeBytes']),
    containers: amount(from['containers']),
    ...optional(from, 'owner', owner),
  }
}

function decodeDiskCache(value: unknown): DiskCache {
  const from = object(value)
  return {
    id: text(from['id']),
    type: text(from['type']),
    description: text(from['description']),
    sizeBytes: amount(from['sizeBytes']),
    inUse: truth(from['inUse']),
    shared: truth(from['shared']),
    createdAt: when(from['createdAt']),
    ...optional(from, 'lastUsedAt', when),
  }
}
