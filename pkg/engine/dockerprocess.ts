/**
 * The streams of a process behind a connection that Docker handed over: output demultiplexed, input with its own end,
 * the size of its terminal, and how it ended.
 */
import type { Duplex } from 'node:stream'
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import type { DockerConnection } from './dockerconnection.ts'
import { unavailable } from './dockererror.ts'
import { demultiplex, rawOutput } from './dockerstream.ts'
import { number, object } from './json.ts'
import type { AttachedProcess, LogChunk, TerminalSize } from './port.ts'

export interface ProcessHandle {
  readonly connection: DockerConnection
  readonly clock: Clock
  /** Of the exec or of the container. */
  readonly path: string
  readonly signal: AbortSignal
}

export interface ProcessSocket extends ProcessHandle {
  readonly socket: Duplex
  readonly tty: boolean
  /** Whether it may be started long after the connection is there: its terminal waits for that. */
  readonly startsLate?: boolean
}

/** The engine may not have started the process yet when the connection is there: so often is a resize repeated. */
const resizeTries = 8
const firstPauseMs = 5
const longestPauseMs = 1000
const lateStartPauseMs = 50

export function processStreams(process: ProcessSocket): AttachedProcess {
  const { socket } = process
  // Whoever reads or writes sees the failure there; without a listener it would end this process.
  socket.on('error', () => undefined)
  return {
    output: readOutput(process),
    write: (data) => write(socket, data),
    endInput: () => void socket.end(),
    resize: (size) => resize(process, size),
  }
}

/** Ends also when the signal aborts, which is no error. */
async function* readOutput({ socket, tty, signal }: ProcessSocket): AsyncGenerator<LogChunk> {
  try {
    yield* tty ? rawOutput(socket) : demultiplex(socket)
  } catch (error) {
    if (signal.aborted) return
    throw error instanceof StatusError ? error : unavailable('its socket', error)
  }
}

/** A process that has ended takes its end of the connection with it. */
async function write(socket: Duplex, data: Uint8Array): Promise<boolean> {
  if (socket.destroyed || socket.writableEnded) return false
  if (!socket.write(data)) await drained(socket)
  return !socket.destroyed
}

async function resize(process: ProcessSocket, { width, height }: TerminalSize): Promise<void> {
  const { connection, clock, path, signal, startsLate = false } = process
  const query = { w: width, h: height }
  for (let left = resizeTries, pause = firstPauseMs; ; left--, pause *= 2) {
    try {
      await connection.json({ method: 'POST', path: `${path}/resize`, query })
      return
    } catch (error) {
      const isOver = startsLate ? isReason(error, 'NotFound') : left === 0
      if (isOver || isReason(error, 'EngineUnavailable')) throw error
    }
    await sleep(clock, startsLate ? Math.min(pause, lateStartPauseMs) : pause, signal)
  }
}

/** Output may end a moment before the engine knows the exit code, and long before the process ends. */
export async function execExitCode({ connection, clock, path, signal }: ProcessHandle): Promise<number> {
  for (let pause = firstPauseMs; ; pause = Math.min(2 * pause, longestPauseMs)) {
    const exec = object(await connection.json({ method: 'GET', path: `${path}/json` }))
    if (exec['Running'] !== true) return number(exec['ExitCode'])
    await sleep(clock, pause, signal)
  }
}
