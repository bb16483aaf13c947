/**
 * How an agent is known to the server: a key that never leaves its machine, and a certificate that the server signed
 * for it, first for a join token and later for the certificate that is about to end. Kept as a kubeconfig.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Ambient, pause, type Random } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { nodeCertificateKind, nodeKind } from '#pkg/apis/node.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { fetchPinnedCa, type PinnedServer } from './capin.ts'
import { httpsTransport } from './https.ts'
import { Client } from './rest.ts'

/** PEM texts. */
export interface NodeIdentity {
  readonly server: string
  readonly nodeName: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Makes a new key and asks to have it certified; the key comes back, and goes nowhere else. */
export type MakeRequest = (name: string) => Promise<{ readonly key: string; readonly csr: string }>

const userPrefix = 'system:node:'

/** Of the file in which it is kept: a kubeconfig, so that kubectl can be the node when something is to be found out. */
export function encodeIdentity({ server, nodeName, ca, cert, key }: NodeIdentity): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  const user = `${userPrefix}${nodeName}`
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'node',
    contexts: [{ name: 'node', context: { cluster: 'cove', user } }],
    clusters: [{ name: 'cove', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [
      { name: user, user: { 'client-certificate-data': base64(cert), 'client-key-data': base64(key) } },
    ],
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

/** The node that a certificate is for; undefined when it is for none. */
export function nodeNameOf(cert: string): string | undefined {
  const name = /^CN=(.*)$/m.exec(new X509Certificate(cert).subject)?.[1]
  return name?.startsWith(userPrefix) ? name.slice(userPrefix.length) : undefined
}

export interface Lifetime {
  /** Milliseconds since the epoch. */
  readonly from: number
  readonly to: number
}

export function lifetimeOf(cert: string): Lifetime {
  const { validFrom, validTo } = new X509Certificate(cert)
  return { from: Date.parse(validFrom), to: Date.parse(validTo) }
}

/** After two thirds of its life, and up to a tenth of it later: nodes that joined together do not renew together. */
export function renewAt({ from, to }: Lifetime, random: Random): number {
  return from + (to - from) * (2 / 3 + random.next() / 10)
}

export interface JoinOptions extends PinnedServer {
  readonly token: string
  readonly nodeName: string
  readonly userAgent: string
  readonly makeRequest: MakeRequest
}

/**
 * One attempt. Throws Forbidden, Unauthorized or BadRequest when trying again is of no use, with what to do instead.
 */
export async function joinCluster(options: JoinOptions): Promise<NodeIdentity> {
  const { server, token, nodeName, userAgent, makeRequest, signal } = options
  const ca = await fetchPinnedCa(options)
  const transport = httpsTransport({ server, ca, token, userAgent })
  try {
    return await requestIdentity(new Client(transport, 'cove-agent'), {
      server,
      nodeName,
      ca,
      makeRequest,
      signal,
    })
  } catch (error) {
    if (!isReason(error, 'Unauthorized')) throw error
    const message = `${server} does not take the join token: it is mistyped, has expired or was deleted; make another one with "cove token create"`
    throw new StatusError('Unauthorized', message, {}, { cause: error })
  } finally {
    transport.close()
  }
}

export interface RequestOptions {
  readonly server: string
  readonly nodeName: string
  readonly ca: string
  readonly makeRequest: MakeRequest
  readonly signal: AbortSignal
}

/** A new key with its certificate, by whoever `client` is: a join token, or the node itself. */
export async function requestIdentity(client: Client, options: RequestOptions): Promise<NodeIdentity> {
  const { server, nodeName, ca, makeRequest, signal } = options
  const { key, csr } = await makeRequest(`${userPrefix}${nodeName}`)
  const { group, version, kind } = nodeCertificateKind
  const body = JSON.stringify({ apiVersion: `${group}/${version}`, kind, spec: { csr } })
  const path = `${objectPath(nodeKind, { name: nodeName })}/certificate`
  const headers = { 'content-type': 'application/json' }
  const answer = await client.json({ method: 'POST', path, body, headers }, signal)
  const status = isPlainObject(answer) ? answer['status'] : undefined
  const cert = isPlainObject(status) ? status['certificate'] : undefined
  if (typeof cert !== 'string' || !isGood(cert, key, ca, nodeName))
    throw new StatusError('InternalError', `${server} has not answered with a certificate of this node`)
  return { server, nodeName, ca, cert, key }
}

/** For this key and this node, and signed by the authority that is trusted. */
function isGood(cert: string, key: string, ca: string, nodeName: string): boolean {
  const certificate = new X509Certificate(cert)
  return (
    certificate.checkPrivateKey(createPrivateKey(key)) &&
    certificate.verify(new X509Certificate(ca).publicKey) &&
    nodeNameOf(cert) === nodeName
  )
}

export interface RenewalOptions {
  readonly current: () => NodeIdentity
  /** A new identity from the server, for the current one. */
  readonly request: (signal: AbortSignal) => Promise<NodeIdentity>
  /** Keeps it for the next start, and only then uses it. */
  readonly replace: (identity: NodeIdentity) => Promise<void>
  readonly ambient: Ambient
}

const firstPauseMs = 1000
const longestPauseMs = 300_000
/** Timers stand still while a machine sleeps, and certificates do not: the clock is asked now and then. */
const lookEveryMs = 3_600_000

/** Renews whenever it is time, until the signal aborts. A failure is tried again with growing pauses. */
export async function renewForever(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { current, ambient } = options
  const { clock, random } = ambient
  let due = renewAt(lifetimeOf(current().cert), random)
  for (let failures = 0; !signal.aborted; ) {
    await pause(clock, Math.min(lookEveryMs, Math.max(0, due - clock.now())), signal)
    if (signal.aborted || clock.now() < due) continue
    failures = (await renewed(options, signal)) ? 0 : failures + 1
    due =
      failures === 0
        ? renewAt(lifetimeOf(current().cert), random)
        : clock.now() + Math.min(longestPauseMs, firstPauseMs * 2 ** failures) * (0.5 + random.next() / 2)
  }
}

async function renewed(
  { current, request, replace, ambient }: RenewalOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const { log, clock } = ambient
  try {
    const next = await request(signal)
    await replace(next)
    log.info('certificate of this node renewed', { until: timestamp(lifetimeOf(next.cert).to) })
    return true
  } catch (error) {
    if (signal.aborted) return false
    const { nodeName, cert } = current()
    const { to } = lifetimeOf(cert)
    const fields = { error: messageOf(error), until: timestamp(to) }
    if (clock.now() < to) log.warn('certificate of this node could not be renewed', fields)
    else log.error(`the certificate of this node has expired: ${expiredAdvice(nodeName)}`, fields)
    return false
  }
}

/** What to do when the server does not know the node any more. */
export function expiredAdvice(nodeName: string): string {
  return `make a token with "cove token create --node ${nodeName}" where the server is administered, and start the agent with the command that it prints`
}
