/**
 * How the agent of a machine is known to its server: by a kubeconfig that somebody made, or by an identity of its own,
 * asked for once with a join token and renewed by itself from then on. Wiring only.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Ambient, sleep } from '#pkg/apimachinery/ambient.ts'
import { badRequest, isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { replaceFile } from '#pkg/apimachinery/files.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { parseBootstrapToken } from '#pkg/apis/bootstraptoken.ts'
import { makeRequest } from '#pkg/apiserver/access/certificate.ts'
import { caPin } from '#pkg/client/capin.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig, type ServerConfig } from '#pkg/client/kubeconfig.ts'
import {
  encodeIdentity,
  expiredAdvice,
  joinCluster,
  lifetimeOf,
  type NodeIdentity,
  nodeNameOf,
  renewForever,
  requestIdentity,
} from '#pkg/client/nodeidentity.ts'
import { Client } from '#pkg/client/rest.ts'
import { backoff } from '#pkg/client/tunnel.ts'

export interface JoinFlags {
  readonly server: string
  readonly pin: string
  /** The token itself; asked for only when it is needed. */
  readonly token: () => Promise<string | undefined>
}

export interface IdentityOptions {
  readonly dataDir: string
  readonly nodeName: string
  readonly join: JoinFlags | undefined
  readonly userAgent: string
  readonly ambient: Ambient
  readonly readFile: (path: string) => Promise<string | undefined>
  /** Whether the node has what it needs to go on without its server. */
  readonly canGoOnAlone: () => Promise<boolean>
}

/** In the agent's data directory, mode 0600. */
const fileName = 'node.kubeconfig'

/**
 * The identity that is kept, or a new one by joining. One whose certificate has ended is no reason for a node not to
 * start that can go on alone: the server is then asked for a new one later, see keepIdentity. Undefined: there is none, and no server to
 * join is named.
 */
export async function ensureIdentity(
  options: IdentityOptions,
  signal: AbortSignal,
): Promise<NodeIdentity | undefined> {
  const kept = await readIdentity(options)
  const { join: flags, nodeName, ambient } = options
  if (kept === undefined && flags === undefined) return undefined
  if (kept !== undefined) checkSame(kept, options)
  const expires = kept === undefined ? 0 : lifetimeOf(kept.cert).to
  if (kept !== undefined && (ambient.clock.now() < expires || (await options.canGoOnAlone())))
    return moved(kept, options)
  const identity = await joinByToken(options, signal)
  if (identity !== undefined) return identity
  if (kept === undefined) throw badRequest('--join needs a token: --token-file FILE, or COVE_JOIN_TOKEN')
  const since = timestamp(expires)
  throw new StatusError(
    'Unauthorized',
    `the certificate of node "${nodeName}" expired at ${since}, and the server does not know this node any more: ${expiredAdvice(nodeName)}`,
  )
}

/** Undefined: there is no token to join with. */
async function joinByToken(options: IdentityOptions, signal: AbortSignal): Promise<NodeIdentity | undefined> {
  const { join: flags, nodeName, ambient } = options
  const token = await flags?.token()
  if (flags === undefined || token === undefined) return undefined
  if (parseBootstrapToken(token) === undefined)
    throw badRequest('the join token is not of the form ID.SECRET, six and sixteen letters and digits')
  const identity = await joinPatiently(options, { ...flags, token }, signal)
  await storeIdentity(options.dataDir, identity)
  ambient.log.info('joined', { node: nodeName, server: identity.server })
  return identity
}

export interface Kept {
  readonly target: Pick<ServerConfig, 'server' | 'ca'>
  readonly identity: () => NodeIdentity
  /** Renews it until the signal aborts; joins anew first if it has ended and there is a token. */
  readonly renew: (signal: AbortSignal) => Promise<void>
}

export function keepIdentity(first: NodeIdentity, options: IdentityOptions): Kept {
  const { userAgent, ambient, dataDir } = options
  const { server, ca, nodeName } = first
  let identity = first
  return {
    target: { server, ca },
    identity: () => identity,
    async renew(signal) {
      const transport = httpsTransport({ server, ca, userAgent, identity: () => identity })
      const client = new Client(transport, 'cove-agent')
      const request = (until: AbortSignal) =>
        requestIdentity(client, { server, ca, nodeName, makeRequest, signal: until })
      const replace = async (next: NodeIdentity) => {
        await storeIdentity(dataDir, next)
        identity = next
      }
      identity = (await rejoin(first, options, signal)) ?? identity
      await renewForever({ current: () => identity, request, replace, ambient }, signal)
      transport.close()
    },
  }
}

/** For a certificate that ended while the node was alone. What goes wrong is told; the node goes on alone. */
async function rejoin(
  first: NodeIdentity,
  options: IdentityOptions,
  signal: AbortSignal,
): Promise<NodeIdentity | undefined> {
  const { ambient } = options
  const { to } = lifetimeOf(first.cert)
  if (ambient.clock.now() < to) return undefined
  try {
    const identity = await joinByToken(options, signal)
    if (identity !== undefined) return identity
    const advice = expiredAdvice(first.nodeName)
    const message = `the certificate of this node has expired, it goes on by itself: ${advice}`
    ambient.log.error(message, { until: timestamp(to) })
  } catch (error) {
    if (!signal.aborted)
      ambient.log.error('this node cannot join again, it goes on by itself', { error: messageOf(error) })
  }
  return undefined
}

/** A server that cannot be reached yet is waited for; whatever else is wrong will not mend by waiting. */
async function joinPatiently(
  options: IdentityOptions,
  { server, pin, token }: { server: string; pin: string; token: string },
  signal: AbortSignal,
): Promise<NodeIdentity> {
  const { nodeName, userAgent, ambient } = options
  const { clock, random, log } = ambient
  for (let failures = 0; ; failures++) {
    try {
      return await joinCluster({ server, pin, token, nodeName, userAgent, makeRequest, clock, signal })
    } catch (error) {
      if (signal.aborted || !mayPass(error)) throw error
      const delay = backoff(failures, random)
      log.warn('cannot join yet', { error: messageOf(error), retryInMs: Math.round(delay) })
      await sleep(clock, delay, signal)
    }
  }
}

function mayPass(error: unknown): boolean {
  return (['ServiceUnavailable', 'Timeout', 'TooManyRequests', 'NoSpace', 'InternalError'] as const).some(
    (reason) => isReason(error, reason),
  )
}

async function readIdentity({
  dataDir,
  readFile,
}: Pick<IdentityOptions, 'dataDir' | 'readFile'>): Promise<NodeIdentity | undefined> {
  const path = join(dataDir, fileName)
  if ((await readFile(path)) === undefined) return undefined
  const parseYaml = () => {
    throw badRequest('it is not as the agent wrote it')
  }
  const config = await loadKubeconfig({
    explicit: path,
    home: dataDir,
    directory: dataDir,
    readFile,
    parseYaml,
  })
  const { server, ca, cert, key } = config
  const nodeName = cert === undefined ? undefined : nodeNameOf(cert)
  if (ca === undefined || cert === undefined || key === undefined || nodeName === undefined)
    throw badRequest(`${path} holds no identity of a node; restore it, or remove it and join again`)
  return { server, nodeName, ca, cert, key }
}

/** One data directory is one node of one cluster: anything else is a mistake that must not be acted on. */
function checkSame(kept: NodeIdentity, { dataDir, nodeName, join: flags }: IdentityOptions): void {
  const path = join(dataDir, fileName)
  if (kept.nodeName !== nodeName)
    throw badRequest(
      `${path} is the identity of node "${kept.nodeName}", not of "${nodeName}": start with --node-name ${kept.nodeName}, or with another --data-dir`,
    )
  if (flags !== undefined && caPin(kept.ca) !== flags.pin)
    throw badRequest(
      `${path} is of the cluster with the authority ${caPin(kept.ca)}, not of ${flags.pin}: to leave that cluster, remove the file and start again`,
    )
}

/** The same server under another address. */
async function moved(kept: NodeIdentity, { join: flags, dataDir }: IdentityOptions): Promise<NodeIdentity> {
  if (flags === undefined || flags.server === kept.server) return kept
  const identity = { ...kept, server: flags.server }
  await storeIdentity(dataDir, identity)
  return identity
}

async function storeIdentity(dataDir: string, identity: NodeIdentity): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await replaceFile(join(dataDir, fileName), encodeIdentity(identity))
}
