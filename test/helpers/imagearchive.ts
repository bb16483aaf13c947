/** Archives of images in tests: gathered, taken apart and put together again with other parts. */
import { spawnSync } from 'node:child_process'
import { buffer } from 'node:stream/consumers'
import { extract, type Headers, pack } from 'tar-stream'
import { tar } from './tar.ts'

/** The files of an image whose content is `content`. */
export function makeRootfs(content: string | Uint8Array): Uint8Array {
  const text = [{ name: 'content', mode: 0o644, data: Buffer.from(content) }]
  return tar(text)
}

/** In pieces, as from a socket. */
export async function* piecesOf(bytes: Uint8Array, size = 16_384): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

export async function gather(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  return Buffer.concat(all)
}

/** `edit` is given each file; undefined leaves it out. Directories and links stay. */
export async function editArchive(
  archive: Uint8Array,
  edit: (name: string, data: Buffer) => Buffer | undefined,
): Promise<Buffer> {
  const edited = pack()
  const reader = extract()
  reader.on('entry', (header: Headers, stream, next) => {
    buffer(stream).then((data) => {
      const kept = header.type === 'file' ? edit(header.name, data) : data
      if (kept === undefined) next()
      else edited.entry({ ...header, size: kept.length }, kept, next)
    }, next)
  })
  reader.on('finish', () => edited.finalize())
  reader.on('error', (error) => edited.destroy(error))
  reader.end(archive)
  return await gather(edited)
}

/** Paths of the layers of its first image, the base first. */
export async function layerPaths(archive: Uint8Array): Promise<string[]> {
  let paths: string[] = []
  await editArchive(archive, (name, data) => {
    // Engines write it so.
    if (name === 'manifest.json') paths = (JSON.parse(data.toString()) as [{ Layers: string[] }])[0].Layers
    return data
  })
  return paths
}

/** Through the program of that name. */
export function compress(program: 'gzip' | 'bzip2' | 'xz', bytes: Uint8Array): Uint8Array {
  const { status, stdout, stderr } = spawnSync(program, ['-c'], { input: bytes, maxBuffer: 256 * 1024 ** 2 })
  if (status !== 0) throw new Error(`${program}: ${stderr}`)
  return stdout
}
