/**
 * Certificates of nodes, on request: a machine shows a bootstrap token once, and from then on the certificate it got.
 * The table of rights lets nobody else ask; which name may be had is decided here.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { badRequest, invalid, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiRequest, UserInfo } from '#pkg/apimachinery/transport.ts'
import { bootstrappersGroup } from '#pkg/apis/bootstraptoken.ts'
import { nodeCertificateKind } from '#pkg/apis/node.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import { readObject } from '../http/body.ts'
import { methodNotAllowed } from '../http/request.ts'
import { nodesGroup, nodeUser } from './authenticate.ts'
import { boundNodeExtra } from './bootstraptokens.ts'
import type { Joining } from './noderegistration.ts'
import { type Identity, signNodeRequest } from './pki.ts'

export interface NodeCertificateOptions {
  readonly ca: Identity
  readonly ambient: Ambient
  /** Whether there is such a Node, and not because this user has begun to join as it. */
  readonly isTaken: (name: string, user: UserInfo) => boolean
  /** Makes the Node of a machine that joins, unless there is one. */
  readonly register: (joining: Joining) => Promise<void>
  /** Absent: a year. */
  readonly lifetimeMs?: number | undefined
}

const pathPattern = /^\/apis\/cove\.run\/v1\/nodes\/([^/]+)\/certificate$/
const nodeName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const apiVersion = 'cove.run/v1'

/** Answers `POST /apis/cove.run/v1/nodes/NAME/certificate`, a NodeCertificate. */
export function nodeCertificates(options: NodeCertificateOptions): Surface {
  return async (request, user) => {
    const match = pathPattern.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'POST') throw methodNotAllowed(['POST'])
    const name = decodeURIComponent(match[1] ?? '')
    checkName(name)
    checkMayHave(name, user, options)
    const csr = readCsr(request)
    const { ca, ambient, lifetimeMs, register } = options
    const certificate = await signNodeRequest(ca, name, csr, {
      now: ambient.clock.now(),
      random: ambient.random,
      ...(lifetimeMs !== undefined && { lifetimeMs }),
    })
    // One that renews has its Node, or it would not have come this far.
    if (!user.groups.includes(nodesGroup)) {
      await register({ name, user, signal: request.signal })
      // Somebody else may have joined under that name since it was free.
      checkMayHave(name, user, options)
    }
    ambient.log.info('node certificate signed', { node: name, for: user.name })
    const { kind } = nodeCertificateKind
    const status = { certificate, ca: ca.cert }
    return jsonAnswer({ apiVersion, kind, metadata: { name }, spec: { csr }, status }, {}, 201)
  }
}

function checkName(name: string): void {
  if (nodeName.test(name)) return
  const message = `"${name}" must consist of lower case letters, digits, "-" and ".", begin and end with a letter or digit, and have at most 253 characters`
  throw invalid(nodeCertificateKind, name, [{ reason: 'FieldValueInvalid', field: 'metadata.name', message }])
}

/**
 * With a token: the name for which it was made, or one that nobody has yet. Otherwise whoever has such a token could
 * take the place of a node that is there, and with it what that node may read. A node itself: its own name.
 */
function checkMayHave(name: string, user: UserInfo, { isTaken }: NodeCertificateOptions): void {
  if (user.groups.includes(bootstrappersGroup)) {
    const [bound] = user.extra?.[boundNodeExtra] ?? []
    if (bound !== undefined && bound !== name)
      throw refuse(name, `this token is for node "${bound}" only; start the agent with --node-name ${bound}`)
    if (bound === undefined && isTaken(name, user))
      throw refuse(
        name,
        `there is such a node already. If this is the same machine, use a token made with "cove token create --node ${name}"; otherwise choose another --node-name, or delete the old node first`,
      )
  } else if (user.groups.includes(nodesGroup) && user.name !== nodeUser(name).name) {
    throw refuse(name, `${user.name} may only renew its own certificate`)
  }
}

function refuse(name: string, why: string): StatusError {
  const details = { name, group: 'cove.run', kind: 'nodes' }
  return new StatusError('Forbidden', `nodes.cove.run "${name}" is forbidden: ${why}`, details)
}

function readCsr(request: ApiRequest): string {
  const { spec } = readObject(nodeCertificateKind, request)
  const csr = isPlainObject(spec) ? spec['csr'] : undefined
  if (typeof csr === 'string' && csr !== '') return csr
  throw badRequest('spec.csr: is required: a certificate request in PEM')
}
