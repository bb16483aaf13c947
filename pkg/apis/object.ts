/** What kind files share: the schema of a whole object, and defaults that depend on other fields. */
import type { TSchema } from 'typebox'
import * as Type from 'typebox'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { metadata } from './meta.ts'
import { rules, type Schema, structural, type Validation } from './schema.ts'

/** The schema of a kind from the schemas of its own fields (spec, status, data, ...) and the rules over several of them. */
export function objectSchema(
  fields: Readonly<Record<string, TSchema>>,
  required: readonly string[] = [],
  validations: readonly Validation[] = [],
): Schema {
  const whole = structural(
    Type.Object({
      apiVersion: Type.Optional(Type.String({ description: 'Group and version of the kind.' })),
      kind: Type.Optional(Type.String({ description: 'The kind.' })),
      metadata,
      ...fields,
    }),
  )
  return { ...whole, required: [...required], ...(validations.length > 0 && rules(...validations)) }
}

/** Kubernetes' rule: Always for the tag latest, else IfNotPresent. */
export function withDefaultPullPolicy<T extends { spec: { image?: string; imagePullPolicy?: string } }>(
  object: T,
): T {
  if (object.spec.imagePullPolicy !== undefined) return object
  const parsed = parseReference(object.spec.image ?? '')
  const latest = parsed.ok && parsed.reference.tag === 'latest' && parsed.reference.digest === undefined
  return { ...object, spec: { ...object.spec, imagePullPolicy: latest ? 'Always' : 'IfNotPresent' } }
}
