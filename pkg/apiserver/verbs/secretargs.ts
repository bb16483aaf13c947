/** A Build that gives a secret as an argument is refused when it is written, whatever its Dockerfile makes of it. */
import { type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import type { Build } from '#pkg/apis/build.ts'
import { secretArgs, whySecretArg } from '#pkg/build/dockerfile/secretnames.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Write } from './context.ts'

/** Only arguments that the write brings are judged. Throws Invalid. */
export function admitArgs({ kind, object, before }: Write): void {
  if (kind.group !== 'cove.run' || kind.kind !== 'Build') return
  const known = new Set(before && secretArgs(asBuild(before).spec))
  const causes = secretArgs(asBuild(object).spec)
    .filter((name) => !known.has(name))
    .map(
      (name): Cause => ({ reason: 'FieldValueForbidden', field: `spec.args.${name}`, message: whySecretArg }),
    )
  if (causes.length > 0) throw invalid(kind, object.metadata.name, causes)
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}
