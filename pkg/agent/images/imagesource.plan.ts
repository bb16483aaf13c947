/** Images that no registry has: of an archive, of files, of what a container has written, of a Build. By the lead alone. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { currentContainer } from '../container.cast.ts'
import type { AgentOp } from '../ops.ts'
import { type Decision, groupOf, type Waiting, type World } from '../world.ts'
import { toldAddress } from './address.ts'
import { whyNotBuilt } from './built.ts'
import { fileOf, sourceFingerprint } from './source.ts'

/** `lost`: the id of what was made before, which the node has not got any more. */
export function planMaking(image: Image, lost: string | undefined, world: World): Decision {
  const { reference, source } = image.spec
  const cause =
    lost === undefined
      ? `spec.source: ${reference} is not made yet`
      : `image ${lost.slice(0, 19)} is not on the node any more`
  const op = fromFile(image)
  if (op !== undefined) return { plan: groupOfImage(image).add(op, cause).build() }
  if (source?.commit !== undefined) return planCommit(image, { lost, cause }, world)
  if (source?.build !== undefined) return waits(whyNotBuilt(image, world))
  return waits({ reason: 'SourceMissing', message: `spec.source says nothing that a node could do` })
}

function fromFile(image: Image): AgentOp | undefined {
  const { reference, source, platform } = image.spec
  const made = sourceFingerprint(image.spec)
  if (source?.archive !== undefined)
    return { type: 'loadImage', reference, from: fileOf(image, source.archive), made }
  if (source?.rootfs === undefined) return undefined
  const { changes, message } = source.rootfs
  const { url } = source.rootfs
  const said = message ?? (url === undefined ? undefined : `Imported from ${toldAddress(url)}`)
  return {
    type: 'importImage',
    reference,
    from: fileOf(image, source.rootfs),
    changes,
    ...(said !== undefined && { message: said }),
    ...(platform !== undefined && { platform }),
    made,
  }
}

/** Only once: the container goes on writing, so another commit would be another image. */
function planCommit(
  image: Image,
  { lost, cause }: { readonly lost: string | undefined; readonly cause: string },
  world: World,
): Decision {
  const { reference, source } = image.spec
  if (source?.commit === undefined) return { plan: emptyPlan() }
  if (lost !== undefined) return waits(committedLost(image, lost, world))
  const { container, author, message, changes, pause } = source.commit
  const { namespace = 'default' } = image.metadata
  const object = world.desired.containers.get(objectKey({ namespace, name: container }))
  const found = object && currentContainer(object, world)
  if (found === undefined) return waits(noContainer(container, object !== undefined, world))
  const early = whyEarly(found)
  if (early !== undefined)
    return waits({ reason: 'WaitingForContainer', message: `Container ${container} ${early}` })
  const volumes = found.mounts.map(({ target }) => target).sort()
  const lacks = volumes.length === 0 ? '' : `; what is mounted at ${volumes.join(', ')} is not in it`
  const op: AgentOp = {
    type: 'commitImage',
    container: found.id,
    reference,
    ...(author !== undefined && { author }),
    ...(message !== undefined && { message }),
    changes,
    pause,
    made: sourceFingerprint(image.spec),
  }
  return { plan: groupOfImage(image).add(op, `${cause}${lacks}`).build() }
}

/** What it writes at its start belongs to it: a container is taken when it has begun and, where that is checked, is ready. */
function whyEarly({ startedAt, health }: ObservedContainer): string | undefined {
  if (startedAt === undefined) return 'has not started yet'
  return health?.status === 'starting' ? 'is not healthy yet' : undefined
}

function committedLost({ spec }: Image, id: string, { nodeName }: World): Waiting {
  const container = spec.source?.commit?.container ?? ''
  const message = `image ${id.slice(0, 19)}, which was made of Container ${container}, is not on node ${nodeName} any more; it is made anew when spec.source.commit changes`
  return { reason: 'ImageNotFound', message }
}

function noContainer(name: string, isHere: boolean, { nodeName }: World): Waiting {
  const message = isHere
    ? `spec.source.commit.container: Container ${name} is not made on node ${nodeName} yet`
    : `spec.source.commit.container: Container ${name} is not on node ${nodeName}, where the image is to be made`
  return { reason: 'WaitingForContainer', message }
}

function waits(waiting: Waiting): Decision {
  return { plan: emptyPlan(), waiting }
}

function groupOfImage(image: Image): PlanBuilder<AgentOp> {
  return new PlanBuilder<AgentOp>(groupOf('Image', image.metadata))
}
