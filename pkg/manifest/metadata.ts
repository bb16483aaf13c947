/**
 * Metadata beyond its schema, as Kubernetes validates it for every kind, in Kubernetes' own words. Those of its texts
 * that people search for are kept to the letter, the oddities of their examples included. Pure.
 */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type NameRule, whyNoLabel, whyNoName } from './names.ts'
import { whyNoLabelValue, whyNoQualifiedName } from './qualifiednames.ts'

interface Named {
  readonly kind: string
  readonly namespaced: boolean
  /** Default: a subdomain of DNS. */
  readonly nameRule?: NameRule
}

type Json = Readonly<Record<string, unknown>>

export const annotationLimit = 256 * 1024
const managerLimit = 128
const subresourceLimit = 256

/** What is wrong with the metadata of an object. What is not of the type that the schema wants is left to the schema. */
export function validateMetadata(kind: Named, value: unknown): Cause[] {
  const metadata = isPlainObject(value) ? value['metadata'] : undefined
  if (!isPlainObject(metadata))
    return [{ reason: 'FieldValueRequired', field: 'metadata', message: 'is required' }]
  return [
    ...nameCauses(kind, metadata),
    ...namespaceCauses(kind, metadata['namespace']),
    ...labelCauses(metadata['labels']),
    ...annotationCauses(metadata['annotations']),
    ...ownerCauses(metadata['ownerReferences']),
    ...finalizerCauses(metadata['finalizers']),
    ...managerCauses(metadata['managedFields']),
  ]
}

function nameCauses({ nameRule = 'subdomain' }: Named, { name, generateName }: Json): Cause[] {
  const prefix =
    typeof generateName === 'string' && generateName !== ''
      ? whyNoName(nameRule, generateName, { prefix: true }).map((why) =>
          wrong('metadata.generateName', generateName, why),
        )
      : []
  if (name === undefined || name === '') {
    return prefix.length > 0 || (typeof generateName === 'string' && generateName !== '')
      ? prefix
      : [required('metadata.name', 'name or generateName is required')]
  }
  if (typeof name !== 'string') return prefix
  return [...prefix, ...whyNoName(nameRule, name).map((why) => wrong('metadata.name', name, why))]
}

function namespaceCauses({ namespaced }: Named, namespace: unknown): Cause[] {
  if (namespace === undefined || namespace === '') return []
  const field = 'metadata.namespace'
  if (!namespaced) return [forbidden(field, 'not allowed on this type')]
  return typeof namespace === 'string' ? whyNoLabel(namespace).map((why) => wrong(field, namespace, why)) : []
}

function labelCauses(labels: unknown): Cause[] {
  return textsOf(labels).flatMap(([key, value]) => [
    ...whyNoQualifiedName(key).map((why) => wrong('metadata.labels', key, why)),
    ...whyNoLabelValue(value).map((why) => wrong(`metadata.labels[${key}]`, value, why)),
  ])
}

/** Case does not matter in the prefix of an annotation. */
function annotationCauses(annotations: unknown): Cause[] {
  const field = 'metadata.annotations'
  const texts = textsOf(annotations)
  const keys = texts.flatMap(([key]) =>
    whyNoQualifiedName(key.toLowerCase()).map((why) => wrong(field, key, why)),
  )
  const size = texts.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
  return size > annotationLimit ? [...keys, tooLong(field, annotationLimit)] : keys
}

function ownerCauses(references: unknown): Cause[] {
  const owners = objectsOf(references)
  const each = owners.flatMap(([owner, index]) => ownerCause(owner, `metadata.ownerReferences[${index}]`))
  const [first, ...others] = owners
    .filter(([{ controller }]) => controller === true)
    .map(([{ kind, name }]) => `${kind}/${name}`)
  const twice = others.map((other) =>
    wrong(
      'metadata.ownerReferences',
      references,
      `Only one reference can have Controller set to true. Found "true" in references for ${first} and ${other}`,
    ),
  )
  return [...each, ...twice]
}

function ownerCause(owner: Json, path: string): Cause[] {
  const { apiVersion, kind } = owner
  const empty = ['apiVersion', 'kind', 'name', 'uid']
    .filter((name) => owner[name] === '')
    .map((name) => required(`${path}.${name}`, 'must not be empty'))
  const version = typeof apiVersion === 'string' && apiVersion !== '' && !/^([^/]+\/)?[^/]+$/.test(apiVersion)
  return [
    ...(version ? [wrong(`${path}.apiVersion`, apiVersion, 'must be <group>/<version> or <version>')] : []),
    ...empty,
    ...(apiVersion === 'v1' && kind === 'Event'
      ? [wrong(path, owner, '/v1, Kind=Event is disallowed from being an owner')]
      : []),
  ]
}

function finalizerCauses(finalizers: unknown): Cause[] {
  if (!Array.isArray(finalizers)) return []
  const names = finalizers.flatMap((finalizer, index) =>
    typeof finalizer === 'string'
      ? whyNoQualifiedName(finalizer).map((why) => wrong(`metadata.finalizers[${index}]`, finalizer, why))
      : [],
  )
  const both = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion')
  const message = 'finalizer orphan and foregroundDeletion cannot be both set'
  return both ? [...names, wrong('metadata.finalizers', finalizers, message)] : names
}

/** `operation` and `fieldsType` are words of the schema. */
function managerCauses(entries: unknown): Cause[] {
  return objectsOf(entries).flatMap(([{ manager, subresource }, index]) => {
    const path = `metadata.managedFields[${index}]`
    const name = typeof manager === 'string' ? manager : ''
    const unprintable = /[\p{C}\p{Zl}\p{Zp}]/u.exec(name)?.[0]
    return [
      ...(Buffer.byteLength(name) > managerLimit ? [tooLong(`${path}.manager`, managerLimit)] : []),
      ...(unprintable === undefined
        ? []
        : [wrong(`${path}.manager`, name, 'should only contain printable characters')]),
      ...(typeof subresource === 'string' && subresource.length > subresourceLimit
        ? [tooLong(`${path}.subresource`, subresourceLimit)]
        : []),
    ]
  })
}

function textsOf(map: unknown): [string, string][] {
  if (!isPlainObject(map)) return []
  return Object.entries(map).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value]] : []))
}

function objectsOf(list: unknown): (readonly [Json, number])[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((item, index) => (isPlainObject(item) ? [[item, index] as const] : []))
}

function required(field: string, message: string): Cause {
  return { reason: 'FieldValueRequired', field, message: `Required value: ${message}` }
}

function forbidden(field: string, message: string): Cause {
  return { reason: 'FieldValueForbidden', field, message: `Forbidden: ${message}` }
}

function wrong(field: string, value: unknown, why: string): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` }
}

function tooLong(field: string, limit: number): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Too long: may not be more than ${limit} bytes` }
}
