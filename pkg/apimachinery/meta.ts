/** What every API object has in common, and the few verbs on it. Times are RFC 3339 in whole seconds, as Kubernetes writes them. */
import type { FieldSet } from './fieldset.ts'

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** One entry of metadata.managedFields: who set which fields last, and how. */
export interface ManagedFieldsEntry {
  manager: string
  operation: 'Apply' | 'Update'
  apiVersion: string
  time?: string
  fieldsType: 'FieldsV1'
  fieldsV1: FieldSet
  subresource?: string
}

export interface ObjectMeta {
  name: string
  namespace?: string
  generateName?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFieldsEntry[]
}

export interface KubeObject<Spec = unknown, Status = unknown> {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec?: Spec
  status?: Status
}

/** Kubernetes' condition: `status` is a word, not a boolean, because it may be Unknown. */
export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime: string
  observedGeneration?: number
}

export interface GroupVersionKind {
  group: string
  version: string
  kind: string
}

export function apiVersionOf(gvk: { group: string; version: string }): string {
  return gvk.group === '' ? gvk.version : `${gvk.group}/${gvk.version}`
}

export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/')
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** RFC 3339 in whole seconds. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`
}

/** `namespace/name`, or `name` for an object of the cluster: the key of queues, caches and logs. */
export function objectKey(meta: { namespace?: string; name: string }): string {
  return meta.namespace === undefined ? meta.name : `${meta.namespace}/${meta.name}`
}

/** The objects by `namespace/name`; a later one of the same key wins. */
export function byKey<T extends { readonly metadata: ObjectMeta }>(objects: Iterable<T>): Map<string, T> {
  return new Map([...objects].map((object) => [objectKey(object.metadata), object]))
}

/**
 * The list with `next` in it. `lastTransitionTime` moves only when the status word changes, so that writing
 * the same condition again is no change.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  now: number,
): Condition[] {
  const previous = conditions.find((condition) => condition.type === next.type)
  const lastTransitionTime =
    previous !== undefined && previous.status === next.status ? previous.lastTransitionTime : timestamp(now)
  const entry: Condition = { ...next, lastTransitionTime }
  if (previous === undefined) return [...conditions, entry]
  return conditions.map((condition) => (condition.type === next.type ? entry : condition))
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type)
}
