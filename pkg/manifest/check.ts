/**
 * A whole set of manifests before any of it is sent: every object admitted, and what only shows between
 * objects, such as duplicates, host ports and dependency cycles. All problems at once, sorted by place. Pure.
 */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf, type KubeObject, parseApiVersion } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import { admit, readTypeMeta, unknownFieldMessage, unknownKindMessage } from './admit.ts'
import { checkContainers } from './checkcontainers.ts'
import type { CheckedObject } from './checked.ts'
import { type ManifestDocument, placeOf } from './decode.ts'
import { type Problem, placeText } from './place.ts'

export interface Checked {
  readonly objects: readonly CheckedObject[]
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

export interface CheckOptions {
  readonly kinds: readonly Kind[]
  /** What asks the rules of the schemas. Rules about changes are the server's to ask: it knows what was before. */
  readonly rules: RuleChecker
  /** Of namespaced objects that name none. */
  readonly defaultNamespace: string
  /** When set, objects that name another namespace are refused. */
  readonly enforcedNamespace?: string
}

export function checkManifests(documents: readonly ManifestDocument[], options: CheckOptions): Checked {
  const admitted = documents.map((document) => checkDocument(document, options))
  const objects = admitted.flatMap(({ checked }) => (checked === undefined ? [] : [checked]))
  const problems = [
    ...admitted.flatMap((one) => one.problems),
    ...duplicateProblems(objects),
    ...checkContainers(objects),
  ]
  const files = documents.map(({ source }) => source.file)
  const warnings = admitted.flatMap((one) => one.warnings)
  return { objects, problems: sortByPlace(problems, files), warnings }
}

/** By file in the given order, then document and line; stable. */
export function sortByPlace(problems: readonly Problem[], files: readonly string[]): Problem[] {
  return [...problems].sort(
    (a, b) =>
      files.indexOf(a.place.file) - files.indexOf(b.place.file) ||
      a.place.document - b.place.document ||
      a.place.line - b.place.line,
  )
}

interface CheckedDocument {
  readonly checked?: CheckedObject
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

function checkDocument(document: ManifestDocument, options: CheckOptions): CheckedDocument {
  const type = readTypeMeta(document.value)
  if ('message' in type) return refused([{ place: document.source, message: type.message }])
  const kind = options.kinds.find(
    (candidate) => candidate.kind === type.kind && apiVersionOf(candidate) === type.apiVersion,
  )
  if (kind === undefined) {
    const known = options.kinds.map((one) => ({ apiVersion: apiVersionOf(one), kind: one.kind }))
    const field = known.some(({ apiVersion }) => apiVersion === type.apiVersion) ? 'kind' : 'apiVersion'
    return refused([{ place: placeOf(document, field), message: unknownKindMessage(type, known) }])
  }
  return admitDocument(document, kind, options)
}

function admitDocument(document: ManifestDocument, kind: Kind, options: CheckOptions): CheckedDocument {
  const manifest = withNamespace(document.value, kind, options.defaultNamespace)
  const { object, causes, unknown, warnings } = admit(kind, manifest, options)
  const unknownProblems = unknown.map((field) => ({
    place: placeOf(document, field.path),
    message: unknownFieldMessage(field),
  }))
  const problems = [
    ...unknownProblems,
    ...[...causes, ...namespaceCauses(manifest, kind, options), ...nameCauses(manifest)].map((cause) =>
      causeProblem(document, cause),
    ),
  ]
  const warned = warnings.map((message) => ({
    place: placeOf(document, /^[\w.[\]-]+(?=: )/.exec(message)?.[0] ?? ''),
    message,
  }))
  // What is unknown or wrong stays out of the checks between objects: they may rely on admitted objects.
  if (causes.length > 0) return refused(problems)
  return { checked: { kind, object, manifest, document }, problems, warnings: warned }
}

/** The field error of an object at its line. */
export function causeProblem(document: ManifestDocument, { field, message }: Cause): Problem {
  return { place: placeOf(document, field), field, message }
}

function refused(problems: readonly Problem[]): CheckedDocument {
  return { problems, warnings: [] }
}

/** The caller has seen a mapping with apiVersion and kind; the schema sees the rest. */
function withNamespace(value: unknown, kind: Kind, namespace: string): KubeObject {
  const object = value as KubeObject
  if (!kind.namespaced || !isPlainObject(object.metadata)) return object
  return { ...object, metadata: { ...object.metadata, namespace: object.metadata.namespace ?? namespace } }
}

function namespaceCauses(object: KubeObject, kind: Kind, options: CheckOptions): Cause[] {
  const { enforcedNamespace } = options
  const own = kind.namespaced ? object.metadata?.namespace : undefined
  if (enforcedNamespace === undefined || own === undefined || own === enforcedNamespace) return []
  const message = `"${own}" is not the namespace of the command line ("${enforcedNamespace}")`
  return [{ reason: 'FieldValueInvalid', field: 'metadata.namespace', message }]
}

/** Apply finds objects by name, so the server may not invent one. */
function nameCauses({ metadata }: KubeObject): Cause[] {
  const generated = isPlainObject(metadata) && !metadata.name && metadata['generateName'] !== undefined
  if (!generated) return []
  return [
    {
      reason: 'FieldValueForbidden',
      field: 'metadata.generateName',
      message: 'cannot be applied; give it a name',
    },
  ]
}

function duplicateProblems(objects: readonly CheckedObject[]): Problem[] {
  const first = new Map<string, CheckedObject>()
  return objects.flatMap((one) => {
    const { metadata, kind, apiVersion } = one.object
    const key = [parseApiVersion(apiVersion).group, kind, metadata.namespace ?? '', metadata.name].join('/')
    const before = first.get(key)
    if (before === undefined) {
      first.set(key, one)
      return []
    }
    const message = `${one.kind.singular} "${metadata.name}" is already at ${placeText(before.document.source)}`
    return [{ place: placeOf(one.document, 'metadata.name'), field: 'metadata.name', message }]
  })
}
