/**
 * Reads a tar archive from anywhere, as a stream and file by file, and refuses what is in no context: paths that are
 * absolute or leave it, links that do, files below what is no folder, devices. Whoever asks for the next file has read,
 * or skips, what is left of the one before.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { ByteReader } from './bytereader.ts'
import { contextPath, linkMode, modeBits, mustSaySomething, shown, type TreeEntryType } from './entry.ts'
import type { Keep } from './entryroom.ts'
import { type ArchiveHeader, blockBytes, paddingOf } from './header.ts'
import { decoded, parseHeader, parsePax, type RawHeader, upToZero } from './parseheader.ts'

export interface ArchivedFile {
  readonly header: ArchiveHeader
  /** To be read once, before the next file is asked for; empty of what is no file. */
  readonly content: AsyncIterable<Uint8Array>
}

/** Of what stands before a file and says something of it. */
const longestExtra = 1024 ** 2
/** As long as a path may be on a disk. */
const longestName = 4096
/** In one archive; what is known of them is kept: their names, and what links say. */
const mostFiles = 1_000_000
const mostCharacters = 64e6

/** Throws BadRequest for what is no archive, or holds what no context holds; and what `keep` throws. */
export async function* readArchive(
  input: AsyncIterable<Uint8Array>,
  keep: Keep = () => undefined,
): AsyncGenerator<ArchivedFile, undefined> {
  const reader = new ByteReader(input)
  try {
    const types = new Map<string, TreeEntryType>()
    let characters = 0
    for (let header = await nextHeader(reader, true); header !== undefined; ) {
      const left = { bytes: header.size }
      if (header.path !== '') {
        const known = types.size
        mustFit(header, types)
        const length = header.path.length + (header.linkname?.length ?? 0)
        characters += length
        keep(types.size - known, length)
        if (types.size > mostFiles || characters > mostCharacters)
          throw badRequest(`the archive has too many files: more than ${types.size - 1}`)
        yield { header, content: contentOf(reader, left) }
      }
      await reader.skip(left.bytes + paddingOf(header.size))
      header = await nextHeader(reader, false)
    }
    // What makes the archive a multiple of something, and what a socket still has.
    await reader.skipAll()
    return undefined
  } finally {
    await reader.close()
  }
}

async function* contentOf(reader: ByteReader, left: { bytes: number }): AsyncGenerator<Uint8Array> {
  while (left.bytes > 0) {
    const chunk = await reader.some(left.bytes)
    left.bytes -= chunk.length
    yield chunk
  }
}

/** Files, folders and links only; what says something of the file after it is taken in. Undefined: the end. */
async function nextHeader(reader: ByteReader, isFirst: boolean): Promise<ArchiveHeader | undefined> {
  const before: Before = { pax: new Map(), longName: undefined, longLink: undefined }
  for (;;) {
    const block = await reader.block(blockBytes)
    if (block === undefined && isFirst && reader.isEmpty)
      throw badRequest('the archive is empty: no bytes at all')
    if (block === undefined || block.every((byte) => byte === 0)) return undefined
    const raw = parseHeader(block)
    if (!(await takeIn(reader, raw, before))) return meant(raw, before)
  }
}

/** Whether the header says something of another one. */
async function takeIn(reader: ByteReader, raw: RawHeader, before: Before): Promise<boolean> {
  if (raw.flag === 'x' || raw.flag === 'X') before.pax = parsePax(await bodyOf(reader, raw))
  else if (raw.flag === 'L') before.longName = decoded(upToZero(await bodyOf(reader, raw)))
  else if (raw.flag === 'K') before.longLink = decoded(upToZero(await bodyOf(reader, raw)))
  // What holds for all files, such as the commit that git archived; no archive gives names that way.
  else if (raw.flag === 'g') await reader.skip(raw.size + paddingOf(raw.size))
  else return false
  return true
}

async function bodyOf(reader: ByteReader, { size }: RawHeader): Promise<Buffer> {
  if (size > longestExtra) throw badRequest('the archive is broken: a header of it is too long')
  const body = (await reader.block(size + paddingOf(size))) ?? Buffer.alloc(0)
  return body.subarray(0, size)
}

interface Before {
  pax: ReadonlyMap<string, string>
  longName: string | undefined
  longLink: string | undefined
}

function meant(raw: RawHeader, { pax, longName, longLink }: Before): ArchiveHeader {
  const name = pax.get('path') ?? longName ?? decoded(raw.name)
  const type = typeOf(raw.flag, name)
  if ([...pax.keys()].some((key) => key.startsWith('GNU.sparse.')))
    throw badRequest(`${shown(name)} is packed with holes (sparse), which is not supported: pack it without`)
  const path = contextPath(name)
  const mtime = Math.floor(numberOf(pax.get('mtime')) ?? raw.mtime)
  const size = type === 'file' ? (numberOf(pax.get('size')) ?? raw.size) : 0
  const mode = type === 'symlink' ? linkMode : raw.mode & modeBits
  if (path === '' && type !== 'directory') throw badRequest(`the archive has a file without a name`)
  const link = pax.get('linkpath') ?? longLink ?? decoded(raw.linkname)
  if (path.length > longestName || link.length > longestName)
    throw badRequest(`${shown(path.slice(0, 100))}... is longer than any path may be`)
  if (type === 'symlink') mustSaySomething(path, link)
  if (size < 0) throw badRequest(`the archive is broken: ${shown(name)} has a length below zero`)
  if (type === 'link') return { path, type, mode, size, mtime, linkname: contextPath(link) }
  return { path, type, mode, size, mtime, ...(type === 'symlink' && { linkname: link }) }
}

function typeOf(flag: string, name: string): ArchiveHeader['type'] {
  // Archives from before there were folders end their names with a slash.
  if ((flag === '0' || flag === '\0') && name.endsWith('/')) return 'directory'
  const known: Readonly<Record<string, ArchiveHeader['type']>> = {
    '0': 'file',
    '\0': 'file',
    '7': 'file',
    '1': 'link',
    '2': 'symlink',
    '5': 'directory',
  }
  const type = known[flag]
  if (type !== undefined) return type
  const what = { '3': 'a device', '4': 'a device', '6': 'a named pipe', S: 'packed with holes (sparse)' }[
    flag
  ]
  throw badRequest(`${shown(name)} is ${what ?? `of an unknown type, "${flag}"`}: no context can have that`)
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isFinite(value)) throw badRequest('the archive is broken: a header of it cannot be read')
  return value
}

/** Where it lies, and what lies there already: unpacking it must mean what reading it means. */
function mustFit({ path, type, linkname = '' }: ArchiveHeader, types: Map<string, TreeEntryType>): void {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
    const above = path.slice(0, end)
    const found = types.get(above)
    if (found === undefined) types.set(above, 'directory')
    else if (found !== 'directory')
      throw badRequest(`${shown(path)} lies below ${shown(above)}, which is no folder`)
  }
  const own = type === 'link' ? linkedType(path, linkname, types) : type
  const before = types.get(path)
  if (before !== undefined && (before === 'directory') !== (own === 'directory'))
    throw badRequest(`${shown(path)} is there twice, as a folder and as none`)
  types.set(path, own)
}

function linkedType(path: string, target: string, types: ReadonlyMap<string, TreeEntryType>): TreeEntryType {
  const type = types.get(target)
  if (type === 'file' || type === 'symlink') return type
  throw badRequest(`${shown(path)} is a further name of ${shown(target)}, which is no file before it`)
}
