/** The agent's own Node object: registered at the start, its status kept. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type Condition, findCondition, setCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import { type Node, type NodeStatus, nodeKind } from '#pkg/apis/node.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import { agentDiskCondition, type Disk, diskCondition, highMark, steadyDisk, usualHighMark } from './disk.ts'
import type { EngineConfigCondition } from './engineconfig/engineconfig.plan.ts'
import type { NodeDecision } from './node.plan.ts'
import type { Reporter } from './reporter.ts'
import type { World } from './world.ts'

export interface NodeFacts {
  readonly engine: EngineInfo | undefined
  /** Why the engine is away; absent when it answers. */
  readonly engineError?: string
  /** Of the engine; undefined: not on this machine. */
  readonly disk?: Disk | undefined
  /** Where the agent keeps its own files; undefined: not looked at. */
  readonly agentDisk?: Disk | undefined
  /** From this per cent on the disk is too full. */
  readonly high?: number
  /** Undefined: the Node asks for nothing. */
  readonly engineConfig?: EngineConfigCondition | undefined
  readonly agentVersion: string
  readonly now: number
}

export type NodeSight = Pick<NodeFacts, 'engineError' | 'disk' | 'agentDisk' | 'high' | 'engineConfig'>

/** What a pass has seen of the node itself. */
export function nodeSight(world: World, { engineConfig }: NodeDecision): NodeSight {
  const { disk, agentDisk, desired } = world
  return { disk, agentDisk, engineConfig, high: highMark(desired.prunePolicies.values(), desired.node) }
}

/** A sign of life this often, however little changes. */
const heartbeatEvery = 300_000

export interface NodeRegistrationOptions {
  readonly client: Client
  readonly reporter: Reporter
  readonly ambient: Ambient
  readonly nodeName: string
  readonly record: (note: EventNote) => void
}

export class NodeRegistration {
  readonly #record: (note: EventNote) => void
  readonly #client: Client
  readonly #reporter: Reporter
  readonly #name: string
  readonly #loop: Loop
  /** As the API has it. */
  #node: Node | undefined
  /** As it should be there. */
  #status: NodeStatus | undefined
  #facts: NodeFacts | undefined

  constructor(options: NodeRegistrationOptions) {
    this.#record = options.record
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
    const before = this.#status ?? node.status
    const status = nodeStatus(before, facts)
    for (const note of nodeNotes(node, before, status)) this.#record(note)
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
export function nodeStatus(previous: NodeStatus | undefined, seen: NodeFacts): NodeStatus {
  const { engine, now } = seen
  const beat = previous?.lastHeartbeat
  const due = beat === undefined || now - Date.parse(beat) >= heartbeatEvery
  const facts = due ? seen : withSteadyDisk(seen, previous)
  const { disk, conditions = [], ...rest } = previous ?? {}
  const drafts = conditionDrafts(facts)
  const known = new Set([
    ...drafts.map(({ type }) => type),
    ...(facts.engineError === undefined ? [] : unseen),
  ])
  return {
    ...rest,
    ...(engine !== undefined && describeEngine(engine)),
    ...whatDisk(facts, disk),
    agentVersion: facts.agentVersion,
    lastHeartbeat: due ? timestamp(now) : beat,
    conditions: drafts.reduce(
      (list: Condition[], next) => setCondition(list, next, now),
      conditions.filter(({ type }) => known.has(type)),
    ),
  }
}

/** A disk in use is never quite as full as it was: that alone is no reason to write. */
function withSteadyDisk(seen: NodeFacts, previous: NodeStatus | undefined): NodeFacts {
  const { disk } = seen
  if (disk === undefined) return seen
  const was = findCondition(previous?.conditions, 'DiskPressure')
  const turned = pressureOf(seen)?.status !== was?.status
  return turned ? seen : { ...seen, disk: steadyDisk(disk, previous?.disk) }
}

type Draft = Omit<Condition, 'lastTransitionTime'>

/** Conditions that an engine which is away leaves as they were. */
const unseen = ['DiskPressure', 'EngineConfigured']

/** What an engine that is away used is not known to be different. */
function whatDisk({ disk, engineError }: NodeFacts, before: NodeStatus['disk']): Pick<NodeStatus, 'disk'> {
  const told = engineError === undefined ? disk : before
  return told === undefined ? {} : { disk: told }
}

/** What happened to the node by itself, by how its conditions changed. */
export function nodeNotes(node: Node, before: NodeStatus | undefined, after: NodeStatus): EventNote[] {
  const notes = ['DiskPressure', 'EngineConfigured'].flatMap((type): EventNote[] => {
    const was = findCondition(before?.conditions, type)
    const is = findCondition(after.conditions, type)
    if (is === undefined || (is.status === was?.status && is.reason === was.reason)) return []
    const told = noteFor(is, was)
    return told === undefined ? [] : [{ object: node, message: is.message, ...told }]
  })
  return notes
}

function noteFor({ type, status, reason }: Condition, was: Condition | undefined) {
  if (type === 'DiskPressure') {
    if (status === 'True') return { type: 'Warning', reason: 'DiskPressure' } as const
    return was?.status === 'True' ? ({ type: 'Normal', reason: 'DiskPressureOver' } as const) : undefined
  }
  const underWay = ['Writing', 'Reloading'].includes(reason)
  return status === 'False' && !underWay
    ? ({ type: 'Warning', reason: 'EngineConfigRefused' } as const)
    : undefined
}

function pressureOf({ disk, agentDisk, high = usualHighMark }: NodeFacts): Draft | undefined {
  return agentDiskCondition(agentDisk) ?? (disk === undefined ? undefined : diskCondition(disk, high))
}

function conditionDrafts(facts: NodeFacts): Draft[] {
  const { engineError, engineConfig } = facts
  const pressure = pressureOf(facts)
  if (engineError === undefined) {
    return [
      ...(pressure === undefined ? [] : [pressure]),
      ...(engineConfig === undefined ? [] : [{ type: 'EngineConfigured', ...engineConfig }]),
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
  const { id, version, apiVersion, storageDriver, rootDirectory, containers, images } = info
  return {
    addresses: [{ type: 'Hostname', address: info.hostname }],
    capacity: { cpu: info.cpus, memory: info.memoryBytes },
    allocatable: { cpu: info.cpus, memory: info.memoryBytes },
    engine: { id, version, apiVersion, storageDriver, rootDirectory, containers, images },
    registries: { insecure: [...info.registries.insecure], mirrors: [...info.registries.mirrors] },
    kernel: info.kernel,
    operatingSystem: info.operatingSystem,
    architecture: info.architecture,
  }
}
