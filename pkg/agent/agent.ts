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
import { type EventNote, EventRecorder } from '#pkg/client/recorder.ts'
import { Client } from '#pkg/client/rest.ts'
import { ServerLink } from '#pkg/client/serverlink.ts'
import type { EngineEvent, EngineInfo } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { AgentOptions } from './agentoptions.ts'
import { BuildRoom } from './builds/buildroom.ts'
import { withChecks } from './checked.ts'
import { nameWithoutRole } from './container.cast.ts'
import { afterRestart } from './container.restart.ts'
import { type Trial, trialsOf } from './container.rollout.ts'
import { imagesInQuestion } from './container.security.ts'
import { DesiredState } from './desired.ts'
import { EndBook } from './endbook.ts'
import { followEngineEvents } from './engineevents.ts'
import { HealingBook } from './healingbook.ts'
import { generationOf, isWanted, namesAtWork } from './holds.ts'
import { Host } from './host.ts'
import {
  type CredentialSources,
  credentialSources,
  credentialsOf,
  type Offered,
} from './images/credentials.ts'
import { ImageRoom } from './images/imageroom.ts'
import { withImagesHere } from './images/imageshere.ts'
import { tailsWanted } from './logtails.ts'
import { NodeMemory, withoutServer } from './memory.ts'
import { type NodeDecision, planNode } from './node.plan.ts'
import { NodeRegistration, type NodeSight, nodeSight } from './node.ts'
import { furtherNotes, noteOf } from './notes.ts'
import { Observer } from './observe.ts'
import type { AgentOp } from './ops.ts'
import { type Found, type Owned, ownedBy } from './owned.ts'
import { perform } from './perform.ts'
import { runCheck } from './probe.check.ts'
import { Prober } from './prober.ts'
import { PruneRoom } from './prune/pruneroom.ts'
import { PullBook } from './pulls.ts'
import { RearmBook } from './rearmbook.ts'
import { Reporter } from './reporter.ts'
import { containerReports, infraReports } from './reports.ts'
import { isMounted } from './resolve.mounts.ts'
import { Runner } from './runner.ts'
import type { Desired, Observation, World } from './world.ts'

const defaultResync = 30_000
/** Changes within this many ms are planned together. */
const settleMs = 15
/** What rests is not called more often than this because the server is back; ms. */
const callEvery = 5000

export class Agent {
  readonly #options: AgentOptions
  readonly #desired: DesiredState
  readonly #observer: Observer
  readonly #runner: Runner
  readonly #reporter: Reporter
  readonly #registration: NodeRegistration
  readonly #recorder: EventRecorder
  readonly #pulls: PullBook
  readonly #credentials: CredentialSources
  readonly #images: ImageRoom
  readonly #healings: HealingBook
  readonly #prober: Prober
  readonly #rearmed: RearmBook
  readonly #asked: EndBook
  readonly #loop: Loop
  readonly #statuses = new Map<string, ContainerStatus>()
  readonly #link: ServerLink
  readonly #memory: NodeMemory
  readonly #host: Host
  readonly prunes: PruneRoom
  /** Undefined: nothing is built here. */
  readonly builds: BuildRoom | undefined
  #engineInfo: EngineInfo | undefined
  #resyncAt = 0
  /** Verdicts that time alone brings: from a look of then, not from the last that an event gave reason to. */
  #trials: readonly Trial[] = []
  #calledAt = Number.NEGATIVE_INFINITY

  constructor(options: AgentOptions) {
    const { engine, transport, ambient, nodeName, files, copies } = options
    this.#options = options
    this.#loop = new Loop({
      name: 'agent',
      ambient,
      settleMs,
      pass: (signal) => this.#pass(signal),
      backoff: { first: 500, most: 15_000 },
    })
    this.#host = new Host(options.host, ambient)
    const poke = () => this.#loop.poke()
    const advice = `start the agent again${copies ? ` without ${copies.path}` : ''} to let this node work for that cluster`
    this.#link = new ServerLink({ transport, ambient, advice, onChange: () => this.#onLink() })
    const client = new Client(this.#link.transport, 'cove-agent')
    const serverAnswers = () => this.#link.answers()
    this.#desired = new DesiredState({ client, ambient, nodeName, onChange: poke, serverAnswers })
    this.#observer = new Observer(engine)
    this.#pulls = new PullBook(ambient.clock, poke)
    const record = (note: EventNote) => this.#recorder.record(note)
    const credentials = credentialSources(() => this.#desired.snapshot(), options.nodeLogins)
    this.#credentials = credentials
    const asking = options.registry === undefined ? {} : { registry: options.registry }
    this.#images = new ImageRoom({
      engine,
      ambient,
      nodeName,
      onChange: poke,
      credentials,
      record,
      ...asking,
      ...(options.lent !== undefined && { lentStore: options.lent }),
    })
    this.#reporter = new Reporter(client, ambient)
    const snapshot = () => this.#desired.snapshot()
    const rooms = {
      ambient,
      client,
      credentials,
      desired: snapshot,
      reporter: this.#reporter,
      onChange: poke,
    }
    this.builds = options.builds && new BuildRoom({ ...options.builds, ...asking, ...rooms })
    this.#healings = new HealingBook(ambient.clock)
    this.#rearmed = new RearmBook(ambient.clock)
    this.#asked = new EndBook(ambient.clock)
    this.#prober = new Prober({ clock: ambient.clock, check: runCheck, onChange: poke })
    const context = {
      engine,
      client,
      nodeName,
      files,
      host: this.#host,
      clock: ambient.clock,
      ...(options.spool !== undefined && { spool: options.spool }),
      lent: this.#images.lent,
      onProgress: this.#pulls.progress.bind(this.#pulls),
      onAnswer: this.#images.onAnswer.bind(this.#images),
      credentials,
      ...asking,
      ...(this.builds !== undefined && { building: this.builds }),
    }
    this.#runner = new Runner({
      ambient,
      perform: (op, signal) => this.#pulls.follow(op, () => perform(op, context, signal), signal),
      onResult: (result) => this.#onResult(result),
      onGroupEnd: poke,
    })
    this.prunes = new PruneRoom({
      ...options,
      record,
      reporter: this.#reporter,
      perform: (op, signal) => perform(op, context, signal),
      ownerOf: (found) => this.ownerOf(found),
      clusterID: () => this.#link.clusterID,
      desired: snapshot,
      busy: () => this.#runner.busy(),
      readDisk: async () => this.#host.disk(this.#engineInfo ?? (await engine.info())),
      onChange: () => {
        this.#observer.invalidateAll()
        poke()
      },
    })
    this.#registration = new NodeRegistration({ client, reporter: this.#reporter, ambient, nodeName, record })
    this.#recorder = new EventRecorder({
      client,
      ambient,
      source: { component: 'cove-agent', host: nodeName },
      self: { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: nodeName } },
      // What was taken must not be sent again by the next run.
      onDrained: () => this.#memory.keep(),
    })
    this.#memory = new NodeMemory({
      ambient,
      nodeName,
      copies,
      link: this.#link,
      desired: this.#desired,
      recorder: this.#recorder,
      statuses: this.#statuses,
    })
  }

  /** Works until the signal aborts; ops under way are then told and waited for. Containers are left running. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#memory.recall()
    await this.prunes.recall()
    await this.builds?.recall()
    const running = [this.#desired, this.#recorder, this.#reporter, this.#registration, this.#memory]
    const onBegin = () => {
      this.#observer.invalidateAll()
      this.#loop.poke()
    }
    const onEvents = { onBegin, onEvent: (event: EngineEvent) => this.#onEvent(event) }
    const following = followEngineEvents({ ...this.#options, ...onEvents }, signal)
    const parts = [...running.map((part) => part.run(signal)), following]
    await this.#memory.untilKnown(signal)
    await this.#loop.run(signal)
    await this.#prober.close()
    await this.#images.close()
    await this.prunes.close()
    await this.#runner.idle()
    await this.builds?.close()
    await Promise.all(parts)
  }

  #onLink(): void {
    const { clock } = this.#options.ambient
    this.#loop.poke()
    if (this.#link.isAway()) this.#memory.noteAway()
    else if (Math.abs(clock.now() - this.#calledAt) >= callEvery) {
      this.#calledAt = clock.now()
      this.#reporter.resync()
      for (const part of [this.#desired, this.#reporter, this.#recorder]) part.retryNow()
    }
  }

  /** What the node itself would show a registry for the reference, whoever asks. */
  credentialsOf(reference: string, signal: AbortSignal): Promise<Offered> {
    return credentialsOf(reference, { secrets: [], signal }, this.#credentials)
  }

  /** The object of this agent's API that a container stands for. */
  ownerOf(found: Found): Owned | undefined {
    const { clusterID } = this.#link
    if (clusterID === undefined) return undefined
    const containers = this.#desired.snapshot().containers.values()
    return ownedBy(found, { clusterID, containers, statuses: this.#statuses })
  }

  async #pass(signal: AbortSignal): Promise<number | undefined> {
    const { clock } = this.#options.ambient
    const { resyncEvery = defaultResync } = this.#options
    // Also when the clock was put back: the next time would else be years away.
    const resync = clock.now() >= this.#resyncAt || this.#resyncAt - clock.now() > resyncEvery
    if (resync) this.#resync()
    // Also when the engine is away: it may be up again before the server is.
    this.#memory.keep()
    for (const { id, at } of this.#trials) if (at <= clock.now()) this.#observer.invalidateContainer(id)
    const world = await this.#look(signal)
    if (resync) await this.#host.sweep(this.#options.files, (directory) => isMounted(directory, world))
    for (const reason of this.#host.newHopes(world)) this.#runner.retry(reason)
    const decision = planNode(world)
    this.#trials = trialsOf(decision.decisions.values())
    this.#runner.forgive(decision.pending)
    const plan = this.#link.answers() ? decision.plan : withoutServer(decision.plan)
    this.#runner.cancel((group, generation) => isWanted(group, generation, world))
    this.#runner.launch(plan, (group) => generationOf(group, world), signal)
    this.#report(world, decision)
    this.#memory.keep()
    const pruneAt = this.prunes.pass(world, signal)
    const times = [decision.wakeAt, pruneAt].filter((time) => time !== undefined)
    return Math.min(...times, this.#resyncAt, this.#images.wakeAt())
  }

  async #look(signal: AbortSignal): Promise<World> {
    const { nodeName, files, ambient, engine } = this.#options
    const { clusterID } = this.#link
    if (clusterID === undefined) throw new Error('no server has said yet whose this node is')
    try {
      if (this.#host.isSettling()) this.#engineInfo = undefined
      this.#engineInfo ??= await engine.info()
      await this.#images.lent.recall()
      // Both are older than the look at the engine: what it shows of a group that was at work meanwhile is
      // half a truth, and what was asked for meanwhile it may not show yet.
      const busy = this.#runner.busy()
      const desired = this.#desired.snapshot()
      this.#memory.meet(desired)
      const loading = this.#desired.loading()
      const names = namesAtWork(busy, desired)
      const seen = await this.#observer.observe({
        atWork: (name) => names.has(nameWithoutRole(name)),
        imagesOf: (images, containers) => imagesInQuestion(desired, images, containers),
        detailsOf: (images) => this.#images.detailsOf(desired, images),
        now: ambient.clock.now(),
        tailsOf: (containers) => tailsWanted(containers, { desired, clusterID }),
        signal,
        onUnread: (container, error) =>
          ambient.log.warn('the engine does not tell of a container', { container, error }),
      })
      const host = await this.#host.look(this.#engineInfo, desired.node)
      return {
        ...host,
        ...this.#images.facts(desired),
        ...this.prunes.facts(),
        ...(this.builds && { building: this.builds.facts(desired, this.#engineInfo) }),
        nodeName,
        engineApi: this.#engineInfo.apiVersion,
        engineRegistries: this.#engineInfo.registries,
        clusterID,
        now: ambient.clock.now(),
        projectionRoot: files.root,
        desired: {
          ...desired,
          containers: withImagesHere(desired.containers, seen.images, this.#statuses),
        },
        ...(!this.#desired.isTold() && { remembered: true as const }),
        observed: this.#checked(seen, desired, clusterID),
        holds: this.#runner.holds(),
        busy: new Set([...busy, ...loading]),
        pulls: this.#pulls.snapshot(),
        statuses: this.#statuses,
        healed: this.#healings.snapshot(),
        rearmed: this.#rearmed.snapshot(),
        asked: this.#asked.snapshot(),
      }
    } catch (error) {
      if (isReason(error, 'EngineUnavailable')) {
        this.#engineInfo = undefined
        this.#observer.invalidateAll()
        this.#reportNode({ engineError: messageOf(error) })
        await this.#host.noteAway()
      }
      throw error
    }
  }

  /** With the results of the checks that the agent makes itself. */
  #checked(seen: Observation, desired: Desired, clusterID: string): Observation {
    const books = { statuses: this.#statuses, rearmed: this.#rearmed, asked: this.#asked }
    return withChecks(seen, { ...books, prober: this.#prober, desired, clusterID })
  }

  #report(world: World, decision: NodeDecision): void {
    this.#reportNode(nodeSight(world, decision))
    const lastAction = (group: string) => this.#runner.lastAction(group)
    const input = { world, decision, busy: this.#runner.busy(), lastAction }
    const built = this.builds?.reports(input) ?? []
    const reports = [...infraReports(input), ...this.#images.reports(input), ...built]
    for (const { kind, object, status } of reports) this.#reporter.report(kind, object, status)
    for (const { container, status, notes, report } of containerReports(input)) {
      for (const note of notes) this.#recorder.record(note)
      const { uid = '' } = container.metadata
      this.#statuses.set(uid, status)
      this.#healings.taken(uid, world.healed.get(uid))
      if (report !== undefined) this.#reporter.report(report.kind, report.object, report.status)
    }
  }

  #resync(): void {
    const { ambient, resyncEvery = defaultResync } = this.#options
    this.#observer.invalidateAll()
    this.#engineInfo = undefined
    this.#reporter.resync()
    const desired = this.#desired.snapshot()
    const uids = new Set([...desired.containers.values()].map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of this.#statuses.keys()) if (!uids.has(uid)) this.#statuses.delete(uid)
    const known = { desired, ...this.#images.facts(desired) }
    this.#runner.forget((group) =>
      group.startsWith('Pull/') ? isWanted(group, 0, known) : generationOf(group, known) > 0,
    )
    this.#resyncAt = ambient.clock.now() + resyncEvery
  }

  #reportNode(seen: NodeSight): void {
    const { ambient, version: agentVersion } = this.#options
    const facts = { engine: this.#engineInfo, agentVersion, now: ambient.clock.now() }
    this.#registration.report({ ...seen, ...facts })
  }

  #onResult(result: OpResult<AgentOp>): void {
    const { op, group } = result.planned
    this.#rearmed.noteOp(result)
    this.#images.noteOp(result)
    this.prunes.noteOp(result)
    this.#observer.noteOp(op)
    for (const object of this.#desired.objectsOf(group)) {
      this.#healings.note(object.metadata.uid ?? '', result)
      this.#noteRestart(object, result)
      this.#images.note(object, result)
      const note = noteOf(object, result, this.#images.wordsOf(result))
      if (note !== undefined) this.#recorder.record(note)
      for (const told of furtherNotes(object, result, this.#desired.snapshot())) this.#recorder.record(told)
    }
  }

  /** At once: the next plan must know that the request is answered. */
  #noteRestart({ metadata: { uid = '' }, status }: KubeObject, result: OpResult<AgentOp>): void {
    const after = afterRestart(this.#statuses.get(uid) ?? (status as ContainerStatus | undefined), result)
    if (after !== undefined) this.#statuses.set(uid, after)
  }

  #onEvent(event: EngineEvent): void {
    for (const book of [this.#rearmed, this.#asked, this.prunes]) book.noteEvent(event)
    if (this.#observer.hint(event)) this.#loop.poke()
  }
}
