/**
 * The agent of one node: observe, plan, run, report; again whenever something may have changed, and at each
 * resync. It holds nothing that it could not find again: its state is in the API and in the engine's labels, so
 * an agent that restarts goes on where the last one stopped and touches nothing that is as it should be. Nothing in a
 * pass waits for the server; while that is away, also after a restart, the copy that the node keeps is what is desired.
 */
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { EngineEvent } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import { type AgentBooks, openBooks } from './agentbooks.ts'
import { lookAround } from './agentlook.ts'
import type { AgentOptions } from './agentoptions.ts'
import { type AgentRooms, openRooms } from './agentrooms.ts'
import type { BuildRoom } from './builds/buildroom.ts'
import { afterRestart } from './container.restart.ts'
import { type Trial, trialsOf } from './container.rollout.ts'
import { followEngineEvents } from './engineevents.ts'
import { EngineSight } from './enginesight.ts'
import { generationOf, isWanted } from './holds.ts'
import { credentialsOf, type Offered } from './images/credentials.ts'
import { withoutServer } from './memory.ts'
import { type NodeDecision, planNode } from './node.plan.ts'
import { type NodeSight, nodeSight } from './node.ts'
import { furtherNotes, noteOf } from './notes.ts'
import type { AgentOp } from './ops.ts'
import { type Found, type Owned, ownedBy } from './owned.ts'
import type { PruneRoom } from './prune/pruneroom.ts'
import { containerReports, infraReports } from './reports.ts'
import { isMounted } from './resolve.mounts.ts'
import { openServerSide, type ServerSide } from './serverside.ts'
import type { World } from './world.ts'

const defaultResync = 30_000
/** Changes within this many ms are planned together. */
const settleMs = 15
/** What rests is not called more often than this because the server is back; ms. */
const callEvery = 5000

export class Agent {
  readonly #options: AgentOptions
  readonly #loop: Loop
  readonly #books: AgentBooks
  readonly #server: ServerSide
  readonly #sight: EngineSight
  readonly #rooms: AgentRooms
  #resyncAt = 0
  /** Verdicts that time alone brings: from a look of then, not from the last that an event gave reason to. */
  #trials: readonly Trial[] = []
  #calledAt = Number.NEGATIVE_INFINITY

  constructor(options: AgentOptions) {
    const { engine, ambient } = options
    this.#options = options
    this.#loop = new Loop({
      name: 'agent',
      ambient,
      settleMs,
      isPrompt: true,
      pass: (signal) => this.#pass(signal),
      backoff: { first: 500, most: 15_000 },
    })
    const onChange = () => this.#loop.poke()
    this.#books = openBooks(ambient.clock, onChange)
    const { statuses } = this.#books
    this.#server = openServerSide({ ...options, statuses, onChange, onLink: () => this.#onLink() })
    this.#sight = new EngineSight(engine)
    this.#rooms = openRooms({
      options,
      server: this.#server,
      sight: this.#sight,
      ownerOf: (found) => this.ownerOf(found),
      onChange,
      onResult: (result) => this.#onResult(result),
    })
  }

  /** Undefined: nothing is built here. */
  get builds(): BuildRoom | undefined {
    return this.#rooms.builds
  }

  get prunes(): PruneRoom {
    return this.#rooms.prunes
  }

  /** Works until the signal aborts; ops under way are then told and waited for. Containers are left running. */
  async run(signal: AbortSignal): Promise<void> {
    const { desired, recorder, reporter, registration, memory } = this.#server
    const { images, builds, prunes, runner } = this.#rooms
    await memory.recall()
    await prunes.recall()
    await builds?.recall()
    const running = [desired, recorder, reporter, registration, memory]
    const onBegin = () => {
      this.#sight.observer.invalidateAll()
      this.#loop.poke()
    }
    const onEvents = { onBegin, onEvent: (event: EngineEvent) => this.#onEvent(event) }
    const following = followEngineEvents({ ...this.#options, ...onEvents }, signal)
    const parts = [...running.map((part) => part.run(signal)), following]
    await memory.untilKnown(signal)
    await this.#loop.run(signal)
    await this.#books.prober.close()
    await images.close()
    await prunes.close()
    await runner.idle()
    await builds?.close()
    await Promise.all(parts)
  }

  #onLink(): void {
    const { clock } = this.#options.ambient
    const { link, memory, reporter, desired, recorder } = this.#server
    this.#loop.poke()
    if (link.isAway()) memory.noteAway()
    else if (Math.abs(clock.now() - this.#calledAt) >= callEvery) {
      this.#calledAt = clock.now()
      reporter.resync()
      for (const part of [desired, reporter, recorder]) part.retryNow()
    }
  }

  /** What the node itself would show a registry for the reference, whoever asks. */
  credentialsOf(reference: string, signal: AbortSignal): Promise<Offered> {
    return credentialsOf(reference, { secrets: [], signal }, this.#rooms.credentials)
  }

  /** The object of this agent's API that a container stands for. */
  ownerOf(found: Found): Owned | undefined {
    const { clusterID } = this.#server.link
    if (clusterID === undefined) return undefined
    const containers = this.#server.snapshot().containers.values()
    return ownedBy(found, { clusterID, containers, statuses: this.#books.statuses })
  }

  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options.ambient
    const { resyncEvery = defaultResync } = this.#options
    const { host, runner, prunes, images } = this.#rooms
    const { link, memory } = this.#server
    // Also when the clock was put back: the next time would else be years away.
    const resync = clock.now() >= this.#resyncAt || this.#resyncAt - clock.now() > resyncEvery
    if (resync) this.#resync()
    // Also when the engine is away: it may be up again before the server is.
    memory.keep()
    for (const { id, at } of this.#trials) if (at <= clock.now()) this.#sight.observer.invalidateContainer(id)
    const world = await this.#look(signal)
    if (resync) await host.sweep(this.#options.files, (directory) => isMounted(directory, world))
    for (const reason of host.newHopes(world)) runner.retry(reason)
    const decision = planNode(world)
    this.#trials = trialsOf(decision.decisions.values())
    runner.forgive(decision.pending)
    const plan = link.answers() ? decision.plan : withoutServer(decision.plan)
    runner.cancel((group, generation) => isWanted(group, generation, world))
    runner.launch(plan, (group) => generationOf(group, world), signal)
    this.#report(world, decision)
    memory.keep()
    const pruneAt = prunes.pass(world, signal)
    const times = [decision.wakeAt, pruneAt].filter((time) => time !== undefined)
    return Math.min(...times, this.#resyncAt, images.wakeAt())
  }

  async #look(signal: AbortSignal): Promise<World> {
    const [options, server, sight] = [this.#options, this.#server, this.#sight]
    try {
      return await lookAround({ options, server, sight, rooms: this.#rooms, books: this.#books }, signal)
    } catch (error) {
      if (isReason(error, 'EngineUnavailable')) {
        sight.forget()
        this.#reportNode({ engineError: messageOf(error) })
        await this.#rooms.host.noteAway()
      }
      throw error
    }
  }

  #report(world: World, decision: NodeDecision): void {
    const { images, builds, runner } = this.#rooms
    const { reporter, record } = this.#server
    const { statuses, healings } = this.#books
    this.#reportNode(nodeSight(world, decision))
    const lastAction = (group: string) => runner.lastAction(group)
    const input = { world, decision, busy: runner.busy(), lastAction }
    const reports = [...infraReports(input), ...images.reports(input), ...(builds?.reports(input) ?? [])]
    for (const { kind, object, status } of reports) reporter.report(kind, object, status)
    for (const { container, status, notes, report } of containerReports(input)) {
      for (const note of notes) record(note)
      const { uid = '' } = container.metadata
      statuses.set(uid, status)
      healings.taken(uid, world.healed.get(uid))
      if (report !== undefined) reporter.report(report.kind, report.object, report.status)
    }
  }

  #resync(): void {
    const { ambient, resyncEvery = defaultResync } = this.#options
    const { statuses } = this.#books
    this.#sight.forget()
    this.#server.reporter.resync()
    const desired = this.#server.snapshot()
    const uids = new Set([...desired.containers.values()].map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of statuses.keys()) if (!uids.has(uid)) statuses.delete(uid)
    const known = { desired, ...this.#rooms.images.facts(desired) }
    this.#rooms.runner.forget((group) =>
      group.startsWith('Pull/') ? isWanted(group, 0, known) : generationOf(group, known) > 0,
    )
    this.#resyncAt = ambient.clock.now() + resyncEvery
  }

  #reportNode(seen: NodeSight): void {
    const { ambient, version: agentVersion } = this.#options
    const facts = { engine: this.#sight.info, agentVersion, now: ambient.clock.now() }
    this.#server.registration.report({ ...seen, ...facts })
  }

  #onResult(result: OpResult<AgentOp>): void {
    const { op, group } = result.planned
    const { images, prunes } = this.#rooms
    const { rearmed, healings } = this.#books
    const { desired, record, snapshot } = this.#server
    rearmed.noteOp(result)
    images.noteOp(result)
    prunes.noteOp(result)
    this.#sight.observer.noteOp(op)
    for (const object of desired.objectsOf(group)) {
      healings.note(object.metadata.uid ?? '', result)
      this.#noteRestart(object, result)
      images.note(object, result)
      const note = noteOf(object, result, images.wordsOf(result))
      if (note !== undefined) record(note)
      for (const told of furtherNotes(object, result, snapshot())) record(told)
    }
  }

  /** At once: the next plan must know that the request is answered. */
  #noteRestart({ metadata: { uid = '' }, status }: KubeObject, result: OpResult<AgentOp>): void {
    const { statuses } = this.#books
    const after = afterRestart(statuses.get(uid) ?? (status as ContainerStatus | undefined), result)
    if (after !== undefined) statuses.set(uid, after)
  }

  #onEvent(event: EngineEvent): void {
    for (const book of [this.#books.rearmed, this.#books.asked, this.#rooms.prunes]) book.noteEvent(event)
    if (this.#sight.observer.hint(event)) this.#loop.poke()
  }
}
