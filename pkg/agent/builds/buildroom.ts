/**
 * All that the agent keeps about Builds from one pass to the next, and what it reports of them; while something is built
 * that is told about once a second, without a pass. Nothing here decides: the planners do, on what is handed out.
 */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { readBytesIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { type Build, type BuildStatus, buildKind } from '#pkg/apis/build.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import { digestOf, findImage } from '../image.ts'
import type { CredentialSources } from '../images/credentials.ts'
import type { ObjectName } from '../ops.ts'
import { placedHere } from '../placed.ts'
import type { Reporter } from '../reporter.ts'
import type { ReportsInput, StatusReport } from '../reports.ts'
import { type Desired, groupOf, type World } from '../world.ts'
import { Attempt } from './attempt.ts'
import { afterBuild, asRecalled, type BuildEnd, withProgress } from './buildbook.ts'
import { BuildLogs, type LogReading, type RecalledAttempt } from './buildlogs.ts'
import { justBuilt, reportBuild } from './buildstatus.plan.ts'
import { type ContextClaims, claimsAfter, contextsToKeep } from './contextsweep.plan.ts'
import { Judgements } from './judgements.ts'
import type { BuildPerforming } from './performbuilds.ts'
import type { BuildFacts, BuildOrder } from './port.ts'
import type { BaseQuestion } from './sources/baseanswers.ts'
import { BuildSources, type BuildSourcesOptions } from './sources/buildsources.ts'

export interface BuildRoomOptions {
  readonly ambient: Ambient
  readonly client: Client
  /** The agent's own, for builds. */
  readonly directory: string
  readonly programs: BuildSourcesOptions['programs']
  readonly registry?: RegistryClient
  readonly credentials: CredentialSources
  /** Why there is no room in `directory`, in a sentence; never rejects. Absent: nobody looks. */
  readonly whyNoRoom?: (what: string) => Promise<string | undefined>
  readonly desired: () => Pick<Desired, 'builds'>
  readonly reporter: Pick<Reporter, 'report'>
  /** Something is known that was not. */
  readonly onChange: () => void
}

/** Steps are told at most this often while something is built; ms. */
const tellEvery = 1000
/** What nobody needs any more is removed this often; ms. */
const sweepEvery = 600_000

export class BuildRoom implements BuildPerforming {
  readonly #options: BuildRoomOptions
  readonly #sources: BuildSources
  readonly #logs: BuildLogs
  readonly #statuses = new Map<string, BuildStatus>()
  readonly #judgements = new Judgements()
  /** By uid. */
  readonly #running = new Map<string, Attempt>()
  /** Whose progress is to be told when the time has come. */
  readonly #untold = new Set<string>()
  #recalled: ReadonlyMap<string, RecalledAttempt> = new Map()
  #secretKey: Uint8Array | undefined
  #cancelTelling: (() => void) | undefined
  #claims: ContextClaims = new Map()
  #sweepAt = 0
  #tidying: Promise<void> = Promise.resolve()

  constructor(options: BuildRoomOptions) {
    this.#options = options
    const { ambient, directory } = options
    this.#sources = new BuildSources(options)
    this.#logs = new BuildLogs(join(directory, 'logs'), ambient.clock)
  }

  /** Takes up what an earlier run has left; before anything is planned. */
  async recall(): Promise<void> {
    const { directory } = this.#options
    await mkdir(directory, { recursive: true, mode: 0o700 })
    await this.#sources.recall()
    this.#secretKey = await ensureKey(join(directory, 'secrets.key'))
    this.#recalled = await this.#logs.recall()
  }

  /** What planners are to know. */
  facts({ builds }: Pick<Desired, 'builds'>, engine: Pick<EngineInfo, 'builder' | 'version'>): BuildFacts {
    const uids = new Set([...builds.values()].map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of this.#statuses.keys()) if (!uids.has(uid)) this.#statuses.delete(uid)
    for (const build of builds.values()) this.#adopt(build)
    this.#judgements.turn()
    return {
      ...this.#sources.facts(),
      judge: this.#judgements.judge,
      statuses: this.#statuses,
      engineBuilder: engine.builder,
      engineVersion: engine.version,
      running: this.#running,
      ...(this.#secretKey !== undefined && { secretKey: this.#secretKey }),
    }
  }

  /** Its status as it was before this run, once. */
  #adopt({ metadata, spec, status }: Build): void {
    const { uid = '' } = metadata
    if (this.#statuses.has(uid)) return
    const recalled = this.#recalled.get(uid)
    const now = this.#options.ambient.clock.now()
    const known = asRecalled(status ?? {}, { spec, now, ...(recalled !== undefined && { recalled }) })
    this.#statuses.set(uid, known)
  }

  /** The statuses of this pass; and what is asked from now on. */
  reports({ world, decision, busy }: ReportsInput): StatusReport[] {
    const builds = placedHere(world.desired.builds, world)
    this.#sources.follow({ builds, bases: builds.flatMap((build) => baseQuestions(build, world)) })
    this.#tidy(world, busy)
    return builds.flatMap((build): StatusReport[] => {
      const group = groupOf('Build', build.metadata)
      const found = decision.decisions.get(group)
      const isOld = world.busy.has(group) && !busy.has(group)
      if (found === undefined || isOld) return []
      const { uid = '' } = build.metadata
      const next = this.#sources.nextAskAt(uid, basesOf(build, world))
      const status = reportBuild(build, found, world, next)
      this.#statuses.set(uid, status)
      return [{ kind: anyKind(buildKind), object: build, status }]
    })
  }

  async fetch(...[op, signal]: Parameters<BuildPerforming['fetch']>): Promise<void> {
    const { uid } = this.#options.desired().builds.get(objectKey(op.build))?.metadata ?? {}
    try {
      await this.#sources.fetchContext(op, uid, signal)
    } catch (error) {
      // What nobody needs any more makes room.
      if (isReason(error, 'NoSpace')) this.#sweepAt = 0
      throw error
    }
  }

  open(digest: string): Promise<AsyncIterable<Uint8Array>> {
    return this.#sources.open(digest)
  }

  secretOf(key: string) {
    return this.#options.credentials.secretOf(key)
  }

  begin(build: ObjectName, order: BuildOrder): Attempt {
    const { ambient, onChange } = this.#options
    const uid = this.#mustBeUid(build)
    const log = this.#logs.begin(uid, order.attempt, (error) =>
      ambient.log.warn('the log of a build is lost', { build: objectKey(build), error: error.message }),
    )
    const attempt = new Attempt({ clock: ambient.clock, order, log, onChange: () => this.#tellSoon(uid) })
    this.#running.set(uid, attempt)
    this.#statuses.set(uid, withProgress(this.#statuses.get(uid) ?? {}, attempt))
    onChange()
    return attempt
  }

  end(build: ObjectName, attempt: Attempt, end: BuildEnd): void {
    const { desired, onChange } = this.#options
    attempt.end(end.result, lastWords(end))
    const [uid] = [...this.#running].find(([, each]) => each === attempt) ?? []
    if (uid !== undefined) {
      this.#running.delete(uid)
      this.#untold.delete(uid)
      const object = desired().builds.get(objectKey(build))
      // Another one may have its name by now, which has nothing to do with it.
      if (object?.metadata.uid === uid) this.#take(object, attempt, end)
    }
    this.#sweepAt = 0
    onChange()
  }

  #take(build: Build, attempt: Attempt, end: BuildEnd): void {
    const { uid = '' } = build.metadata
    const { historyLimit: limit } = build.spec
    const now = this.#options.ambient.clock.now()
    const after = afterBuild(this.#statuses.get(uid) ?? {}, { running: attempt, end, now, limit })
    this.#statuses.set(uid, after)
    if (end.result === 'Succeeded') this.#tellBuilt(build, after, now)
    this.#tidying = this.#tidying.then(() => this.#quietly(() => this.#logs.trim(uid, limit + 1)))
  }

  /** At once: the pass that says the rest has the whole engine to look at first. */
  #tellBuilt(build: Build, status: BuildStatus, now: number): void {
    if (build.metadata.deletionTimestamp !== undefined || build.spec.suspend) return
    const told = justBuilt(build, status, now)
    this.#statuses.set(build.metadata.uid ?? '', told)
    this.#options.reporter.report(buildKind, build, told)
  }

  /** Throws NotFound when there is no such log. */
  async log(build: ObjectName, reading: LogReading): Promise<AsyncIterable<Uint8Array>> {
    return await this.#logs.read(this.#mustBeUid(build), reading)
  }

  async close(): Promise<void> {
    this.#cancelTelling?.()
    await this.#sources.close()
    await this.#tidying
  }

  #mustBeUid(build: ObjectName): string {
    const { uid } = this.#options.desired().builds.get(objectKey(build))?.metadata ?? {}
    if (uid !== undefined) return uid
    throw new StatusError('NotFound', `the node makes no Build ${objectKey(build)}`)
  }

  #tellSoon(uid: string): void {
    this.#untold.add(uid)
    this.#cancelTelling ??= this.#options.ambient.clock.after(tellEvery, () => this.#tell())
  }

  #tell(): void {
    this.#cancelTelling = undefined
    const { desired, reporter } = this.#options
    for (const object of desired().builds.values()) {
      const { uid = '' } = object.metadata
      const [status, running] = [this.#statuses.get(uid), this.#running.get(uid)]
      if (!this.#untold.has(uid) || status === undefined || running === undefined) continue
      const told = withProgress(status, running)
      this.#statuses.set(uid, told)
      reporter.report(buildKind, object, told)
    }
    this.#untold.clear()
  }

  /** Contexts that no Build wants, and logs of Builds that are no more. */
  #tidy(world: World, busy: ReadonlySet<string>): void {
    this.#claims = claimsAfter(this.#claims, world, new Set([...busy, ...world.busy]))
    if (world.now < this.#sweepAt || !world.desired.isWhole || world.remembered === true) return
    this.#sweepAt = world.now + sweepEvery
    const keep = contextsToKeep(world, this.#claims)
    this.#tidying = this.#tidying.then(() =>
      this.#quietly(async () => {
        // And of what has begun since.
        const begun = [...this.#claims.values()].flatMap((keys) => [...keys])
        await this.#sources.sweep(new Set([...keep, ...begun]), this.#builtContexts())
        await this.#logs.sweep(new Set([...this.#statuses.keys(), ...this.#running.keys()]))
      }),
    )
  }

  /** Digests of those that something was made of. */
  #builtContexts(): ReadonlySet<string> {
    return new Set([...this.#statuses.values()].flatMap(({ inputs }) => inputs?.['context'] ?? []))
  }

  /** It is done again later in any case. */
  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      this.#options.ambient.log.warn('files of builds are not removed', { error: messageOf(error) })
    }
  }
}

function lastWords(end: BuildEnd): string {
  if (end.result === 'Succeeded') return `built ${end.built.image}`
  if (end.result === 'Canceled') return `canceled: ${end.message}`
  return `failed: ${end.failure.message}`
}

function basesOf({ metadata, status }: Build, { building }: World): string[] {
  const { bases = [] } = building?.statuses.get(metadata.uid ?? '') ?? status ?? {}
  return bases.map(({ reference }) => reference)
}

/** Of those that have come from a registry: what was loaded or built here is followed as it is. */
function baseQuestions(build: Build, world: World): BaseQuestion[] {
  const { metadata, spec } = build
  const { namespace = 'default' } = metadata
  const secrets = spec.pullSecrets.map(({ name }) => objectKey({ namespace, name }))
  const interval = parseDuration(spec.triggers.interval) ?? 3_600_000
  const again = spec.triggers.base && !spec.suspend
  return basesOf(build, world).flatMap((reference) => {
    const image = findImage(world.observed.images, reference)
    const isFromRegistry = image !== undefined && digestOf(image, reference) !== undefined
    return isFromRegistry && again ? [{ reference, namespace, secrets, interval, again }] : []
  })
}

const keyBytes = 32

/** What only this node knows; without it every secret counts as moved. */
async function ensureKey(path: string): Promise<Uint8Array> {
  const kept = await readBytesIfThere(path)
  if (kept?.length === keyBytes) return kept
  const key = randomBytes(keyBytes)
  await replaceFile(path, key)
  return key
}
