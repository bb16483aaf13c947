/** The agent's own Node object: registered at the start, its status kept. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type Condition, setCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import { type Node, type NodeStatus, nodeKind } from '#pkg/apis/node.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import type { Reporter } from './reporter.ts'

export interface NodeFacts {
  readonly engine: EngineInfo | undefined
  /** Why the engine is away; undefined when it answers. */
  readonly engineError: string | undefined
  readonly agentVersion: string
  readonly now: number
}

/** A sign of life this often, however little changes. */
const heartbeatEvery = 300_000

export class NodeRegistration {
  readonly #client: Client
  readonly #reporter: Reporter
  readonly #name: string
  readonly #loop: Loop
  /** As the API has it. */
  #node: Node | undefined
  /** As it should be there. */
  #status: NodeStatus | undefined
  #facts: NodeFacts | undefined

  constructor(options: { client: Client; reporter: Reporter; ambient: Ambient; nodeName: string }) {
    this.#client = options.client
    this.#reporter = options.reporter
    this.#name = options.nodeName
    this.#loop = new Loop({
      name: 'node registration',
      ambient: options.ambient,
      pass: (signal) => this.#pass(signal),
      backoff: { first: 500, most: 15_000 },
    })
  }

  /** Registers the Node when the API does not know it; tries until it is done. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal)
  }

  /** From now on the Node's status says this; nobody waits until it does. */
  report(facts: NodeFacts): void {
    this.#facts = facts
    if (this.#node === undefined) this.#loop.poke()
    else this.#tell(this.#node, facts)
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    if (this.#facts === undefined || this.#node !== undefined) return
    const node = await this.#register(signal)
    this.#tell(node, this.#facts)
  }

  #tell(node: Node, facts: NodeFacts): void {
    const status = nodeStatus(this.#status ?? node.status, facts)
    this.#status = status
    this.#reporter.report(nodeKind, node, status, () => {
      this.#node = { ...node, status }
    })
  }

  async #register(signal: AbortSignal): Promise<Node> {
    try {
      return await this.#client.get(nodeKind, { name: this.#name }, signal)
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
    const labels = { 'kubernetes.io/hostname': this.#name }
    const metadata = { name: this.#name, labels }
    const node: Node = { apiVersion: 'cove.run/v1', kind: 'Node', metadata, spec: { unschedulable: false } }
    return await this.#client.create(nodeKind, node, signal)
  }
}

/** Pure. */
export function nodeStatus(previous: NodeStatus | undefined, facts: NodeFacts): NodeStatus {
  const { engine, now } = facts
  const drafts = conditionDrafts(facts)
  const beat = previous?.lastHeartbeat
  const due = beat === undefined || now - Date.parse(beat) >= heartbeatEvery
  return {
    ...previous,
    ...(engine !== undefined && describeEngine(engine)),
    agentVersion: facts.agentVersion,
    lastHeartbeat: due ? timestamp(now) : beat,
    conditions: drafts.reduce(
      (list: Condition[], next) => setCondition(list, next, now),
      previous?.conditions ?? [],
    ),
  }
}

function conditionDrafts({ engineError }: NodeFacts): Omit<Condition, 'lastTransitionTime'>[] {
  if (engineError === undefined) {
    return [
      { type: 'EngineReady', status: 'True', reason: 'EngineAnswers', message: 'the engine answers' },
      { type: 'Ready', status: 'True', reason: 'AgentReady', message: 'the agent is at work' },
    ]
  }
  return [
    { type: 'EngineReady', status: 'False', reason: 'EngineUnavailable', message: engineError },
    {
      type: 'Ready',
      status: 'False',
      reason: 'EngineUnavailable',
      message: 'the engine does not answer; containers are left as they are',
    },
  ]
}

function describeEngine(info: EngineInfo): Partial<NodeStatus> {
  const { id, version, apiVersion, storageDriver, rootDirectory } = info
  return {
    addresses: [{ type: 'Hostname', address: info.hostname }],
    capacity: { cpu: info.cpus, memory: info.memoryBytes },
    allocatable: { cpu: info.cpus, memory: info.memoryBytes },
    engine: { id, version, apiVersion, storageDriver, rootDirectory },
    kernel: info.kernel,
    operatingSystem: info.operatingSystem,
    architecture: info.architecture,
  }
}
