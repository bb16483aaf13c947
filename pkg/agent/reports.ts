/** What a pass tells the API: the status of each object that has settled, and what in it is worth an event. Pure. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { registryKind } from '#pkg/apis/registry.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import { rolloutNotes } from './container.rollout.ts'
import { reportRegistry, withOwnView } from './images/registrystatus.plan.ts'
import type { NodeDecision } from './node.plan.ts'
import { placedHere } from './placed.ts'
import { reportNetwork, reportVolume, withOwnReport } from './status.infra.ts'
import { statusNotes } from './status.notes.ts'
import { reportContainer } from './status.ts'
import { volumeNotes } from './volumenotes.ts'
import { type Decision, groupOf, type LastAction, type World } from './world.ts'

export interface ReportsInput {
  readonly world: World
  readonly decision: NodeDecision
  /** Groups with ops under way now. */
  readonly busy: ReadonlySet<string>
  readonly lastAction: (group: string) => LastAction | undefined
}

export interface StatusReport {
  readonly kind: Kind
  /** As the API has it; of what several nodes report, only this node's part. */
  readonly object: KubeObject
  readonly status: object
}

export interface ContainerReport {
  readonly container: Container
  readonly status: ContainerStatus
  readonly notes: readonly EventNote[]
  /** Absent: ops are under way for it. It is reported when they have ended, so that its status is written once. */
  readonly report?: StatusReport
}

/** Of all kinds but Container. */
export function infraReports(input: ReportsInput): StatusReport[] {
  const { world } = input
  const volumes = placedHere(world.desired.volumes, world).flatMap((volume): StatusReport[] => {
    const found = settled('Volume', volume, input)
    const status = found && reportVolume(volume, found, world)
    return status ? [{ kind: anyKind(volumeKind), object: volume, status }] : []
  })
  const networks = placedHere(world.desired.networks, world).flatMap((network): StatusReport[] => {
    const found = settled('Network', network, input)
    const status = found && reportNetwork(network, found, world)
    return status ? [{ kind: anyKind(networkKind), object: withOwnReport(network, world), status }] : []
  })
  return [...volumes, ...networks, ...registryReports(world)]
}

/** Of all Registries: every node says how its engine reaches them. */
function registryReports(world: World): StatusReport[] {
  return [...world.desired.registries.values()].flatMap((registry): StatusReport[] => {
    const status = reportRegistry(registry, world)
    const object = withOwnView(registry, world)
    return status ? [{ kind: anyKind(registryKind), object, status }] : []
  })
}

export function containerReports(input: ReportsInput): ContainerReport[] {
  const { world, decision, busy, lastAction } = input
  return placedHere(world.desired.containers, world).flatMap((container): ContainerReport[] => {
    const group = groupOf('Container', container.metadata)
    const found = decision.decisions.get(group)
    if (found === undefined || world.busy.has(group)) return []
    const status = reportContainer({ container, decision: found, world, lastAction: lastAction(group) })
    // Kept also when it is not written: how a run ended is seen only until the next run begins.
    const before = world.statuses.get(container.metadata.uid ?? '') ?? container.status
    const notes = [
      ...rolloutNotes(container, before, status),
      ...statusNotes(container, before, status),
      ...volumeNotes(container, { before, after: status }, world),
    ]
    const report = { kind: anyKind(containerKind), object: container, status }
    return [{ container, status, notes, ...(!busy.has(group) && { report }) }]
  })
}

/** What was decided on the object; undefined while ops are under way for it. */
function settled(
  kind: string,
  object: KubeObject,
  { world, decision, busy }: ReportsInput,
): Decision | undefined {
  const group = groupOf(kind, object.metadata)
  return busy.has(group) || world.busy.has(group) ? undefined : decision.decisions.get(group)
}
