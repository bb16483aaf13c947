/**
 * For how long a registry wants to be left alone: engines hand on that it does, and keep the time to themselves. So the
 * registry is asked that itself, with one HEAD.
 */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import type { Offered } from './credentials.ts'

export interface WaitAsked {
  readonly reference: string
  readonly offered: Offered
  /** Absent: nobody can be asked. */
  readonly registry: Pick<RegistryClient, 'head'> | undefined
  readonly signal: AbortSignal
}

/** The registry's own answer when that says for how long; else the error as it is. */
export async function withRetryAfter(error: unknown, asked: WaitAsked): Promise<unknown> {
  const { registry, offered, signal } = asked
  const parsed = parseReference(asked.reference)
  const isSilent = isReason(error, 'RegistryRateLimited') && error.details.retryAfterSeconds === undefined
  if (!isSilent || registry === undefined || !parsed.ok) return error
  const credentials = offered.found.map((found) => found.credentials)
  const refused = await registry.head(parsed.reference, { credentials, signal }).then(
    () => undefined,
    (refusal: unknown) => refusal,
  )
  // Whatever else it says now, the pull was told to wait.
  const tellsTime =
    isReason(refused, 'RegistryRateLimited') && refused.details.retryAfterSeconds !== undefined
  return tellsTime ? refused : error
}
