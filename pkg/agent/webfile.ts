/**
 * Files at web addresses, with bounds: neither silence, nor redirects, nor size goes on for ever. Whatever cannot be had is
 * SourceUnavailable; addresses are told without what may prove somebody's right to them.
 */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { machineAuthorities } from '#pkg/registry/authorities.ts'
import { toldAddress } from './images/address.ts'

export interface WebAsking {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** GET when absent. */
  readonly method?: 'GET' | 'HEAD'
}

type Content = AsyncIterable<Uint8Array>

const mostRedirects = 5
/** ms without a byte. */
const longestSilence = 60_000

export interface WebAnswer {
  /** Its body is to be read or destroyed. */
  readonly response: IncomingMessage
  /** Where it is in the end, as it may be told. */
  readonly what: string
}

/** The answer of where the address leads, whatever that says. */
export async function openWeb(address: string, asking: WebAsking): Promise<WebAnswer> {
  let url = address
  for (let hop = 0; hop <= mostRedirects; hop++) {
    const response = await request(url, asking)
    const { statusCode: status = 0, headers } = response
    if (status < 300 || status >= 400 || headers.location === undefined)
      return { response, what: toldAddress(url) }
    response.destroy()
    url = followed(url, headers.location)
  }
  throw unavailable(`${toldAddress(address)} redirects more than ${mostRedirects} times`)
}

function followed(from: string, location: string): string {
  const next = URL.canParse(location, from) ? new URL(location, from) : undefined
  const isKnown = next?.protocol === 'http:' || next?.protocol === 'https:'
  if (next === undefined || !isKnown)
    throw unavailable(`${toldAddress(from)} redirects to what is no web address`)
  return next.href
}

function request(url: string, { clock, signal, method = 'GET' }: WebAsking): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isSecure = url.startsWith('https:')
    const send = isSecure ? httpsRequest : httpRequest
    const trust = isSecure ? { ca: machineAuthorities() } : {}
    const headers = { 'user-agent': 'cove-agent', accept: '*/*' }
    const asked = send(url, { method, signal, headers, ...trust, agent: false }, (response) => {
      cancel()
      resolve(response)
    })
    const cancel = clock.after(longestSilence, () => asked.destroy(silent(toldAddress(url))))
    asked.once('error', (error) => {
      cancel()
      reject(signal.aborted ? signal.reason : asUnavailable(toldAddress(url), error))
    })
    asked.end()
  })
}

/** Only the sender is timed: a slow reader may take as long as it likes. */
export async function* watchedContent(
  content: Content,
  { what, clock, mostBytes }: { readonly what: string; readonly clock: Clock; readonly mostBytes: number },
): AsyncGenerator<Uint8Array> {
  const iterator = content[Symbol.asyncIterator]()
  let total = 0
  for (;;) {
    const next = await soon(iterator.next(), what, clock)
    if (next.done === true) return
    total += next.value.length
    if (total > mostBytes) throw unavailable(`${what} is larger than ${mostBytes} bytes`)
    yield next.value
  }
}

async function soon<T>(reading: Promise<T>, what: string, clock: Clock): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const cancel = clock.after(longestSilence, () => reject(silent(what)))
  try {
    return await Promise.race([reading, promise])
  } catch (error) {
    throw asUnavailable(what, error)
  } finally {
    cancel()
  }
}

function silent(what: string): StatusError {
  return unavailable(`${what} sends nothing for ${longestSilence / 1000} s`)
}

function asUnavailable(what: string, error: unknown): unknown {
  if (error instanceof StatusError) return error
  return unavailable(`${what} cannot be fetched: ${messageOf(error)}`, error)
}

function unavailable(message: string, cause?: unknown): StatusError {
  return new StatusError('SourceUnavailable', message, {}, { cause })
}
