/**
 * The way from client-side to server-side apply: kubectl may take over, without being told to force it, what its own
 * last-applied annotation says that it has set and that nobody has changed since. The annotation is kept up to date,
 * so that the way back stays open. As in Kubernetes this is for the manager `kubectl` alone. Pure.
 */
import { difference, type FieldSet, isEmptySet } from '#pkg/apimachinery/fieldset.ts'
import { canonicalJson, isPlainObject } from '#pkg/apimachinery/hash.ts'
import { compareFields, fieldsOf } from '#pkg/apis/fields.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { prune } from '#pkg/apis/normalize.ts'
import { lastAppliedAnnotation } from '#pkg/apis/wellknown.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Json } from '../http/body.ts'
import type { Applying } from './applying.ts'
import { type Conflict, ownable } from './managedfields.ts'

const migratingManager = 'kubectl'

/** The conflicts that are left. */
export function allowedByLastApplied(
  conflicts: readonly Conflict[],
  current: ApiObject,
  { target: { kind, subresource }, writer }: Applying,
): readonly Conflict[] {
  const last = current.metadata.annotations?.[lastAppliedAnnotation]
  if (writer.manager !== migratingManager || subresource !== undefined || last === undefined) return conflicts
  const allowed = stillAsApplied(kind, last, current)
  return conflicts
    .map(({ entry, fields }) => ({ entry, fields: difference(fields, allowed) }))
    .filter(({ fields }) => !isEmptySet(fields))
}

/** What the annotation names and the object still has as it was applied. */
function stillAsApplied(kind: Kind, text: string, current: ApiObject): FieldSet {
  const pruned = prune(kind.schema, parseObject(text))
  if (!isPlainObject(pruned) || pruned['apiVersion'] !== current.apiVersion) return {}
  const last = ownable(kind, pruned)
  const { added, modified, removed } = compareFields(kind.schema, last, ownable(kind, current))
  return [added, modified, removed].reduce(difference, fieldsOf(kind.schema, last))
}

/** The annotation is anybody's to write: what is no JSON says nothing about who set what. */
function parseObject(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** What the annotation should say after the apply; undefined: it is not there, or not the writer's business. */
export function lastAppliedText(
  current: ApiObject,
  { target: { subresource }, writer, body }: Applying,
): string | undefined {
  const present = current.metadata.annotations?.[lastAppliedAnnotation] !== undefined
  if (!present || writer.manager !== migratingManager || subresource !== undefined) return undefined
  const metadata = isPlainObject(body['metadata']) ? body['metadata'] : {}
  const annotations = isPlainObject(metadata['annotations']) ? metadata['annotations'] : {}
  const { [lastAppliedAnnotation]: _last, ...others } = annotations
  return `${canonicalJson({ ...body, metadata: { ...metadata, annotations: others } })}\n`
}

export function withLastApplied(object: Json, text: string | undefined): Json {
  const { metadata } = object
  const annotations = isPlainObject(metadata) ? metadata['annotations'] : undefined
  // An apply may also be what takes the annotation away.
  if (text === undefined || !isPlainObject(metadata) || !isPlainObject(annotations)) return object
  if (annotations[lastAppliedAnnotation] === undefined) return object
  return {
    ...object,
    metadata: { ...metadata, annotations: { ...annotations, [lastAppliedAnnotation]: text } },
  }
}
