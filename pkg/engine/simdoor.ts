/** The door of every call to a simulated engine: journal, outage, scripted faults and time. */
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  type EngineMethod,
  faultError,
  isMutating,
  type SimCall,
  type SimFault,
  SimFaults,
} from './simfault.ts'

export interface SimDoorOptions {
  readonly clock: Clock
  /** How long calls take, in ms; those not named take no time. */
  readonly delays: Readonly<Partial<Record<EngineMethod, number>>>
}

export class SimDoor {
  /** Every call that wanted to change something, in order, failed ones too. */
  readonly calls: SimCall[] = []
  readonly #options: SimDoorOptions
  readonly #faults = new SimFaults()
  readonly #never = new AbortController().signal
  #mutations = 0
  /** While true, every call is EngineUnavailable. */
  isOut = false

  constructor(options: SimDoorOptions) {
    this.#options = options
  }

  /** How many calls wanted to change something so far; unlike `calls` never cleared. */
  get mutations(): number {
    return this.#mutations
  }

  fail(...faults: SimFault[]): void {
    for (const fault of faults) this.#faults.add(fault)
  }

  clearFaults(): void {
    this.#faults.clear()
  }

  async call<T>(method: EngineMethod, args: readonly unknown[], run: () => T | Promise<T>): Promise<T> {
    const entry: SimCall = { method, args, at: this.#options.clock.now() }
    if (isMutating(method)) {
      this.calls.push(entry)
      this.#mutations += 1
    }
    try {
      return await this.#perform(method, run)
    } catch (error) {
      entry.error = error
      throw error
    }
  }

  mustAnswer(): void {
    if (this.isOut) throw new StatusError('EngineUnavailable', 'the simulated engine does not answer')
  }

  async #perform<T>(method: EngineMethod, run: () => T | Promise<T>): Promise<T> {
    this.mustAnswer()
    const fault = this.#faults.take(method)
    if (fault !== undefined && fault.afterEffect !== true) throw faultError(fault)
    const delay = this.#options.delays[method] ?? 0
    if (delay > 0) {
      await sleep(this.#options.clock, delay, this.#never)
      this.mustAnswer()
    }
    const result = await run()
    this.mustAnswer()
    if (fault !== undefined) throw faultError(fault)
    return result
  }
}
