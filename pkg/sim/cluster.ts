/**
 * A whole cluster in one process on one manual clock: the real API server on the real store, the real controllers,
 * and real agents on simulated engines, each with the rights of its node. Only sockets and processes are missing, and disks, but for what nodes build of where a test gives them one.
 */
import { join } from 'node:path'
import { Agent } from '#pkg/agent/agent.ts'
import type { AgentOptions } from '#pkg/agent/agentoptions.ts'
import type { CopyStore } from '#pkg/agent/nodecopyfile.ts'
import type { ProjectedFiles } from '#pkg/agent/ops.ts'
import type { NodeFiles } from '#pkg/agent/projection.ts'
import {
  type Ambient,
  type Logger,
  ManualClock,
  seededRandom,
  silentLogger,
} from '#pkg/apimachinery/ambient.ts'
import { inProcess, type Transport } from '#pkg/apimachinery/transport.ts'
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
import { Wire } from './wire.ts'

export interface ClusterOptions {
  readonly nodes: number
  readonly seed?: number
  readonly log?: Logger
  /** What processes do; absent: they run until they are stopped. */
  readonly behaviour?: BehaviourHook
  /** A directory of the disk, where nodes keep what they build of; absent: they build nothing. */
  readonly builds?: string
}

interface SimNode {
  readonly engine: SimEngine
  readonly files: NodeFiles
  readonly copy: SimCopy
  readonly wire: Wire
  stop: AbortController
  running: Promise<void>
}

/** What a node keeps on its disk to go on without its server. */
export interface SimCopy extends CopyStore {
  text: string | undefined
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
  /** The way of a node to the server. */
  wire(node: string): Wire
  /** What a node keeps for a start without the server. */
  copy(node: string): SimCopy
  /** As this node, to the server. */
  transport(node: string): Transport
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
  const asNode = (name: string) => inProcess(handler, ownNodeUser(name))
  const startAgent = (name: string) => {
    const node = nodes.get(name) ?? makeNode(name, options, { clock, registry, transport: asNode(name) })
    node.stop = new AbortController()
    const agent = new Agent({
      engine: node.engine,
      transport: node.wire.transport,
      copies: node.copy,
      ambient,
      nodeName: name,
      files: node.files,
      version: 'sim',
      ...(options.builds !== undefined && { builds: buildsOf(options.builds, name) }),
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
    engine: (name) => nodeOf(nodes, name).engine,
    wire: (name) => nodeOf(nodes, name).wire,
    copy: (name) => nodeOf(nodes, name).copy,
    transport: asNode,
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

function nodeOf(nodes: ReadonlyMap<string, SimNode>, name: string): SimNode {
  const node = nodes.get(name)
  if (node === undefined) throw new RangeError(`no node ${name}`)
  return node
}

/** Of places that are asked by programs there are none. */
function buildsOf(directory: string, node: string): NonNullable<AgentOptions['builds']> {
  const programs = { searchPath: '', environment: {}, endGroup: () => {} }
  return { directory: join(directory, node), programs }
}

function makeNode(
  name: string,
  { behaviour }: ClusterOptions,
  { transport, ...shared }: { clock: ManualClock; registry: SimRegistry; transport: Transport },
): SimNode {
  const engine = new SimEngine({ ...shared, name, ...(behaviour !== undefined && { behaviour }) })
  return {
    engine,
    files: memoryFiles(),
    copy: memoryCopy(),
    wire: new Wire(transport),
    stop: new AbortController(),
    running: Promise.resolve(),
  }
}

function memoryCopy(): SimCopy {
  const copy: SimCopy = {
    path: '/node.copy',
    text: undefined,
    load: async () => copy.text,
    async save(text) {
      copy.text = text
    },
  }
  return copy
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
