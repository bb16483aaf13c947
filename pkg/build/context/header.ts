/** What stands before each file in a tar archive, written as ustar with pax records where ustar has no room. Pure. */
import type { TreeEntry } from './entry.ts'

export const blockBytes = 512
/** Two blocks of zeros, and nothing after them. */
export const trailerBytes = 2 * blockBytes

/** What goes into an archive; `link`: a further name of a file that came before, `linkname` its path. */
export interface ArchiveHeader extends Pick<TreeEntry, 'path' | 'mode' | 'size' | 'linkname'> {
  readonly type: TreeEntry['type'] | 'link'
  /** Whole seconds since the epoch. */
  readonly mtime: number
}

const flags = { file: '0', link: '1', symlink: '2', directory: '5', pax: 'x' } as const
const longestField = 100
/** What eleven octal digits hold. */
const largestNumber = 8 ** 11 - 1

/** One or three blocks and more. The owner is root, as the builder makes it anyway. */
export function encodeHeader(header: ArchiveHeader): Buffer {
  const name = nameOf(header)
  const records = paxRecords({ ...header, path: name })
  const own = ustar({ ...header, path: name }, flags[header.type])
  if (records === '') return own
  const body = Buffer.from(records)
  const before = ustar(
    { path: `PaxHeaders/${header.path}`, mode: 0o644, size: body.length, mtime: clamped(header.mtime) },
    flags.pax,
  )
  return Buffer.concat([before, body, Buffer.alloc(paddingOf(body.length)), own])
}

/** Zeros that follow on content of that length. */
export function paddingOf(bytes: number): number {
  return (blockBytes - (bytes % blockBytes)) % blockBytes
}

/** All that the archive has of the file. */
export function bytesOf(header: ArchiveHeader): number {
  return encodeHeader(header).length + header.size + paddingOf(header.size)
}

function nameOf({ path, type }: ArchiveHeader): string {
  return type === 'directory' ? `${path}/` : path
}

function paxRecords({ path, linkname = '', size, mtime }: Omit<ArchiveHeader, 'type'>): string {
  return [
    needsRecord(path) ? record('path', path) : '',
    needsRecord(linkname) ? record('linkpath', linkname) : '',
    size > largestNumber ? record('size', String(size)) : '',
    clamped(mtime) === mtime ? '' : record('mtime', String(mtime)),
  ].join('')
}

function needsRecord(text: string): boolean {
  return text.length > longestField || !/^[\x20-\x7e]*$/.test(text)
}

/** Its length counts itself. */
function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`)
  let length = rest + String(rest).length
  if (rest + String(length).length > length) length++
  return `${length} ${key}=${value}\n`
}

function clamped(mtime: number): number {
  return Math.min(Math.max(0, mtime), largestNumber)
}

function ustar(
  { path, mode, size, mtime, linkname = '' }: Omit<ArchiveHeader, 'type'>,
  flag: string,
): Buffer {
  const block = Buffer.alloc(blockBytes)
  block.write(ascii(path), 0, 'latin1')
  octal(block, 100, { digits: 7, value: mode })
  octal(block, 108, { digits: 7, value: 0 })
  octal(block, 116, { digits: 7, value: 0 })
  octal(block, 124, { digits: 11, value: Math.min(size, largestNumber) })
  octal(block, 136, { digits: 11, value: clamped(mtime) })
  block.write(`        ${flag}${ascii(linkname)}`, 148, 'latin1')
  block.write('ustar\u000000', 257, 'latin1')
  octal(block, 329, { digits: 7, value: 0 })
  octal(block, 337, { digits: 7, value: 0 })
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000 `, 148, 'latin1')
  return block
}

/** Of a field whose value a pax record tells: what somebody sees who does not read those. */
function ascii(text: string): string {
  return text.slice(0, longestField).replaceAll(/[^\x20-\x7e]/g, '_')
}

function octal(
  block: Buffer,
  offset: number,
  { digits, value }: { readonly digits: number; readonly value: number },
): void {
  block.write(value.toString(8).padStart(digits, '0'), offset, 'latin1')
}
