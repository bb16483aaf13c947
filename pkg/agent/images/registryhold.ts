/**
 * Registries that said "not so fast", or nothing at all: nobody asks them for a while, whatever for. What failed is in
 * the hold of its own group besides; this is for all the others who would ask the same registry in vain.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, type StatusError } from '#pkg/apimachinery/errors.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { AgentOp } from '../ops.ts'
import type { RegistryHold, Waiting, World } from '../world.ts'
import { budgetHold } from './registrybudget.ts'
import { registryOf } from './registryname.ts'

/** ms. */
const first = { RegistryRateLimited: 30_000, RegistryUnavailable: 2_000 } as const
const most = { RegistryRateLimited: 900_000, RegistryUnavailable: 60_000 } as const

/** Whatever a registry asks for; ms. */
const longestRest = 24 * 3_600_000
/** Of pulls that count; ms. */
const longestWindow = 7 * 86_400_000
const mostCounted = 10_000

interface Kept extends RegistryHold {
  readonly failures: number
}

export class RegistryBook {
  readonly #ambient: Pick<Ambient, 'clock' | 'random'>
  readonly #holds = new Map<string, Kept>()
  readonly #pulledAt = new Map<string, readonly number[]>()

  constructor(ambient: Pick<Ambient, 'clock' | 'random'>) {
    this.#ambient = ambient
  }

  holds(): ReadonlyMap<string, RegistryHold> {
    const { clock } = this.#ambient
    for (const [host, { until }] of this.#holds) {
      const left = until - clock.now()
      // Nobody waits for the time of a clock that was put back.
      if (left < -most.RegistryRateLimited || left > longestRest) this.#holds.delete(host)
    }
    return this.#holds
  }

  /** When pulls from each registry ended: its budget is counted by them. */
  pulledAt(): ReadonlyMap<string, readonly number[]> {
    return this.#pulledAt
  }

  /** Any answer that is about the image itself says that the registry is there, and none that it may be asked more. */
  note(result: OpResult<AgentOp>): void {
    const { op } = result.planned
    if ((op.type !== 'pullImage' && op.type !== 'pushImage') || result.outcome === 'skipped') return
    const host = registryOf(op.reference)
    const error = result.outcome === 'failed' ? result.error : undefined
    if (op.type === 'pullImage') this.#count(host)
    if (isReason(error, 'RegistryRateLimited') || isReason(error, 'RegistryUnavailable'))
      this.#hold(host, error)
    else if (
      error === undefined ||
      isReason(error, 'ImageNotFound') ||
      isReason(error, 'RegistryUnauthorized')
    )
      this.#answered(host)
  }

  /** What was under way when it asked to be left alone may still end well. */
  #answered(host: string): void {
    const hold = this.#holds.get(host)
    const stays = hold?.reason === 'RegistryRateLimited' && hold.until > this.#ambient.clock.now()
    if (!stays) this.#holds.delete(host)
  }

  #count(host: string): void {
    const now = this.#ambient.clock.now()
    const young = (this.#pulledAt.get(host) ?? []).filter((at) => at > now - longestWindow)
    this.#pulledAt.set(host, [...young, now].slice(-mostCounted))
  }

  #hold(host: string, error: StatusError): void {
    const { clock, random } = this.#ambient
    const reason = error.reason === 'RegistryRateLimited' ? 'RegistryRateLimited' : 'RegistryUnavailable'
    const before = this.#holds.get(host)
    // Several that were under way at once are one failure.
    const isSame = before !== undefined && before.until > clock.now() && before.reason === reason
    const failures = (before?.failures ?? 0) + (isSame ? 0 : 1)
    const usual = Math.min(most[reason], first[reason] * 2 ** (failures - 1)) * (0.9 + random.next() / 5)
    const wished = Math.max(usual, (error.details.retryAfterSeconds ?? 0) * 1000)
    const asked = clock.now() + Math.min(longestRest, wished)
    const until = isSame ? Math.max(before.until, asked) : asked
    const message = `registry ${host} is not asked before ${timestamp(until)}: ${messageOf(error)}`
    this.#holds.set(host, { until, failures, reason, message })
  }
}

/** Why the registry of the reference must not be asked now. */
export function registryRests(
  reference: string,
  world: Pick<World, 'registryHolds' | 'now' | 'desired' | 'busy' | 'pulledAt'>,
): { readonly waiting: Waiting; readonly wakeAt: number } | undefined {
  const registry = registryOf(reference)
  const resting = world.registryHolds.get(registry)
  const hold = resting !== undefined && resting.until > world.now ? resting : budgetHold(registry, world)
  if (hold === undefined) return undefined
  return { waiting: { reason: hold.reason, message: hold.message }, wakeAt: hold.until }
}
