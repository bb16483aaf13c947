/**
 * Who asks. A client certificate (subject CN and O), else a bearer token, else nobody known, in Kubernetes' order: a
 * good certificate wins over a token. What is wrong is told to the log and never to the asker.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { TLSSocket } from 'node:tls'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { signedAt } from './certificate.ts'

export const adminGroup = 'system:masters'
export const nodesGroup = 'system:nodes'
export const authenticatedGroup = 'system:authenticated'
export const nodeUserPrefix = 'system:node:'

export const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The user that a node's certificate names. */
export function nodeUser(nodeName: string): UserInfo {
  return { name: `${nodeUserPrefix}${nodeName}`, groups: [nodesGroup, authenticatedGroup] }
}

const registersExtra = 'node.cove.run/registers'
const certifiedExtra = 'node.cove.run/certified'

/**
 * The same for an agent in the server's own process, which was never asked to join: it may make its Node by itself.
 * No certificate says so.
 */
export function ownNodeUser(nodeName: string): UserInfo {
  return { ...nodeUser(nodeName), extra: { [registersExtra]: ['true'] } }
}

/** Whether the user may make its own Node. */
export function mayRegister({ extra }: UserInfo): boolean {
  return extra?.[registersExtra] !== undefined
}

/** When the certificate was signed by which this node is known, in milliseconds since the epoch; undefined: by none. */
export function certifiedAt({ extra }: UserInfo): number | undefined {
  const [text] = extra?.[certifiedExtra] ?? []
  return text === undefined ? undefined : Date.parse(text)
}

export type Peer = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>

/** Whose connection it is. Throws Unauthorized. */
export type Authenticate = (peer: Peer, headers: IncomingHttpHeaders) => UserInfo
type Headers = Readonly<{ authorization?: string | undefined }>

/** Whose token it is. Throws Unauthorized with a reason that does not hold the token. */
export type TokenUser = (token: string) => UserInfo

/** The user of a connection, for `listen`. Whatever is wrong, the asker hears the same word. */
export function makeAuthenticate(
  tokenUser: TokenUser,
  { clock, log }: Pick<Ambient, 'clock' | 'log'>,
): (peer: Peer, headers: Headers) => UserInfo {
  const certified = rememberingCertificates()
  return (peer, headers) => {
    try {
      return userOf(peer, headers, { tokenUser, certified, now: clock.now() })
    } catch (error) {
      if (!isReason(error, 'Unauthorized')) throw error
      log.info('request refused: who asks is not known', { reason: error.message })
      throw new StatusError('Unauthorized', 'Unauthorized', {}, { cause: error })
    }
  }
}

interface How {
  readonly tokenUser: TokenUser
  /** Absent: every request reads the certificate again. */
  readonly certified?: (peer: Peer) => Certified
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Whom a certificate names, and until when, in milliseconds since the epoch. */
type Certified = { readonly user: UserInfo; readonly until: number } | 'refused' | 'none'

/**
 * The user of a connection that asked for, and did not insist on, a client certificate. Throws Unauthorized for a
 * certificate that our authority did not sign, unless a good token goes with it, and for a token that is not good.
 */
export function userOf(socket: Peer, headers: Headers, how: How = withoutTokens): UserInfo {
  const { tokenUser, certified = readCertificate, now } = how
  const certificate = certified(socket)
  // Connections and sessions live on when the certificate that began them ends.
  if (typeof certificate === 'object' && certificate.until > now) return certificate.user
  if (headers.authorization !== undefined) return tokenUser(bearerToken(headers.authorization))
  if (certificate === 'none') return anonymous
  throw new StatusError(
    'Unauthorized',
    'Unauthorized: the client certificate is not from this server, or has expired',
  )
}

/**
 * Asks each connection for its certificate once: OpenSSL takes it apart anew every time, which costs more than all the
 * rest of a read. It cannot change, since the listener refuses renegotiation.
 */
function rememberingCertificates(): (peer: Peer) => Certified {
  const known = new WeakMap<Peer, Certified>()
  return (peer) => {
    const certified = known.get(peer) ?? readCertificate(peer)
    known.set(peer, certified)
    return certified
  }
}

/** A resumed session without any certificate counts as authorized in Node, so a name is required beside it. */
function readCertificate(peer: Peer): Certified {
  const { subject, valid_from: from, valid_to: end } = peer.getPeerCertificate() ?? {}
  if (subject === undefined) return 'none'
  const [name] = listOf(subject.CN)
  const until = Date.parse(end ?? '')
  if (!peer.authorized || name === undefined || name === '' || Number.isNaN(until)) return 'refused'
  const groups = [...listOf(subject.O), authenticatedGroup]
  const signed = groups.includes(nodesGroup) ? signedAt(Date.parse(from ?? ''), until) : Number.NaN
  const extra = Number.isNaN(signed) ? {} : { extra: { [certifiedExtra]: [new Date(signed).toISOString()] } }
  return { user: { name, groups, ...extra }, until }
}

function bearerToken(header: string): string {
  const [, token] = /^bearer +(\S+)\s*$/i.exec(header) ?? []
  if (token !== undefined) return token
  throw new StatusError('Unauthorized', 'Unauthorized: the Authorization header is no bearer token')
}

const withoutTokens: How = { tokenUser: noTokens, now: 0 }

function noTokens(): UserInfo {
  throw new StatusError('Unauthorized', 'Unauthorized: this server knows client certificates, no tokens')
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}
