/** Headers of tar archives as whoever made them wrote them: ustar, pax, GNU's and those from before. Pure. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { shown } from './entry.ts'

/** A block as it stands there. */
export interface RawHeader {
  /** Bytes, as a longer name that stands before it may have been cut anywhere. */
  readonly name: Buffer
  readonly flag: string
  readonly mode: number
  readonly size: number
  /** Seconds since the epoch. */
  readonly mtime: number
  readonly linkname: Buffer
}

/** Throws BadRequest when it is no header. */
export function parseHeader(block: Buffer): RawHeader {
  let found = 0
  // A loop: there is one for each file, and reduce() takes ten times as long.
  for (let at = 0; at < block.length; at++) found += at >= 148 && at < 156 ? 0x20 : (block[at] ?? 0)
  const said = block.toString('latin1', 148, 156).replaceAll('\0', ' ').trim()
  if (Number.parseInt(said, 8) !== found) throw badRequest('it is no tar archive, or it is broken')
  const isUstar = block.toString('latin1', 257, 265) === 'ustar\u000000'
  const prefix = isUstar ? upToZero(block.subarray(345, 500)) : Buffer.alloc(0)
  const name = upToZero(block.subarray(0, 100))
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    flag: String.fromCharCode(block[156] ?? 0),
    mode: numberAt(block, 100, 8),
    size: numberAt(block, 124, 12),
    mtime: Math.floor(numberAt(block, 136, 12)),
    linkname: upToZero(block.subarray(157, 257)),
  }
}

/** `LENGTH KEY=VALUE\n`, again and again. Throws BadRequest when it is not. */
export function parsePax(body: Buffer): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(0x20, at)
    const length = space === -1 ? Number.NaN : Number(body.toString('latin1', at, space))
    const end = at + length
    if (!Number.isInteger(length) || end > body.length || end <= space || body[end - 1] !== 0x0a)
      throw broken()
    const equals = body.indexOf(0x3d, space)
    if (equals === -1 || equals >= end) throw broken()
    found.set(body.toString('latin1', space + 1, equals), decoded(body.subarray(equals + 1, end - 1)))
    at = end
  }
  return found
}

/** A name up to its first zero. Throws BadRequest when it is not UTF-8: nothing could name it. */
export function decoded(bytes: Buffer): string {
  const text = bytes.toString()
  if (text.includes('\ufffd') && !Buffer.from(text).equals(bytes))
    throw badRequest(`the name ${shown(bytes.toString('latin1'))} in the archive is not UTF-8`)
  return text
}

export function upToZero(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end === -1 ? bytes : bytes.subarray(0, end)
}

/** Octal digits, or GNU's binary form with the highest bit of the first byte set. */
function numberAt(block: Buffer, start: number, length: number): number {
  const field = block.subarray(start, start + length)
  const first = field[0] ?? 0
  if (first >= 0x80) return binary(field)
  const text = field.toString('latin1').replaceAll('\0', ' ').trim()
  if (text === '') return 0
  if (!/^[0-7]+$/.test(text)) throw broken()
  return Number.parseInt(text, 8)
}

function binary(field: Buffer): number {
  const isNegative = ((field[0] ?? 0) & 0x40) !== 0
  const bits = BigInt(field.length * 8 - 1)
  const value = BigInt(`0x${field.toString('hex')}`) & ((1n << bits) - 1n)
  const signed = isNegative ? value - (1n << bits) : value
  if (signed > BigInt(Number.MAX_SAFE_INTEGER) || signed < BigInt(Number.MIN_SAFE_INTEGER)) throw broken()
  return Number(signed)
}

function broken(): Error {
  return badRequest('the archive is broken: a header of it cannot be read')
}
