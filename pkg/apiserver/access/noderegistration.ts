/**
 * The Node object of a machine that joins, made by the server: a node that could make it by itself would be back after
 * an administrator has deleted it. It says by which token, which may begin anew until the agent has reported.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type Handler, readAll, type UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { adminGroup } from './authenticate.ts'

const registrar: UserInfo = { name: 'system:cove-server', groups: [adminGroup, 'system:authenticated'] }

/** The user that asked for the first certificate of a Node. */
const joinedBy = 'node.cove.run/joined-by'

export interface Joining {
  readonly name: string
  readonly user: UserInfo
  readonly signal: AbortSignal
}

/** Resolves when there is a Node of that name, whoever made it. */
export async function registerNode(handler: Handler, { name, user, signal }: Joining): Promise<void> {
  const labels = { 'kubernetes.io/hostname': name }
  const metadata = { name, labels, annotations: { [joinedBy]: user.name } }
  const node: Node = { apiVersion: 'cove.run/v1', kind: 'Node', metadata, spec: { unschedulable: false } }
  const request = {
    method: 'POST',
    path: '/apis/cove.run/v1/nodes',
    query: new URLSearchParams({ fieldManager: 'cove-server' }),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(node),
    signal,
  }
  const { status, body } = await handler(request, registrar)
  // 409: there is one already.
  if (status === 201 || status === 409) return
  const answer = await readAll(body)
  throw new StatusError(
    'InternalError',
    `the Node of ${name} was not made: the answer is ${status} ${answer}`,
  )
}

/** Whether this Node was made for a join of that user whose agent has never reported. */
export function isBegunBy({ name }: UserInfo, { metadata, status }: ApiObject): boolean {
  const reported = isPlainObject(status) && status['lastHeartbeat'] !== undefined
  return !reported && metadata.annotations?.[joinedBy] === name
}
