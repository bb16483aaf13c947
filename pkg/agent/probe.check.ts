/**
 * One check over the network, as Kubernetes makes its probes: an answer from 200 to 399 is good, redirects are followed
 * only on the same host, certificates are not verified, little of the body is read. A failed check is a result, never
 * an error.
 */
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, isIP } from 'node:net'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { ProbeCheck } from './probe.ts'

export interface CheckResult {
  /** 0: good; 1: not. */
  readonly exitCode: number
  readonly output: string
}

type HttpCheck = Extract<ProbeCheck, { type: 'http' }>

/** In bytes. */
const mostBody = 10_240
const mostRedirects = 10
const usualHeaders = { 'user-agent': 'cove-probe/1', accept: '*/*' }

/** Good as soon as one of the addresses is. Rejects only with the reason of the signal. */
export async function runCheck(
  check: ProbeCheck,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<CheckResult> {
  if (addresses.length === 0) {
    const output =
      'the container has no address that its node could reach: use a command in place of http or tcp'
    return { exitCode: 1, output }
  }
  // Whoever answers first ends the others.
  const others = new AbortController()
  const either = AbortSignal.any([signal, others.signal])
  const attempts = addresses.map((address) => attempt(check, address, either))
  try {
    return { exitCode: 0, output: await Promise.any(attempts) }
  } catch (error) {
    signal.throwIfAborted()
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
    return { exitCode: 1, output: errors.map(messageOf).join('\n') }
  } finally {
    others.abort()
  }
}

/** Resolves with what is told of a good answer. */
function attempt(check: ProbeCheck, address: string, signal: AbortSignal): Promise<string> {
  return check.type === 'tcp' ? connects(check.port, address, signal) : answers(check, address, signal)
}

function connects(port: number, address: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal })
    socket.once('error', (error) => reject(unreachable(address, port, error)))
    socket.once('connect', () => {
      socket.destroy()
      resolve(`port ${port} takes connections`)
    })
  })
}

async function answers(check: HttpCheck, address: string, signal: AbortSignal): Promise<string> {
  const secure = check.scheme === 'HTTPS'
  let url = new URL(
    `${secure ? 'https' : 'http'}://${isIP(address) === 6 ? `[${address}]` : address}:${check.port}`,
  )
  let path = check.path
  for (let redirects = 0; redirects <= mostRedirects; redirects++) {
    const response = await send({ url, path, check, address }, signal)
    const { statusCode = 0, statusMessage = '', headers } = response
    const next = redirectOf(headers.location, statusCode, new URL(path, url))
    const head = `HTTP ${statusCode} ${statusMessage}`.trim()
    if (next === undefined || next.hostname !== url.hostname) {
      if (statusCode >= 200 && statusCode < 400) {
        response.destroy()
        return head
      }
      throw new Error(`${head}\n${await beginning(response)}`.trim())
    }
    response.destroy()
    url = next
    path = `${next.pathname}${next.search}`
  }
  throw new Error(`gave up after ${mostRedirects} redirects`)
}

interface Sending {
  readonly url: URL
  readonly path: string
  readonly check: HttpCheck
  readonly address: string
}

function send({ url, path, check, address }: Sending, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:'
    const port = Number(url.port) || (secure ? 443 : 80)
    const own = Object.fromEntries(
      Object.entries(check.headers).map(([name, value]) => [name.toLowerCase(), value]),
    )
    const options: RequestOptions & { rejectUnauthorized: boolean; servername?: string } = {
      host: address,
      port,
      path,
      agent: false,
      signal,
      headers: { ...usualHeaders, ...own },
      // Whoever asks is next to the container: what is to be told is whether it works, not who it is.
      rejectUnauthorized: false,
      ...serverName(own['host']),
    }
    const request = secure ? httpsRequest(options) : httpRequest(options)
    request.once('response', resolve)
    request.on('error', (error) => reject(unreachable(address, port, error)))
    request.end()
  })
}

function serverName(host: string | undefined): { servername?: string } {
  const name = host?.replace(/:\d+$/, '') ?? ''
  return name === '' || isIP(name) !== 0 ? {} : { servername: name }
}

/** Where the answer leads to; undefined when it is no redirect, or to nowhere that is known. */
function redirectOf(location: string | undefined, statusCode: number, from: URL): URL | undefined {
  if (location === undefined || ![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const next = URL.parse(location, from) ?? undefined
  return next?.protocol === 'http:' || next?.protocol === 'https:' ? next : undefined
}

async function beginning(response: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response) {
    pieces.push(piece)
    bytes += piece.length
    if (bytes >= mostBody) break
  }
  return Buffer.concat(pieces).subarray(0, mostBody).toString('utf8').trim()
}

function unreachable(address: string, port: number, error: NodeJS.ErrnoException): Error {
  const hint =
    error.code === 'ECONNREFUSED'
      ? ': nothing listens there (a program that listens on 127.0.0.1 of its container only is not reached: let it listen on 0.0.0.0)'
      : `: ${messageOf(error)}`
  return new Error(`port ${port} of ${address}${hint}`, { cause: error })
}
