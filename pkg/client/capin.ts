/**
 * Trust from a hash: the server's authority is taken from its TLS handshake and believed only when its public key
 * hashes to the pin. Nothing is sent to a server before that, and everything afterwards goes over new connections that
 * are checked against the authority in full.
 */
import { createHash, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { checkServerIdentity, connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { unreachable } from './https.ts'

const answerWithinMs = 20_000
const pinPattern = /^sha256:[0-9a-f]{64}$/

/** `sha256:HEX` over the public key (SPKI) of a certificate in PEM or DER, as kubeadm's discovery-token-ca-cert-hash. */
export function caPin(certificate: string | Uint8Array): string {
  const { publicKey } = new X509Certificate(certificate)
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  return `sha256:${createHash('sha256').update(spki).digest('hex')}`
}

/** Lower case; undefined when it is no pin. */
export function parsePin(text: string): string | undefined {
  const pin = text.trim().toLowerCase()
  return pinPattern.test(pin) ? pin : undefined
}

export interface PinnedServer {
  /** Such as https://cove.example:6443. */
  readonly server: string
  readonly pin: string
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * The authority's certificate in PEM. Throws Forbidden for a server whose authority is another, BadRequest for one
 * whose certificate is for another name, ServiceUnavailable when there is no answer.
 */
export async function fetchPinnedCa(options: PinnedServer): Promise<string> {
  const url = new URL(options.server)
  const socket = await handshake(url, options)
  try {
    const leaf = socket.getPeerCertificate(true)
    const authority = chainOf(leaf).find(({ raw }) => caPin(raw) === options.pin)
    if (authority === undefined) throw otherAuthority(leaf, options)
    checkName(url, leaf)
    return new X509Certificate(authority.raw).toString()
  } finally {
    socket.destroy()
  }
}

/** Connects and sends nothing. */
function handshake(url: URL, { clock, signal }: PinnedServer): Promise<TLSSocket> {
  const host = hostOf(url)
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const socket = connect({
      host,
      port: Number(url.port || 443),
      ...(isIP(host) === 0 && { servername: host }),
      // Who it is is found out by the pin: there is nothing yet to check it against.
      rejectUnauthorized: false,
    })
    const slow = new StatusError(
      'ServiceUnavailable',
      `${url.origin} did not answer within ${answerWithinMs} ms`,
    )
    const cancel = clock.after(answerWithinMs, () => socket.destroy(slow))
    const giveUp = () => socket.destroy()
    signal.addEventListener('abort', giveUp, { once: true })
    const settle = () => {
      cancel()
      signal.removeEventListener('abort', giveUp)
    }
    let failure: Error | undefined
    socket.on('error', (error) => {
      failure = error
    })
    socket.once('close', () => {
      settle()
      const error = failure ?? new Error('the connection was closed')
      reject(signal.aborted ? signal.reason : error instanceof StatusError ? error : unreachable(url, error))
    })
    socket.once('secureConnect', () => {
      settle()
      resolve(socket)
    })
  })
}

/** What the server has sent, the leaf first. The last one names itself as its issuer, or nobody. */
function chainOf(leaf: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  for (let next: DetailedPeerCertificate | undefined = leaf; next?.raw !== undefined; ) {
    if (chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) break
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

function otherAuthority(leaf: DetailedPeerCertificate, { server, pin }: PinnedServer): StatusError {
  const found = chainOf(leaf).at(-1)
  const theirs = found === undefined ? 'it has sent none' : `its authority has ${caPin(found.raw)}`
  return new StatusError(
    'Forbidden',
    `${server} is not the server with the authority ${pin}: ${theirs}. Nothing was sent to it. Take --join and --ca-pin from what "cove token create" prints`,
  )
}

function checkName(url: URL, leaf: DetailedPeerCertificate): void {
  const wrong = checkServerIdentity(hostOf(url), leaf)
  if (wrong === undefined) return
  throw badRequest(
    `the certificate of ${url.origin} is for other names (${leaf.subjectaltname ?? 'none'}): use one of them, or start the server with --tls-san ${hostOf(url)}`,
  )
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}
