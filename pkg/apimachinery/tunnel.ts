/**
 * What both ends of a tunnel agree on. An agent dials out with an HTTPS request that asks for an upgrade; from then
 * on the socket carries HTTP/2 the other way round: the API server asks, the agent answers. So nodes behind NAT are
 * reached, and one connection carries everything.
 */
import type { Http2Session } from 'node:http2'
import type { Clock } from './ambient.ts'
import { inputHeader, inputStream } from './frames.ts'

/** The name of the protocol in the Upgrade header. */
export const tunnelProtocol = 'cove-tunnel'

/** Most routers forget an idle connection after one to five minutes. */
const pingEveryMs = 15_000
const pingWithinMs = 10_000

export function tunnelPath(nodeName: string): string {
  return `/apis/cove.run/v1/nodes/${encodeURIComponent(nodeName)}/tunnel`
}

/**
 * What may be under way before its reader has taken it: in one stream, and in all together. HTTP/2's own 64 KiB would
 * hold a far node to 64 KiB per round trip.
 */
export const streamWindowBytes = 256 * 1024
export const sessionWindowBytes = 4 * 1024 * 1024

/** Headers that belong to one connection of HTTP/1.1; HTTP/2 refuses them. */
const connectionHeaders: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'host',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

export function tunnelHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !connectionHeaders.has(name)))
}

/** Whether a request's body is a stream that goes on while the answer comes, and not to be read beforehand. */
export function hasInput(headers: Readonly<Record<string, unknown>>): boolean {
  return headers[inputHeader] === inputStream
}

/** Asks the peer for a sign of life again and again, and destroys the session when none comes in time. Ends with it. */
export function keepAlive(session: Http2Session, clock: Clock): void {
  let cancel = clock.after(pingEveryMs, ping)
  function ping(): void {
    cancel = clock.after(pingWithinMs, () => session.destroy(new Error('the peer does not answer pings')))
    session.ping((error) => {
      cancel()
      if (error === null && !session.destroyed) cancel = clock.after(pingEveryMs, ping)
    })
  }
  session.once('close', () => cancel())
}
