/**
 * Logs of builds on the node's disk, one for each attempt, below a directory of their own: `UID/ATTEMPT.log` for the
 * beginning, `ATTEMPT.log.1` and so on for what follows, of which only the last are kept, and `ATTEMPT.end` when it
 * has ended, with how. Each line begins with the time at which it was written. What was written is there also when the
 * agent is killed; a log without an end is given one at the next start.
 */
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { diskError, readIfThere } from '#pkg/apimachinery/files.ts'
import {
  attemptsIn,
  caughtUp,
  endPath,
  namesIn,
  readSegments,
  removeLog,
  removeNow,
  segmentPath,
  segmentsOf,
} from './buildlogfiles.ts'

/** Bytes of one file. */
const segmentBytes = 1024 ** 2
/** Besides the first. */
const segmentsKept = 9

export interface LogReading {
  /** Absent: the newest. */
  readonly attempt?: number
  readonly follow: boolean
  /** Only so many of the last lines of what is there. */
  readonly tailLines?: number
  readonly timestamps: boolean
  readonly signal: AbortSignal
}

export const interruptedMessage = 'the agent of the node ended before the build did'
export const untoldMessage = 'the agent of the node ended before it could tell how the build did'

/** What its log says of it. */
export interface RecalledAttempt {
  readonly attempt: number
  /** Nobody has ended it. */
  readonly interrupted: boolean
  /** RFC 3339. */
  readonly startedAt?: string
  readonly cause?: string
}

export class BuildLogs {
  readonly #directory: string
  readonly #clock: Clock
  readonly #writing = new Map<string, LogWriter>()

  constructor(directory: string, clock: Clock) {
    this.#directory = directory
    this.#clock = clock
  }

  /** Ends what an earlier run has left open; resolves to the last attempt of each Build, by uid. Before anything is written. */
  async recall(): Promise<ReadonlyMap<string, RecalledAttempt>> {
    const recalled = new Map<string, RecalledAttempt>()
    for (const uid of await namesIn(this.#directory)) {
      const last = await this.#recallBuild(uid)
      if (last !== undefined) recalled.set(uid, last)
    }
    return recalled
  }

  async #recallBuild(uid: string): Promise<RecalledAttempt | undefined> {
    const directory = this.#pathOf(uid)
    let last: RecalledAttempt | undefined
    for (const attempt of await attemptsIn(directory)) {
      const interrupted = (await readIfThere(endPath(directory, attempt))) === undefined
      if (interrupted) this.#interrupt(directory, attempt, (await segmentsOf(directory, attempt)).at(-1) ?? 0)
      const [, startedAt, cause] = /^(\S+) attempt \d+: (.*)$/m.exec(await firstOf(directory, attempt)) ?? []
      const known = { ...(startedAt !== undefined && { startedAt }), ...(cause !== undefined && { cause }) }
      last = { attempt, interrupted, ...known }
    }
    return last
  }

  #interrupt(directory: string, attempt: number, segment: number): void {
    const writer = new LogWriter({ directory, attempt, segment, clock: this.#clock })
    // The last line may have been cut short.
    writer.line('')
    writer.line(interruptedMessage)
    writer.end('Canceled')
  }

  /** Throws NoSpace, or InternalError when it cannot be made; what cannot be written later is told to `onLost`, once. */
  begin(uid: string, attempt: number, onLost: (error: StatusError) => void): LogWriter {
    const directory = this.#pathOf(uid)
    const key = `${directory}/${attempt}`
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 })
      const onEnd = () => this.#writing.delete(key)
      const writer = new LogWriter({ directory, attempt, clock: this.#clock, onEnd, onLost })
      this.#writing.set(key, writer)
      return writer
    } catch (error) {
      throw diskError(error, 'the log of a build cannot be made')
    }
  }

  /** Keeps so many of the last logs. */
  async trim(uid: string, keep: number): Promise<void> {
    const directory = this.#pathOf(uid)
    const attempts = await attemptsIn(directory)
    for (const attempt of attempts.slice(0, Math.max(0, attempts.length - keep)))
      if (!this.#writing.has(`${directory}/${attempt}`)) await removeLog(directory, attempt)
  }

  /** Removes those of all Builds but these. */
  async sweep(uids: ReadonlySet<string>): Promise<void> {
    for (const uid of await namesIn(this.#directory))
      if (!uids.has(uid)) await rm(this.#pathOf(uid), { recursive: true, force: true })
  }

  /** Throws NotFound when there is no such log. */
  async read(uid: string, reading: LogReading): Promise<AsyncIterable<Uint8Array>> {
    const directory = this.#pathOf(uid)
    const attempts = await attemptsIn(directory)
    const attempt = reading.attempt ?? attempts.at(-1)
    if (attempt === undefined || !attempts.includes(attempt)) {
      const which = reading.attempt === undefined ? 'any attempt' : `attempt ${reading.attempt}`
      throw new StatusError('NotFound', `there is no log of ${which} of the Build`)
    }
    const growing = this.#writing.get(`${directory}/${attempt}`)
    const { follow, signal } = reading
    return readLines({ chunks: readSegments({ directory, attempt, growing, follow, signal }), reading })
  }

  #pathOf(uid: string): string {
    return join(this.#directory, uid)
  }
}

interface WriterOptions {
  readonly directory: string
  readonly attempt: number
  readonly clock: Clock
  /** The file that is gone on with; absent: the first. */
  readonly segment?: number
  readonly onEnd?: () => void
  /** Something could not be written; called once. */
  readonly onLost?: (error: StatusError) => void
}

export class LogWriter {
  readonly #options: WriterOptions
  readonly #listeners = new Set<() => void>()
  #isLost = false
  #segment: number
  #file: number
  #written = 0
  ended = false

  constructor(options: WriterOptions) {
    const { directory, attempt, segment = 0 } = options
    this.#options = options
    this.#segment = segment
    this.#file = openSync(segmentPath(directory, attempt, segment), 'a', 0o600)
  }

  /** One line, or several. */
  line(text: string): void {
    if (this.ended) return
    const time = new Date(this.#options.clock.now()).toISOString()
    this.#write(`${time} ${text.replaceAll('\n', `\n${time} `)}\n`)
  }

  /** Called whenever there is more; the function returned ends that. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  end(result: string): void {
    if (this.ended) return
    this.ended = true
    const { directory, attempt, onEnd } = this.#options
    this.#orLost(() => {
      closeSync(this.#file)
      writeFileSync(endPath(directory, attempt), `${result}\n`, { mode: 0o600 })
    })
    onEnd?.()
    this.#tell()
  }

  #write(text: string): void {
    const bytes = Buffer.from(text)
    this.#orLost(() => {
      if (this.#written > 0 && this.#written + bytes.length > segmentBytes) this.#next()
      this.#written += writeSync(this.#file, bytes)
    })
    this.#tell()
  }

  /** No build ends otherwise because its log cannot be kept. */
  #orLost(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!this.#isLost) this.#options.onLost?.(diskError(error, 'the log of a build cannot be written'))
      this.#isLost = true
    }
  }

  #next(): void {
    const { directory, attempt } = this.#options
    const next = this.#segment + 1
    // Before the other is closed: without it that one goes on.
    const file = openSync(segmentPath(directory, attempt, next), 'a', 0o600)
    closeSync(this.#file)
    this.#file = file
    this.#segment = next
    this.#written = 0
    const old = this.#segment - segmentsKept
    if (old > 0) removeNow(segmentPath(directory, attempt, old))
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

async function firstOf(directory: string, attempt: number): Promise<string> {
  const text = (await readIfThere(segmentPath(directory, attempt, 0))) ?? ''
  return text.slice(0, text.indexOf('\n') + 1)
}

interface Lines {
  readonly chunks: AsyncIterable<Buffer | typeof caughtUp>
  readonly reading: LogReading
}

/** Whole lines only, as far as there are any; the last ones of what was there first, if only those are wanted. */
async function* readLines({ chunks, reading }: Lines): AsyncGenerator<Uint8Array> {
  const { tailLines, timestamps } = reading
  let kept: string[] | undefined = tailLines === undefined ? undefined : []
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    if (chunk === caughtUp) {
      if (kept !== undefined && kept.length > 0) yield encode(kept, timestamps)
      kept = undefined
      continue
    }
    const text = Buffer.concat([rest, chunk])
    const end = text.lastIndexOf(10) + 1
    rest = text.subarray(end)
    const lines = text.toString('utf8', 0, end).split('\n').slice(0, -1)
    if (kept === undefined) {
      if (lines.length > 0) yield encode(lines, timestamps)
    } else kept = lastOf([...kept, ...lines], tailLines ?? 0)
  }
}

function lastOf(lines: string[], count: number): string[] {
  return count === 0 ? [] : lines.slice(-count)
}

function encode(lines: readonly string[], timestamps: boolean): Uint8Array {
  const told = timestamps ? lines : lines.map((line) => line.slice(line.indexOf(' ') + 1))
  return Buffer.from(`${told.join('\n')}\n`)
}
