/**
 * Docker's two kinds of streams, decoded piece by piece: multiplexed output frames and lines of JSON. Nothing is
 * held back beyond the piece at hand, so a slow reader slows the engine down instead of filling memory.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { LogChunk } from './port.ts'

type Bytes = AsyncIterable<Uint8Array>

const headerBytes = 8
const longestLine = 4 * 1024 * 1024
/** By the first byte of a frame: stdin echoes are output too; 3 carries an error of the engine itself. */
const streams = ['stdout', 'stdout', 'stderr'] as const

/**
 * Output frames: one byte of stream, three of zeros, four of length (big endian), then the payload. A frame that
 * arrives in pieces is passed on in pieces.
 */
export async function* demultiplex(source: Bytes): AsyncGenerator<LogChunk> {
  const frame: Frame = { header: new Uint8Array(headerBytes), filled: 0, remaining: 0 }
  for await (const piece of source) {
    for (let at = 0; at < piece.length; ) {
      if (frame.remaining === 0) {
        at += fillHeader(frame, piece.subarray(at))
        continue
      }
      const data = piece.subarray(at, at + frame.remaining)
      yield { stream: streamOf(frame.header, data), data }
      at += data.length
      frame.remaining -= data.length
    }
  }
}

interface Frame {
  readonly header: Uint8Array<ArrayBuffer>
  filled: number
  /** Payload bytes still to come; 0 while the header is being read. */
  remaining: number
}

/** How many bytes of the piece went into the header. */
function fillHeader(frame: Frame, piece: Uint8Array): number {
  const taken = piece.subarray(0, headerBytes - frame.filled)
  frame.header.set(taken, frame.filled)
  frame.filled += taken.length
  if (frame.filled === headerBytes) {
    frame.remaining = new DataView(frame.header.buffer).getUint32(4)
    frame.filled = 0
  }
  return taken.length
}

/** With a TTY there are no frames and no stderr. */
export async function* rawOutput(source: Bytes): AsyncGenerator<LogChunk> {
  for await (const data of source) yield { stream: 'stdout', data }
}

/** One value per line; lines may be split anywhere, also inside a character. */
export async function* jsonLines(source: Bytes): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of source) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLine)
      throw new StatusError('EngineError', 'the engine sent a line without an end')
    for (const line of lines) if (line.trim() !== '') yield parse(line)
  }
  if (rest.trim() !== '') yield parse(rest)
}

function streamOf(header: Uint8Array, data: Uint8Array): 'stdout' | 'stderr' {
  const stream = streams[header[0] ?? 0]
  if (stream !== undefined) return stream
  const words = new TextDecoder().decode(data)
  throw new StatusError('EngineError', `the engine broke off the output: ${words}`)
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (cause) {
    const message = `the engine sent a line that is no JSON: ${line.slice(0, 200)}`
    throw new StatusError('EngineError', message, {}, { cause })
  }
}
