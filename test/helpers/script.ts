/** A transport whose answers a test writes: each request waits until the test answers it. */
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'

export interface Asked {
  readonly request: ApiRequest
  /** `GET /api/v1/secrets?watch=true...`, without what is the same for all. */
  readonly line: string
  answer(body: unknown, status?: number): void
  /** Answers with a stream; what is sent are its events, one line each. */
  stream(): { send(event: unknown): void; end(): void }
  fail(error: Error): void
}

export class ScriptedTransport {
  readonly #asked: Asked[] = []
  #wake: () => void = () => {}

  readonly transport: Transport = (request) => {
    const { promise, resolve, reject } = Promise.withResolvers<ApiResponse>()
    if (request.signal.aborted) reject(request.signal.reason)
    request.signal.addEventListener('abort', () => reject(request.signal.reason), { once: true })
    const respond = (body: ApiResponse['body'], status = 200) => resolve({ status, headers: {}, body })
    this.#asked.push({
      request,
      line: `${request.method} ${request.path}?${request.query}`,
      answer: (body, status) => respond(JSON.stringify(body), status),
      stream: () => {
        const lines = openLines(request.signal)
        respond(lines.body)
        return lines
      },
      fail: reject,
    })
    this.#wake()
    return promise
  }

  /** The next request, as soon as it is asked. */
  async next(): Promise<Asked> {
    while (this.#asked.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve))
    const first = this.#asked.shift()
    if (first === undefined) throw new Error('nothing was asked')
    return first
  }

  /** Requests that nobody has taken yet. */
  get waiting(): number {
    return this.#asked.length
  }
}

function openLines(signal: AbortSignal) {
  let push: (line: string | null) => void = () => {}
  const stream = new ReadableStream<string>({
    start(controller) {
      push = (line) => (line === null ? controller.close() : controller.enqueue(line))
      signal.addEventListener('abort', () => controller.error(signal.reason), { once: true })
    },
  })
  return {
    body: stream,
    send: (event: unknown) => push(`${JSON.stringify(event)}\n`),
    end: () => push(null),
  }
}
