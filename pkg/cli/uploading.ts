/**
 * Sends files that objects are made of to the server, before the objects: one at a time, each once, and only those that it
 * does not have. On a terminal with how far it is; elsewhere with a line when it is done, and one before when that takes a
 * while. What is cut on its way is sent again, as a whole: a server has all of a file or nothing.
 */
import { createReadStream } from 'node:fs'
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { badRequest, isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { Output } from './io.ts'
import type { LocalFile } from './localfiles.ts'
import { barText } from './progress.ts'
import type { Session } from './session.ts'

const redrawEveryMs = 100
/** What lasts no longer is told when it is done. */
const toldAfterMs = 1000
/** Before each further try of one file; ms. A server that is started again is there in less than all of them together. */
const pauses: readonly number[] = [1000, 2000, 4000, 8000, 15_000]

export class Uploader {
  readonly #session: Session
  readonly #output: Output
  readonly #sent = new Set<string>()
  #last: Promise<void> = Promise.resolve()

  constructor(session: Session, output: Output) {
    this.#session = session
    this.#output = output
  }

  /** Resolves when the server has all of them. Throws its refusal, or BadRequest when a file cannot be read. */
  async send(files: readonly LocalFile[], namespace: string): Promise<void> {
    const before = this.#last
    const turn = before.then(() => this.#sendAll(files, namespace))
    // Who comes next has an own fate.
    this.#last = turn.catch(() => undefined)
    await turn
  }

  async #sendAll(files: readonly LocalFile[], namespace: string): Promise<void> {
    for (const file of files) {
      const path = `/apis/cove.run/v1/namespaces/${encodeURIComponent(namespace)}/uploads/${file.digest}`
      if (this.#sent.has(path)) continue
      await this.#sendOne(path, file)
      this.#sent.add(path)
    }
  }

  async #sendOne(path: string, file: LocalFile): Promise<void> {
    const { clock, signal } = this.#session
    for (let tries = 1; ; tries++) {
      try {
        if (!(await this.#isThere(path))) await this.#put(path, file)
        return
      } catch (error) {
        if (signal.aborted || !(error instanceof StatusError)) throw error
        const pauseMs = pauseAfter(error, tries)
        if (pauseMs === undefined) throw notSent(file, error, tries)
        const seconds = Math.round(pauseMs / 1000)
        await this.#output.write(`${file.path}: ${error.message}; it is sent again in ${seconds}s\n`)
        await sleep(clock, pauseMs, signal)
      }
    }
  }

  async #isThere(path: string): Promise<boolean> {
    const { client, signal } = this.#session
    try {
      await client.stream({ method: 'HEAD', path }, signal)
      return true
    } catch (error) {
      if (isReason(error, 'NotFound')) return false
      throw error
    }
  }

  async #put(path: string, file: LocalFile): Promise<void> {
    const { client, signal } = this.#session
    const headers = { 'content-type': 'application/octet-stream', 'content-length': String(file.bytes) }
    try {
      await client.json({ method: 'PUT', path, headers, input: this.#content(file) }, signal)
    } finally {
      await this.#draw('')
    }
    await this.#output.write(`${file.path}: uploaded (${humanBytes(file.bytes)})\n`)
  }

  async *#content(file: LocalFile): AsyncGenerator<Uint8Array> {
    const { clock, signal } = this.#session
    let currentBytes = 0
    let drawn = Number.NEGATIVE_INFINITY
    let toldAt = this.#output.isTTY ? Number.POSITIVE_INFINITY : clock.now() + toldAfterMs
    const reading =
      file.open?.(signal) ?? createReadStream(file.absolute, { highWaterMark: 256 * 1024, signal })
    for await (const chunk of readable(reading, file)) {
      currentBytes += chunk.length
      if (clock.now() - drawn >= redrawEveryMs) {
        drawn = clock.now()
        await this.#draw(`${file.path}: ${barText({ currentBytes, totalBytes: file.bytes })}`)
      }
      if (clock.now() >= toldAt) {
        toldAt = Number.POSITIVE_INFINITY
        await this.#output.write(`${file.path}: sending ${humanBytes(file.bytes)}\n`)
      }
      yield chunk
    }
  }

  async #draw(text: string): Promise<void> {
    if (!this.#output.isTTY) return
    const line = [...text].slice(0, this.#output.columns - 1).join('')
    await this.#output.write(`\r\u001b[K${line}`)
  }
}

/** ms; undefined: another try is of no use, or there were enough. */
function pauseAfter(error: StatusError, tries: number): number | undefined {
  if (!passing.some((reason) => isReason(error, reason))) return undefined
  const pauseMs = pauses[tries - 1]
  return pauseMs && Math.max(pauseMs, (error.details.retryAfterSeconds ?? 0) * 1000)
}

const passing = ['ServiceUnavailable', 'TooManyRequests', 'Timeout'] as const

/** The refusal with the file that it is about, and what to do. */
function notSent(file: LocalFile, error: StatusError, tries: number): StatusError {
  const { reason, details } = error
  const isTooMuch = reason === 'NoSpace' || reason === 'RequestEntityTooLarge'
  if (!isTooMuch && tries === 1) return error
  const isContext = file.digest.startsWith('tree:')
  const less = isContext ? '; leave out what the build does not need with a .dockerignore' : ''
  const message = isTooMuch
    ? `${file.path} (${humanBytes(file.bytes)}) is not sent: ${error.message}${less}`
    : `${file.path} is not sent, in ${tries} tries: ${error.message}; the same command again sends it`
  return new StatusError(reason, message, details, { cause: error })
}

async function* readable(chunks: AsyncIterable<Uint8Array>, { path }: LocalFile): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    throw badRequest(`cannot read "${path}": ${messageOf(error)}`)
  }
}
