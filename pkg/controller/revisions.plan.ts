/**
 * What becomes of the revisions of one Container: the spec it has now is the newest, and of the older ones the last few
 * are kept. As StatefulSets do, a spec that is asked for again gets a new number and no second object. Pure.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { type OwnerReference, objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ControllerRevision } from '#pkg/apis/controllerrevision.ts'
import {
  changeCauseAnnotation,
  revisionHashLabel,
  rolloutSpec,
  usualHistoryLimit,
} from '#pkg/apis/revisions.ts'
import { engineLabels, nodeOfFinalizer } from '#pkg/apis/wellknown.ts'
import { type Plan, PlanBuilder } from '#pkg/plan/plan.ts'

/** Of the Container, when the revision last was what it asked for: after a restart nothing is to be read again. */
export const generationAnnotation = 'cove.run/generation'

export type RevisionOp =
  | { readonly type: 'create'; readonly revision: ControllerRevision }
  /** `number` absent: it stays. */
  | {
      readonly type: 'update'
      readonly revision: ControllerRevision
      readonly number?: number
      readonly annotations: Readonly<Record<string, string | null>>
    }
  | { readonly type: 'delete'; readonly revision: ControllerRevision }

/** `revisions`: those of this Container, oldest first; their data is not looked at. */
export function planRevisions(
  container: Container,
  revisions: readonly ControllerRevision[],
): Plan<RevisionOp> {
  const builder = new PlanBuilder<RevisionOp>(`Container/${objectKey(container.metadata)}`)
  const hash = revisionHash(container)
  const newest = revisions.at(-1)
  const same = revisions.find(({ metadata }) => metadata.labels?.[revisionHashLabel] === hash)
  const number = (newest?.revision ?? 0) + 1
  if (same === undefined) {
    const cause = newest === undefined ? 'it is the first' : `the spec is not that of ${newest.metadata.name}`
    builder.add({ type: 'create', revision: makeRevision(container, hash, number) }, cause)
  } else if (same !== newest) {
    const annotations = annotationsOf(container)
    builder.add({ type: 'update', revision: same, number, annotations }, 'its spec is asked for again')
  } else if (causeOf(same) !== causeOf(container)) {
    const annotations = annotationsOf(container)
    builder.add({ type: 'update', revision: same, annotations }, 'its change cause is told otherwise')
  }
  const limit = container.spec.revisionHistoryLimit ?? usualHistoryLimit
  const old = revisions.filter((revision) => revision !== (same ?? undefined))
  for (const revision of old.slice(0, Math.max(0, old.length - limit)))
    builder.add({ type: 'delete', revision }, `${limit} older ones are kept`)
  return builder.build()
}

/** Whether the newest revision is known to be what the Container asks for, by metadata alone. */
export function isRecorded(
  container: Pick<Container, 'metadata'>,
  newest: ControllerRevision | undefined,
): boolean {
  const recorded = newest?.metadata.annotations?.[generationAnnotation]
  return recorded === String(container.metadata.generation) && causeOf(newest) === causeOf(container)
}

/** Whether a node has it, or has still to clean up after it: by metadata alone. */
export function isPlaced({ metadata }: Pick<Container, 'metadata'>): boolean {
  return metadata.finalizers?.some((finalizer) => nodeOfFinalizer(finalizer) !== undefined) === true
}

export function causeOf(object: Pick<Container, 'metadata'> | undefined): string | undefined {
  return object?.metadata.annotations?.[changeCauseAnnotation]
}

/** The UID is in it: a Container made anew under the name does not meet the revisions of the one before. */
function revisionHash({ metadata, spec }: Container): string {
  return fingerprint({ uid: metadata.uid, spec: rolloutSpec(spec) })
}

function annotationsOf(container: Container): Record<string, string | null> {
  return {
    [generationAnnotation]: String(container.metadata.generation ?? 0),
    [changeCauseAnnotation]: causeOf(container) ?? null,
  }
}

function makeRevision(container: Container, hash: string, revision: number): ControllerRevision {
  const { namespace = 'default', name, uid = '', labels } = container.metadata
  const { apiVersion, kind } = container
  const cause = causeOf(container)
  const owner: OwnerReference = { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      namespace,
      // The whole must stay a name: at most 253 characters, no dash before a dot.
      name: `${name.slice(0, 236).replace(/[-.]+$/, '')}-${hash}`,
      labels: { ...labels, [revisionHashLabel]: hash, [engineLabels.uid]: uid },
      annotations: {
        [generationAnnotation]: String(container.metadata.generation ?? 0),
        ...(cause !== undefined && { [changeCauseAnnotation]: cause }),
      },
      ownerReferences: [owner],
    },
    data: { spec: rolloutSpec(container.spec) },
    revision,
  }
}
