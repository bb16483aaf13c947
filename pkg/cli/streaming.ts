/** One process in a container joined with this one's standard streams and terminal: what exec and attach share. */
import type { Duplex } from 'node:stream'
import { fromStatus } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  decodeStatus,
  encodeEnd,
  encodeFrame,
  encodeResize,
  type StreamStatus,
} from '#pkg/apimachinery/frames.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { Args } from './args.ts'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import type { Session } from './session.ts'

export interface WantedStreams {
  readonly stdin: boolean
  readonly tty: boolean
}

/** As kubectl takes them: a terminal only together with input, and only when there is one here. */
export async function wantedStreams(io: Io, args: Args): Promise<WantedStreams> {
  const stdin = args.bool('stdin')
  const tty = stdin && args.bool('tty')
  if (!tty || io.terminal.isTTY) return { stdin, tty }
  await io.stderr.write('Unable to use a TTY - input is not a terminal or the right kind of file\n')
  return { stdin, tty: false }
}

export function streamPath(namespace: string, name: string, subresource: string): string {
  return `${objectPath(containerKind, { namespace, name })}/${subresource}`
}

export interface Joining extends WantedStreams {
  readonly subresource: 'exec' | 'attach'
  readonly name: string
  readonly command: readonly string[]
  /** Absent: standard input, from here on. */
  readonly input?: AsyncIterable<Uint8Array>
  /** Run when the streams are open, beside what comes out of them; its failure is that of all. */
  readonly opened?: () => Promise<void>
  /** Whether Ctrl-P Ctrl-Q on a terminal leaves the process to itself. */
  readonly detachable?: boolean
}

/** Somebody has left by Ctrl-P Ctrl-Q: the process goes on. */
export class Detached extends Error {}

/**
 * Resolves with how it ended; rejects with Detached when it was left. The terminal is given back whatever happens.
 */
export async function join(io: Io, session: Session, joining: Joining): Promise<StreamStatus> {
  const { subresource, name, command, stdin, tty } = joining
  const query = new URLSearchParams(command.map((word) => ['command', word]))
  query.set('stdout', 'true')
  if (stdin) query.set('stdin', 'true')
  query.set(tty ? 'tty' : 'stderr', 'true')
  const path = streamPath(session.namespace, name, subresource)
  const socket = await session.open({ method: 'POST', path, query }, session.signal)
  const left = Promise.withResolvers<never>()
  const restore = tty ? holdTerminal(io, socket) : () => undefined
  try {
    // The input ends with the process that reads it, and not the other way round.
    if (stdin) sendInput(inputOf(io, joining, left), socket).catch((error: Error) => socket.destroy(error))
    const printed = printOutput(io, socket)
    const ready = joining.opened?.().then(() => printed) ?? printed
    return await Promise.race([printed, ready, left.promise])
  } finally {
    restore()
    socket.destroy()
  }
}

const [ctrlP, ctrlQ] = [0x10, 0x11]

function inputOf(
  { terminal }: Io,
  { input = terminal.input(), detachable = false, tty }: Joining,
  left: PromiseWithResolvers<never>,
): AsyncIterable<Uint8Array> {
  return tty && detachable ? untilLeft(input, () => left.reject(new Detached())) : input
}

/** Keys as they come. The engine holds a Ctrl-P back until the next key, as it knows this sequence too. */
export async function* untilLeft(
  input: AsyncIterable<Uint8Array>,
  leave: () => void,
): AsyncGenerator<Uint8Array> {
  let isArmed = false
  for await (const data of input) {
    for (const [at, key] of data.entries()) {
      if (isArmed && key === ctrlQ) {
        yield data.subarray(0, Math.max(0, at - 1))
        leave()
        return
      }
      isArmed = key === ctrlP
    }
    yield data
  }
}

function holdTerminal({ terminal }: Io, socket: Duplex): () => void {
  const tell = () => {
    const size = terminal.size()
    if (size !== undefined && socket.writable) socket.write(encodeResize(size))
  }
  tell()
  const forget = terminal.onResize(tell)
  const restore = terminal.raw()
  return () => {
    forget()
    restore()
  }
}

async function sendInput(input: AsyncIterable<Uint8Array>, socket: Duplex): Promise<void> {
  for await (const data of input) {
    if (!socket.writable) return
    if (!socket.write(encodeFrame(channels.stdin, data))) await drained(socket)
  }
  if (socket.writable) socket.write(encodeEnd(channels.stdin))
}

async function printOutput(io: Io, socket: Duplex): Promise<StreamStatus> {
  for await (const { channel, data } of decodeFrames(socket)) {
    if (channel === channels.stdout) await io.stdout.write(data)
    if (channel === channels.stderr) await io.stderr.write(data)
    if (channel === channels.status) return decodeStatus(data)
  }
  throw new CliError('the connection to the server broke off')
}

/** Throws what the other side could not do. */
export function mustSucceed(status: StreamStatus): void {
  const { code = 500, reason, message } = status
  if (status.status === 'Success') return
  throw fromStatus({
    code,
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
  })
}
