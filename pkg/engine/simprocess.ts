/**
 * One run of a simulated container's process, from start to end: scripted output, health probes and exit on the
 * injected clock. It tells its owner what happened through callbacks and owns all its timers.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { Reason } from '#pkg/apimachinery/errors.ts'
import type { ContainerCreate, HealthProbe, ObservedHealth } from './port.ts'
import type { Healthcheck } from './settings.ts'

/** What a process does; times in ms since its start. All absent: it runs until it is stopped. */
export interface Behaviour {
  /** The start call fails with this. */
  readonly startFailure?: { readonly reason: Reason; readonly message: string }
  readonly exit?: { readonly after: number; readonly code: number; readonly oomKilled?: boolean }
  readonly output?: readonly {
    readonly after?: number
    readonly stream: 'stdout' | 'stderr'
    readonly text: string
  }[]
  /** Writes what it reads, as `cat` does. */
  readonly echoes?: true
  /** How it answers the stop signal: at once with 143. `after: Infinity` is one that has to be killed. */
  readonly stop?: { readonly after: number; readonly code: number }
  /** Exit code of the health check command, probe by probe from 1; healthy (0). */
  readonly probe?: (run: { readonly sinceStart: number; readonly attempt: number }) => number
}

/** Chooses the behaviour of each start; `run` counts the starts of this container from 1. */
export type BehaviourHook = (create: ContainerCreate, run: number) => Behaviour

export type ActiveHealthcheck = Extract<Healthcheck, { disabled: false }>

export interface ProcessOwner {
  onOutput(stream: 'stdout' | 'stderr', text: string): void
  onHealth(status: 'healthy' | 'unhealthy'): void
  onExit(code: number, oomKilled: boolean): void
}

interface Timer {
  readonly at: number
  readonly run: () => void
  readonly cancel: () => void
}

const probesKept = 5

export class SimProcess {
  readonly #clock: Clock
  readonly #behaviour: Behaviour
  readonly #owner: ProcessOwner
  readonly #startedAt: number
  readonly #timers = new Set<Timer>()
  readonly #ended = Promise.withResolvers<void>()
  #frozen: { left: number; run: () => void }[] | undefined
  #isOver = false
  #attempt = 0
  #health: ObservedHealth | undefined

  constructor(clock: Clock, behaviour: Behaviour, owner: ProcessOwner) {
    this.#clock = clock
    this.#behaviour = behaviour
    this.#owner = owner
    this.#startedAt = clock.now()
  }

  /** Begins the script; what happens at 0 ms has happened when this returns, but for the exit. */
  start(healthcheck: ActiveHealthcheck | undefined): void {
    const { output = [], exit } = this.#behaviour
    for (const { after = 0, stream, text } of output) {
      this.#after(after, () => this.#owner.onOutput(stream, text))
    }
    if (healthcheck !== undefined) {
      this.#health = { status: 'starting', failingStreak: 0, log: [] }
      this.#after(healthcheck.interval, () => this.#probe(healthcheck))
    }
    if (exit !== undefined) {
      this.#schedule(exit.after, () => this.#finish(exit.code, exit.oomKilled ?? false))
    }
  }

  get health(): ObservedHealth | undefined {
    return this.#health
  }

  /** Resolves when the process has ended, by itself or not. */
  get ended(): Promise<void> {
    return this.#ended.promise
  }

  /** The stop signal, and SIGKILL after the grace period. */
  async stop(gracePeriod: number): Promise<void> {
    this.resume()
    const { after, code } = this.#behaviour.stop ?? { after: 0, code: 143 }
    const isInTime = after <= gracePeriod
    this.#after(isInTime ? after : gracePeriod, () => this.#finish(isInTime ? code : 137, false))
    await this.#ended.promise
  }

  /** False when it takes no input. */
  input(text: string): boolean {
    if (this.#behaviour.echoes !== true || this.#isOver) return false
    this.#owner.onOutput('stdout', text)
    return true
  }

  /** KILL ends it; what asks a process to end it takes as the stop signal, but nobody waits for it. */
  signal(name: string): void {
    if (name === 'KILL') this.kill()
    const { after, code } = this.#behaviour.stop ?? { after: 0, code: 143 }
    const endsIt = ['TERM', 'INT', 'HUP', 'QUIT'].includes(name)
    if (endsIt && Number.isFinite(after)) this.#after(after, () => this.#finish(code, false))
  }

  kill(): void {
    this.#finish(137, false)
  }

  /** The machine lost its power: ended without a trace of the process's own doing. */
  lose(): void {
    this.#finish(255, false)
  }

  pause(): void {
    const now = this.#clock.now()
    this.#frozen = [...this.#timers].map(({ at, run }) => ({ left: at - now, run }))
    this.#cancelAll()
  }

  resume(): void {
    const frozen = this.#frozen ?? []
    this.#frozen = undefined
    for (const { left, run } of frozen) this.#schedule(left, run)
  }

  #probe(check: ActiveHealthcheck): void {
    const now = this.#clock.now()
    const sinceStart = now - this.#startedAt
    this.#attempt += 1
    const exitCode = this.#behaviour.probe?.({ sinceStart, attempt: this.#attempt }) ?? 0
    const before = this.#health ?? { status: 'starting', failingStreak: 0, log: [] }
    const at = new Date(now).toISOString()
    const entry: HealthProbe = { start: at, end: at, exitCode, output: '' }
    this.#health = judge(before, entry, check, sinceStart < check.startPeriod)
    if (this.#health.status !== before.status && this.#health.status !== 'starting') {
      this.#owner.onHealth(this.#health.status)
    }
    this.#schedule(check.interval, () => this.#probe(check))
  }

  #finish(code: number, oomKilled: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#frozen = undefined
    this.#cancelAll()
    // Docker leaves a container that ended with a check as unhealthy.
    if (this.#health !== undefined) this.#health = { ...this.#health, status: 'unhealthy' }
    this.#owner.onExit(code, oomKilled)
    this.#ended.resolve()
  }

  #after(ms: number, run: () => void): void {
    if (ms <= 0) run()
    else this.#schedule(ms, run)
  }

  #schedule(ms: number, run: () => void): void {
    if (this.#isOver || !Number.isFinite(ms)) return
    const cancel = this.#clock.after(ms, () => {
      this.#timers.delete(timer)
      run()
    })
    const timer: Timer = { at: this.#clock.now() + ms, run, cancel }
    this.#timers.add(timer)
  }

  #cancelAll(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}

/** Docker's rule: one success makes healthy; `retries` failures in a row make unhealthy, in the start period none. */
function judge(
  before: ObservedHealth,
  probe: HealthProbe,
  check: ActiveHealthcheck,
  isStartPeriod: boolean,
): ObservedHealth {
  const log = [...before.log, probe].slice(-probesKept)
  if (probe.exitCode === 0) return { status: 'healthy', failingStreak: 0, log }
  if (isStartPeriod && before.status === 'starting') return { ...before, log }
  const failingStreak = before.failingStreak + 1
  return { status: failingStreak >= check.retries ? 'unhealthy' : before.status, failingStreak, log }
}
