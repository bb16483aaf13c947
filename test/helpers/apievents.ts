/** A watch read event by event. */
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { readLines } from '#pkg/client/lines.ts'
import { call } from './apiserver.ts'

export interface ApiEvent {
  readonly type: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every shape
  readonly object: any
}

export class ApiWatch {
  readonly status: number
  readonly #lines: AsyncGenerator<string>
  readonly #abort: AbortController

  constructor(status: number, lines: AsyncGenerator<string>, abort: AbortController) {
    this.status = status
    this.#lines = lines
    this.#abort = abort
  }

  /** The next line, blank ones included; undefined at the end. */
  async line(): Promise<string | undefined> {
    const { done, value } = await this.#lines.next()
    return done === true ? undefined : value
  }

  /** The next event; undefined at the end. */
  async next(): Promise<ApiEvent | undefined> {
    for (let line = await this.line(); line !== undefined; line = await this.line()) {
      if (line !== '') return JSON.parse(line)
    }
    return undefined
  }

  /** `ADDED web`, ... of the next `count` events. */
  async short(count: number): Promise<string[]> {
    const events: string[] = []
    for (let index = 0; index < count; index++) {
      const event = await this.next()
      events.push(event === undefined ? 'END' : `${event.type} ${event.object.metadata?.name ?? ''}`.trim())
    }
    return events
  }

  close(): void {
    this.#abort.abort()
  }
}

export async function openWatch(
  transport: Transport,
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<ApiWatch> {
  const abort = new AbortController()
  const { status, body } = await call(transport, `GET ${url}`, { headers, signal: abort.signal })
  return new ApiWatch(status, readLines(body), abort)
}
