/**
 * Credentials for a registry out of Secrets: which entry of a Docker configuration is meant for an image, as Kubernetes
 * decides it. What is found goes to the engine with one call, and nowhere else: no op, event or log holds it. Pure.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { Secret } from '#pkg/apis/core.ts'
import type { RegistryCredentials } from '#pkg/engine/port.ts'

export interface Found {
  /** The key of the Secret. */
  readonly secret: string
  readonly credentials: RegistryCredentials
}

interface Entry extends Found {
  /** Host and path, such as `registry.example.com/team`; parts of the host may hold `*`. */
  readonly place: string
}

/** Those that may be meant for the image: of more than one place the more exact one first, else in order of the Secrets. */
export function credentialsFor(
  reference: string,
  secrets: readonly string[],
  secretOf: (key: string) => Secret | undefined,
): Found[] {
  const parsed = parseReference(reference)
  if (!parsed.ok) return []
  const { registry, repository } = parsed.reference
  return secrets
    .flatMap((key) => entriesOf(key, secretOf(key)))
    .filter(({ place }) => isMeant(place, registry, repository))
    .sort((a, b) => (a.place === b.place ? 0 : a.place < b.place ? 1 : -1))
    .map(({ secret, credentials }) => ({ secret, credentials }))
}

/** Keys of Secrets that hold no credentials at all: not there, or of another type. */
export function useless(secrets: readonly string[], secretOf: (key: string) => Secret | undefined): string[] {
  return secrets.filter((key) => entriesOf(key, secretOf(key)).length === 0)
}

/** An answer of a registry with what it was asked with, for whoever has to mend it. */
export function withCredentialsTold(error: unknown, reference: string, found: readonly Found[]): unknown {
  if (!(error instanceof StatusError)) return error
  if (error.reason !== 'RegistryUnauthorized' && error.reason !== 'ImageNotFound') return error
  const parsed = parseReference(reference)
  const registry = parsed.ok ? parsed.reference.registry : reference
  const names = [...new Set(found.map(({ secret }) => secret))].join(', ')
  if (names === '' && error.reason === 'ImageNotFound') return error
  const told =
    names === ''
      ? `no Secret of spec.imagePullSecrets holds credentials for ${registry}`
      : `asked with the credentials of Secret ${names}`
  return new StatusError(error.reason, `${error.message} (${told})`, error.details, { cause: error })
}

function entriesOf(key: string, secret: Secret | undefined): Entry[] {
  return Object.entries(configOf(secret)).flatMap(([place, value]) => {
    const credentials = credentialsOf(value)
    return credentials === undefined ? [] : { secret: key, place: placeOf(place), credentials }
  })
}

function configOf(secret: Secret | undefined): Record<string, unknown> {
  const read = (name: string): Record<string, unknown> => {
    const value = jsonValue(decoded(secret?.data?.[name]))
    return isPlainObject(value) ? value : {}
  }
  if (secret?.type === 'kubernetes.io/dockercfg') return read('.dockercfg')
  if (secret?.type !== 'kubernetes.io/dockerconfigjson') return {}
  const { auths } = read('.dockerconfigjson')
  return isPlainObject(auths) ? auths : {}
}

/** `auth` is USER:PASSWORD in base64; either it or the two by themselves. */
function credentialsOf(value: unknown): RegistryCredentials | undefined {
  if (!isPlainObject(value)) return undefined
  const { username, password, auth } = value
  if (typeof username === 'string' && username !== '' && typeof password === 'string')
    return { username, password }
  const plain = typeof auth === 'string' ? decoded(auth) : ''
  const colon = plain.indexOf(':')
  return colon < 1 ? undefined : { username: plain.slice(0, colon), password: plain.slice(colon + 1) }
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? '', 'base64').toString('utf8')
}

const hub: readonly string[] = ['index.docker.io', 'registry-1.docker.io', 'docker.io']

/** Places are written as hosts or as addresses of a version of the API, and Docker Hub under several names. */
function placeOf(written: string): string {
  const [host = '', ...path] = written.replace(/^https?:\/\//, '').split('/')
  const name = hub.includes(host) ? 'docker.io' : host
  const rest = path
    .join('/')
    .replace(/^v[12](\/|$)/, '')
    .replace(/\/$/, '')
  return rest === '' ? name : `${name}/${rest}`
}

function isMeant(place: string, registry: string, repository: string): boolean {
  const slash = place.indexOf('/')
  const host = slash < 0 ? place : place.slice(0, slash)
  const path = slash < 0 ? '' : place.slice(slash + 1)
  return fitsHost(host, registry) && repository.startsWith(path)
}

/** Part by part between the dots; one `*` in a part stands for anything there. */
function fitsHost(pattern: string, registry: string): boolean {
  const [wanted, found] = [pattern.split('.'), registry.split('.')]
  return wanted.length === found.length && wanted.every((part, index) => fitsPart(part, found[index] ?? ''))
}

function fitsPart(pattern: string, part: string): boolean {
  const [before = '', after, ...more] = pattern.split('*')
  if (after === undefined || more.length > 0) return pattern === part
  return part.length >= before.length + after.length && part.startsWith(before) && part.endsWith(after)
}
