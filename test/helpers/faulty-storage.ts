/**
 * The storage port with scripted faults, for tests of what stands above it: "the second update fails once with
 * Timeout", "every list waits", "the write happened, but the caller got an error".
 */
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Storage } from '#pkg/storage/port.ts'

export type Method = Exclude<keyof Storage, 'close'>

export type Effect =
  /** Nothing reaches the store. */
  | { readonly do: 'fail'; readonly reason: Reason }
  /** The store does it, then the caller gets an error: the outcome is unknown to it. */
  | { readonly do: 'failAfter'; readonly reason: Reason }
  | { readonly do: 'delay'; readonly ms: number; readonly clock: Clock }
  /** A watch only: fails when so many batches have been read. */
  | { readonly do: 'cut'; readonly afterBatches: number; readonly reason: Reason }

export interface Fault {
  readonly on: Method
  readonly effect: Effect
  /** Counts only calls whose key or prefix begins with this; default all. */
  readonly under?: string
  /** The first call it concerns, counted from 1; default 1. */
  readonly call?: number
  /** How many calls it concerns; default 1, Infinity for good. */
  readonly times?: number
}

export interface FaultyStorage extends Storage {
  /** Adds a fault; its calls are counted from now. Faults are asked in the order they were added; the first that fits acts. */
  inject(fault: Fault): void
  /** Ends all faults. */
  heal(): void
  /** How often each method was called, faults included. */
  calls(on: Method): number
}

export function makeFaulty(storage: Storage, script: readonly Fault[] = []): FaultyStorage {
  const never = new AbortController().signal
  const counts = new Map<Method, number>()
  let faults: { fault: Fault; seen: number }[] = script.map((fault) => ({ fault, seen: 0 }))

  /** Every fault counts the call, even when another one acts. */
  const effectOf = (on: Method, subject: string): Effect | undefined => {
    counts.set(on, (counts.get(on) ?? 0) + 1)
    let effect: Effect | undefined
    for (const entry of faults) {
      const { fault } = entry
      if (fault.on !== on || !subject.startsWith(fault.under ?? '')) continue
      entry.seen++
      const first = fault.call ?? 1
      if (entry.seen >= first && entry.seen < first + (fault.times ?? 1)) effect ??= fault.effect
    }
    return effect
  }

  const run = async <T>(on: Method, subject: string, work: () => Promise<T>): Promise<T> => {
    const effect = effectOf(on, subject)
    if (effect?.do === 'fail') throw injected(on, effect.reason)
    if (effect?.do === 'delay') await sleep(effect.clock, effect.ms, never)
    const result = await work()
    if (effect?.do === 'failAfter') throw injected(on, effect.reason)
    return result
  }

  return {
    create: (key, value) => run('create', key, () => storage.create(key, value)),
    update: (key, value, expected) => run('update', key, () => storage.update(key, value, expected)),
    delete: (key, expected) => run('delete', key, () => storage.delete(key, expected)),
    get: (key) => run('get', key, () => storage.get(key)),
    list: (prefix, options) => run('list', prefix, () => storage.list(prefix, options)),
    revisions: () => run('revisions', '', () => storage.revisions()),
    compact: (revision) => run('compact', '', () => storage.compact(revision)),
    close: () => storage.close(),
    async *watch(prefix, after, signal) {
      const effect = effectOf('watch', prefix)
      if (effect?.do === 'fail') throw injected('watch', effect.reason)
      if (effect?.do === 'delay') await sleep(effect.clock, effect.ms, signal)
      let left = effect?.do === 'cut' ? effect.afterBatches : Number.POSITIVE_INFINITY
      if (left === 0) throw injected('watch', cutReason(effect))
      for await (const batch of storage.watch(prefix, after, signal)) {
        yield batch
        if (--left === 0) throw injected('watch', cutReason(effect))
      }
    },
    inject: (fault) => void faults.push({ fault, seen: 0 }),
    heal() {
      faults = []
    },
    calls: (on) => counts.get(on) ?? 0,
  }
}

function cutReason(effect: Effect | undefined): Reason {
  return effect?.do === 'cut' ? effect.reason : 'InternalError'
}

function injected(on: Method, reason: Reason): StatusError {
  return new StatusError(reason, `injected fault: ${on} fails with ${reason}`)
}
