/**
 * Archives of simulated images, laid out as engines lay out theirs: a configuration for each image, whose digest is the
 * image's id, a file for each layer, whose digest stands in for its content, and a manifest that says which belong
 * together.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { extract, pack } from 'tar-stream'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import { array, object, text, texts } from './json.ts'
import type { SimImage } from './simregistry.ts'

type Layer = readonly [name: string, sizeBytes: number]

export interface ArchivedImage {
  readonly references: readonly string[]
  readonly config: string
  /** Names of its layers, the base first. */
  readonly layers: readonly string[]
}

/** Digest of a layer as it is unpacked. */
export function diffIdOf(layer: Layer): string {
  return digestOf(contentOf(layer))
}

/** Each image under the names that are given. */
export async function* writeImages(
  images: readonly { readonly image: SimImage; readonly references: readonly string[] }[],
): AsyncGenerator<Uint8Array> {
  const archive = pack()
  const layers = new Map(images.flatMap(({ image }) => Object.entries(image.spec.layers ?? {})))
  for (const layer of layers) archive.entry({ name: pathOf(layer[0]) }, contentOf(layer))
  for (const { image } of images) archive.entry({ name: configName(image) }, canonicalJson(image.spec))
  const manifest = images.map(({ image, references }) => ({
    Config: configName(image),
    RepoTags: references,
    Layers: Object.keys(image.spec.layers ?? {}).map(pathOf),
  }))
  archive.entry({ name: 'manifest.json' }, JSON.stringify(manifest))
  archive.finalize()
  // Gathered first: the library's stream cannot be left before its end.
  yield* await Array.fromAsync(archive)
}

/** InvalidSpec for what is no such archive. `hasLayer` tells which layers need not be in it. */
export async function readImages(
  archive: AsyncIterable<Uint8Array>,
  hasLayer: (layer: string) => boolean,
): Promise<ArchivedImage[]> {
  const files = await readFiles(archive)
  const manifest = files.get('manifest.json')
  if (manifest === undefined) throw new StatusError('InvalidSpec', 'the archive holds no image')
  return array(JSON.parse(manifest.toString())).map((entry) => {
    const root = object(entry)
    const layers = texts(root['Layers']).map((path) => path.split('/')[0] ?? '')
    const config = files.get(text(root['Config']))?.toString()
    if (config === undefined) throw new StatusError('InvalidSpec', 'the archive lacks a part of its image')
    const sizes = object(JSON.parse(config), 'layers')
    for (const layer of layers) {
      const expected = diffIdOf([layer, Number(sizes[layer])])
      if (!hasLayer(layer)) checkLayer(files.get(pathOf(layer)), expected)
    }
    return { references: texts(root['RepoTags']), config, layers }
  })
}

/** The files of a tar archive, which may be compressed. InvalidSpec for anything else. */
export async function readFiles(archive: AsyncIterable<Uint8Array>): Promise<Map<string, Buffer>> {
  const pieces: Uint8Array[] = []
  for await (const piece of archive) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  if (bytes.length === 0) throw new StatusError('InvalidSpec', 'the archive is empty')
  try {
    return await untar(unpacked(bytes))
  } catch (cause) {
    throw new StatusError('InvalidSpec', `the archive is no tar archive: ${messageOf(cause)}`, {}, { cause })
  }
}

function checkLayer(content: Buffer | undefined, expected: string): void {
  if (content === undefined) throw new StatusError('InvalidSpec', 'the archive lacks a part of its image')
  const digest = digestOf(content)
  if (digest === expected) return
  const message = `the archive holds a layer that is not what it says: expected ${expected}, got ${digest}`
  throw new StatusError('InvalidSpec', message)
}

function untar(bytes: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  return new Promise((resolve, reject) => {
    const reader = extract()
    reader.on('entry', ({ name }, stream, next) => {
      const pieces: Buffer[] = []
      stream.on('data', (piece: Buffer) => pieces.push(piece))
      stream.on('error', reject)
      stream.on('end', () => {
        files.set(name, Buffer.concat(pieces))
        next()
      })
    })
    reader.on('error', reject)
    reader.on('finish', () => resolve(files))
    Readable.from([bytes], { objectMode: false }).on('error', reject).pipe(reader)
  })
}

function unpacked(bytes: Buffer): Buffer {
  const magic = bytes.subarray(0, 4).toString('hex')
  if (magic.startsWith('1f8b')) return gunzipSync(bytes)
  return magic === '28b52ffd' ? zstdDecompressSync(bytes) : bytes
}

function contentOf([name, sizeBytes]: Layer): string {
  return `layer ${name} of ${sizeBytes} bytes\n`
}

function digestOf(content: string | Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}

function configName({ id }: SimImage): string {
  return `${id.replace('sha256:', '')}.json`
}

function pathOf(layer: string): string {
  return `${layer}/layer.tar`
}
