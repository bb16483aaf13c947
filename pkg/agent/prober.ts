/**
 * Makes the checks of containers that carry one (probe.ts), each on its own timer, and holds their results until the
 * next look takes them in. An agent that restarts goes on with what status says of the same run.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { ObservedContainer, ObservedHealth } from '#pkg/engine/port.ts'
import type { CheckResult } from './probe.check.ts'
import { afterProbe, cutOutput, notChecked, type Probe, type ProbeCheck, pauseBeforeProbe } from './probe.ts'

export interface ProbeTarget {
  readonly container: ObservedContainer
  readonly probe: Probe
  /** Where it can be reached; empty when nowhere. */
  readonly addresses: readonly string[]
  /** What is known of this run from before. */
  readonly known?: ObservedHealth
}

export type RunCheck = (
  check: ProbeCheck,
  addresses: readonly string[],
  signal: AbortSignal,
) => Promise<CheckResult>

export interface ProberOptions {
  readonly clock: Clock
  readonly check: RunCheck
  /** Called when the status or the streak of a container is another one. */
  readonly onChange: () => void
}

export class Prober {
  readonly #options: ProberOptions
  /** By id of the container. */
  readonly #runs = new Map<string, ProbeRun>()

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /** Checks these from now on and no others; one that began anew is starting again. */
  sync(targets: readonly ProbeTarget[]): void {
    const ids = new Set(targets.map(({ container }) => container.id))
    for (const [id, run] of this.#runs) {
      if (ids.has(id)) continue
      run.rest()
      this.#runs.delete(id)
    }
    for (const target of targets) this.#follow(target)
  }

  /** Undefined for a container without such a check. */
  healthOf(id: string): ObservedHealth | undefined {
    return this.#runs.get(id)?.health
  }

  /** Ends all checks; resolves when none is under way. */
  async close(): Promise<void> {
    const runs = [...this.#runs.values()]
    this.#runs.clear()
    for (const run of runs) run.rest()
    await Promise.all(runs.map((run) => run.done))
  }

  #follow(target: ProbeTarget): void {
    const { id, state, startedAt = '' } = target.container
    let run = this.#runs.get(id)
    if (run?.startedAt !== startedAt) {
      run?.rest()
      run = new ProbeRun(startedAt, target.known ?? notChecked, this.#options)
      this.#runs.set(id, run)
    }
    // As the engine does: one that is frozen or has ended is not asked, and keeps what was found.
    if (state === 'running') run.follow(target)
    else run.rest()
  }
}

class ProbeRun {
  readonly startedAt: string
  readonly #options: ProberOptions
  #health: ObservedHealth
  #target: ProbeTarget | undefined
  #cancel: (() => void) | undefined
  #checking: { readonly abort: AbortController; readonly done: Promise<void> } | undefined

  constructor(startedAt: string, health: ObservedHealth, options: ProberOptions) {
    this.startedAt = startedAt
    this.#health = health
    this.#options = options
  }

  get health(): ObservedHealth {
    return this.#health
  }

  /** Begins, or goes on with what is known of it now. */
  follow(target: ProbeTarget): void {
    const isNew = this.#target === undefined
    this.#target = target
    if (isNew) this.#arm(this.#dueFirst(target))
  }

  /** No more checks until it is followed again. */
  rest(): void {
    this.#target = undefined
    this.#cancel?.()
    this.#checking?.abort.abort(new Error('the check is not wanted any more'))
  }

  /** Resolves when no check is under way. */
  get done(): Promise<void> {
    return this.#checking?.done ?? Promise.resolve()
  }

  /** One pause after the start; one that was checked before an agent restarted is not asked sooner than it would have been. */
  #dueFirst({ probe }: ProbeTarget): number {
    const now = this.#options.clock.now()
    const startedAt = Date.parse(this.startedAt)
    const from = Date.parse(this.#health.log.at(-1)?.end ?? this.startedAt)
    const pause = pauseBeforeProbe(this.#health.status, probe, { startedAt, now })
    return Math.max(0, Math.min(pause, from + pause - now))
  }

  #arm(ms: number): void {
    this.#cancel?.()
    this.#cancel = this.#options.clock.after(ms, () => {
      const abort = new AbortController()
      const done = this.#check(abort).finally(() => {
        if (this.#checking?.abort === abort) this.#checking = undefined
      })
      this.#checking = { abort, done }
    })
  }

  async #check(abort: AbortController): Promise<void> {
    const { clock, check, onChange } = this.#options
    const target = this.#target
    if (target === undefined) return
    const { probe, addresses } = target
    const start = clock.now()
    const timedOut: CheckResult = {
      exitCode: -1,
      output: `Health check exceeded timeout (${probe.timeout / 1000}s)`,
    }
    const cancel = clock.after(probe.timeout, () => abort.abort(timedOut))
    const result = await check(probe.check, addresses, abort.signal).catch((error: unknown) => {
      if (abort.signal.reason === timedOut) return timedOut
      return abort.signal.aborted ? undefined : { exitCode: 1, output: messageOf(error) }
    })
    cancel()
    if (result === undefined || this.#target === undefined) return
    const now = clock.now()
    const startedAt = Date.parse(this.startedAt)
    const before = this.#health
    const log = {
      start: new Date(start).toISOString(),
      end: new Date(now).toISOString(),
      exitCode: result.exitCode,
      output: cutOutput(result.output),
    }
    this.#health = afterProbe(before, log, { probe, startedAt })
    this.#arm(pauseBeforeProbe(this.#health.status, probe, { startedAt, now }))
    const { status, failingStreak } = this.#health
    if (status !== before.status || failingStreak !== before.failingStreak) onChange()
  }
}
