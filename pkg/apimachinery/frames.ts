/**
 * Several streams in one: what exec, attach and logs send over one body, in both directions. A frame is one byte of
 * channel, four bytes of length (big endian), and so many bytes. The channels are those of Kubernetes' remote command
 * protocol: 0 stdin, 1 stdout, 2 stderr, 3 the final Status (exactly one, last), 4 the size of the terminal, and 255
 * with one byte: that channel has come to its end.
 */
import { badRequest, messageOf, StatusError } from './errors.ts'
import { isPlainObject } from './hash.ts'

export const framesType = 'application/vnd.cove.run.frames'
/** The name of the protocol in the Upgrade header, for frames and raw bytes alike. */
export const framesProtocol = 'cove-frames'
/** Of a port-forward's body: bytes as they are, in both directions. */
export const rawType = 'application/octet-stream'

/** With this header a request's body is a stream that goes on while the answer comes. */
export const inputHeader = 'cove-input'
export const inputStream = 'stream'

export const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, end: 255 } as const
export type Channel = (typeof channels)[keyof typeof channels]

export interface Frame {
  readonly channel: Channel
  readonly data: Uint8Array
}

/** In characters. */
export interface TerminalSize {
  readonly width: number
  readonly height: number
}

/** How a command ended, or why it could not go on: metav1.Status as Kubernetes sends it on its error channel. */
export interface StreamStatus {
  readonly metadata: Readonly<Record<string, never>>
  readonly status: 'Success' | 'Failure'
  readonly reason?: string
  readonly message?: string
  readonly code?: number
  readonly details?: { readonly causes?: readonly { readonly reason: string; readonly message: string }[] }
}

const headerBytes = 5
/** Of a frame that is taken whole. */
const longestControl = 64 * 1024
const known: ReadonlySet<number> = new Set(Object.values(channels))
const isControl = (channel: number) => channel > channels.stderr

export function encodeFrame(channel: Channel, data: Uint8Array): Uint8Array {
  const frame = Buffer.allocUnsafe(headerBytes + data.length)
  frame.writeUInt8(channel, 0)
  frame.writeUInt32BE(data.length, 1)
  frame.set(data, headerBytes)
  return frame
}

/**
 * The frames of a stream. Data (stdin, stdout, stderr) is passed on in the pieces it arrives in, so a long frame takes
 * no memory and may come out as several; all other frames come whole. Throws BadRequest for what is no such stream,
 * also when it breaks off within a frame.
 */
export async function* decodeFrames(source: AsyncIterable<string | Uint8Array>): AsyncGenerator<Frame> {
  const state: Decoding = { header: Buffer.alloc(headerBytes), filled: 0, remaining: 0, held: [] }
  for await (const chunk of source) {
    const piece = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    for (let at = 0; at < piece.length; ) {
      const taken = state.filled < headerBytes ? takeHeader(state, piece, at) : takePayload(state, piece, at)
      at += taken.bytes
      if (taken.frame !== undefined) yield taken.frame
    }
  }
  if (state.filled > 0) throw badRequest('the stream broke off within a frame')
}

interface Decoding {
  readonly header: Buffer
  /** Bytes of the header that are there. */
  filled: number
  /** Bytes of the payload that are still to come. */
  remaining: number
  /** Pieces of a frame that is taken whole. */
  held: Uint8Array[]
}

interface Taken {
  readonly bytes: number
  readonly frame?: Frame
}

function takeHeader(state: Decoding, piece: Uint8Array, at: number): Taken {
  const part = piece.subarray(at, at + headerBytes - state.filled)
  state.header.set(part, state.filled)
  state.filled += part.length
  if (state.filled < headerBytes) return { bytes: part.length }
  const channel = channelOf(state)
  state.remaining = state.header.readUInt32BE(1)
  if (isControl(channel) && state.remaining > longestControl)
    throw badRequest(`a frame of channel ${channel} is ${state.remaining} bytes long`)
  if (state.remaining > 0) return { bytes: part.length }
  state.filled = 0
  return isControl(channel)
    ? { bytes: part.length, frame: { channel, data: new Uint8Array() } }
    : { bytes: part.length }
}

function takePayload(state: Decoding, piece: Uint8Array, at: number): Taken {
  const part = piece.subarray(at, at + state.remaining)
  const channel = channelOf(state)
  state.remaining -= part.length
  if (state.remaining === 0) state.filled = 0
  if (!isControl(channel)) return { bytes: part.length, frame: { channel, data: part } }
  state.held.push(part)
  if (state.remaining > 0) return { bytes: part.length }
  const data = Buffer.concat(state.held)
  state.held = []
  return { bytes: part.length, frame: { channel, data } }
}

function channelOf({ header }: Decoding): Channel {
  const byte = header.readUInt8(0)
  if (!known.has(byte)) throw badRequest(`the stream has a frame of channel ${byte}, which means nothing`)
  return byte as Channel
}

/** Says that nothing more comes on a channel: of stdin, what a command reads as end of file. */
export function encodeEnd(channel: Channel): Uint8Array {
  return encodeFrame(channels.end, Uint8Array.of(channel))
}

export function encodeResize({ width, height }: TerminalSize): Uint8Array {
  return encodeFrame(channels.resize, Buffer.from(JSON.stringify({ Width: width, Height: height })))
}

/** Throws BadRequest unless it is `{"Width": ..., "Height": ...}` with numbers from 0 to 65535. */
export function decodeResize(data: Uint8Array): TerminalSize {
  const size = parse(data)
  const width = isPlainObject(size) ? size['Width'] : undefined
  const height = isPlainObject(size) ? size['Height'] : undefined
  if (!isLength(width) || !isLength(height)) throw badRequest('a terminal size has no Width and Height')
  return { width, height }
}

function isLength(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 65_535
}

export function encodeStatus(status: StreamStatus): Uint8Array {
  return encodeFrame(channels.status, Buffer.from(JSON.stringify(status)))
}

/** Throws BadRequest for what is no Status. */
export function decodeStatus(data: Uint8Array): StreamStatus {
  const status = parse(data)
  if (!isPlainObject(status) || (status['status'] !== 'Success' && status['status'] !== 'Failure'))
    throw badRequest('the stream ended with something that is no Status')
  return status as unknown as StreamStatus
}

/** The Status of a command that ended. */
export function exitStatus(exitCode: number): StreamStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with non-zero exit code: exit code ${exitCode}`,
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

/** The Status of streams that broke. */
export function failureStatus(error: unknown): StreamStatus {
  const known = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error))
  const { reason, message, code } = known
  return { metadata: {}, status: 'Failure', reason, message, code }
}

/** 0 for success; undefined when it is not a command that failed but what carried it. */
export function exitCodeOf(status: StreamStatus): number | undefined {
  if (status.status === 'Success') return 0
  const cause = status.details?.causes?.find(({ reason }) => reason === 'ExitCode')
  const code = Number(cause?.message)
  return Number.isInteger(code) ? code : undefined
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(data).toString())
  } catch (error) {
    throw badRequest(`a frame that must hold JSON does not: ${messageOf(error)}`)
  }
}
