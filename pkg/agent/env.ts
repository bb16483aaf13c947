/** Environment variables of a Container, with references to Secrets, ConfigMaps and its own fields filled in. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container, EnvVar } from '#pkg/apis/container.ts'
import type { Desired, Waiting } from './world.ts'

type Value = { readonly value: string } | { readonly absent: true } | { readonly missing: Waiting }

export function resolveEnv(
  container: Container,
  desired: Desired,
): { readonly variables: Record<string, string> } | { readonly missing: Waiting } {
  const variables = new Map<string, string>()
  for (const source of container.spec.envFrom ?? []) {
    const found = readSource(source, container, desired)
    if ('missing' in found) return found
    for (const [name, value] of found.pairs) if (isName(name)) variables.set(name, value)
  }
  for (const variable of container.spec.env) {
    const resolved = resolveVariable(variable, container, desired)
    if ('missing' in resolved) return resolved
    if ('value' in resolved) variables.set(variable.name, resolved.value)
  }
  return { variables: Object.fromEntries(variables) }
}

/** Kubernetes' words for keys of whole Secrets and ConfigMaps that are no names of variables; one for each source. */
export function skippedNames(container: Container, desired: Desired): string[] {
  const { namespace = 'default' } = container.metadata
  return (container.spec.envFrom ?? []).flatMap((source) => {
    const found = readSource(source, container, desired)
    const names = 'missing' in found ? [] : found.pairs.map(([name]) => name).filter((name) => !isName(name))
    if (names.length === 0) return []
    const kind = source.secretRef === undefined ? 'configMap' : 'secret'
    const key = objectKey({ namespace, name: (source.secretRef ?? source.configMapRef)?.name ?? '' })
    return `Keys [${names.sort().join(', ')}] from the EnvFrom ${kind} ${key} were skipped since they are considered invalid environment variable names.`
  })
}

/** Kubernetes' rule. */
function isName(name: string): boolean {
  return /^[-._a-zA-Z][-._a-zA-Z0-9]*$/.test(name) && name !== '.' && !name.startsWith('..')
}

type Source = NonNullable<Container['spec']['envFrom']>[number]
type Pairs = { readonly pairs: readonly (readonly [string, string])[] }

/** Every key with its prefix, fit for a name or not. */
function readSource(
  { prefix = '', secretRef, configMapRef }: Source,
  { metadata }: Container,
  { secrets, configMaps }: Desired,
): Pairs | { readonly missing: Waiting } {
  const ref = secretRef ?? configMapRef
  const key = objectKey({ namespace: metadata.namespace ?? 'default', name: ref?.name ?? '' })
  const object = secretRef === undefined ? configMaps.get(key) : secrets.get(key)
  if (object === undefined && ref?.optional !== true) {
    const kind = secretRef === undefined ? 'ConfigMap' : 'Secret'
    const message = `spec.envFrom wants ${kind} ${key}, which does not exist`
    return { missing: { reason: `${kind}NotFound`, message } }
  }
  const text = (value: string) =>
    secretRef === undefined ? value : Buffer.from(value, 'base64').toString('utf8')
  const pairs = Object.entries(object?.data ?? {}).map(
    ([name, value]) => [`${prefix}${name}`, text(value)] as const,
  )
  return { pairs }
}

function resolveVariable({ name, value, valueFrom }: EnvVar, container: Container, desired: Desired): Value {
  if (valueFrom === undefined) return { value: value ?? '' }
  const namespace = container.metadata.namespace ?? 'default'
  const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom
  if (fieldRef !== undefined) return { value: readField(container, fieldRef.fieldPath) }
  if (secretKeyRef !== undefined) {
    const secret = desired.secrets.get(objectKey({ namespace, name: secretKeyRef.name }))
    const encoded = ownValue(secret?.data ?? {}, secretKeyRef.key)
    const text = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
    return found(text, secretKeyRef.optional, { kind: 'Secret', variable: name, ...secretKeyRef })
  }
  if (configMapKeyRef !== undefined) {
    const configMap = desired.configMaps.get(objectKey({ namespace, name: configMapKeyRef.name }))
    const text = ownValue(configMap?.data ?? {}, configMapKeyRef.key)
    return found(text, configMapKeyRef.optional, { kind: 'ConfigMap', variable: name, ...configMapKeyRef })
  }
  return { absent: true }
}

function found(
  value: string | undefined,
  optional: boolean,
  from: { kind: string; variable: string; name: string; key: string },
): Value {
  if (value !== undefined) return { value }
  if (optional) return { absent: true }
  const message = `spec.env "${from.variable}" wants key "${from.key}" of ${from.kind} ${from.name}, which does not exist`
  return { missing: { reason: `${from.kind}NotFound`, message } }
}

function readField({ metadata, spec }: Container, path: string): string {
  const fields: Readonly<Record<string, string | undefined>> = {
    'metadata.name': metadata.name,
    'metadata.namespace': metadata.namespace,
    'metadata.uid': metadata.uid,
    'spec.nodeName': spec.nodeName,
  }
  return fields[path] ?? ''
}
