/**
 * The ambient world as values: clock, randomness, log. Everything below cmd/ receives these and never asks
 * the process for them, so a whole cluster runs on a manual clock and a seeded generator in tests.
 */
import { randomBytes, randomUUID } from 'node:crypto'

/** Milliseconds since the epoch, and timers that a test can drive. */
export interface Clock {
  now(): number
  /** Runs `run` once after `ms`; the returned function cancels it. Timers do not keep the process alive. */
  after(ms: number, run: () => void): () => void
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  uuid(): string
}

export type LogFields = Readonly<Record<string, unknown>>

/** Constant message, variable fields: a log line is found by its message and read by its fields. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** What nearly every long-lived part needs. */
export interface Ambient {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const longestTimer = 2 ** 31 - 1

export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    after(ms, run) {
      let timer: NodeJS.Timeout
      // The process's timers end at once when asked for more than they can count.
      const arm = (left: number) => {
        const part = Math.min(left, longestTimer)
        timer = setTimeout(() => (left > part ? arm(left - part) : run()), part)
        timer.unref()
      }
      arm(ms)
      return () => clearTimeout(timer)
    },
  }
}

/** Runs `work` when everything that has arrived by now has been looked at, and before anybody waits for more. */
export function atEndOfTurn(work: () => void): void {
  setImmediate(work)
}

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const onAbort = () => {
      cancel()
      reject(signal.reason)
    }
    const cancel = clock.after(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    signal.addEventListener('abort', onAbort, { once: true })
  })
}

/** Resolves after `ms`, or as soon as the signal aborts. */
export async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(clock, ms, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** A clock that stands still until `advance` moves it; timers due on the way run in order of their time. */
export class ManualClock implements Clock {
  #now: number
  #sequence = 0
  readonly #timers = new Map<number, { at: number; run: () => void }>()

  constructor(start = Date.parse('2026-01-01T00:00:00Z')) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  after(ms: number, run: () => void): () => void {
    const id = this.#sequence++
    this.#timers.set(id, { at: this.#now + Math.max(0, ms), run })
    return () => this.#timers.delete(id)
  }

  /** Moves time on by `ms`. Between two timers, pending promises get a turn to settle. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (let due = this.#nextDue(end); due !== undefined; due = this.#nextDue(end)) {
      const [id, timer] = due
      this.#timers.delete(id)
      this.#now = Math.max(this.#now, timer.at)
      timer.run()
      await settle()
    }
    this.#now = end
    await settle()
  }

  /** When the next timer is due, or undefined when none is set. */
  nextTimer(): number | undefined {
    const due = this.#nextDue(Number.POSITIVE_INFINITY)
    return due?.[1].at
  }

  #nextDue(end: number): [number, { at: number; run: () => void }] | undefined {
    let best: [number, { at: number; run: () => void }] | undefined
    for (const entry of this.#timers) {
      if (entry[1].at <= end && (best === undefined || entry[1].at < best[1].at)) best = entry
    }
    return best
  }
}

/** Lets every promise that can settle without time or I/O do so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export function systemRandom(): Random {
  return { next: () => randomBytes(4).readUInt32LE() / 2 ** 32, uuid: () => randomUUID() }
}

/** Deterministic generator (mulberry32) for tests and simulations. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('')
  return { next, uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}` }
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} }
