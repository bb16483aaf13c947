/**
 * What a Container may do to its node: as the engine is told it, how a container that may do more differs, and whom
 * it would run as. Pure.
 */
import { imageText } from '#pkg/apis/container.image.ts'
import { kindOfUser } from '#pkg/apis/container.security.ts'
import type { Container, ContainerSecurity } from '#pkg/apis/container.ts'
import { usualCapabilities } from '#pkg/apis/security.levels.ts'
import {
  type ContainerCreate,
  type ObservedContainer,
  type ObservedImage,
  type Security,
  usualSecurity,
} from '#pkg/engine/port.ts'
import { compare, type Draft, tell } from './difference.ts'
import { findImage, wantedImage } from './image.ts'
import type { Desired, Waiting, World } from './world.ts'

/** What is not said is as the engine has it for every container. */
export function resolveSecurity(security: ContainerSecurity): Security {
  const { privileged, readOnlyRootFilesystem, allowPrivilegeEscalation, capabilities } = security
  return {
    privileged: privileged ?? usualSecurity.privileged,
    readOnlyRootFilesystem: readOnlyRootFilesystem ?? usualSecurity.readOnlyRootFilesystem,
    allowPrivilegeEscalation: allowPrivilegeEscalation ?? usualSecurity.allowPrivilegeEscalation,
    capabilities: { add: capabilities?.add ?? [], drop: capabilities?.drop ?? [] },
    seccomp: security.seccompProfile?.type === 'Unconfined' ? 'unconfined' : 'default',
  }
}

type Made = Pick<ContainerCreate, 'security' | 'networkMode'>
type Seen = Pick<ObservedContainer, 'security' | 'networkMode'>

/**
 * How the container's rights or its way of networking are not those that were asked for, naming the field. Engines
 * change neither of an existing container. Of capabilities only what is too much counts: some engines tell them apart
 * from what they give everybody, so a list may be shorter or longer than the one that was asked for.
 */
export function securityDrift(create: Made, found: Seen): string | undefined {
  const [first] = [...waysDifferences(create, found), ...tooMuch(create, found)]
  return first && tell(first)
}

/** Every one of those differences, and the capabilities that it lacks. */
export function rightsDifferences(create: Made, found: Seen): Draft[] {
  const much = tooMuch(create, found)
  const little = tooLittle(create, found).filter(({ field }) => !much.some((draft) => draft.field === field))
  return [...waysDifferences(create, found), ...much, ...little]
}

const rights = 'spec.securityContext'

function waysDifferences(create: Made, found: Seen): Draft[] {
  const wanted = create.security ?? usualSecurity
  const flags = ['privileged', 'readOnlyRootFilesystem', 'allowPrivilegeEscalation'] as const
  return [
    ...compare('spec.networkMode', create.networkMode ?? 'bridge', found.networkMode),
    ...flags.flatMap((name) => compare(`${rights}.${name}`, wanted[name], found.security[name])),
    ...compare(`${rights}.seccompProfile`, wanted.seccomp, found.security.seccomp),
  ]
}

function tooMuch({ security = usualSecurity }: Made, found: Seen): Draft[] {
  const [want, has] = [security.capabilities, found.security.capabilities]
  const added = want.add.includes('ALL') ? [] : has.add.filter((name) => !want.add.includes(name))
  const kept = want.drop.includes('ALL')
    ? want.drop.filter(() => has.drop.length === 0)
    : want.drop.filter((name) => !has.drop.includes(name) && !has.drop.includes('ALL'))
  return [
    ...(added.length > 0 ? [listed('add', want.add, has.add)] : []),
    ...(kept.length > 0 ? [listed('drop', want.drop, has.drop)] : []),
  ]
}

/** Of what engines give everybody it is not told whether it was asked for. */
function tooLittle({ security = usualSecurity }: Made, found: Seen): Draft[] {
  const [want, has] = [security.capabilities, found.security.capabilities]
  const isGiven = (name: string) => has.add.includes('ALL') || usualCapabilities.includes(name)
  const missing = want.add.filter((name) => !has.add.includes(name) && !isGiven(name))
  const taken = want.drop.includes('ALL') ? [] : has.drop.filter((name) => !want.drop.includes(name))
  return [
    ...(missing.length > 0 ? [listed('add', want.add, has.add)] : []),
    ...(taken.length > 0 ? [listed('drop', want.drop, has.drop)] : []),
  ]
}

function listed(key: 'add' | 'drop', want: readonly string[], found: readonly string[]): Draft {
  const text = (names: readonly string[]) => names.join(', ') || 'none'
  return { field: `${rights}.capabilities.${key}`, want: text(want), found: text(found) }
}

/** Ids of the images whose configuration matters here: those that are wanted, and those that containers were made from. */
export function imagesInQuestion(
  desired: Desired,
  images: readonly ObservedImage[],
  containers: readonly ObservedContainer[],
): Set<string> {
  const byName = new Map(
    images.flatMap(({ id, references }) => references.map((reference) => [reference, id] as const)),
  )
  const named = new Set([...desired.containers.values()].map(wantedImage))
  // Most names are written as engines list them; the others cost a comparison with every image.
  const wanted = [...named].flatMap((name) => byName.get(name) ?? findImage(images, name)?.id ?? [])
  const held = new Set(images.map(({ id }) => id))
  const used = containers.map(({ imageID }) => imageID).filter((id) => held.has(id))
  return new Set([...wanted, ...used])
}

/** Why the Container may not be made from the image; undefined when it may. Worded as the kubelet words it. */
export function whyRoot(
  { spec }: Container,
  image: ObservedImage,
  { observed }: Pick<World, 'observed'>,
): Waiting | undefined {
  if (spec.securityContext?.runAsNonRoot !== true) return undefined
  const user = spec.user ?? observed.imageConfigs.get(image.id)?.user
  const refuse = (why: string, mend: string): Waiting => ({
    reason: 'CreateContainerConfigError',
    message: `spec.securityContext.runAsNonRoot: container has runAsNonRoot and ${why}; ${mend}`,
  })
  if (user === undefined)
    return refuse(`the user of image ${imageText(spec)} is not known yet`, 'it is being looked up')
  const kind = kindOfUser(user)
  const number = 'set spec.user to a number'
  if (kind === 'root') return refuse('image will run as root', `${number} other than 0`)
  if (kind === 'numbered') return undefined
  const whose = spec.user === undefined ? 'image' : 'spec'
  return refuse(`${whose} has non-numeric user (${user}), cannot verify user is non-root`, number)
}
