/**
 * Which images a node gets from another node instead of a registry, and from which. Pure.
 *
 * - The lead of an Image with `spec.source.node` gets what that node calls by `spec.reference`.
 * - All other nodes get an image that no registry has (archive, rootfs, commit, build, node) by its id: from the lead, or, while
 *   that is not ready, from any other node that is.
 * - With `spec.peers` the image of a registry comes from a node that is ready, too; when that fails, from the registry.
 */
import type { Image } from '#pkg/apis/image.ts'
import { numberOf } from '../image.ts'
import type { OpOf } from '../ops.ts'
import { groupOf, type Waiting, type World } from '../world.ts'
import { imageArchitecture } from './architecture.ts'
import { atDigest, digestIn, nameOf, ownerOfName } from './names.ts'
import { comesFromRegistry, foundReference, leads, sourceFingerprint, statusOf } from './source.ts'

export type Transfer =
  | {
      readonly op: OpOf<'transferImage'>
      readonly cause: string
    }
  /** Only nodes have it, and none of them can send it now. */
  | { readonly waiting: Waiting }

/**
 * To be asked when the image is not on this node, before anything is pulled or made. Undefined: no node is to be asked;
 * pull it, or make it of its source. The op loads the image and gives it `references`. With `made`, the lead's
 * status keeps that and the id that the op results in, as for loadImage.
 */
export function planTransfer(image: Image, world: World): Transfer | undefined {
  if (leads(image, world) && image.spec.source?.node !== undefined) return fromSource(image, world)
  const reference = foundReference(image, world)
  if (reference === undefined) return undefined
  if (comesFromRegistry(image.spec)) return fromPeer(image, reference, world)
  return leads(image, world) ? undefined : fromHolder(image, reference, world)
}

/** Whether an Image's last transfer failed, so that what comes next is the registry. */
export function hasTransferFailed({ metadata }: Image, { holds }: Pick<World, 'holds'>): boolean {
  return holds.get(groupOf('Image', metadata))?.op?.type === 'transferImage'
}

function fromSource(image: Image, world: World): Transfer | undefined {
  const { reference, source } = image.spec
  const from = source?.node
  if (from === undefined) return undefined
  if (from === world.nodeName) return { waiting: notHere(reference, from) }
  return {
    op: transferOp(image, { from, known: reference }, world),
    cause: `spec.source.node: ${from} has it`,
  }
}

function notHere(reference: string, node: string): Waiting {
  const message = `spec.source.node: ${reference} is not on node ${node}, which is the lead itself`
  return { reason: 'ImageNotFound', message }
}

/** By its id, which is the same on all nodes. */
function fromHolder(image: Image, id: string, world: World): Transfer {
  const { nodeName: lead = '' } = image.spec
  const ready = readyNodes(image, id, world)
  const from = ready.includes(lead) ? lead : ready[turnOf(image, ready.length, world)]
  if (from === undefined) {
    const message = `only node ${lead} has it, and does not say that it is ready; node ${world.nodeName} waits for it`
    return { waiting: { reason: 'WaitingForLead', message } }
  }
  return { op: transferOp(image, { from, known: id }, world), cause: `status.reference: node ${from} has it` }
}

function fromPeer(image: Image, reference: string, world: World): Transfer | undefined {
  const { peers, pullPolicy } = image.spec
  if (!peers || pullPolicy === 'Never' || hasTransferFailed(image, world)) return undefined
  const { id, architecture } = statusOf(image, world)
  if (id === undefined || digestIn(reference) === undefined || !fits(architecture, world)) return undefined
  const ready = readyNodes(image, id, world)
  const from = ready[turnOf(image, ready.length, world)]
  if (from === undefined) return undefined
  // What a lead says of an image's id opens no other image to it: of a node it asks by the registry's name.
  const known = leads(image, world) ? atDigest(reference) : id
  const op = transferOp(image, { from, known }, world)
  return { op, cause: `spec.peers: node ${from} has it` }
}

function transferOp(
  image: Image,
  { from, known }: { readonly from: string; readonly known: string },
  world: World,
): OpOf<'transferImage'> {
  const name = nameOf(image.spec.reference)
  const isFree = name !== undefined && ownerOfName(image, name, world) === undefined
  return {
    type: 'transferImage',
    from,
    image: known,
    references: isFree ? [name] : [],
    ...(leads(image, world) && !comesFromRegistry(image.spec) && { made: sourceFingerprint(image.spec) }),
  }
}

/** Other nodes that have that very image, in the order of their names. */
function readyNodes(image: Image, id: string, world: World): string[] {
  const states = Object.entries({ ...image.status?.nodes, ...statusOf(image, world).nodes })
  return states
    .filter(([node, state]) => node !== world.nodeName && state.state === 'Ready' && state.id === id)
    .map(([node]) => node)
    .sort()
}

/** Different nodes ask different ones. */
function turnOf(image: Image, count: number, { nodeName }: World): number {
  return count === 0 ? 0 : numberOf([image.metadata.uid, nodeName], 8) % count
}

/** The same digest may stand for images of several processors; where this node's is not known it is taken for the lead's. */
function fits(architecture: string | undefined, { desired }: World): boolean {
  const own = desired.node?.status?.architecture
  return own === undefined || architecture === undefined || imageArchitecture(own) === architecture
}
