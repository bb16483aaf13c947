/**
 * A Transport that knows whether its server answers, and that it is the server of the one cluster that the asker works
 * for: before anything is asked, and again after every break, it looks whose server this is. A server of another cluster
 * is sent nothing. No request waits longer for its answer to begin than `answerWithinMs`.
 *
 * A cluster is known by the UID of its Namespace `default`; a restored snapshot keeps it.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import { Client } from './rest.ts'

export interface ServerLinkOptions {
  readonly transport: Transport
  readonly ambient: Pick<Ambient, 'clock' | 'log'>
  /** What to do about a server of another cluster; ends the message. */
  readonly advice: string
  /** It answers, or does not any more. */
  readonly onChange: () => void
}

/** Before the first answer or failure nothing is known. */
type LinkState = 'unknown' | 'answers' | 'away' | 'foreign'

const answerWithinMs = 30_000
const own = new AbortController().signal

export class ServerLink {
  readonly #options: ServerLinkOptions
  #clusterID: string | undefined
  #state: LinkState = 'unknown'
  /** Whether the server that answers now has been looked at. */
  #checked = false
  #check: Promise<void> | undefined

  constructor(options: ServerLinkOptions) {
    this.#options = options
  }

  /** That of which the asker has worked so far. Absent: that of the first server that answers. */
  get clusterID(): string | undefined {
    return this.#clusterID
  }

  /** Call it before anything is asked. */
  expect(clusterID: string): void {
    this.#clusterID = clusterID
  }

  answers(): boolean {
    return this.#state === 'answers'
  }

  /** Whether the last attempt has failed: nothing but trying again tells that the server is back. */
  isAway(): boolean {
    return this.#state === 'away' || this.#state === 'foreign'
  }

  /** Throws ServiceUnavailable when the server cannot be reached, is not the right one, or does not say which one it is. */
  readonly transport: Transport = async (request) => {
    if (!this.#checked) await unlessAborted(this.#checkOnce(), request.signal)
    return await this.#exchange(request)
  }

  #checkOnce(): Promise<void> {
    this.#check ??= this.#look().finally(() => {
      this.#check = undefined
    })
    return this.#check
  }

  async #look(): Promise<void> {
    const client = new Client((request) => this.#exchange(request), 'cove')
    const found = await client.get(namespaceKind, { name: 'default' }, own).catch((error) => {
      this.#become('away', error)
      const message = `the server does not say whose it is: ${messageOf(error)}`
      throw new StatusError('ServiceUnavailable', message, {}, { cause: error })
    })
    const { uid = '' } = found.metadata
    this.#clusterID ??= uid
    if (uid !== this.#clusterID) {
      const message = `the server is of another cluster (${uid}) than this node (${this.#clusterID}); containers stay as they are, and nothing is sent to it: ${this.#options.advice}`
      const error = new StatusError('ServiceUnavailable', message)
      this.#become('foreign', error)
      throw error
    }
    this.#checked = true
    this.#become('answers')
  }

  async #exchange(request: ApiRequest): Promise<ApiResponse> {
    const { clock } = this.#options.ambient
    const patience = new AbortController()
    const cancel = clock.after(answerWithinMs, () => {
      const message = `the server has not answered within ${answerWithinMs / 1000} s`
      patience.abort(new StatusError('ServiceUnavailable', message))
    })
    const signal = AbortSignal.any([request.signal, patience.signal])
    try {
      const response = await unlessAborted(this.#options.transport({ ...request, signal }), signal)
      return { ...response, body: this.#followed(response.body, request) }
    } catch (error) {
      this.#lose(error, request)
      throw error
    } finally {
      cancel()
    }
  }

  /** When a connection breaks, or a watch ends, another server may be there the next time. */
  #followed(body: ApiResponse['body'], request: ApiRequest): ApiResponse['body'] {
    if (typeof body === 'string' || body instanceof Uint8Array) return body
    const isWatch = request.query.get('watch') === 'true'
    const failed = (error: unknown) => this.#lose(error, request)
    const ended = () => {
      if (isWatch) this.#checked = false
    }
    return follow(body, { failed, ended })
  }

  #lose(error: unknown, { signal }: ApiRequest): void {
    if (signal.aborted) return
    this.#checked = false
    this.#become('away', error)
  }

  #become(state: LinkState, error?: unknown): void {
    const before = this.#state
    if (before === state) return
    this.#state = state
    const { log } = this.#options.ambient
    if (state === 'foreign') log.error(messageOf(error))
    else if (state === 'away' && before !== 'foreign')
      log.warn('the server is away: this node goes on by itself', { error: messageOf(error) })
    else if (state === 'answers' && before !== 'unknown') log.info('the server answers again')
    this.#options.onChange()
  }
}

async function* follow(
  body: AsyncIterable<string | Uint8Array>,
  told: { readonly failed: (error: unknown) => void; readonly ended: () => void },
): AsyncGenerator<string | Uint8Array> {
  try {
    yield* body
    told.ended()
  } catch (error) {
    told.failed(error)
    throw error
  }
}

/** Others may wait for the same: it goes on when one of them has lost interest. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    const done = () => signal.removeEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(done)
  })
}

const passing: readonly Reason[] = [
  'ServiceUnavailable',
  'Timeout',
  'TooManyRequests',
  'Unauthorized',
  'NoSpace',
]

/** Whether the server has not taken what it was sent and may do so later; any other failure is about what was sent. */
export function mayTakeLater(error: unknown): boolean {
  return passing.some((reason) => isReason(error, reason))
}
