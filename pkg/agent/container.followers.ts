/**
 * Containers that share the network of another one: whom they join, when they have to begin anew, and who has to stop
 * before the other one does. A network lives as long as the run of the container it was made for; whoever joined an
 * earlier one has nothing but a loopback interface. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { PlanBuilder } from '#pkg/plan/plan.ts'
import { currentContainer } from './container.cast.ts'
import { containersOf, isAlive } from './container.look.ts'
import type { AgentOp } from './ops.ts'
import { groupOf, type Waiting, type World } from './world.ts'

/** What is read of a world. */
export type Surroundings = Pick<World, 'desired' | 'observed' | 'clusterID'>

/**
 * The Containers of this node that share the container's network, directly or through another one, in the order in
 * which to stop them: none before those that follow it.
 */
export function followersOf(container: Container, world: Pick<World, 'desired'>): Container[] {
  const found = new Map<string, Container>()
  collect(container, world, found)
  found.delete(objectKey(container.metadata))
  return [...found.values()].reverse()
}

function collect(owner: Container, world: Pick<World, 'desired'>, found: Map<string, Container>): void {
  const { namespace } = owner.metadata
  for (const follower of world.desired.containers.values()) {
    const key = objectKey(follower.metadata)
    if (follower.metadata.namespace !== namespace || found.has(key)) continue
    if (sharedNetworkOf(follower.spec) !== owner.metadata.name) continue
    found.set(key, follower)
    collect(follower, world, found)
  }
}

/** The container whose network it is to join, or why there is none; undefined when it shares nobody's. */
export function networkOwner(
  container: Container,
  world: Surroundings,
): { readonly owner: ObservedContainer } | { readonly missing: Waiting } | undefined {
  const name = sharedNetworkOf(container.spec)
  if (name === undefined) return undefined
  const { namespace = 'default' } = container.metadata
  const object = world.desired.containers.get(objectKey({ namespace, name }))
  if (object === undefined) return { missing: missing(name, 'does not exist on this node') }
  if (object.metadata.deletionTimestamp !== undefined) return { missing: missing(name, 'is being deleted') }
  const owner = serving(object, world)
  return owner === undefined ? { missing: missing(name, 'has no container yet') } : { owner }
}

/** Why it cannot be started, or has no network although it runs. */
export function whyNoSharedNetwork(container: Container, world: Surroundings): Waiting | undefined {
  const found = networkOwner(container, world)
  if (found === undefined) return undefined
  if ('missing' in found) return found.missing
  const { owner } = found
  if (isAlive(owner)) return undefined
  const name = sharedNetworkOf(container.spec) ?? ''
  const code = owner.state === 'exited' ? ` with exit code ${owner.exitCode}` : ''
  return missing(name, `is ${owner.state}${code}`)
}

/** Why it must not be started now: whoever is at work on the other container may be about to stop it. */
export function whyOwnerBusy(container: Container, world: World): Waiting | undefined {
  const name = sharedNetworkOf(container.spec)
  return name !== undefined && isOwnerBusy(container, world) ? missing(name, 'is being worked on') : undefined
}

function isOwnerBusy({ metadata, spec }: Container, { busy }: World): boolean {
  const name = sharedNetworkOf(spec)
  const { namespace = 'default' } = metadata
  return name !== undefined && busy.has(groupOf('Container', { namespace, name }))
}

/** Why a container that runs has to be started anew: its network is that of a run that has ended. */
function whyStartAnew(container: Container, observed: ObservedContainer, world: World): string | undefined {
  if (container.spec.state !== 'Running' || observed.state !== 'running') return undefined
  if (isOwnerBusy(container, world)) return undefined
  const found = networkOwner(container, world)
  if (found === undefined || 'missing' in found || !isAlive(found.owner)) return undefined
  if (startOf(found.owner) <= startOf(observed)) return undefined
  const name = sharedNetworkOf(container.spec)
  return `spec.networkMode: it shares the network of Container ${name}, which was started anew`
}

export interface StartAnew {
  readonly container: Container
  readonly world: World
  readonly builder: PlanBuilder<AgentOp>
}

/** Restarts one whose network is that of a run that has ended, unless it is restarted for another reason already. */
export function startAnew({ container, world, builder }: StartAnew, observed: ObservedContainer): void {
  const cause = whyStartAnew(container, observed, world)
  if (cause === undefined || builder.build().ops.some(({ op }) => op.type === 'restartContainer')) return
  const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
  builder.add({ type: 'restartContainer', container: observed.id, gracePeriod }, cause)
}

/** Whether the engine will not start it, whatever its object says: what it is bound to does not run. */
export function leansOnNobody(
  { networkMode, links = [] }: ObservedContainer,
  { observed }: Pick<World, 'observed'>,
): boolean {
  const runs = (is: (one: ObservedContainer) => boolean) =>
    observed.containers.some((one) => is(one) && isAlive(one))
  const [mode, owner] = networkMode.split(':')
  if (mode === 'container' && !runs(({ id }) => id === owner)) return true
  return links.some((link) => !runs(({ name }) => name === link.split(':')[0]))
}

/** By its name: while a container is being replaced, its successor on trial already runs. */
function serving(object: Container, world: Surroundings): ObservedContainer | undefined {
  const name = engineName(object.metadata)
  const named = containersOf(object, world).find((observed) => observed.name === name)
  return named ?? currentContainer(object, world)
}

function startOf({ startedAt, createdAt }: ObservedContainer): number {
  return Date.parse(startedAt ?? createdAt)
}

function missing(name: string, what: string): Waiting {
  const message = `spec.networkMode: it shares the network of Container ${name}, which ${what}`
  return { reason: 'NetworkContainerNotRunning', message }
}
