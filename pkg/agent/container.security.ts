/**
 * What a Container may do to its node: as the engine is told it, how a container that may do more differs, and whom
 * it would run as. Pure.
 */
import { kindOfUser } from '#pkg/apis/container.security.ts'
import type { Container, ContainerSecurity } from '#pkg/apis/container.ts'
import {
  type ContainerCreate,
  type ObservedContainer,
  type ObservedImage,
  type Security,
  usualSecurity,
} from '#pkg/engine/port.ts'
import { findImage } from './image.ts'
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

/**
 * How the container's rights or its way of networking are not those that were asked for, naming the field. Engines
 * change neither of an existing container. Of capabilities only what is too much counts: some engines tell them apart
 * from what they give everybody, so a list may be shorter or longer than the one that was asked for.
 */
export function securityDrift(
  create: Pick<ContainerCreate, 'security' | 'networkMode'>,
  found: Pick<ObservedContainer, 'security' | 'networkMode'>,
): string | undefined {
  const wanted = create.security ?? usualSecurity
  const mode = create.networkMode ?? 'bridge'
  if (found.networkMode !== mode) return `spec.networkMode: want ${mode}, found ${found.networkMode}`
  const flags = ['privileged', 'readOnlyRootFilesystem', 'allowPrivilegeEscalation'] as const
  const flag = flags.find((name) => wanted[name] !== found.security[name])
  if (flag !== undefined) {
    return `spec.securityContext.${flag}: want ${wanted[flag]}, found ${found.security[flag]}`
  }
  if (wanted.seccomp !== found.security.seccomp) {
    return `spec.securityContext.seccompProfile: want ${wanted.seccomp}, found ${found.security.seccomp}`
  }
  return capabilityDrift(wanted.capabilities, found.security.capabilities)
}

function capabilityDrift(
  wanted: Security['capabilities'],
  found: Security['capabilities'],
): string | undefined {
  const added = wanted.add.includes('ALL') ? [] : found.add.filter((name) => !wanted.add.includes(name))
  if (added.length > 0) {
    return `spec.securityContext.capabilities.add: found ${added.join(', ')}, which is not wanted`
  }
  const kept = wanted.drop.includes('ALL')
    ? wanted.drop.filter(() => found.drop.length === 0)
    : wanted.drop.filter((name) => !found.drop.includes(name) && !found.drop.includes('ALL'))
  if (kept.length === 0) return undefined
  return `spec.securityContext.capabilities.drop: want ${kept.join(', ')}, found ${found.drop.join(', ') || 'none'}`
}

/** Ids of the images whose configuration matters here: those that are wanted, and those that containers were made from. */
export function imagesInQuestion(
  desired: Desired,
  images: readonly ObservedImage[],
  containers: readonly ObservedContainer[],
): Set<string> {
  const wanted = [...desired.containers.values()].flatMap(
    ({ spec }) => findImage(images, spec.image)?.id ?? [],
  )
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
    return refuse(`the user of image ${spec.image} is not known yet`, 'it is being looked up')
  const kind = kindOfUser(user)
  const number = 'set spec.user to a number'
  if (kind === 'root') return refuse('image will run as root', `${number} other than 0`)
  if (kind === 'numbered') return undefined
  const whose = spec.user === undefined ? 'image' : 'spec'
  return refuse(`${whose} has non-numeric user (${user}), cannot verify user is non-root`, number)
}
