/**
 * The login of a namespace to a registry, in a Secret that `kubectl create secret docker-registry` could have made. Written
 * over what is there: other entries of the Secret stay.
 */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { type Secret, secretKind } from '#pkg/apis/core.ts'
import { placeOf } from '#pkg/apis/dockerconfig.ts'
import type { RegistryLogin } from '#pkg/apis/registryauth.ts'
import { loginSecretName } from '#pkg/apis/wellknown.ts'
import { CliError } from '../errors.ts'
import type { Session } from '../session.ts'

const type = 'kubernetes.io/dockerconfigjson'
const key = '.dockerconfigjson'

type Auths = Readonly<Record<string, unknown>>

export async function storeLogin(
  registry: string,
  { username, password }: RegistryLogin,
  session: Session,
): Promise<void> {
  const { client, namespace, signal } = session
  const name = loginSecretName(registry)
  const found = await read(name, session)
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  const auths = { ...others(registry, found), [serverOf(registry)]: { username, password, auth } }
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name },
    type,
    data: dataOf(auths),
  }
  if (found === undefined) await client.create(secretKind, secret, signal)
  else await client.patch(secretKind, { namespace, name }, { data: dataOf(auths) }, signal)
}

/** Whether there was one. */
export async function withoutLogin(registry: string, session: Session): Promise<boolean> {
  const { client, namespace, signal } = session
  const name = loginSecretName(registry)
  const found = await read(name, session)
  if (found === undefined) return false
  const left = others(registry, found)
  const had = Object.keys(authsOf(found)).length > Object.keys(left).length
  if (Object.keys(left).length === 0) await client.delete(secretKind, { namespace, name }, signal)
  else if (had) await client.patch(secretKind, { namespace, name }, { data: dataOf(left) }, signal)
  return had
}

async function read(name: string, { client, namespace, signal }: Session): Promise<Secret | undefined> {
  try {
    const secret = await client.get(secretKind, { namespace, name }, signal)
    if (secret.type === type) return secret
    throw new CliError(`Secret ${name} is of type ${secret.type}, not ${type}: remove it first`)
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    throw error
  }
}

function authsOf(secret: Secret | undefined): Auths {
  const config = jsonValue(Buffer.from(secret?.data?.[key] ?? '', 'base64').toString('utf8'))
  const auths = isPlainObject(config) ? config['auths'] : undefined
  return isPlainObject(auths) ? auths : {}
}

function others(registry: string, secret: Secret | undefined): Auths {
  return Object.fromEntries(Object.entries(authsOf(secret)).filter(([place]) => placeOf(place) !== registry))
}

/** As Docker writes it, for whoever else reads the Secret. */
function serverOf(registry: string): string {
  return registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry
}

function dataOf(auths: Auths): Record<string, string> {
  return { [key]: Buffer.from(JSON.stringify({ auths })).toString('base64') }
}
