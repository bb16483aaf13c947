/** What the server alone can say of an object, and where the rules between objects meet a write: checked against the cache, and reserved until the write is done. */
import { invalid } from '#pkg/apimachinery/errors.ts'
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
  { containers }: Context,
  kind: Kind,
  object: ApiObject,
  dryRun: boolean,
): Disposable | undefined {
  refuseLocalFiles(kind, object)
  if (kind.group !== 'cove.run' || kind.kind !== 'Container') return undefined
  const container = asContainer(object)
  const causes = admitContainer(factsOf(container), containers)
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes)
  if (dryRun) return undefined
  const release = containers.reserve(container)
  return { [Symbol.dispose]: release }
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
