/** The way of one simulated node to its server: it can be cut, and it can lead to another server. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'

export class Wire {
  #target: Transport
  #broken = new AbortController()

  constructor(target: Transport) {
    this.#target = target
  }

  /** What is under way breaks off, and nothing gets through any more. */
  cut(): void {
    this.#broken.abort(new StatusError('ServiceUnavailable', 'the server cannot be reached'))
  }

  /** From now on it gets through again: to the same server, or to this one. */
  mend(target: Transport = this.#target): void {
    this.cut()
    this.#target = target
    this.#broken = new AbortController()
  }

  readonly transport: Transport = async (request) => {
    const broken = this.#broken.signal
    if (broken.aborted) throw broken.reason
    const signal = AbortSignal.any([request.signal, broken])
    const response = await this.#target({ ...request, signal })
    return { ...response, body: unlessBroken(response.body, request, broken) }
  }
}

function unlessBroken(
  body: ApiResponse['body'],
  request: ApiRequest,
  broken: AbortSignal,
): ApiResponse['body'] {
  if (typeof body === 'string' || body instanceof Uint8Array) return body
  return (async function* () {
    yield* body
    // Servers end a stream quietly when whoever reads it goes.
    if (broken.aborted && !request.signal.aborted) throw broken.reason
  })()
}
