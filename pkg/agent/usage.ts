/**
 * What containers use: rates from the counters of two looks. Whoever asks again soon is told of the time since then,
 * so that a table that is refreshed costs one look per container; the first time two looks are taken, a moment apart.
 */
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Usage } from '#pkg/apis/looks.ts'
import type { UsageSample } from '#pkg/engine/looks.ts'
import type { Engine } from '#pkg/engine/port.ts'

/** A shorter time tells little: kernels count processor time in ticks. */
const shortestMs = 250
/** The first time, so long is waited between two looks. */
const pairMs = 500
/** What lies further back is no answer to "now". */
const longestMs = 30_000

interface Known {
  /** By the own clock. */
  readonly at: number
  readonly sample: UsageSample
  /** As told last. */
  readonly usage?: Usage
}

export class UsageBook {
  readonly #engine: Pick<Engine, 'containerUsage'>
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()

  constructor(engine: Pick<Engine, 'containerUsage'>, clock: Clock) {
    this.#engine = engine
    this.#clock = clock
  }

  /** By id. Undefined for one that does not run or is gone. */
  async usageOf(id: string, signal: AbortSignal): Promise<Usage | undefined> {
    this.#forget()
    const before = this.#known.get(id)
    const age = this.#clock.now() - (before?.at ?? Number.NEGATIVE_INFINITY)
    if (before?.usage !== undefined && age < shortestMs) return before.usage
    const sample = await this.#look(id)
    if (sample === undefined) return undefined
    const usage = before === undefined ? undefined : usageBetween(before.sample, sample)
    if (usage !== undefined) return this.#note(id, sample, usage)
    await sleep(this.#clock, pairMs, signal)
    const second = await this.#look(id)
    const first = second && usageBetween(sample, second)
    return second && first && this.#note(id, second, first)
  }

  #note(id: string, sample: UsageSample, usage: Usage): Usage {
    this.#known.set(id, { at: this.#clock.now(), sample, usage })
    return usage
  }

  async #look(id: string): Promise<UsageSample | undefined> {
    try {
      return await this.#engine.containerUsage(id)
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  #forget(): void {
    const oldest = this.#clock.now() - longestMs
    for (const [id, { at }] of this.#known) if (at < oldest) this.#known.delete(id)
  }
}

/** Undefined when there is nothing between them: no time, or a start. */
export function usageBetween(first: UsageSample, second: UsageSample): Usage | undefined {
  const windowMs = Date.parse(second.at) - Date.parse(first.at)
  const cpuMs = (second.cpuNanoseconds - first.cpuNanoseconds) / 1e6
  if (!(windowMs > 0) || cpuMs < 0) return undefined
  const { at: time, cpuNanoseconds: _sum, ...amounts } = second
  return { time, windowMs, cpu: cpuMs / windowMs, ...amounts }
}
