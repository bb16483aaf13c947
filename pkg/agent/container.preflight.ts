/** What is in the way of a new container, as far as it can be known before anything is made or stopped. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Owner } from '#pkg/apis/looks.ts'
import { engineName, successorName } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { allOf } from './container.cast.ts'
import { isOurs } from './container.look.ts'
import { whyRoot } from './container.security.ts'
import { whyNotStart } from './container.start.ts'
import type { Subject } from './container.subject.ts'
import { imageReadiness } from './image.ts'
import { tellOwner } from './owned.ts'
import type { Waiting } from './world.ts'

/** Everything that can be known to be in the way before anything is made or stopped. */
export function preflight(
  { container, world, cast }: Subject,
  candidate: ObservedContainer | undefined,
): { readonly waiting: Waiting; readonly wantsPull?: true } | undefined {
  if (candidate === undefined) {
    const ready = imageReadiness(container, world)
    if ('waiting' in ready) return { waiting: ready.waiting, wantsPull: true }
    const root = whyRoot(container, ready.image, world)
    const wait = whyNotStart(container, world) ?? root
    if (wait !== undefined) return { waiting: wait }
  } else {
    const wait = whyNotStart(container, world)
    if (wait !== undefined) return { waiting: wait }
  }
  const names =
    cast.current === undefined ? [engineName(container.metadata)] : [successorName(container.metadata)]
  const own = new Set(allOf(cast).map(({ id }) => id))
  const holderOf = (name: string) => world.observed.containerNames.get(name)
  const taken = [engineName(container.metadata), ...names].find(
    (name) => holderOf(name) !== undefined && !own.has(holderOf(name) ?? ''),
  )
  return taken === undefined ? undefined : { waiting: nameConflict(container, world, taken) }
}

function nameConflict({ metadata }: Container, world: Subject['world'], name: string): Waiting {
  const { observed, clusterID } = world
  const id = observed.containerNames.get(name) ?? ''
  const holder = observed.containers.find((container) => container.id === id)
  const labels = holder?.labels ?? {}
  const owner = tellOwner(labels, undefined)
  const whose = ownerText(owner, isOurs(labels, { clusterID }))
  const told = [id.slice(0, 12), ...(holder === undefined ? [] : [`image ${holder.image}`]), ...whose]
  // An object that is there already is left alone by `cove adopt`.
  const adopt =
    owner.type === 'OtherCluster'
      ? ''
      : `, or delete this Container and take that one over with \`cove adopt ${name}\``
  const message = `the engine has another container named ${name} (${told.join(', ')}), which does not belong to ${objectKey(metadata)}: rename or remove it${adopt}`
  return { reason: 'NameConflict', message }
}

function ownerText({ type, namespace, name = '' }: Owner, isHere: boolean): string[] {
  if (type === 'ComposeProject') return [`of Compose project ${name}`]
  if (type === 'SwarmService') return [`of Swarm service ${name}`]
  if (type === 'KubernetesPod') return [`of Pod ${namespace}/${name}`]
  const object = `of Container ${namespace}/${name}`
  return type === 'OtherCluster' ? [isHere ? object : `${object} of another Cove`] : []
}
