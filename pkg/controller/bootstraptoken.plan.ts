/** Which bootstrap tokens have ended. Pure. */
import { bootstrapExpiration, bootstrapTokenType, systemNamespace } from '#pkg/apis/bootstraptoken.ts'
import type { Secret } from '#pkg/apis/core.ts'

export interface TokenPlan {
  readonly expired: readonly Secret[]
  /** When the next one ends, in ms since the epoch; undefined: none does. */
  readonly next: number | undefined
}

export function planTokens(secrets: Iterable<Secret>, now: number): TokenPlan {
  const tokens = [...secrets].filter(
    ({ type, metadata: { namespace, deletionTimestamp } }) =>
      type === bootstrapTokenType && namespace === systemNamespace && deletionTimestamp === undefined,
  )
  const ends = tokens.map(bootstrapExpiration).filter((end) => end > now && end !== Number.POSITIVE_INFINITY)
  return {
    expired: tokens.filter((token) => bootstrapExpiration(token) <= now),
    next: ends.length === 0 ? undefined : Math.min(...ends),
  }
}
