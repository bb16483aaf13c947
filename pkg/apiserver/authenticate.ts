/** Who asks. Identity comes from the client certificate (subject CN and O), as Kubernetes reads it. */
import type { TLSSocket } from 'node:tls'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'

export const adminGroup = 'system:masters'
export const nodesGroup = 'system:nodes'
export const authenticatedGroup = 'system:authenticated'
export const nodeUserPrefix = 'system:node:'

export const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The user that a node's certificate names. */
export function nodeUser(nodeName: string): UserInfo {
  return { name: `${nodeUserPrefix}${nodeName}`, groups: [nodesGroup, authenticatedGroup] }
}

export type Peer = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>

/**
 * The user of a connection that asked for, and did not insist on, a client certificate. Throws Unauthorized for a
 * certificate that our authority did not sign, and for a token: none is given out, so none is good. A resumed session
 * without any certificate counts as authorized in Node, so a name is required beside it.
 */
export function userOf(socket: Peer, headers: Readonly<{ authorization?: string | undefined }>): UserInfo {
  const subject = socket.getPeerCertificate()?.subject
  if (subject === undefined && headers.authorization !== undefined)
    throw new StatusError('Unauthorized', 'Unauthorized: this server knows client certificates, no tokens')
  if (subject === undefined) return anonymous
  const [name] = listOf(subject.CN)
  if (!socket.authorized || name === undefined || name === '')
    throw new StatusError('Unauthorized', 'Unauthorized: the client certificate is not from this server')
  return { name, groups: [...listOf(subject.O), authenticatedGroup] }
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}
