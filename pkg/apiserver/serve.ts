/**
 * The whole API server on its socket: verbs, everything beside them, authorization in front of both, TLS, and the
 * tunnels of nodes. The one place that puts these together, so that nothing is served unguarded by mistake.
 */
import type { Ambient, Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Handler } from '#pkg/apimachinery/transport.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import type { Storage } from '#pkg/storage/port.ts'
import type { AccountTokens } from './access/accounttokens.ts'
import { authorizing } from './access/authorize.ts'
import { makeIdentity } from './access/identity.ts'
import { adminKubeconfig, ensurePki, type Pki } from './access/pki.ts'
import { reviewResources } from './access/reviews.ts'
import { ensureTokenKeys } from './access/tokenkeys.ts'
import { makeAccess } from './accesscontrol.ts'
import { type AuditSink, makeAudit } from './audit/audit.ts'
import { decodeObject } from './cache/encoded.ts'
import type { Uploads } from './data/uploads.ts'
import { absentKinds, serviceResource } from './documents/absent.ts'
import { discovery } from './documents/discovery.ts'
import { type Check, health } from './documents/health.ts'
import { openapi } from './documents/openapi.ts'
import { type BuildInfo, version } from './documents/version.ts'
import { type Listener, listen } from './door/listen.ts'
import type { Surface } from './http/answer.ts'
import { type ApiServer, makeApiServer } from './server.ts'
import { buildLogs } from './streams/buildlogs.ts'
import { containerLooks, nodeContainers } from './streams/containerlooks.ts'
import { containerStreams } from './streams/containerstreams.ts'
import { metrics, metricsResources } from './streams/metrics.ts'
import { nodeQuestions, takesArchive } from './streams/nodequestions.ts'
import { coreNodes } from './streams/nodeview.ts'
import { podLogs } from './streams/podlogs.ts'
import { podStreams, podStreamsByUpgradeOnly } from './streams/podstreams.ts'
import {
  containerLogs,
  type FindNode,
  NodeConnections,
  nodeFinder,
  type Placement,
  reachNode,
} from './streams/proxy.ts'
import { acceptTunnels, tunnelPath } from './streams/tunnel.ts'
import { routeUpgrades } from './streams/upgrade.ts'
import { uploadResource } from './streams/uploads.ts'
import { makeUploading } from './uploading.ts'

export interface ServeOptions {
  /** Stays the caller's to close. */
  readonly storage: Storage
  readonly ambient: Ambient
  /** Where the certificates are kept; made when missing. */
  readonly pkiDir: string
  /** The address to listen on. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Further names and addresses by which clients reach the server: certificates must name them. */
  readonly hosts: readonly string[]
  readonly build: BuildInfo
  /** How long watches that name no time of their own last at least; absent: half an hour. */
  readonly minWatchMs?: number
  /** Further parts of the API, guarded like all others. */
  readonly surfaces?: readonly Surface[]
  /** Further checks of `/readyz`, by name. */
  readonly checks?: Readonly<Record<string, Check>>
  /** Files that people upload; absent: none are taken. */
  readonly uploads?: Uploads | undefined
  /** Where audit records go; absent: nowhere. */
  readonly audit?: AuditSink | undefined
  /** How long the certificates of nodes are good; absent: a year. */
  readonly nodeCertificateMs?: number | undefined
  /** Given the administrator's kubeconfig before a fixed port answers, and again when its certificate was renewed. */
  readonly publish?: (kubeconfig: string) => Promise<void>
}

export interface Serving {
  /** Such as https://127.0.0.1:6443. */
  readonly url: string
  readonly pki: Pki
  /** For the administrator; holds a private key. */
  readonly kubeconfig: string
  /** Guarded, as on the socket: for callers in this process, who name the user they are. */
  readonly handler: Handler
  /** Gives out long-lived tokens, for the controller that fills Secrets. */
  readonly accountTokens: AccountTokens
  /** An agent in this process registers itself here. */
  readonly connections: NodeConnections
  /** Ends watches, finishes requests, lets go of the port. May be called twice. */
  close(): Promise<void>
}

const renewEveryMs = 86_400_000

/** Resolves when the server answers. Throws InUse when the port is taken. */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { storage, ambient, host, port } = options
  const { clock, log } = ambient
  const pki = await ensurePki(options.pkiDir, pkiOptions(options))
  const identity = makeIdentity({
    ca: pki.ca,
    keys: await ensureTokenKeys(options.pkiDir),
    ambient,
    cache: () => server.cache,
    handler: () => server.handler,
    nodeCertificateMs: options.nodeCertificateMs,
  })
  const connections = new NodeConnections()
  const findNode = nodeFinder({
    connections,
    lookup: (namespace, name) => placementOf(server, namespace, name),
  })
  const uploading = makeUploading({ uploads: options.uploads, cache: () => server.cache, ambient })
  const access = makeAccess()
  const { guard } = access
  let ready = false
  const server: ApiServer = makeApiServer({
    storage,
    ambient,
    ...(options.minWatchMs !== undefined && { minWatchMs: options.minWatchMs }),
    surfaces: [
      ...documents(options, { server: () => server, ready: () => ready }),
      access.reviews,
      ...identity.surfaces,
      ...(options.surfaces ?? []),
      ...uploading.surfaces,
      containerLogs(findNode),
      ...nodeLooks({ server: () => server, findNode, connections, clock }),
      podLogs(findNode),
      podStreamsByUpgradeOnly(),
    ],
    ...access.server,
  })
  const audit = options.audit && makeAudit({ sink: options.audit, ...ambient })
  const guarded = authorizing(server.handler, guard)
  const handler = audit?.handler(guarded) ?? guarded
  const takeUpgrade = routeUpgrades([
    { path: tunnelPath, take: acceptTunnels({ connections, clock, log, guard }) },
    containerStreams({ findNode, guard, clock, log }),
    podStreams({ findNode, guard, clock, log }),
  ])
  const onUpgrade = audit?.upgrades(takeUpgrade) ?? takeUpgrade
  const stop = new AbortController()
  await server.start(stop.signal)
  await publish(options, pki)
  const listener = await listen({
    handler,
    authenticate: identity.authenticate,
    host,
    port,
    pki,
    log,
    clock,
    onUpgrade,
    takesInput: (method, path) => takesArchive(method, path) || uploading.takesInput(method, path),
    onUnauthenticated: audit?.refused,
  }).catch(async (error) => {
    await server.close()
    throw error
  })
  ready = true
  keepCertificates(options, listener, stop.signal)
  const collecting = uploading.collect(stop.signal)
  const url = urlOf(host, listener.port)
  const kubeconfig = adminKubeconfig({ server: url, ca: pki.ca.cert, ...pki.admin })
  const close = async () => {
    ready = false
    // Requests under way still need the cache to show what they wrote.
    await listener.close()
    stop.abort()
    await collecting
    await server.close()
  }
  return { url, pki, kubeconfig, handler, accountTokens: identity.tokens, connections, close }
}

/** The server as it becomes: not there yet when its surfaces are made. */
interface Becoming {
  readonly server: () => ApiServer
  readonly ready: () => boolean
}

/** What clients read about the API and its state. */
function documents(
  { ambient, storage, build, checks }: ServeOptions,
  becoming: Becoming,
): readonly Surface[] {
  const extras = [serviceResource, uploadResource, ...reviewResources, ...metricsResources]
  return [
    version(build),
    health({ checks: { ...checksOf(storage, becoming), ...checks }, ...ambient }),
    discovery([...servedKinds, ...extras]),
    absentKinds(() => becoming.server().cache.revision),
    openapi({ kinds: servedKinds, extras, version: build.version }),
  ]
}

interface NodeLooks {
  readonly server: () => ApiServer
  readonly findNode: FindNode
  readonly connections: NodeConnections
  readonly clock: Clock
}

/** What nodes are asked at the moment of the request. */
function nodeLooks({ server, findNode, connections, clock }: NodeLooks): readonly Surface[] {
  const cache = () => server().cache
  const reach = (name: string) => reachNode(connections, name)
  const hasNode = (name: string) => cache().of(nodeKind).get(name) !== undefined
  return [
    containerLooks({ findNode, clock }),
    nodeContainers({ hasNode, reachNode: reach, clock }),
    nodeQuestions({ hasNode, reachNode: reach, clock }),
    buildLogs({
      lookup: (namespace, name) => nodeOf(server(), buildKind, `${namespace}/${name}`),
      reachNode: reach,
    }),
    metrics({ cache, clock, findNode, reachNode: reach }),
    coreNodes(cache),
  ]
}

/** What must hold before requests are sent here. */
function checksOf(storage: Storage, { server, ready }: Becoming) {
  return {
    storage: async () => void (await storage.revisions()),
    cache: () => server().cache.mustFollow(),
    serving: () => {
      if (!ready()) throw new StatusError('ServiceUnavailable', 'the server is starting or stopping')
    },
  }
}

async function publish({ host, port, publish: write }: ServeOptions, pki: Pki): Promise<void> {
  if (port !== 0) await write?.(adminKubeconfig({ server: urlOf(host, port), ca: pki.ca.cert, ...pki.admin }))
}

function pkiOptions({ host, hosts, ambient }: ServeOptions) {
  return { hosts: [host, ...hosts], now: ambient.clock.now(), random: ambient.random }
}

/** A server that runs for years must not serve an old certificate: looks once a day. */
function keepCertificates(options: ServeOptions, listener: Listener, signal: AbortSignal): void {
  const { clock, log } = options.ambient
  const renew = () => {
    ensurePki(options.pkiDir, pkiOptions(options))
      .then((pki) => {
        listener.renew(pki)
        return publish(options, pki)
      })
      .catch((error: unknown) => log.error('certificates could not be renewed', { error: messageOf(error) }))
      .finally(again)
  }
  let cancel = () => {}
  const again = () => {
    if (!signal.aborted) cancel = clock.after(renewEveryMs, renew)
  }
  signal.addEventListener('abort', () => cancel(), { once: true })
  again()
}

/** A wildcard is no address to connect to; the loopback address always is one. */
function urlOf(host: string, port: number): string {
  const address = host === '0.0.0.0' || host === '::' || host === '' ? '127.0.0.1' : host
  return `https://${address.includes(':') ? `[${address}]` : address}:${port}`
}

function placementOf(server: ApiServer, namespace: string, name: string): Placement | undefined {
  const object = read(server, containerKind, `${namespace}/${name}`)
  return object && { ...placedOn(object), containerID: textAt(object, 'status', 'containerID') }
}

function nodeOf(server: ApiServer, kind: AnyKind, key: string): { readonly nodeName?: string } | undefined {
  const object = read(server, kind, key)
  return object && placedOn(object)
}

type AnyKind = Parameters<ApiServer['cache']['of']>[0]

function read(server: ApiServer, kind: AnyKind, key: string): object | undefined {
  const entry = server.cache.of(kind).get(key)
  return entry && decodeObject(entry.text)
}

function placedOn(object: object): { readonly nodeName?: string } {
  const nodeName = textAt(object, 'spec', 'nodeName')
  return nodeName === undefined ? {} : { nodeName }
}

function textAt(object: unknown, part: string, field: string): string | undefined {
  const inside = isPlainObject(object) ? object[part] : undefined
  const value = isPlainObject(inside) ? inside[field] : undefined
  return typeof value === 'string' ? value : undefined
}
