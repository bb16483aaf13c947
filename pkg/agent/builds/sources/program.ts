/**
 * Programs of the node, run with bounds: on time, on what they may write, and on what they know. They are given no more of
 * the environment than is said, no terminal and no standard input, and end with all that they have started.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { programPath } from '../../programpath.ts'

export interface Programs {
  readonly clock: Clock
  /** Directories of programs, as in PATH; those that are not absolute do not count. */
  readonly searchPath: string
  /** Of the agent, what programs may know besides: proxies and authorities. */
  readonly environment: Readonly<Record<string, string>>
  /** Ends a process and all that it has started: the group of that number. One that has ended is no error. */
  readonly endGroup: (pid: number) => void
}

export interface Run {
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly directory: string
  /** ms. */
  readonly patience: number
  /** Of what it writes on its standard output. */
  readonly mostBytes: number
  readonly signal: AbortSignal
}

export interface Ended {
  readonly code: number | null
  readonly output: Buffer
  /** The end of what it wrote as errors. */
  readonly errors: string
}

const mostErrorBytes = 16 * 1024

/**
 * Modes of files are those of any other machine. The guard beside the program ends all of its group when the agent closes the
 * pipe, or is gone itself, however that happened.
 */
const guarded = `umask 022
exec 3<&0 </dev/null
(read -r _ <&3; kill -KILL 0) >/dev/null 2>&1 &
exec 3<&-
exec "$@"`

/** Throws SourceUnavailable when it is not there, when it goes on for too long, and when it writes too much. */
export async function runProgram(name: string, run: Run, programs: Programs): Promise<Ended> {
  run.signal.throwIfAborted()
  const path = await programPath(name, programs.searchPath)
  if (path === undefined) throw unavailable(`there is no program ${name} on the node`)
  return await untilEnded(start(path, run, programs), { name, run, programs })
}

function start(path: string, { args, env, directory }: Run, { environment, searchPath }: Programs) {
  return spawn('/bin/sh', ['-c', guarded, 'sh', path, ...args], {
    cwd: directory,
    env: { ...environment, ...env, PATH: searchPath },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A group of its own, so that what it starts ends with it.
    detached: true,
    shell: false,
  })
}

interface Bounded {
  readonly name: string
  readonly run: Run
  readonly programs: Programs
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>

async function untilEnded(child: Child, { name, run, programs }: Bounded): Promise<Ended> {
  const { promise, resolve, reject } = Promise.withResolvers<Ended>()
  let failure: { readonly error: unknown } | undefined
  // Told when it is gone, for until then it may write to its directory.
  const giveUp = (error: unknown) => {
    failure ??= { error }
    if (child.pid !== undefined) programs.endGroup(child.pid)
    child.stdout.destroy()
    child.stderr.destroy()
  }
  const onAbort = () => giveUp(run.signal.reason)
  const cancel = programs.clock.after(run.patience, () =>
    giveUp(unavailable(`${name} is not done after ${run.patience / 1000} s`)),
  )
  run.signal.addEventListener('abort', onAbort, { once: true })
  const said = collect(child, run.mostBytes, () => giveUp(unavailable(`${name} answers without an end`)))
  child.once('exit', () => child.stdin.destroy())
  child.stdin.on('error', () => undefined)
  child.once('error', (error: NodeJS.ErrnoException) =>
    reject(unavailable(`${name} cannot be run on the node: ${error.code ?? 'unknown error'}`)),
  )
  child.once('close', (code) => {
    if (failure !== undefined) reject(failure.error)
    else resolve({ code, ...said() })
  })
  if (run.signal.aborted) onAbort()
  try {
    return await promise
  } finally {
    cancel()
    run.signal.removeEventListener('abort', onAbort)
  }
}

/** What it has written, whenever that is asked. */
function collect(child: Child, mostBytes: number, onTooMuch: () => void): () => Omit<Ended, 'code'> {
  const output: Buffer[] = []
  let size = 0
  let errors = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > mostBytes) onTooMuch()
    else output.push(chunk)
  })
  child.stderr.on('data', (chunk: Buffer) => {
    errors = Buffer.concat([errors, chunk]).subarray(-mostErrorBytes)
  })
  return () => ({ output: Buffer.concat(output), errors: errors.toString('utf8') })
}

function unavailable(message: string): StatusError {
  return new StatusError('SourceUnavailable', message)
}
