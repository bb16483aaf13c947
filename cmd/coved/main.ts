/** The control plane: storage, API server, controllers, and the socket in front. Wiring only. */
import { mkdir } from 'node:fs/promises'
import { homedir, hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type Handler, inProcess } from '#pkg/apimachinery/transport.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { adminGroup, authorizing } from '#pkg/apiserver/auth.ts'
import { discovery } from '#pkg/apiserver/discovery.ts'
import { type Listener, listen } from '#pkg/apiserver/listen.ts'
import { openapi } from '#pkg/apiserver/openapi.ts'
import { adminKubeconfig, ensurePki, type Pki, replaceFile } from '#pkg/apiserver/pki.ts'
import { containerLogs, type LogTarget, NodeConnections } from '#pkg/apiserver/proxy.ts'
import { type ApiServer, makeApiServer } from '#pkg/apiserver/server.ts'
import { acceptTunnels } from '#pkg/apiserver/tunnel.ts'
import { version } from '#pkg/apiserver/version.ts'
import { Client } from '#pkg/client/rest.ts'
import { runControllers } from '#pkg/controller/controllers.ts'
import { openSqliteStorage, type StartWorker } from '#pkg/storage/sqlite.ts'

export interface ControlPlaneOptions {
  readonly dataDir: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly ambient: Ambient
  readonly startWorker: StartWorker
  readonly build: { readonly version: string; readonly commit: string }
}

export interface ControlPlane {
  /** Everything the API answers, authorization included. */
  readonly handler: Handler
  readonly connections: NodeConnections
  readonly apiServer: ApiServer
  /** Stops serving, then writing. Resolves when nothing runs any more. */
  close(): Promise<void>
}

const day = 86_400_000
const controllerUser = { name: 'system:cove-controllers', groups: [adminGroup, 'system:authenticated'] }

/** Resolves when the API answers. `DIR/admin.kubeconfig` is written before. */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { dataDir, ambient, startWorker } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const storage = await openSqliteStorage({ path: join(dataDir, 'cove.db'), startWorker, log: ambient.log })
  const stop = new AbortController()
  const connections = new NodeConnections()
  let ready = false
  const apiServer = makeApiServer({
    storage,
    ambient,
    surfaces: surfaces(options, {
      connections,
      find: (namespace, name) => findContainer(client, namespace, name),
      ready: () => ready,
    }),
  })
  const client = new Client(inProcess(apiServer.handler, controllerUser), 'cove-controllers')
  const handler = authorizing(apiServer.handler)
  await apiServer.start(stop.signal)
  const listener = await serve(options, handler, connections, stop.signal)
  ready = true
  ambient.log.info('API server ready', {
    address: `https://${options.listen.host}:${listener.port}`,
    dataDir,
  })
  const controllers = runControllers({ client, ambient }, stop.signal)
  return {
    handler,
    connections,
    apiServer,
    async close() {
      ready = false
      stop.abort()
      await controllers
      await listener.close()
      await apiServer.close()
      await storage.close()
    },
  }
}

/** Certificates, kubeconfigs, then the socket; certificates are renewed for as long as it is open. */
async function serve(
  options: ControlPlaneOptions,
  handler: Handler,
  connections: NodeConnections,
  signal: AbortSignal,
): Promise<Listener> {
  const { ambient, dataDir, listen: address } = options
  const { clock, log, random } = ambient
  const certificates = () =>
    ensurePki(join(dataDir, 'pki'), {
      hosts: [address.host, hostname(), 'localhost', '127.0.0.1', '::1'],
      now: clock.now(),
      random,
    })
  const pki = await certificates()
  await writeKubeconfigs(options, pki)
  const onUpgrade = acceptTunnels({ connections, clock, log })
  const listener = await listen({ handler, ...address, pki, log, clock, onUpgrade })
  const renewDaily = () => {
    const cancel = clock.after(day, () => {
      certificates().then(
        async (renewed) => {
          listener.renew(renewed)
          await writeKubeconfigs(options, renewed)
          renewDaily()
        },
        (error) => {
          log.error('certificates not renewed', { error: messageOf(error) })
          renewDaily()
        },
      )
    })
    signal.addEventListener('abort', cancel, { once: true })
  }
  renewDaily()
  return listener
}

function surfaces(
  { build }: ControlPlaneOptions,
  parts: {
    connections: NodeConnections
    find: (namespace: string, name: string) => Promise<LogTarget | undefined>
    ready: () => boolean
  },
) {
  const platform = `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`
  return [
    version({ build: { ...build, platform }, ready: parts.ready }),
    discovery(kinds),
    openapi(kinds, build.version),
    containerLogs({ connections: parts.connections, lookup: parts.find }),
  ]
}

async function findContainer(
  client: Client,
  namespace: string,
  name: string,
): Promise<LogTarget | undefined> {
  try {
    const { spec, status } = await client.get(
      containerKind,
      { namespace, name },
      new AbortController().signal,
    )
    return { nodeName: spec.nodeName, containerID: status?.containerID }
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    throw error
  }
}

/** For whoever owns the data directory, and where kubectl's and cove's users look first. */
async function writeKubeconfigs(
  { dataDir, listen: { host, port } }: ControlPlaneOptions,
  pki: Pki,
): Promise<void> {
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host
  const server = `https://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`
  const text = adminKubeconfig({ server, ca: pki.ca.cert, cert: pki.admin.cert, key: pki.admin.key })
  for (const path of [join(dataDir, 'admin.kubeconfig'), join(homedir(), '.cove/kubeconfig')]) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await replaceFile(path, text)
  }
}
