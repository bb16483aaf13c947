/** From Docker's words about images to Cove's (images.ts), decoded from `unknown` at this border. Pure. */
import { readDeclared } from './dockersettings.ts'
import type {
  DiskUsage,
  ImageDetails,
  ImageHistoryEntry,
  ListedImage,
  LoadedImages,
  PulledImage,
  PullProgress,
  RemovedImage,
} from './images.ts'
import { array, type Json, number, object, text, textMap, texts } from './json.ts'
import type { ObservedImage } from './port.ts'

/** One entry of `GET /images/json`. */
export function readImage(entry: unknown): ObservedImage {
  const root = object(entry)
  return {
    id: text(root['Id']),
    references: texts(root['RepoTags']).filter((reference) => reference !== '<none>:<none>'),
    digests: texts(root['RepoDigests']).filter((digest) => digest !== '<none>@<none>'),
    sizeBytes: number(root['Size']),
    createdAt: unixSeconds(root['Created']),
  }
}

/** One line of a pull's stream; undefined for lines about no layer. */
export function readPullProgress(line: unknown): PullProgress | undefined {
  const root = object(line)
  const layer = text(root['id'])
  const state = text(root['status'])
  if (!/^[0-9a-f]{12}$/.test(layer) || state === '') return undefined
  const detail = object(root, 'progressDetail')
  return {
    layer,
    state,
    ...(typeof detail['current'] === 'number' && { currentBytes: detail['current'] }),
    ...(typeof detail['total'] === 'number' && { totalBytes: detail['total'] }),
  }
}

/** The failure inside a stream that began with 200, or undefined. */
export function readStreamError(line: unknown): string | undefined {
  const root = object(line)
  const message = text(object(root, 'errorDetail')['message']) || text(root['error'])
  return message === '' ? undefined : message
}

/** One entry of `GET /images/json` with those that only others are made of. */
export function readListedImage(entry: unknown): ListedImage {
  const root = object(entry)
  return { ...readImage(entry), parent: text(root['ParentId']), labels: textMap(root['Labels']) }
}

/** `GET /images/x/json`. */
export function readImageDetails(answer: unknown): ImageDetails {
  const root = object(answer)
  return {
    id: text(root['Id']),
    references: named(root['RepoTags']),
    digests: named(root['RepoDigests']),
    parent: text(root['Parent']),
    createdAt: text(root['Created']),
    sizeBytes: number(root['Size']),
    author: text(root['Author']),
    comment: text(root['Comment']),
    os: text(root['Os']),
    architecture: text(root['Architecture']),
    variant: text(root['Variant']),
    layers: texts(object(root, 'RootFS')['Layers']),
    config: readDeclared(object(root, 'Config')),
  }
}

/** `GET /images/x/history`. */
export function readHistory(answer: unknown): ImageHistoryEntry[] {
  return array(answer).map((entry) => {
    const root = object(entry)
    return {
      id: text(root['Id']),
      createdAt: unixSeconds(root['Created']),
      createdBy: text(root['CreatedBy']),
      sizeBytes: number(root['Size']),
      comment: text(root['Comment']),
      tags: named(root['Tags']),
    }
  })
}

/** `DELETE /images/x`: steps, each of which cut a name or deleted something. */
export function readRemoved(answer: unknown): RemovedImage {
  const steps = array(answer).map((step) => object(step))
  const of = (key: string) => steps.map((step) => text(step[key])).filter((value) => value !== '')
  return { untagged: of('Untagged'), deleted: of('Deleted') }
}

/** What the lines of a pull say of what it found. */
export function readPulled(lines: readonly string[]): PulledImage {
  const digest = lines.map((line) => /^Digest: (sha256:[0-9a-f]{64})$/.exec(line)?.[1]).findLast(isGiven)
  const upToDate = lines.some((line) => line.startsWith('Status: Image is up to date'))
  return { upToDate, ...(digest !== undefined && { digest }) }
}

/** The word of a line; empty for one that has none. */
export function readStatusLine(line: unknown): string {
  return text(object(line)['status'])
}

/** The digest that one line of a push ends with. */
export function readPushedDigest(line: unknown): string | undefined {
  const digest = text(object(line, 'aux')['Digest'])
  if (digest !== '') return digest
  return /: digest: (sha256:[0-9a-f]{64}) /.exec(readStatusLine(line))?.[1]
}

/** Of the manifest, beside its digest. */
export function readPushedSize(line: unknown): number | undefined {
  const size = object(line, 'aux')['Size']
  return typeof size === 'number' && size > 0 ? size : undefined
}

/** What one line of a load says was loaded. */
export function readLoaded(line: unknown): LoadedImages {
  const said = text(object(line)['stream']).split('\n')
  const of = (pattern: RegExp) => said.map((words) => pattern.exec(words)?.[1]).filter(isGiven)
  return { references: of(/^Loaded image: (\S+)$/), ids: of(/^Loaded image ID: (\S+)$/) }
}

/** `GET /system/df`. */
export function readDiskUsage(answer: unknown): DiskUsage {
  const root = object(answer)
  const all = (key: string) => array(root[key]).map((entry) => object(entry))
  return {
    layersBytes: number(root['LayersSize']),
    images: all('Images').map((image) => ({
      id: text(image['Id']),
      sizeBytes: number(image['Size']),
      sharedBytes: known(image['SharedSize']),
      containers: Math.max(0, number(image['Containers'])),
    })),
    containers: all('Containers').map(readWritten),
    volumes: all('Volumes').map((volume) => ({
      name: text(volume['Name']),
      sizeBytes: known(object(volume, 'UsageData')['Size']),
      containers: Math.max(0, number(object(volume, 'UsageData')['RefCount'])),
      labels: textMap(volume['Labels']),
      createdAt: text(volume['CreatedAt']),
    })),
    buildCache: all('BuildCache').map(readCached),
  }
}

function readWritten(container: Json): DiskUsage['containers'][number] {
  return {
    id: text(container['Id']),
    name: (texts(container['Names'])[0] ?? '').replace(/^\//, ''),
    image: text(container['Image']),
    state: text(container['State']),
    writtenBytes: number(container['SizeRw']),
    createdAt: unixSeconds(container['Created']),
  }
}

function readCached(record: Json): DiskUsage['buildCache'][number] {
  const lastUsedAt = text(record['LastUsedAt'])
  return {
    id: text(record['ID']),
    type: text(record['Type']),
    description: text(record['Description']),
    sizeBytes: number(record['Size']),
    inUse: record['InUse'] === true,
    shared: record['Shared'] === true,
    createdAt: text(record['CreatedAt']),
    ...(lastUsedAt !== '' && !lastUsedAt.startsWith('0001-') && { lastUsedAt }),
  }
}

/** -1, as engines write it, also where they leave it out. */
function known(value: unknown): number {
  return typeof value === 'number' ? value : -1
}

/** Nameless images are listed under a name that means none. */
function named(value: unknown): readonly string[] {
  return texts(value).filter((name) => !name.startsWith('<none>'))
}

/** Whoever makes an image says when that was: what is no time at all is the beginning of time. */
function unixSeconds(value: unknown): string {
  const time = new Date(number(value) * 1000)
  return (Number.isNaN(time.getTime()) ? new Date(0) : time).toISOString()
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined
}
