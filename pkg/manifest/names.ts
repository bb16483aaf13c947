/** Names, labels and annotations as Kubernetes allows them. Pure. */

import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Kind } from '#pkg/apis/kind.ts'

const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/
const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const namePart = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/
const annotationLimit = 256 * 1024

/** What is wrong with metadata beyond its schema. */
export function validateMeta(kind: Pick<Kind, 'namespaced' | 'kind'>, value: unknown): Cause[] {
  const metadata = isPlainObject(value) ? value['metadata'] : undefined
  if (!isPlainObject(metadata)) return [required('metadata')]
  return [
    ...validateName(kind, metadata),
    ...validateNamespace(kind, metadata['namespace']),
    ...validateMap('metadata.labels', metadata['labels'], labelValue),
    ...validateMap('metadata.annotations', metadata['annotations'], undefined),
  ]
}

function validateName(kind: Pick<Kind, 'kind'>, metadata: Record<string, unknown>): Cause[] {
  const { name, generateName } = metadata
  if (name === undefined || name === '') {
    return generateName === undefined ? [required('metadata.name')] : []
  }
  if (typeof name !== 'string') return []
  // Names of namespaces become part of others' names, so they may not hold a dot.
  const pattern = kind.kind === 'Namespace' ? label : subdomain
  const limit = kind.kind === 'Namespace' ? 63 : 253
  if (pattern.test(name) && name.length <= limit) return []
  const dots = kind.kind === 'Namespace' ? '' : ', "."'
  return [
    wrong(
      'metadata.name',
      `"${name}" must consist of lower case letters, digits, "-"${dots}, begin and end with a letter or digit, and have at most ${limit} characters`,
    ),
  ]
}

function validateNamespace(kind: Pick<Kind, 'namespaced' | 'kind'>, namespace: unknown): Cause[] {
  if (namespace === undefined) return []
  if (!kind.namespaced) {
    return [
      {
        reason: 'FieldValueForbidden',
        field: 'metadata.namespace',
        message: `a ${kind.kind} has no namespace`,
      },
    ]
  }
  if (typeof namespace !== 'string' || (label.test(namespace) && namespace.length <= 63)) return []
  return [wrong('metadata.namespace', `"${namespace}" is not the name of a namespace`)]
}

function validateMap(path: string, map: unknown, values: RegExp | undefined): Cause[] {
  if (!isPlainObject(map)) return []
  const causes = Object.entries(map).flatMap(([key, value]) => {
    if (!isQualifiedName(key))
      return [wrong(path, `"${key}" is not a key: [prefix/]name of at most 63 characters`)]
    const bad = values !== undefined && typeof value === 'string' && !values.test(value)
    return bad
      ? [wrong(`${path}[${key}]`, `"${value}" is not a label value: at most 63 of A-Z a-z 0-9 - _ .`)]
      : []
  })
  const size = values === undefined ? JSON.stringify(map).length : 0
  return size > annotationLimit
    ? [...causes, wrong(path, `must have at most ${annotationLimit} bytes`)]
    : causes
}

function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/')
  const prefix = key.slice(0, Math.max(0, slash))
  return (
    namePart.test(key.slice(slash + 1)) && (slash < 0 || (subdomain.test(prefix) && prefix.length <= 253))
  )
}

function required(field: string): Cause {
  return { reason: 'FieldValueRequired', field, message: 'is required' }
}

function wrong(field: string, message: string): Cause {
  return { reason: 'FieldValueInvalid', field, message }
}
