/**
 * One Container: from what is desired and what is observed to the next operations. Pure.
 *
 * Several containers may carry the object's uid while it is being replaced. The one whose fingerprint fits is
 * the current one, the others are stale: a stale one is stopped when the current one is ready to start, and
 * removed only when the current one runs. Each pass plans from what is there, so a replacement that was cut
 * short at any op is taken up where it stands.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineName, successorName } from '#pkg/apis/wellknown.ts'
import type { Mount, ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { planCreated, wantsNoStart } from './container.created.ts'
import { planDrift, whyRecreate } from './container.drift.ts'
import { planEnded, planRunning } from './container.heal.ts'
import { containersOf, isAlive } from './container.look.ts'
import { anonymousVolumes, isAnonymous, planDeletion, remove, stop } from './container.remove.ts'
import { whyRoot } from './container.security.ts'
import { whyNotStart } from './container.start.ts'
import type { Builder, Subject } from './container.subject.ts'
import { imageReadiness } from './image.ts'
import type { AgentOp } from './ops.ts'
import { resolve } from './resolve.ts'
import { type Decision, groupOf, type World } from './world.ts'

export function planContainer(container: Container, world: World): Decision {
  const builder = new PlanBuilder<AgentOp>(groupOf('Container', container.metadata))
  const mine = containersOf(container, world)
  if (container.metadata.deletionTimestamp !== undefined) return planDeletion(container, mine, builder)
  if (container.spec.state === 'Stopped') return planStopped(container, mine, builder)
  const resolved = resolve({ container, ...world })
  if ('missing' in resolved) return { plan: emptyPlan(), waiting: resolved.missing }
  const fitting = mine.filter((observed) => whyRecreate(resolved, observed) === undefined)
  const current = fitting.findLast(isAlive) ?? fitting.at(-1)
  const stale = mine.filter((observed) => observed !== current)
  const subject: Subject = { container, world, resolved, current, stale, builder }
  if (wantsNoStart(container)) return planCreated(subject, planCreation)
  return current === undefined || current.state === 'dead'
    ? planCreation(subject)
    : planExisting(subject, current)
}

function planStopped(container: Container, mine: readonly ObservedContainer[], builder: Builder): Decision {
  for (const observed of mine.filter(isAlive)) {
    builder.add(
      stop(observed, container.spec.terminationGracePeriodSeconds),
      `spec.state: want Stopped, found ${observed.state}`,
    )
  }
  return { plan: builder.build() }
}

function planCreation(subject: Subject): Decision {
  const { container, world, resolved, current, stale, builder } = subject
  const ready = imageReadiness(container, world)
  if ('waiting' in ready) return { plan: emptyPlan(), waiting: ready.waiting, wantsPull: true }
  const wait = whyNotStart(container, world)
  if (wait !== undefined) return { plan: emptyPlan(), waiting: wait }
  const root = whyRoot(container, ready.image, world)
  if (root !== undefined) return { plan: emptyPlan(), waiting: root }
  const name = freeName(subject)
  if (name === undefined) return { plan: emptyPlan(), waiting: nameConflict(subject) }
  const cause = whyCreate(subject)
  if (current !== undefined)
    builder.add({ type: 'removeContainer', container: current.id }, 'the engine reports it dead')
  for (const projected of resolved.projections) builder.add({ type: 'writeFiles', projected }, cause)
  builder.add(
    { type: 'createContainer', create: { ...resolved.create, name, mounts: mountsOf(subject) } },
    cause,
  )
  // The engine takes one network with the create call; the others join before the start.
  for (const attachment of resolved.create.networks.slice(1)) {
    builder.add(
      { type: 'connectNetwork', container: name, attachment },
      `spec.networks: ${attachment.network}`,
    )
  }
  retireStale(subject, stale)
  if (name !== engineName(container.metadata)) {
    builder.add({ type: 'renameContainer', container: name, name: engineName(container.metadata) }, cause)
  }
  if (wantsNoStart(container)) return { plan: builder.build() }
  builder.add(
    { type: 'startContainer', container: engineName(container.metadata) },
    `spec.state is ${container.spec.state}`,
  )
  return { plan: builder.build() }
}

function planExisting(subject: Subject, current: ObservedContainer): Decision {
  const { container, world, resolved, stale, builder } = subject
  if (current.state === 'removing') return { plan: emptyPlan() }
  if (isAlive(current)) {
    for (const observed of stale) {
      if (isAlive(observed))
        builder.add(stop(observed, container.spec.terminationGracePeriodSeconds), 'its successor runs')
      remove(builder, observed, { cause: 'its successor runs', keep: anonymousVolumes(current) })
    }
  } else retireStale(subject, stale)
  planDrift({ container, world, resolved, observed: current, builder })
  const running = isAlive(current) ? planRunning(subject, current) : planEnded(subject, current)
  return { plan: builder.build(), ...running }
}

/** Stops stale containers and moves them out of the name; they stay until the successor runs. */
function retireStale({ container, builder }: Subject, stale: readonly ObservedContainer[]): void {
  const cause = 'its successor is ready to start'
  for (const observed of stale) {
    if (isAlive(observed)) builder.add(stop(observed, container.spec.terminationGracePeriodSeconds), cause)
    if (observed.name !== engineName(container.metadata)) continue
    builder.add(
      { type: 'renameContainer', container: observed.id, name: previousName(container, observed) },
      cause,
    )
  }
}

/** The spec's mounts, and the data of its predecessor's anonymous volumes where the spec mounts nothing else. */
function mountsOf({ resolved, stale }: Subject): Mount[] {
  const { mounts } = resolved.create
  const inherited = (stale.at(-1)?.mounts ?? [])
    .filter((mount) => isAnonymous(mount) && !mounts.some(({ target }) => target === mount.target))
    .map(({ source, target, readOnly }) => ({ type: 'volume' as const, source, target, readOnly }))
  return [...mounts, ...inherited]
}

function whyCreate({ stale, resolved }: Subject): string {
  const previous = stale.at(-1)
  return (previous && whyRecreate(resolved, previous)) ?? 'it does not exist'
}

/** The object's own name, or that of a successor while its predecessor still has it; undefined when a stranger has it. */
function freeName({ container, world, stale }: Subject): string | undefined {
  const name = engineName(container.metadata)
  const holder = world.observed.containerNames.get(name)
  if (holder === undefined) return name
  if (!stale.some(({ id }) => id === holder)) return undefined
  const next = successorName(container.metadata)
  return world.observed.containerNames.has(next) ? undefined : next
}

function previousName(container: Container, observed: ObservedContainer): string {
  return `${engineName(container.metadata)}_prev-${observed.id.slice(0, 6)}`
}

function nameConflict({ container, world }: Subject): { reason: string; message: string } {
  const name = engineName(container.metadata)
  const id = world.observed.containerNames.get(name)?.slice(0, 12)
  const message = `the engine has another container named ${name} (${id}), which does not belong to ${objectKey(container.metadata)}; rename or remove it`
  return { reason: 'NameConflict', message }
}
