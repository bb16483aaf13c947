/** What the server alone can say of an object, and where the rules between objects meet a write: checked against the cache, and reserved until the write is done. */
import { type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { localPathsOf } from '#pkg/apis/uploads.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { admitContainer } from './admission.ts'
import { asContainer, factsOf } from './containerindex.ts'
import type { Context } from './context.ts'

/**
 * Throws Invalid when the object cannot be among the others. Dispose what is returned when the write has come back
 * through the cache, or has failed; a dry run reserves nothing.
 */
export function admitAmongOthers(
  context: Context,
  kind: Kind,
  object: ApiObject,
  dryRun: boolean,
): Disposable | undefined {
  refuseLocalFiles(kind, object)
  const rules = kind.group === 'cove.run' ? amongOthers[kind.kind] : undefined
  if (rules === undefined) return undefined
  const causes = rules.causes(context, object)
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes)
  if (dryRun) return undefined
  const release = rules.reserve(context, object)
  return { [Symbol.dispose]: release }
}

interface Rules {
  readonly causes: (context: Context, object: ApiObject) => Cause[]
  /** Until what is returned is called. */
  readonly reserve: (context: Context, object: ApiObject) => () => void
}

const namesOfImages: Rules = {
  causes: ({ tags }, object) => tags.causes(object),
  reserve: ({ tags }, object) => tags.reserve(object),
}

const amongOthers: Readonly<Record<string, Rules>> = {
  Container: {
    causes: ({ containers }, object) => admitContainer(factsOf(asContainer(object)), containers),
    reserve: ({ containers }, object) => containers.reserve(asContainer(object)),
  },
  Build: namesOfImages,
  Image: namesOfImages,
}

/** Whoever sends a manifest has the files beside it; the server has not. */
function refuseLocalFiles(kind: Kind, object: ApiObject): void {
  const causes = localPathsOf(object).map(({ field }) => ({
    reason: 'FieldValueForbidden' as const,
    field,
    message: 'is for `cove apply`, which uploads the file and stores its digest as upload instead',
  }))
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes)
}
