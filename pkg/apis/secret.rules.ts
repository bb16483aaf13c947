/** What a Secret must hold for its type: Kubernetes' rules, in its words. No value is ever told. */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { jsonValue } from '#pkg/apimachinery/hash.ts'
import type { ObjectMeta } from '#pkg/apimachinery/meta.ts'
import { accountNameAnnotation, serviceAccountTokenType } from './secret.types.ts'

interface Held {
  readonly metadata: Pick<ObjectMeta, 'annotations'>
  readonly type: string
  /** Base64. */
  readonly data?: Readonly<Record<string, string>>
}

const checks: Readonly<Record<string, (secret: Held) => Cause[]>> = {
  [serviceAccountTokenType]: ({ metadata }) =>
    metadata.annotations?.[accountNameAnnotation]
      ? []
      : [required(`metadata.annotations[${accountNameAnnotation}]`)],
  'kubernetes.io/dockercfg': (secret) => json(secret, '.dockercfg'),
  'kubernetes.io/dockerconfigjson': (secret) => json(secret, '.dockerconfigjson'),
  'kubernetes.io/basic-auth': ({ data = {} }) =>
    'username' in data || 'password' in data ? [] : [required('data[username]'), required('data[password]')],
  'kubernetes.io/ssh-auth': (secret) => present(secret, 'ssh-privatekey'),
  'kubernetes.io/tls': (secret) => [...present(secret, 'tls.crt'), ...present(secret, 'tls.key')],
}

export function fitsItsType(secret: Held): Cause[] {
  return (Object.hasOwn(checks, secret.type) ? checks[secret.type]?.(secret) : undefined) ?? []
}

function present({ data = {} }: Held, key: string): Cause[] {
  return Object.hasOwn(data, key) ? [] : [required(`data[${key}]`)]
}

function json(secret: Held, key: string): Cause[] {
  const missing = present(secret, key)
  const text = Buffer.from(secret.data?.[key] ?? '', 'base64').toString()
  if (missing.length > 0 || jsonValue(text) !== undefined) return missing
  const message = 'Invalid value: "<secret contents redacted>": must be JSON'
  return [{ reason: 'FieldValueInvalid', field: `data[${key}]`, message }]
}

function required(field: string): Cause {
  return { reason: 'FieldValueRequired', field, message: 'Required value' }
}
