/**
 * The status of an Image: its lead's word on all of it, and each node's on itself. Nobody writes what others have to say:
 * other nodes' parts, and which images were rejected. Pure.
 */
import { setCondition } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageNodeState, ImageStatus } from '#pkg/apis/image.ts'
import type { DeclaredConfig } from '#pkg/engine/images.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { canonicalImage, digestOf } from '../image.ts'
import { type Decision, groupOf, type Hold, type Waiting, type World } from '../world.ts'
import { troubleOfBuild } from './built.ts'
import { type Held, heldImage } from './held.ts'
import { askGroup, pushGroup } from './imagegroups.ts'
import { isCollected } from './imageobject.plan.ts'
import { progressOf } from './imageprogress.ts'
import { nameInUse, unpushed } from './imagepush.plan.ts'
import { atDigest, digestIn, madeFrom } from './names.ts'
import { registryRests } from './registryhold.ts'
import { leads, sourceFingerprint, statusOf } from './source.ts'

type Condition = NonNullable<ImageStatus['conditions']>[number]

/** The Image as if nobody but this node had said anything of it: what a new report is compared with. */
export function withOwnWord(image: Image, { nodeName }: Pick<World, 'nodeName'>): Image {
  const { status } = image
  if (status === undefined) return image
  const own = status.nodes?.[nodeName]
  const nodes = own === undefined ? {} : { nodes: { [nodeName]: own } }
  if (image.spec.nodeName !== nodeName) return { ...image, status: nodes }
  const { rejected: _, nodes: __, ...rest } = status
  return { ...image, status: { ...rest, ...nodes } }
}

/** Of the lead all but what `withOwnWord` leaves out; of any other node its own part. */
export function reportImage(image: Image, decision: Decision, world: World): ImageStatus {
  const held = heldImage(image, world)
  const here = stateHere({ image, held, decision, world })
  const nodes = { [world.nodeName]: nodeState(here, held, world) }
  if (!leads(image, world)) return { nodes }
  const { rejected: _, nodes: __, ...before } = statusOf(image, world)
  const found = held.state === 'unknown' ? {} : foundParts(image, held.reference)
  const seen = held.state === 'here' ? seenParts(held, world) : {}
  const generation = image.metadata.generation ?? 0
  return {
    ...(held.state === 'here' ? stillTrue(before, held.image) : before),
    phase: phaseOf(here),
    observedGeneration: generation,
    resolved: canonicalImage(image.spec.reference),
    ...found,
    ...seen,
    conditions: conditionsOf(image, { here, held, before }, world),
    nodes,
  }
}

interface StateHere {
  readonly state: ImageNodeState['state'] | 'Terminating'
  readonly reason: string
  readonly message: string
  readonly layers?: NonNullable<ImageNodeState['layers']>
}

interface Looking {
  readonly image: Image
  readonly held: Held
  readonly decision: Decision
  readonly world: World
}

function stateHere({ image, held, decision, world }: Looking): StateHere {
  const { waiting } = decision
  const deleting = image.metadata.deletionTimestamp !== undefined
  if (waiting?.reason === 'InUse') return { state: 'InUse', ...waiting }
  const hold = world.holds.get(groupOf('Image', image.metadata))
  if (deleting)
    return { state: 'Terminating', ...(hold ? said(hold) : { reason: 'Terminating', message: 'it goes' }) }
  const progress = held.state === 'here' ? undefined : progressOf(image, world)
  if (progress !== undefined) return pulling(progress)
  if (held.state !== 'here' && hold !== undefined) return { state: 'Failed', ...said(hold) }
  if (waiting !== undefined) return { state: isPatience(waiting) ? 'Pending' : 'Failed', ...waiting }
  if (held.state === 'here')
    return {
      state: 'Ready',
      reason: 'Present',
      message: presentMessage(
        troubleOf(image, hold ?? world.holds.get(askGroup(image.metadata)), world),
        world,
      ),
    }
  if (isCollected(image, world))
    return { state: 'Collected', reason: 'Collected', message: 'it was pruned here; nothing needs it' }
  return { state: 'Pending', reason: 'Pending', message: 'it is not here yet' }
}

/** Nothing is wrong: somebody or something else comes first. */
function isPatience({ reason }: Waiting): boolean {
  return reason.startsWith('Waiting')
}

function said(hold: Hold): { reason: string; message: string } {
  return { reason: hold.reason, message: `${hold.action}: ${hold.message}` }
}

function pulling(layers: NonNullable<ImageNodeState['layers']>): StateHere {
  const done = layers.filter(({ state }) => /complete|exists|Pushed/i.test(state)).length
  const message = layers.length === 0 ? 'it is on its way' : `${done} of ${layers.length} layers are here`
  return { state: 'Pulling', reason: 'Pulling', message, layers }
}

function presentMessage(trouble: string | undefined, { nodeName }: World): string {
  return `it is on node ${nodeName}${trouble === undefined ? '' : `; ${trouble}`}`
}

/** What goes wrong with something newer than what is here. */
function troubleOf(image: Image, hold: Hold | undefined, world: World): string | undefined {
  if (hold !== undefined) return `${hold.action}: ${hold.message}`
  return leads(image, world) ? troubleOfBuild(image, world) : undefined
}

function nodeState(here: StateHere, held: Held, world: World): ImageNodeState {
  const { state, reason, message, layers = [] } = here
  const image = held.state === 'here' ? held.image : undefined
  const digest = held.state === 'here' ? digestHere(held) : undefined
  return {
    state: state === 'Terminating' ? 'Pending' : state,
    ...(image !== undefined && { id: image.id, usedBy: madeFrom(image, world) }),
    ...(digest !== undefined && { digest }),
    ...(state !== 'Ready' && { reason, message }),
    ...(layers.length > 0 && { layers }),
  }
}

function phaseOf({ state }: StateHere): NonNullable<ImageStatus['phase']> {
  if (state === 'InUse') return 'Terminating'
  return state === 'Collected' ? 'Pending' : state
}

function foundParts(image: Image, reference: string): Partial<ImageStatus> {
  return { reference, source: sourceFingerprint(image.spec) }
}

/** Also when the engine has lost it: what the reference says. */
function digestHere({ image, reference }: { image: ObservedImage; reference: string }): string | undefined {
  return digestIn(reference) === undefined ? digestOf(image, reference) : atDigest(reference)
}

function seenParts(held: Extract<Held, { state: 'here' }>, world: World): Partial<ImageStatus> {
  const { image } = held
  const known = world.observed.imageDetails.get(image.id)
  const sizes = world.imageSizes.get(image.id)
  const digest = digestHere(held)
  return {
    id: image.id,
    size: image.sizeBytes,
    createdAt: known?.details.createdAt ?? image.createdAt,
    names: [...image.references].sort(),
    usedBy: madeFrom(image, world),
    ...(digest !== undefined && { digest }),
    ...(sizes !== undefined && { sharedSize: sizes.shared, uniqueSize: sizes.unique }),
    ...(known !== undefined && {
      architecture: known.details.architecture,
      layers: [...known.details.layers],
      config: configOf(known.details.config),
      history: known.history.slice(0, mostHistory).map(historyEntry),
    }),
  }
}

/** What was read of another image is not told of this one. */
function stillTrue({ digest: _, ...before }: ImageStatus, { id }: ObservedImage): ImageStatus {
  if (before.id === id) return before
  const {
    sharedSize: __,
    uniqueSize: ___,
    architecture: ____,
    layers: _____,
    history: ______,
    config: _______,
    ...rest
  } = before
  return rest
}

const mostHistory = 128
const longestStep = 200
const mostWords = 100

/** What is empty is left out. */
function configOf(told: DeclaredConfig): NonNullable<ImageStatus['config']> {
  const { user, entrypoint, cmd, workingDir, stopSignal, volumes, exposedPorts, onBuild } = told
  const lists = { entrypoint, command: cmd, volumes: [...volumes].sort(), exposedPorts, onBuild }
  return {
    ...filled({ user, workingDir, stopSignal }, (text) => text),
    ...filled(lists, (list) => list.slice(0, mostWords).map(cut)),
  }
}

function filled<Name extends string, Value extends string | readonly string[], Told>(
  parts: Readonly<Record<Name, Value>>,
  tell: (value: Value) => Told,
): { [name in Name]?: Told } {
  const told: { [name in Name]?: Told } = {}
  for (const name in parts) if (parts[name].length > 0) told[name] = tell(parts[name])
  return told
}

function cut(text: string): string {
  return text.length > longestStep ? `${text.slice(0, longestStep)}...` : text
}

function historyEntry({
  createdBy,
  sizeBytes,
  createdAt,
  comment,
}: {
  readonly createdBy: string
  readonly sizeBytes: number
  readonly createdAt: string
  readonly comment: string
}): NonNullable<ImageStatus['history']>[number] {
  return {
    createdBy: cut(createdBy),
    size: sizeBytes,
    ...(createdAt !== '' && { createdAt }),
    ...(comment !== '' && { comment }),
  }
}

interface Saying {
  readonly here: StateHere
  readonly held: Held
  readonly before: ImageStatus
}

function conditionsOf(image: Image, { here, held, before }: Saying, world: World): Condition[] {
  const at = { observedGeneration: image.metadata.generation ?? 0 }
  const ready = {
    type: 'Ready' as const,
    status: here.state === 'Ready' ? ('True' as const) : ('False' as const),
    reason: here.reason,
    message: here.message,
    ...at,
  }
  const conditions = setCondition(before.conditions ?? [], ready, world.now)
  const pushed = pushedCondition(image, held, world)
  if (pushed === undefined) return conditions.filter(({ type }) => type !== 'Pushed')
  return setCondition(conditions, { type: 'Pushed', ...pushed, ...at }, world.now)
}

/** Whether this very image is wherever spec.push says; undefined when that is nowhere. */
function pushedCondition(
  image: Image,
  held: Held,
  world: World,
): { status: 'True' | 'False'; reason: string; message: string } | undefined {
  const wanted = image.spec.push
  if (wanted.length === 0) return undefined
  if (held.state !== 'here')
    return { status: 'False', reason: 'WaitingForImage', message: 'there is nothing to push yet' }
  const left = unpushed(image, held.image.id, world).map(({ reference }) => reference)
  if (left.length === 0)
    return {
      status: 'True',
      reason: 'Pushed',
      message: `it is at ${wanted.map((p) => p.reference).join(', ')}`,
    }
  const inUse = left.flatMap((reference) => nameInUse(image, { reference, id: held.image.id }, world) ?? [])
  if (inUse.length === left.length)
    return { status: 'False', reason: 'NameConflict', message: inUse.join('; ') }
  const hold = world.holds.get(pushGroup(image.metadata))
  if (hold !== undefined) return { status: 'False', ...said(hold) }
  const rests = left.map((reference) => registryRests(reference, world)).find((rest) => rest !== undefined)
  if (rests !== undefined) return { status: 'False', ...rests.waiting }
  return { status: 'False', reason: 'Pushing', message: `on its way to ${left.join(', ')}` }
}
