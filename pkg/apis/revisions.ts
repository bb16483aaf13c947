/** What the control plane records as a revision of a Container, and `cove rollout` goes back to. Pure. */
import type { ContainerSpec } from './container.ts'
import type { ControllerRevision } from './controllerrevision.ts'

/** Kubernetes': the fingerprint of what a ControllerRevision keeps. */
export const revisionHashLabel = 'controller.kubernetes.io/hash'

/** Kubernetes': why somebody made a change, in their own words; shown by `rollout history`. */
export const changeCauseAnnotation = 'kubernetes.io/change-cause'

/** Old revisions kept besides the newest when a Container does not say how many; as of Deployments. */
export const usualHistoryLimit = 10

/**
 * Where and whether it runs, and how it is stopped and replaced: going back to an older spec leaves these as they are.
 * Verbs such as `cove stop -t` set some of them for a moment.
 */
const aside = [
  'state',
  'nodeName',
  'update',
  'revisionHistoryLimit',
  'terminationGracePeriodSeconds',
] as const

export type RolloutSpec = Omit<ContainerSpec, (typeof aside)[number]>

/** What a rollout is about. */
export function rolloutSpec(spec: ContainerSpec): RolloutSpec {
  const {
    state: _state,
    nodeName: _node,
    update: _update,
    revisionHistoryLimit: _limit,
    terminationGracePeriodSeconds: _grace,
    ...rest
  } = spec
  return rest
}

/** The spec as it is, but for what the revision keeps. */
export function specAtRevision(spec: ContainerSpec, kept: Readonly<Record<string, unknown>>) {
  const own = Object.entries(spec).filter(([field]) => (aside as readonly string[]).includes(field))
  return { ...kept, ...Object.fromEntries(own) }
}

/** Those that the object with the UID controls, oldest first. */
export function revisionsOf(
  uid: string | undefined,
  all: Iterable<ControllerRevision>,
): ControllerRevision[] {
  return [...all]
    .filter(({ metadata }) => isControlledBy(metadata, uid))
    .toSorted((left, right) => left.revision - right.revision)
}

function isControlledBy({ ownerReferences = [] }: ControllerRevision['metadata'], uid: string | undefined) {
  return ownerReferences.some((owner) => owner.controller === true && owner.uid === uid)
}
