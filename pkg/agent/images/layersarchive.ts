/**
 * Archives as `docker save` writes them, without some of the layers: an engine loads what is left when it has those layers
 * already, for it looks for the chain of a layer before it opens its file. Both layouts are read: directories with a
 * layer.tar (engines up to 24) and blobs of an OCI layout; in both `manifest.json` says which file is which layer.
 * Bytes pass through as they come and as they are; only the manifest is held.
 */
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type Bytes, gatherBytes, type TarEntry, tarEntries } from './tararchive.ts'

/**
 * What a layer stands for together with those below it: `sha256:...`, one for each layer, the base first. Two images
 * share a layer on an engine when this is the same; the digest of the layer alone is not enough.
 */
export function chainsOf(layers: readonly string[]): string[] {
  const chains: string[] = []
  for (const layer of layers) {
    const below = chains.at(-1)
    const digest = createHash('sha256').update(`${below} ${layer}`).digest('hex')
    chains.push(below === undefined ? layer : `sha256:${digest}`)
  }
  return chains
}

/**
 * Paths of the first `count` of so many layers, in an archive of one image; without those that are, or are linked to by,
 * one of the others. Empty when the archive does not say which are which.
 */
export async function pathsOfLayers(
  archive: Bytes,
  { count, of }: { readonly count: number; readonly of: number },
): Promise<ReadonlySet<string>> {
  const links = new Map<string, string>()
  let manifest = '[]'
  for await (const { name, link, content } of tarEntries(archive)) {
    if (name === '') await gatherBytes(content)
    if (link !== '') links.set(name, posix.join(posix.dirname(name), link))
    if (name === 'manifest.json') manifest = (await gatherBytes(content)).toString()
  }
  const paths = layersIn(manifest)
  if (paths.length !== of) return new Set()
  const needed = new Set(paths.slice(count).flatMap((path) => [path, links.get(path) ?? path]))
  return new Set(paths.slice(0, count).filter((path) => !needed.has(path)))
}

/** The archive without those files. Fails as the archive does, before its end is written. */
export async function* withoutFiles(archive: Bytes, left: ReadonlySet<string>): AsyncGenerator<Uint8Array> {
  for await (const entry of tarEntries(archive)) if (!left.has(entry.name)) yield* rawEntry(entry)
}

async function* rawEntry({ head, content, padding }: TarEntry): AsyncGenerator<Uint8Array> {
  yield head
  yield* content
  if (padding.length > 0) yield padding
}

/** Of the only image of the manifest. */
function layersIn(manifest: string): readonly string[] {
  const images = parse(manifest)
  const [image] = Array.isArray(images) && images.length === 1 ? images : []
  const layers: unknown = isPlainObject(image) ? image['Layers'] : undefined
  return Array.isArray(layers) ? layers.filter((path) => typeof path === 'string') : []
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch (cause) {
    throw new StatusError('EngineError', 'the manifest of a saved image is no JSON', {}, { cause })
  }
}
