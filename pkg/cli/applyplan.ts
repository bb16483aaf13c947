/** What client-side apply does to one object, byte for byte as kubectl reckons it. Pure. */
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { applyMergePatch, threeWayMergePatch } from '#pkg/apimachinery/patch.ts'
import { lastAppliedAnnotation } from '#pkg/apis/wellknown.ts'
import { complete } from '#pkg/manifest/admit.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'

type Json = Record<string, unknown>

export type ApplyStep =
  | { readonly verb: 'create'; readonly body: Json }
  | { readonly verb: 'patch'; readonly patch: Json }
  | { readonly verb: 'none' }

/** In which order objects are sent: what others need comes first. Objects of one rank may be sent at once. */
export function applyRank({ kind }: CheckedObject): number {
  const ranks = ['Namespace', 'Secret ConfigMap', 'Volume', 'Network']
  const rank = ranks.findIndex((names) => names.split(' ').includes(kind.kind))
  return rank < 0 ? ranks.length : rank
}

/** `current` is the object as the server has it, undefined when it does not exist. */
export function planApply(checked: CheckedObject, current: KubeObject | undefined): ApplyStep {
  const modified = withLastApplied(checked.manifest)
  if (current === undefined) return { verb: 'create', body: modified }
  const live = current as unknown as Json
  const original = lastApplied(current)
  if (isAsWished(checked, { original, modified, live })) return { verb: 'none' }
  const patch = threeWayMergePatch(original, modified, live)
  if (patch === undefined || changesNothing(checked, live, patch)) return { verb: 'none' }
  return { verb: 'patch', patch }
}

/** The manifest with itself, as kubectl writes it, in its annotation. */
export function withLastApplied(manifest: KubeObject): Json {
  const { [lastAppliedAnnotation]: _, ...annotations } = manifest.metadata.annotations ?? {}
  const plain = { ...manifest, metadata: { ...manifest.metadata, annotations } }
  const text = goJson(plain)
  return {
    ...plain,
    metadata: { ...plain.metadata, annotations: { ...annotations, [lastAppliedAnnotation]: text } },
  }
}

/** The step with annotations that the manifest does not hold, and the last applied one does not either. */
export function withAnnotations(
  step: ApplyStep,
  annotations: Readonly<Record<string, string>> | undefined,
): ApplyStep {
  if (annotations === undefined) return step
  const patch = { metadata: { annotations } }
  if (step.verb === 'none') return { verb: 'patch', patch }
  return step.verb === 'create'
    ? { verb: 'create', body: merged(step.body, patch) }
    : { verb: 'patch', patch: merged(step.patch, patch) }
}

function merged(into: Json, patch: Json): Json {
  const result = applyMergePatch(into, patch)
  return isPlainObject(result) ? result : into
}

function lastApplied(current: KubeObject): Json {
  const text = current.metadata.annotations?.[lastAppliedAnnotation]
  if (text === undefined) return {}
  const original: unknown = JSON.parse(text)
  return isPlainObject(original) ? original : {}
}

/**
 * The short way to the commonest answer: what is stored holds the manifest with its defaults filled in, so nothing
 * that the manifest alone would change can be left.
 */
function isAsWished(
  { object }: CheckedObject,
  { original, modified, live }: { original: Json; modified: Json; live: Json },
): boolean {
  const wished = { ...object, metadata: modified['metadata'] }
  return threeWayMergePatch(original, wished, live) === undefined
}

/**
 * A list of the manifest lacks the defaults that the server has filled in, so its patch may differ from what is
 * stored and still change nothing. The schema knows: both sides are compared as admission would store them.
 */
function changesNothing({ kind }: CheckedObject, live: Json, patch: Json): boolean {
  const stored = 'status' in patch ? live : withoutStatus(live)
  const patched = complete(kind, applyMergePatch(stored, patch))
  return patched.causes.length === 0 && sameJson(patched.object, complete(kind, stored).object)
}

/** Most of a stored object by far, and the server's own business. */
function withoutStatus({ status: _, ...rest }: Json): Json {
  return rest
}

/** JSON as Go writes it: sorted keys, HTML characters escaped, a newline at the end. */
function goJson(value: unknown): string {
  const text = JSON.stringify(sortKeys(value)).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return `${text}\n`
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (!isPlainObject(value)) return value
  const keys = Object.keys(value).filter((key) => value[key] !== undefined)
  return Object.fromEntries(keys.sort().map((key) => [key, sortKeys(value[key])]))
}
