/** Questions to nodes that have to be answered in a bounded time: whoever asks several must not wait for one for ever. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { fromStatus, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type ApiRequest, type ApiResponse, readAll } from '#pkg/apimachinery/transport.ts'
import type { ContainerNode } from './proxy.ts'

export interface Asking {
  readonly clock: Clock
  /** Of whoever wants to know. */
  readonly signal: AbortSignal
  /** ms. */
  readonly within: number
}

type Question = Pick<ApiRequest, 'method' | 'path' | 'query' | 'body'> & {
  /** Besides what is accepted, which is JSON unless they say otherwise. */
  readonly headers?: ApiRequest['headers']
}

/**
 * In bytes, and more than a node with a thousand containers has to tell. Answers are held in memory: a node that was
 * broken into is not to take the server with it.
 */
const longestAnswer = 32 * 1024 ** 2

/** The whole answer, whatever its status. Throws Timeout when it takes longer, and InternalError when it is endless. */
export async function askNode(
  { nodeName, transport }: ContainerNode,
  question: Question,
  { clock, signal, within }: Asking,
): Promise<ApiResponse> {
  const late = new AbortController()
  const cancel = clock.after(within, () => {
    late.abort(new StatusError('Timeout', `node "${nodeName}" has not answered within ${within / 1000} s`))
  })
  const both = AbortSignal.any([signal, late.signal])
  const headers = { accept: 'application/json', ...question.headers }
  const answered = transport({ ...question, headers, signal: both }).then(async (answer) => ({
    ...answer,
    body: await readAll(bounded(answer.body, nodeName)),
  }))
  try {
    // An engine call under way does not end with whoever waits for it.
    return await Promise.race([answered, aborted(both)])
  } finally {
    cancel()
    answered.catch(() => undefined)
  }
}

/** The decoded body of a good answer; throws the node's own failure. */
export async function askJson(node: ContainerNode, question: Question, asking: Asking): Promise<unknown> {
  const { status, body } = await askNode(node, question, asking)
  const value = parse(await readAll(body), node.nodeName)
  if (status < 400) return value
  throw fromStatus({ code: status, ...(isPlainObject(value) ? value : {}) })
}

/** Whoever stops reading ends the sending too. */
async function* bounded(body: ApiResponse['body'], nodeName: string): AsyncGenerator<string | Uint8Array> {
  let left = longestAnswer
  for await (const piece of typeof body === 'string' || body instanceof Uint8Array ? [body] : body) {
    left -= piece.length
    if (left < 0)
      throw new StatusError('InternalError', `node "${nodeName}" answered more than ${longestAnswer} bytes`)
    yield piece
  }
}

function parse(text: string, nodeName: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new StatusError('InternalError', `node "${nodeName}" answered no JSON`, {}, { cause })
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = () => reject(signal.reason)
    if (signal.aborted) give()
    signal.addEventListener('abort', give, { once: true })
  })
}
