/**
 * A whole cluster in one process on one manual clock: the real API server on the real store, the real controllers,
 * and real agents on simulated engines, each with the rights of its node. Only sockets, disks and processes are missing.
 */

import { Agent } from '#pkg/agent/agent.ts'
import type { ProjectedFiles } from '#pkg/agent/ops.ts'
import type { NodeFiles } from '#pkg/agent/projection.ts'
import {
  type Ambient,
  type Logger,
  ManualClock,
  seededRandom,
  silentLogger,
} from '#pkg/apimachinery/ambient.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { adminGroup, ownNodeUser } from '#pkg/apiserver/access/authenticate.ts'
import { authorizing } from '#pkg/apiserver/access/authorize.ts'
import { makeAccess } from '#pkg/apiserver/accesscontrol.ts'
import { type ApiServer, makeApiServer } from '#pkg/apiserver/server.ts'
import { Client } from '#pkg/client/rest.ts'
import { runControllers } from '#pkg/controller/controllers.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import type { BehaviourHook } from '#pkg/engine/simprocess.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'

export interface ClusterOptions {
  readonly nodes: number
  readonly seed?: number
  readonly log?: Logger
  /** What processes do; absent: they run until they are stopped. */
  readonly behaviour?: BehaviourHook
}

interface SimNode {
  readonly engine: SimEngine
  readonly files: NodeFiles
  stop: AbortController
  running: Promise<void>
}

export interface Cluster {
  readonly client: Client
  readonly clock: ManualClock
  readonly registry: SimRegistry
  readonly apiServer: ApiServer
  /** `n1`, `n2`, ... */
  engine(node: string): SimEngine
  /** Lets time pass; everything that can settle without time does. */
  advance(ms: number): Promise<void>
  /** The agent of a node dies without a word; its containers run on. */
  killAgent(node: string): Promise<void>
  startAgent(node: string): void
  close(): Promise<void>
}

const user = { name: 'sim', groups: [adminGroup, 'system:authenticated'] }

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const clock = new ManualClock()
  const ambient: Ambient = {
    clock,
    random: seededRandom(options.seed ?? 1),
    log: options.log ?? silentLogger,
  }
  const storage = openInProcessStorage()
  const access = makeAccess()
  const apiServer = makeApiServer({ storage, ambient, ...access.server })
  const handler = authorizing(apiServer.handler, access.guard)
  const stop = new AbortController()
  await apiServer.start(stop.signal)
  const client = new Client(inProcess(handler, user), 'sim')
  const controllers = runControllers({ client, ambient }, stop.signal)
  const registry = new SimRegistry()
  const nodes = new Map<string, SimNode>()
  const startAgent = (name: string) => {
    const node = nodes.get(name) ?? makeNode(name, options, { clock, registry })
    node.stop = new AbortController()
    const agent = new Agent({
      engine: node.engine,
      transport: inProcess(handler, ownNodeUser(name)),
      ambient,
      nodeName: name,
      files: node.files,
      version: 'sim',
    })
    node.running = agent.run(node.stop.signal)
    nodes.set(name, node)
  }
  for (let index = 1; index <= options.nodes; index++) startAgent(`n${index}`)
  const killAgent = async (name: string) => {
    const node = nodes.get(name)
    node?.stop.abort()
    await node?.running
  }
  return {
    client,
    clock,
    registry,
    apiServer,
    engine: (name) => engineOf(nodes, name),
    advance: (ms) => clock.advance(ms),
    killAgent,
    startAgent,
    async close() {
      await Promise.all([...nodes.keys()].map(killAgent))
      stop.abort()
      await controllers
      await apiServer.close()
      await storage.close()
    },
  }
}

function engineOf(nodes: ReadonlyMap<string, SimNode>, name: string): SimEngine {
  const node = nodes.get(name)
  if (node === undefined) throw new RangeError(`no node ${name}`)
  return node.engine
}

function makeNode(
  name: string,
  { behaviour }: ClusterOptions,
  shared: { clock: ManualClock; registry: SimRegistry },
): SimNode {
  const engine = new SimEngine({ ...shared, name, ...(behaviour !== undefined && { behaviour }) })
  return { engine, files: memoryFiles(), stop: new AbortController(), running: Promise.resolve() }
}

function memoryFiles(): NodeFiles {
  const directories = new Map<string, ProjectedFiles>()
  return {
    root: '/files',
    async write(projected) {
      directories.set(projected.directory, projected)
    },
    async sweep(inUse) {
      for (const directory of directories.keys()) if (!inUse(directory)) directories.delete(directory)
    },
  }
}
