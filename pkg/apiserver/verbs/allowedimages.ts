/** Images that a namespace does not allow are refused. Only a new name is judged, so that what was there can be stopped and deleted. */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import { allowedImagesAnnotation, forbiddenImages } from '#pkg/apis/images.allowed.ts'
import { decodeObject } from '../cache/encoded.ts'
import type { Context, Write } from './context.ts'

const judged: ReadonlySet<string> = new Set(['Container', 'Image'])

/** Throws Forbidden. */
export function admitImages(context: Context, { kind, object, before }: Write): void {
  if (kind.group !== 'cove.run' || !judged.has(kind.kind)) return
  const allowed = allowedIn(context, object.metadata.namespace ?? '')
  if (allowed === undefined) return
  const known = new Set(namesIn(before?.['spec']))
  const found = forbiddenImages(object['spec'], allowed).filter(({ reference }) => !known.has(reference))
  if (found.length === 0) return
  const { name } = object.metadata
  const message = `the namespace allows only ${allowed} (annotation ${allowedImagesAnnotation})`
  const causes = found.map(({ field, reference }) => ({
    reason: 'FieldValueForbidden' as const,
    field,
    message: `"${reference}" is not allowed: ${message}`,
  }))
  const told = causes.map(({ field, message: text }) => `${field}: ${text}`).join('; ')
  throw new StatusError('Forbidden', `${qualifiedResource(kind)} "${name}" is forbidden: ${told}`, {
    name,
    group: kind.group,
    kind: kind.plural,
    causes,
  })
}

function allowedIn(context: Context, namespace: string): string | undefined {
  const entry = context.cache.of(namespaceKind).get(namespace)
  // Most namespaces say nothing: what is not in the text need not be decoded.
  if (entry === undefined || !entry.text.includes(allowedImagesAnnotation)) return undefined
  return decodeObject(entry.text).metadata.annotations?.[allowedImagesAnnotation]
}

function namesIn(spec: unknown): unknown[] {
  if (!isPlainObject(spec)) return []
  const { image, reference, tags } = spec
  return [image, reference, ...(Array.isArray(tags) ? tags : [])]
}
