/**
 * Sends files that objects are made of to the server, before the objects: one at a time, each once, and only those that it
 * does not have. On a terminal with how far it is; elsewhere with a line when it is done.
 */
import { createReadStream } from 'node:fs'
import { badRequest, isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { Output } from './io.ts'
import type { LocalFile } from './localfiles.ts'
import { barText } from './progress.ts'
import type { Session } from './session.ts'

const redrawEveryMs = 100

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
      if (!(await this.#isThere(path))) await this.#put(path, file)
      this.#sent.add(path)
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
    const reading =
      file.open?.(signal) ?? createReadStream(file.absolute, { highWaterMark: 256 * 1024, signal })
    for await (const chunk of readable(reading, file)) {
      currentBytes += chunk.length
      if (clock.now() - drawn >= redrawEveryMs) {
        drawn = clock.now()
        await this.#draw(`${file.path}: ${barText({ currentBytes, totalBytes: file.bytes })}`)
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

async function* readable(chunks: AsyncIterable<Uint8Array>, { path }: LocalFile): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks
  } catch (error) {
    throw badRequest(`cannot read "${path}": ${messageOf(error)}`)
  }
}
