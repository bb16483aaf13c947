/**
 * Runs plans group by group: beside each other, never twice at once for the same object. Remembers what failed
 * and until when it rests, and tells every result as an event.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { classify, isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { execute, makeSlots, type OpResult, type Slots } from '#pkg/plan/execute.ts'
import type { Plan, PlannedOp } from '#pkg/plan/plan.ts'
import { hostOfContext } from './builds/buildsource.ts'
import { registryOf } from './images/registryname.ts'
import { type AgentOp, describeOp } from './ops.ts'
import { Repeats, restAfterRounds } from './repeats.ts'
import type { Hold, LastAction } from './world.ts'

export interface RunnerOptions {
  readonly ambient: Ambient
  readonly perform: (op: AgentOp, signal: AbortSignal) => Promise<void>
  /** Called for each op as it ends, before the group is free again. */
  readonly onResult: (result: OpResult<AgentOp>) => void
  /** Called when a group has ended: the world looks different now. */
  readonly onGroupEnd: (group: string) => void
}

/** More calls at once only make each of them slower; what waits on networks gets slots of its own. */
const engineSlots = 8
/** For each registry, node and server of files: one that stands still keeps nobody waiting for the others. */
const transferSlots = 3
/** Builds have the machine's processors to share. */
const buildSlots = 2

/** Why ops of a group are not begun or broken off, other than the end of the agent. */
class Superseded extends Error {}

/** A group under way. */
interface Running {
  readonly job: Promise<void>
  /** Of its object, as it was planned. */
  readonly generation: number
  readonly cancel: AbortController
}

export class Runner {
  readonly #options: RunnerOptions
  readonly #slots: Slots = makeSlots(engineSlots)
  /** By where they are from or go to. */
  readonly #transferSlots = new Map<string, Slots>()
  readonly #running = new Map<string, Running>()
  readonly #holds = new Map<string, Hold>()
  readonly #actions = new Map<string, LastAction>()
  readonly #repeats = new Repeats()

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  busy(): ReadonlySet<string> {
    return new Set(this.#running.keys())
  }

  holds(): ReadonlyMap<string, Hold> {
    return this.#holds
  }

  lastAction(group: string): LastAction | undefined {
    return this.#actions.get(group)
  }

  /** Begins every group of the plan; `generations` are those of their objects as planned. */
  launch(plan: Plan<AgentOp>, generations: (group: string) => number, signal: AbortSignal): void {
    for (const [group, ops] of Map.groupBy(plan.ops, (planned) => planned.group)) {
      if (this.#running.has(group)) continue
      const generation = generations(group)
      const cancel = new AbortController()
      const end = () => cancel.abort(signal.reason)
      signal.addEventListener('abort', end, { once: true })
      if (signal.aborted) end()
      const job = this.#runGroup({ ops }, generation, cancel.signal).finally(() => {
        signal.removeEventListener('abort', end)
        this.#running.delete(group)
        this.#options.onGroupEnd(group)
      })
      this.#running.set(group, { job, generation, cancel })
    }
  }

  /** Of groups that are not wanted any more nothing further is begun, and what can be broken off is. */
  cancel(isWanted: (group: string, generation: number) => boolean): void {
    for (const [group, { generation, cancel }] of this.#running)
      if (!isWanted(group, generation)) cancel.abort(new Superseded('it is not wanted any more'))
  }

  /** A group that has nothing left to do has got over its failure, by itself or by somebody else's hand. */
  forgive(pending: ReadonlySet<string>): void {
    for (const group of this.#holds.keys()) {
      if (!pending.has(group) && !this.#running.has(group)) this.#holds.delete(group)
    }
    this.#repeats.keep((group) => pending.has(group) || this.#running.has(group))
  }

  /** Resolves when nothing is under way any more. */
  async idle(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ job }) => job))
  }

  /** What rests for this reason rests no longer. */
  retry(reason: Hold['reason']): void {
    const now = this.#options.ambient.clock.now()
    for (const [group, hold] of this.#holds)
      if (hold.reason === reason) this.#holds.set(group, { ...hold, until: Math.min(hold.until, now) })
  }

  /** Forgets groups of objects that are no more. */
  forget(isKnown: (group: string) => boolean): void {
    for (const group of this.#holds.keys()) if (!isKnown(group)) this.#holds.delete(group)
    for (const group of this.#actions.keys()) if (!isKnown(group)) this.#actions.delete(group)
  }

  async #runGroup(plan: Plan<AgentOp>, generation: number, signal: AbortSignal): Promise<void> {
    const [first] = plan.ops
    if (first === undefined) return
    const slots = this.#slotsOf(first.op)
    // A slot is held from the first op to the last: what was made is started before the next one is made.
    const free = await slots.take()
    const results = await execute(plan, {
      run: this.#options.perform,
      slots: makeSlots(1),
      signal,
      onResult: (result) => this.#note(result, signal),
    }).finally(free)
    const failed = results.find((result) => result.outcome === 'failed')
    if (failed !== undefined && !signal.aborted) this.#hold(failed, generation)
    if (failed === undefined) {
      this.#holds.delete(first.group)
      if (!signal.aborted) this.#noteRound(plan, first, generation)
    }
  }

  #slotsOf(op: AgentOp): Slots {
    const place = farEnd(op)
    if (place === undefined) return this.#slots
    const slots = this.#transferSlots.get(place) ?? makeSlots(place === 'builds' ? buildSlots : transferSlots)
    this.#transferSlots.set(place, slots)
    return slots
  }

  #noteRound(plan: Plan<AgentOp>, { group, op, cause }: PlannedOp<AgentOp>, generation: number): void {
    const count = this.#repeats.note(group, plan, generation)
    if (count === undefined) return
    const { clock, log } = this.#options.ambient
    const until = clock.now() + restAfterRounds(count)
    const action = describeOp(op)
    const message = `it was done ${count} times, and is still to be done: the engine does not keep it, or does not tell`
    this.#holds.set(group, { until, failures: count, reason: 'EngineError', message, action, generation })
    log.warn('op is of no avail', { group, action, cause, count })
  }

  #note(result: OpResult<AgentOp>, signal: AbortSignal): void {
    const { planned, outcome } = result
    if (outcome === 'skipped') return
    if (outcome === 'failed' && isBrokenOff(result.error, signal)) return
    const time = this.#options.ambient.clock.now()
    const action = outcome === 'done' ? describeOp(planned.op) : `${describeOp(planned.op)} (failed)`
    this.#actions.set(planned.group, { time, action, cause: planned.cause })
    this.#options.onResult(result)
  }

  #hold({ planned, error }: OpResult<AgentOp> & { outcome: 'failed' }, generation: number): void {
    const { clock, random, log } = this.#options.ambient
    const before = this.#holds.get(planned.group)
    const failures = before?.generation === generation ? before.failures + 1 : 1
    const until = clock.now() + restAfter(error, failures) * (0.9 + random.next() / 5)
    const reason = error instanceof StatusError ? error.reason : 'InternalError'
    const action = describeOp(planned.op)
    const message = messageOf(error)
    this.#holds.set(planned.group, { until, failures, reason, message, action, op: planned.op, generation })
    log.warn('op failed', {
      group: planned.group,
      action,
      cause: planned.cause,
      reason,
      error: messageOf(error),
      failures,
    })
  }
}

/** What it waits for more than for the engine: where images or files are from, or go to; undefined: there is no such thing. */
function farEnd(op: AgentOp): string | undefined {
  switch (op.type) {
    case 'pullImage':
    case 'pushImage':
      return `registry ${registryOf(op.reference)}`
    case 'transferImage':
      return `node ${op.from}`
    case 'loadImage':
    case 'importImage':
      return 'files'
    case 'fetchContext':
      return `context ${hostOfContext(op.source)}`
    case 'buildImage':
      return 'builds'
    default:
      return undefined
  }
}

/** Broken off, not broken: at the end of the agent everything is, else what says so itself. */
function isBrokenOff(error: unknown, { aborted, reason }: AbortSignal): boolean {
  return aborted && (!(reason instanceof Superseded) || error === reason)
}

/**
 * How long a group rests, in ms: races and an engine that is away are tried again soon, what needs somebody to
 * act ever more slowly, what cannot succeed unchanged once an hour.
 */
export function restAfter(error: unknown, failures: number): number {
  if (isReason(error, 'EngineUnavailable')) return 1000
  const retryAfter = error instanceof StatusError ? (error.details.retryAfterSeconds ?? 0) * 1000 : 0
  const follow = classify(error)
  if (follow === 'retry' || follow === 'ignore')
    return Math.max(retryAfter, Math.min(30_000, 100 * 2 ** failures))
  if (follow === 'stall') return 3_600_000
  const slow =
    isReason(error, 'ImageNotFound') || (error instanceof StatusError && error.reason.startsWith('Registry'))
  return Math.max(retryAfter, Math.min(300_000, (slow ? 5000 : 1000) * 2 ** failures))
}
