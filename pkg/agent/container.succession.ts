/**
 * The ops of a succession: the new container is made, the old one leaves, the new one takes the name. What nobody named
 * goes along. Pure.
 */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { type Aside, asideName, engineName, successorName } from '#pkg/apis/wellknown.ts'
import type { Mount, ObservedContainer } from '#pkg/engine/port.ts'
import { allOf, currentContainer } from './container.cast.ts'
import { wantsNoStart } from './container.created.ts'
import { whyRecreate } from './container.drift.ts'
import { fingerprintOf } from './container.failure.ts'
import { followersOf } from './container.followers.ts'
import { isAlive, isAnonymous, previousStatus } from './container.look.ts'
import { anonymousVolumes, remove, stop } from './container.remove.ts'
import { fits, type Subject } from './container.subject.ts'
import { restartState } from './restart.ts'

export function dropUnfitNext(subject: Subject): void {
  const { next } = subject.cast
  if (next !== undefined && !fits(subject, next)) dropNext(subject, 'it is not wanted any more')
}

/** Also one that fits: a successor that was made for another reason is not gone on with. */
export function dropNext({ container, cast, builder }: Subject, cause: string): void {
  const { next } = cast
  if (next === undefined) return
  if (isAlive(next)) builder.add(stop(next, container.spec.terminationGracePeriodSeconds), cause)
  const keep = allOf(cast)
    .filter((each) => each !== next)
    .flatMap(anonymousVolumes)
  remove(builder, next, { cause, keep })
}

/** Makes the new container, under the object's name if that is free; resolves to its name. */
export function makeNext(subject: Subject, cause: string, { heals }: { heals?: true } = {}): string {
  const { container, cast, resolved, builder } = subject
  const own = engineName(container.metadata)
  const name = cast.current === undefined ? own : successorName(container.metadata)
  for (const projected of resolved.projections) builder.add({ type: 'writeFiles', projected }, cause)
  builder.add(
    {
      type: 'createContainer',
      create: { ...resolved.create, name, mounts: mountsOf(subject) },
      ...(heals && { heals }),
    },
    cause,
  )
  // The engine takes one network with the create call; the others join before the start.
  for (const attachment of resolved.create.networks.slice(1)) {
    builder.add(
      { type: 'connectNetwork', container: name, attachment },
      `spec.networks: ${attachment.network}`,
    )
  }
  return name
}

interface TakeOver {
  readonly container: string
  readonly name: string
  readonly starts: boolean
  /** It has run before: only its name tells that it has not yet run as the one that serves. */
  readonly isOld?: boolean
  readonly cause: string
}

export function takeOver({ container, builder }: Subject, { isOld = false, ...who }: TakeOver): void {
  const name = engineName(container.metadata)
  const starts = who.starts && !wantsNoStart(container)
  const start = () => {
    const started = who.name === who.container && !isOld ? name : who.container
    builder.add({ type: 'startContainer', container: started }, `spec.state is ${container.spec.state}`)
  }
  if (starts && isOld) start()
  if (who.name !== name) builder.add({ type: 'renameContainer', container: who.container, name }, who.cause)
  if (starts && !isOld) start()
}

/** Stops the container that serves, after those that share its network, and moves it out of the name. */
export function retire(
  subject: Subject,
  current: ObservedContainer,
  { aside = roleOfRetired(subject, current), cause }: { aside?: Aside; cause: string },
): void {
  const { container, world, builder } = subject
  for (const follower of followersOf(container, world)) {
    const observed = currentContainer(follower, world)
    if (observed === undefined || !isAlive(observed)) continue
    const why = `it shares the network of Container ${container.metadata.name}, which is replaced`
    builder.add(stop(observed, follower.spec.terminationGracePeriodSeconds), why)
  }
  if (isAlive(current)) builder.add(stop(current, container.spec.terminationGracePeriodSeconds), cause)
  const name = asideName(container.metadata, aside, current.id)
  builder.add({ type: 'renameContainer', container: current.id, name }, cause)
}

/** Parked if it worked: there would be no use in going back to it otherwise. */
function roleOfRetired({ container, world, cast, resolved }: Subject, current: ObservedContainer): Aside {
  // It says that it is what is wanted, and is not: nobody ever asked for such a one.
  if (fingerprintOf(current) === resolved.fingerprint) return 'old'
  const previous = previousStatus(container, world)
  const stable = previous?.rollout?.stable
  const proven = cast.parked.some((parked) => fingerprintOf(parked) === stable)
  if (proven && fingerprintOf(current) !== stable) return 'old'
  return hasWorked(current, previous) ? 'prev' : 'old'
}

function hasWorked(current: ObservedContainer, previous: ContainerStatus | undefined): boolean {
  if (isAlive(current)) return current.health?.status !== 'unhealthy'
  if (current.state !== 'exited') return false
  const told = previous?.containerID === current.id && previous.startedAt === current.startedAt
  const { phase = 'Unknown', health } = previous ?? {}
  if (told && health?.status === 'unhealthy' && health.failingStreak > 0) return false
  if (told && ['Running', 'Paused', 'Stopped', 'Succeeded'].includes(phase)) return true
  return restartState(previous, current).crashStreak <= 1
}

/** The spec's mounts, and the data of its predecessor's anonymous volumes where the spec mounts nothing else. */
function mountsOf({ resolved, cast }: Subject): Mount[] {
  const { mounts } = resolved.create
  const heir = cast.current ?? cast.parked[0] ?? cast.next ?? cast.old.at(-1) ?? cast.failed.at(-1)
  return [
    ...mounts,
    ...(heir === undefined
      ? []
      : inheritedMounts(
          heir,
          mounts.map(({ target }) => ({ mountPath: target })),
        )),
  ]
}

export function inheritedMounts(
  { mounts }: ObservedContainer,
  wanted: readonly { readonly mountPath: string }[],
): Mount[] {
  return mounts
    .filter((mount) => isAnonymous(mount) && !wanted.some(({ mountPath }) => mountPath === mount.target))
    .map(({ source, target, readOnly }) => ({ type: 'volume' as const, source, target, readOnly }))
}

export function whyChange({ cast, resolved }: Subject): string {
  const previous = cast.current ?? cast.parked[0] ?? cast.next
  return (previous && whyRecreate(resolved, previous)) ?? 'it does not exist'
}
