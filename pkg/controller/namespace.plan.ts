/** What a namespace on its way out says about itself: what is left in it, and who holds that. Pure. Kubernetes' words. */
import { qualifiedResource } from '#pkg/apimachinery/errors.ts'
import { type Condition, type KubeObject, setCondition } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'

/** The objects of one kind that are left. */
export interface Left {
  readonly kind: Pick<Kind, 'group' | 'plural'>
  readonly objects: readonly Pick<KubeObject, 'metadata'>[]
}

type Draft = Omit<Condition, 'lastTransitionTime'>

/** `failures`: why objects could not be deleted; empty when all could be. */
export function terminatingConditions(
  before: readonly Condition[],
  found: { readonly left: readonly Left[]; readonly failures: readonly string[] },
  now: number,
): readonly Condition[] {
  const drafts = [
    failureCondition(found.failures),
    contentCondition(found.left),
    finalizerCondition(found.left),
  ]
  return drafts.reduce<readonly Condition[]>((all, draft) => setCondition(all, draft, now), before)
}

export function countLeft(left: readonly Left[]): number {
  return left.reduce((sum, { objects }) => sum + objects.length, 0)
}

function failureCondition(failures: readonly string[]): Draft {
  const type = 'NamespaceDeletionContentFailure'
  if (failures.length === 0) {
    const message = 'All content successfully deleted, may be waiting on finalization'
    return { type, status: 'False', reason: 'ContentDeleted', message }
  }
  const message = `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(', ')}`
  return { type, status: 'True', reason: 'ContentDeletionFailed', message }
}

function contentCondition(left: readonly Left[]): Draft {
  const type = 'NamespaceContentRemaining'
  const counts = left
    .filter(({ objects }) => objects.length > 0)
    .map(({ kind, objects }) => `${qualifiedResource(kind)} has ${objects.length} resource instances`)
  if (counts.length === 0) {
    return { type, status: 'False', reason: 'ContentRemoved', message: 'All content successfully removed' }
  }
  const message = `Some resources are remaining: ${counts.toSorted().join(', ')}`
  return { type, status: 'True', reason: 'SomeResourcesRemain', message }
}

function finalizerCondition(left: readonly Left[]): Draft {
  const type = 'NamespaceFinalizersRemaining'
  const held = left.flatMap(({ objects }) => objects.flatMap(({ metadata }) => metadata.finalizers ?? []))
  if (held.length === 0) {
    const message = 'All content-preserving finalizers finished'
    return { type, status: 'False', reason: 'ContentHasNoFinalizers', message }
  }
  const counts = [...Map.groupBy(held, (name) => name)].map(
    ([name, all]) => `${name} in ${all.length} resource instances`,
  )
  const message = `Some content in the namespace has finalizers remaining: ${counts.toSorted().join(', ')}`
  return { type, status: 'True', reason: 'SomeFinalizersRemain', message }
}
