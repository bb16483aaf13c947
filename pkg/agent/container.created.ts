/** A Container that is to be made and not started: `cove create`, and `cove run` until it has attached. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { allOf } from './container.cast.ts'
import { planDrift } from './container.drift.ts'
import { isAlive } from './container.look.ts'
import { remove, stop } from './container.remove.ts'
import { fits, type Subject } from './container.subject.ts'
import type { Decision } from './world.ts'

export function wantsNoStart({ spec }: Container): boolean {
  return spec.state === 'Created'
}

/** What does not fit has never been of use to anybody: it goes before `create` plans the one that does. */
export function planCreated(subject: Subject, create: (subject: Subject) => Decision): Decision {
  const { container, world, resolved, cast, builder } = subject
  const seconds = container.spec.terminationGracePeriodSeconds
  const all = allOf(cast)
  const current = all.findLast((observed) => fits(subject, observed))
  const stale = all.filter((observed) => observed !== current)
  const started = all.filter(isAlive)
  for (const observed of started) builder.add(stop(observed, seconds), whyStop(observed))
  for (const observed of stale)
    remove(builder, observed, { cause: 'the resolved spec changed before it was ever started', keep: [] })
  if (stale.length > 0) return { plan: builder.build() }
  if (current === undefined || current.state === 'dead') return create(subject)
  planDrift({ container, world, resolved, observed: current, builder })
  return { plan: builder.build() }
}

function whyStop({ state }: ObservedContainer): string {
  return `spec.state: want Created, found ${state}`
}
