/**
 * Admission of one object: unknown fields, pruning, defaults, schema, rules, warnings, in this order. Pure. The
 * same function runs in the CLI, where errors get a file and a line, and in the server, whose word counts.
 */

import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { nearest } from '#pkg/apimachinery/nearest.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { applyDefaults, prune, type UnknownField, unknownFields } from '#pkg/apis/normalize.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import { validate } from '#pkg/apis/validate.ts'
import { validateMetadata } from './metadata.ts'

export interface Admitted {
  /** Pruned and defaulted; only to be used when there are no causes. */
  readonly object: KubeObject
  /** What is wrong, in the order of the schema; empty: admitted. */
  readonly causes: readonly Cause[]
  /** Fields that the schema does not know. The caller refuses, warns or drops them. */
  readonly unknown: readonly UnknownField[]
  readonly warnings: readonly string[]
}

/** `old` is the object as it is stored; without it the object is new, and nothing is asked about a change. */
export interface AdmitOptions {
  readonly rules: RuleChecker
  readonly old?: KubeObject
}

export function admit(kind: Kind, value: unknown, { rules, old }: AdmitOptions): Admitted {
  const completed = complete(kind, value)
  if (completed.causes.length > 0) return completed
  const { object } = completed
  return {
    ...completed,
    causes: [...rules.check(kind.schema, object, { old }), ...kind.rules.flatMap((rule) => rule(object))],
    warnings: kind.warn?.(object) ?? [],
  }
}

/** Admission up to the schema: nothing is asked that takes more than one field to answer. */
export function complete(kind: Kind, value: unknown): Admitted {
  const unknown = unknownFields(kind.schema, value)
  const defaulted = applyDefaults(kind.schema, prune(kind.schema, value))
  const causes = [...validateMetadata(kind, defaulted), ...validate(kind.schema, defaulted)]
  // The schema has accepted it, or nobody will use it: this is the border where unknown becomes an object.
  const object = defaulted as KubeObject
  const prepared = causes.length > 0 ? object : (kind.prepare?.(object) ?? object)
  return { object: prepared, causes, unknown, warnings: [] }
}

/** `unknown field "spec.imgae" (did you mean "image"?)` */
export function unknownFieldMessage({ path, suggestion }: UnknownField): string {
  const hint = suggestion === undefined ? '' : ` (did you mean "${suggestion}"?)`
  return `unknown field "${path}"${hint}`
}

/** Whether the value looks like an object at all, and of which kind it says it is. */
export function readTypeMeta(value: unknown): { apiVersion: string; kind: string } | { message: string } {
  if (!isPlainObject(value)) return { message: 'must be a mapping with apiVersion, kind and metadata' }
  const { apiVersion, kind } = value
  if (typeof apiVersion !== 'string' || apiVersion === '') return { message: 'apiVersion: is required' }
  if (typeof kind !== 'string' || kind === '') return { message: 'kind: is required' }
  return { apiVersion, kind }
}

/** `no kind "Contaner" in version "cove.run/v1" (did you mean "Container"?)` */
export function unknownKindMessage(
  type: { apiVersion: string; kind: string },
  known: readonly { apiVersion: string; kind: string }[],
): string {
  const sameVersion = known.filter((candidate) => candidate.apiVersion === type.apiVersion)
  // Of a version that is served only the kind is wrong.
  const version =
    sameVersion.length > 0
      ? undefined
      : nearest(type.apiVersion, [...new Set(known.map(({ apiVersion }) => apiVersion))])
  const kind = nearest(
    type.kind,
    sameVersion.map((candidate) => candidate.kind),
  )
  const elsewhere = known.find((candidate) => candidate.kind === type.kind)
  const hint =
    kind ?? (elsewhere === undefined ? undefined : `${elsewhere.apiVersion} ${elsewhere.kind}`) ?? version
  return `no kind "${type.kind}" in version "${type.apiVersion}"${hint === undefined ? '' : ` (did you mean "${hint}"?)`}`
}
