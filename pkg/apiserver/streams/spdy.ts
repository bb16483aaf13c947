/**
 * SPDY/3.1 as bytes, as far as Kubernetes' clients speak it: frames off a byte stream, and frames to send. There is
 * no flow control in it; spdyconnection.ts holds the whole connection back instead. Pure.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { spdyDictionaryId } from './spdydictionary.ts'

export const frameTypes = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
} as const

export type SpdyFrame =
  /** A piece of a data frame; `fin` with its last one when nothing follows on the stream. */
  | { readonly kind: 'data'; readonly streamId: number; readonly data: Uint8Array; readonly fin: boolean }
  | { readonly kind: 'control'; readonly type: number; readonly flags: number; readonly payload: Uint8Array }

const headerBytes = 8
const controlBit = 0x8000
const version = 3
const finFlag = 1
/** Header blocks of Kubernetes' clients have some hundred bytes. */
const maxControlBytes = 64 * 1024
const maxHeaders = 256

/** Takes frames off a stream, however it is cut. Data is passed on as it comes, control frames whole. */
export class SpdyParser {
  readonly #header = Buffer.alloc(headerBytes)
  #filled = 0
  #remaining = 0
  #held: Uint8Array[] = []

  /** Throws BadRequest for what is no SPDY/3. */
  parse(chunk: Uint8Array): SpdyFrame[] {
    const frames: SpdyFrame[] = []
    let at = 0
    while (at < chunk.length) {
      const reading = this.#filled < headerBytes
      const end = Math.min(chunk.length, at + (reading ? headerBytes - this.#filled : this.#remaining))
      const piece = chunk.subarray(at, end)
      at = end
      const frame = reading ? this.#takeHeader(piece) : this.#takePayload(piece)
      if (frame !== undefined) frames.push(frame)
    }
    return frames
  }

  #takeHeader(piece: Uint8Array): SpdyFrame | undefined {
    this.#header.set(piece, this.#filled)
    this.#filled += piece.length
    if (this.#filled < headerBytes) return undefined
    this.#remaining = this.#header.readUIntBE(5, 3)
    if (this.#isControl() && this.#remaining > maxControlBytes)
      throw badRequest(`a control frame of SPDY is ${this.#remaining} bytes long`)
    if (this.#isControl() && (this.#header.readUInt16BE(0) & 0x7fff) !== version)
      throw badRequest('only version 3 of SPDY is spoken here')
    return this.#remaining === 0 ? this.#takePayload(new Uint8Array()) : undefined
  }

  #takePayload(piece: Uint8Array): SpdyFrame | undefined {
    this.#remaining -= piece.length
    const whole = this.#remaining === 0
    if (whole) this.#filled = 0
    const flags = this.#header.readUInt8(4)
    if (!this.#isControl()) {
      const fin = whole && (flags & finFlag) !== 0
      return { kind: 'data', streamId: this.#header.readUInt32BE(0), data: piece, fin }
    }
    this.#held.push(piece)
    if (!whole) return undefined
    const payload = Buffer.concat(this.#held)
    this.#held = []
    return { kind: 'control', type: this.#header.readUInt16BE(2), flags, payload }
  }

  #isControl(): boolean {
    return (this.#header.readUInt16BE(0) & controlBit) !== 0
  }
}

export function isFin(flags: number): boolean {
  return (flags & finFlag) !== 0
}

/** The stream that a SYN_STREAM opens or a RST_STREAM ends. */
export function streamIdOf(payload: Uint8Array): number {
  if (payload.length < 4) throw badRequest('a control frame of SPDY is too short')
  return Buffer.from(payload).readUInt32BE(0) & 0x7fffffff
}

/** The compressed header block of a SYN_STREAM. */
export function headerBlockOf(payload: Uint8Array): Uint8Array {
  return payload.subarray(10)
}

/** The headers of a block that has been decompressed. Throws BadRequest when it is cut short. */
export function readHeaders(block: Uint8Array): Record<string, string> {
  const bytes = Buffer.from(block)
  let at = 0
  const number = () => {
    if (at + 4 > bytes.length) throw badRequest('a header block of SPDY is cut short')
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const text = () => {
    const length = number()
    if (at + length > bytes.length) throw badRequest('a header block of SPDY is cut short')
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const count = number()
  if (count > maxHeaders) throw badRequest(`a stream of SPDY has ${count} headers`)
  const headers = Array.from({ length: count }, (): [string, string] => [text().toLowerCase(), text()])
  return Object.fromEntries(headers)
}

export function dataFrame(streamId: number, data: Uint8Array, fin = false): Uint8Array {
  const frame = Buffer.alloc(headerBytes + data.length)
  frame.writeUInt32BE(streamId, 0)
  frame.writeUInt8(fin ? finFlag : 0, 4)
  frame.writeUIntBE(data.length, 5, 3)
  frame.set(data, headerBytes)
  return frame
}

export function controlFrame(type: number, payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(headerBytes + payload.length)
  frame.writeUInt16BE(controlBit | version, 0)
  frame.writeUInt16BE(type, 2)
  frame.writeUIntBE(payload.length, 5, 3)
  frame.set(payload, headerBytes)
  return frame
}

/**
 * Accepts a stream, without headers. The block for that is always the same: what zlib writes for a count of 0 without
 * compressing it, flushed, the first time behind zlib's own header, which names the dictionary.
 */
export function synReply(streamId: number, first: boolean): Uint8Array {
  const block = Buffer.from('000400fbff00000000000000ffff', 'hex')
  const zlib = first
    ? Buffer.concat([Buffer.from('78bb', 'hex'), number32(spdyDictionaryId)])
    : Buffer.alloc(0)
  return controlFrame(frameTypes.synReply, Buffer.concat([number32(streamId), zlib, block]))
}

/** Ends a stream at once, in both directions. */
export function rstStream(streamId: number, status: number): Uint8Array {
  return controlFrame(frameTypes.rstStream, Buffer.concat([number32(streamId), number32(status)]))
}

function number32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
