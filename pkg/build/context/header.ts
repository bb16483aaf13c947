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
  const { type, mode, size, linkname, mtime } = header
  const named = { path: nameOf(header), mode, size, mtime, ...(linkname !== undefined && { linkname }) }
  const records = paxRecords(named)
  const own = ustar(named, flags[type])
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

/** Made as text, all of its characters being bytes: there is one for each file, and twenty small writes take longer. */
function ustar(
  { path, mode, size, mtime, linkname = '' }: Omit<ArchiveHeader, 'type'>,
  flag: string,
): Buffer {
  const numbers = `${octal(mode, 7)}${nobody}${octal(Math.min(size, largestNumber), 11)}${octal(clamped(mtime), 11)}`
  const front = `${field(path)}${numbers}`
  const back = `${flag}${field(linkname)}${magic}`
  const sum = sumOf(front) + sumOf(back) + checksumBlank
  const whole = `${front}${sum.toString(8).padStart(6, '0')}\0 ${back}`
  return Buffer.from(whole.padEnd(blockBytes, '\0'), 'latin1')
}

/** Owner and group. */
const nobody = '0000000\u00000000000\0'
/** With no names of owner and group, and no numbers of a device. */
const magic = `ustar\u000000${'\0'.repeat(64)}${nobody}`
/** It counts as eight spaces. */
const checksumBlank = 8 * 0x20

function sumOf(text: string): number {
  let sum = 0
  for (let at = 0; at < text.length; at++) sum += text.charCodeAt(at)
  return sum
}

/** Where a pax record tells the value: what somebody sees who does not read those. */
function field(text: string): string {
  const shown = needsRecord(text) ? text.slice(0, longestField).replaceAll(/[^\x20-\x7e]/g, '_') : text
  return shown.padEnd(longestField, '\0')
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`
}
