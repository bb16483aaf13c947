/**
 * Audit records as lines of a file that only its owner may read: gathered for half a second, then written at once;
 * renamed away when it is large, and only so many of those are kept, so the disk it takes is bounded. When it cannot
 * be written, records are lost and counted, the log says so, and serving goes on.
 */
import { type FileHandle, open, rename } from 'node:fs/promises'
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { AuditSink } from './audit.ts'
import type { AuditEvent } from './auditrecord.ts'

export interface AuditFileOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** When the file has grown to about this many bytes, it is renamed and a new one begun; default 64 MiB. */
  readonly maxBytes?: number
  /** How many renamed ones are kept, as PATH.1 (the newest) and so on; default 5. */
  readonly keep?: number
}

const defaultMaxBytes = 64 * 1024 * 1024
const defaultKeep = 5
const flushMs = 500
/** Beyond this much that waits, records are lost rather than held in memory. */
const mostWaitingBytes = 8 * 1024 * 1024
const warnMs = 60_000

export class AuditFile implements AuditSink {
  readonly #options: AuditFileOptions
  #waiting: string[] = []
  #waitingBytes = 0
  #lost = 0
  #warned = Number.NEGATIVE_INFINITY
  #file: FileHandle | undefined
  #size = 0
  #cancel: (() => void) | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(options: AuditFileOptions) {
    this.#options = options
  }

  /** Records lost since the start. */
  get lost(): number {
    return this.#lost
  }

  write(event: AuditEvent): void {
    const line = `${JSON.stringify(event)}\n`
    if (this.#waitingBytes + line.length > mostWaitingBytes) {
      this.#lost++
      return
    }
    this.#waiting.push(line)
    this.#waitingBytes += line.length
    this.#cancel ??= this.#options.clock.after(flushMs, () => void this.flush())
  }

  /** Resolves when everything written so far is in the file, or lost. Never rejects. */
  flush(): Promise<void> {
    this.#cancel?.()
    this.#cancel = undefined
    this.#writing = this.#writing.then(() => this.#flush())
    return this.#writing
  }

  async close(): Promise<void> {
    await this.flush()
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #flush(): Promise<void> {
    const lines = this.#waiting
    if (lines.length === 0) return
    this.#waiting = []
    this.#waitingBytes = 0
    try {
      await this.#append(Buffer.from(lines.join('')))
    } catch (error) {
      this.#lost += lines.length
      await this.#failed(error)
    }
  }

  async #append(bytes: Buffer): Promise<void> {
    const { path, maxBytes = defaultMaxBytes } = this.#options
    if (this.#file !== undefined && this.#size > 0 && this.#size + bytes.length > maxBytes)
      await this.#rotate()
    this.#file ??= await this.#open(path)
    await this.#file.appendFile(bytes)
    this.#size += bytes.length
  }

  async #open(path: string): Promise<FileHandle> {
    const file = await open(path, 'a+', 0o600)
    const { size } = await file.stat()
    this.#size = size
    // A kill may have cut the last line off: what follows must not become part of it.
    const last = Buffer.alloc(1)
    if (size > 0) await file.read(last, 0, 1, size - 1)
    if (size > 0 && last[0] !== 0x0a) {
      await file.appendFile('\n')
      this.#size++
    }
    return file
  }

  async #rotate(): Promise<void> {
    const { path, keep = defaultKeep } = this.#options
    await this.#file?.close()
    this.#file = undefined
    for (let index = keep - 1; index >= 1; index--)
      await renameIfThere(`${path}.${index}`, `${path}.${index + 1}`)
    await renameIfThere(path, `${path}.1`)
  }

  /** Cuts off what was written of the batch, so that the file ends with a whole line, and starts over next time. */
  async #failed(error: unknown): Promise<void> {
    const { log, clock, path } = this.#options
    const file = this.#file
    this.#file = undefined
    const also = await this.#letGo(file)
    if (clock.now() - this.#warned < warnMs) return
    this.#warned = clock.now()
    log.warn('the audit log cannot be written; serving goes on without it', {
      path,
      error: messageOf(error),
      lost: this.#lost,
      ...(also !== undefined && { also }),
    })
  }

  async #letGo(file: FileHandle | undefined): Promise<string | undefined> {
    try {
      await file?.truncate(this.#size)
      await file?.close()
      return undefined
    } catch (error) {
      return messageOf(error)
    }
  }
}

async function renameIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
}
