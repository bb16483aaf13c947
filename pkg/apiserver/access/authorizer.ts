/** What an authorizer is, and how several make one: the first with an opinion decides. Pure. */
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Attributes } from './attributes.ts'
import { adminGroup } from './authenticate.ts'

export interface Decision {
  /** `no opinion`: the next one is asked; when nobody has one, the answer is no. */
  readonly verdict: 'allow' | 'deny' | 'no opinion'
  /** For people; may be empty. */
  readonly reason: string
}

/** Synchronous: everything it decides on is in memory. */
export type Authorizer = (user: UserInfo, attributes: Attributes) => Decision

export const allowed: Decision = { verdict: 'allow', reason: '' }
export const noOpinion: Decision = { verdict: 'no opinion', reason: '' }

/** system:masters may do everything, whatever else is said: nobody can lock themselves out. */
export const mastersMay: Authorizer = (user) => (user.groups.includes(adminGroup) ? allowed : noOpinion)

/** Asks each in turn until one has an opinion. The reasons of those without one are kept for the refusal. */
export function inOrder(...authorizers: readonly Authorizer[]): Authorizer {
  return (user, attributes) => {
    let reason = ''
    for (const authorize of authorizers) {
      const decision = authorize(user, attributes)
      if (decision.verdict !== 'no opinion') return decision
      if (decision.reason !== '') reason += `${reason === '' ? '' : '\n'}${decision.reason}`
    }
    return reason === '' ? noOpinion : { verdict: 'no opinion', reason }
  }
}
