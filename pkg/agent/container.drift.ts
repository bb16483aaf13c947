/** What differs between a container and its wish: what only a new container mends, and what is mended in place. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels, engineName } from '#pkg/apis/wellknown.ts'
import type { NetworkAttachment, ObservedContainer, ResourceLimits } from '#pkg/engine/port.ts'
import type { PlanBuilder } from '#pkg/plan/plan.ts'
import { differences } from './container.differences.ts'
import { securityDrift } from './container.security.ts'
import { tell } from './difference.ts'
import type { AgentOp } from './ops.ts'
import type { Resolved } from './resolve.ts'
import type { World } from './world.ts'

export interface DriftInput {
  readonly container: Container
  readonly world: World
  readonly resolved: Resolved
  readonly observed: ObservedContainer
  readonly builder: PlanBuilder<AgentOp>
}

/** Why the container cannot become what is wanted, naming the field; undefined when it can. */
export function whyRecreate(resolved: Resolved, observed: ObservedContainer): string | undefined {
  const found = observed.labels[engineLabels.fingerprint]
  const why = found === resolved.fingerprint ? undefined : whyOther(resolved, observed)
  if (why !== undefined) return why
  const bereft = whyBereft(resolved, observed)
  if (bereft !== undefined) return bereft
  const rights = securityDrift(resolved.create, observed)
  if (rights !== undefined) return rights
  const { limits } = resolved.create
  // Engines change these limits of an existing container, but have no word for taking one away.
  const lifted = (['cpus', 'memoryBytes'] as const).find(
    (key) => limits[key] === 0 && observed.limits[key] > 0,
  )
  return (
    lifted &&
    `${limitFields[lifted]}: want none, found ${observed.limits[lifted]}, which cannot be lifted in place`
  )
}

/** At most so many fields are named. */
const fieldsNamed = 5

/** By the fields that differ, as far as the engine tells them. */
function whyOther(resolved: Resolved, observed: ObservedContainer): string | undefined {
  const found = observed.labels[engineLabels.fingerprint]
  const all = differences(resolved, observed).filter(({ change }) => change === 'recreate')
  const named = all.slice(0, fieldsNamed).map(tell).join('; ')
  // One that was taken over has nothing else to be known by than what it is.
  if (all.length === 0 && found === undefined) return undefined
  if (all.length === 0)
    return `the resolved spec changed: fingerprint ${found} is now ${resolved.fingerprint}`
  return all.length > fieldsNamed ? `${named}; and ${all.length - fieldsNamed} more` : named
}

/**
 * Why a container that was made for this very wish is of no use any more: what it is bound to is another container than
 * the one that has the name now.
 */
export function whyBereft(resolved: Resolved, observed: ObservedContainer): string | undefined {
  if (observed.labels[engineLabels.fingerprint] !== resolved.fingerprint) return undefined
  return whyOtherNetwork(resolved, observed) ?? whyOtherLinks(resolved, observed)
}

/** Nobody moves from one container's network to another's. */
function whyOtherNetwork(
  { create, sharesNetworkOf }: Resolved,
  found: ObservedContainer,
): string | undefined {
  const wanted = create.networkMode
  if (sharesNetworkOf === undefined || wanted === undefined || wanted === found.networkMode) return undefined
  const short = (mode: string) => mode.replace(/^(container:.{12}).*$/, '$1')
  return `spec.networkMode: it shares the network of Container ${sharesNetworkOf}, which was replaced: want ${short(wanted)}, found ${short(found.networkMode)}`
}

/** On the default bridge a link is to the very container: when that is replaced, the name leads to what it was. */
function whyOtherLinks({ create: { links = [] } }: Resolved, found: ObservedContainer): string | undefined {
  const there = found.links ?? []
  if (sameMembers(links, there)) return undefined
  return `spec.links: want ${links.join(', ') || 'none'}, found ${there.join(', ') || 'none'}`
}

export function planDrift(input: DriftInput): void {
  driftOfName(input)
  driftOfLimits(input)
  driftOfNetworks(input)
}

const limitFields = {
  cpus: 'spec.resources.limits.cpu',
  memoryBytes: 'spec.resources.limits.memory',
  pids: 'spec.resources.limits.pids',
} as const

function driftOfName({ container, world, observed, builder }: DriftInput): void {
  const name = engineName(container.metadata)
  if (observed.name === name || builder.build().ops.length > 0) return
  if (world.observed.containerNames.has(name)) return
  const cause = `metadata.name: want ${name}, found ${observed.name}`
  builder.add({ type: 'renameContainer', container: observed.id, name }, cause)
}

function driftOfLimits({ resolved, observed, builder }: DriftInput): void {
  const wanted = resolved.create.limits
  const causes = [
    ...differing(wanted, observed.limits),
    ...(observed.restartPolicy === 'no'
      ? []
      : [`the engine's restart policy: want no, found ${observed.restartPolicy}`]),
  ]
  if (causes.length === 0) return
  builder.add({ type: 'updateContainer', container: observed.id, limits: wanted }, causes.join('; '))
}

function differing(wanted: ResourceLimits, found: ResourceLimits): string[] {
  return (['cpus', 'memoryBytes', 'pids'] as const)
    .filter((key) => Math.abs(wanted[key] - found[key]) > 1e-9)
    .map((key) => `${limitFields[key]}: want ${wanted[key] || 'none'}, found ${found[key] || 'none'}`)
}

/** Without networks of its own a container belongs on the engine's default bridge. */
const defaultNetwork = 'bridge'

function driftOfNetworks({ resolved, observed, world, builder }: DriftInput): void {
  const { networks, networkMode = defaultNetwork } = resolved.create
  // Nobody leaves or joins the network of the node, or of another container, while running.
  if (networkMode === 'host' || networkMode.startsWith('container:')) return
  const only: NetworkAttachment = { network: networkMode, aliases: [] }
  // An engine may run without a default bridge; where it puts such containers is then its own affair.
  const hasNetwork = world.observed.networks.some(({ name }) => name === only.network)
  if (networks.length === 0 && !hasNetwork) return
  const wanted = networks.length === 0 ? [only] : networks
  for (const { network } of observed.networks) {
    if (wanted.some((attachment) => attachment.network === network)) continue
    builder.add(
      { type: 'disconnectNetwork', container: observed.id, network },
      `spec.networks: ${network} is not wanted`,
    )
  }
  // What is not there cannot be joined; the decision says that the container waits for it.
  const there = wanted.filter(({ network }) => world.observed.networks.some(({ name }) => name === network))
  for (const attachment of there) connectWanted(attachment, observed, builder)
}

function connectWanted(
  attachment: NetworkAttachment,
  observed: ObservedContainer,
  builder: PlanBuilder<AgentOp>,
): void {
  const { network } = attachment
  const existing = observed.networks.find((candidate) => candidate.network === network)
  if (existing === undefined) {
    const cause = `spec.networks: want ${network}, found it disconnected`
    builder.add({ type: 'connectNetwork', container: observed.id, attachment }, cause)
    return
  }
  const cause = whyConnectAnew(attachment, existing)
  if (cause === undefined) return
  builder.add({ type: 'disconnectNetwork', container: observed.id, network }, cause)
  builder.add({ type: 'connectNetwork', container: observed.id, attachment }, cause)
}

function whyConnectAnew(wanted: NetworkAttachment, found: NetworkAttachment): string | undefined {
  const { network } = wanted
  const differ = (what: string, want: readonly string[], there: readonly string[]) =>
    sameMembers(want, there)
      ? undefined
      : `${what} in ${network}: want ${want.join(', ') || 'none'}, found ${there.join(', ') || 'none'}`
  return (
    differ('spec.networks: aliases', wanted.aliases, found.aliases) ??
    differ('spec.links', wanted.links ?? [], found.links ?? [])
  )
}

function sameMembers(left: readonly string[], right: readonly string[]): boolean {
  return [...left].sort().join() === [...right].sort().join()
}
