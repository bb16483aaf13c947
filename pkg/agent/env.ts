/** Environment variables of a Container, with references to Secrets, ConfigMaps and its own fields filled in. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container, EnvVar } from '#pkg/apis/container.ts'
import type { Desired, Waiting } from './world.ts'

type Value = { readonly value: string } | { readonly absent: true } | { readonly missing: Waiting }

export function resolveEnv(
  container: Container,
  desired: Desired,
): { readonly variables: Record<string, string> } | { readonly missing: Waiting } {
  const variables: Record<string, string> = {}
  for (const variable of container.spec.env) {
    const resolved = resolveVariable(variable, container, desired)
    if ('missing' in resolved) return resolved
    if ('value' in resolved) variables[variable.name] = resolved.value
  }
  return { variables }
}

function resolveVariable({ name, value, valueFrom }: EnvVar, container: Container, desired: Desired): Value {
  if (valueFrom === undefined) return { value: value ?? '' }
  const namespace = container.metadata.namespace ?? 'default'
  const { fieldRef, secretKeyRef, configMapKeyRef } = valueFrom
  if (fieldRef !== undefined) return { value: readField(container, fieldRef.fieldPath) }
  if (secretKeyRef !== undefined) {
    const encoded = desired.secrets.get(objectKey({ namespace, name: secretKeyRef.name }))?.data?.[
      secretKeyRef.key
    ]
    const text = encoded === undefined ? undefined : Buffer.from(encoded, 'base64').toString('utf8')
    return found(text, secretKeyRef.optional, { kind: 'Secret', variable: name, ...secretKeyRef })
  }
  if (configMapKeyRef !== undefined) {
    const text = desired.configMaps.get(objectKey({ namespace, name: configMapKeyRef.name }))?.data?.[
      configMapKeyRef.key
    ]
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
