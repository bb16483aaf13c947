/** The agent's own Node object: registered at the start, its status kept. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type Condition, setCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import { type Node, type NodeStatus, nodeKind } from '#pkg/apis/node.ts'
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
  readonly #ambient: Ambient
  readonly #name: string
  #node: Node | undefined

  constructor(options: { client: Client; reporter: Reporter; ambient: Ambient; nodeName: string }) {
    this.#client = options.client
    this.#reporter = options.reporter
    this.#ambient = options.ambient
    this.#name = options.nodeName
  }

  /** Writes the status; registers the Node when the API does not know it. A failure is logged and tried again next time. */
  async report(facts: NodeFacts, signal: AbortSignal): Promise<void> {
    try {
      this.#node ??= await this.#register(signal)
      const status = nodeStatus(this.#node.status, facts)
      await this.#reporter.report(nodeKind, this.#node, status, signal)
      this.#node = { ...this.#node, status }
    } catch (error) {
      if (signal.aborted) return
      this.#node = undefined
      this.#ambient.log.warn('node not reported', { node: this.#name, error: messageOf(error) })
    }
  }

  /** The object, once it is registered. */
  current(): Node | undefined {
    return this.#node
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
    engine: { id, version, apiVersion, storageDriver, rootDirectory },
    kernel: info.kernel,
    operatingSystem: info.operatingSystem,
    architecture: info.architecture,
  }
}
