/**
 * Docker configurations in Secrets: which entry is meant for an image, as Kubernetes decides it. What is found is for one
 * call to a registry. Pure.
 */
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import type { Secret } from './core.ts'
import type { RegistryLogin } from './registryauth.ts'

export interface Found {
  /** Whose they are: `Secret shop/login`. */
  readonly from: string
  readonly credentials: RegistryLogin
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
    .map(({ from, credentials }) => ({ from, credentials }))
}

/** Keys of Secrets that hold no credentials at all: not there, or of another type. */
export function useless(secrets: readonly string[], secretOf: (key: string) => Secret | undefined): string[] {
  return secrets.filter((key) => entriesOf(key, secretOf(key)).length === 0)
}

function entriesOf(key: string, secret: Secret | undefined): Entry[] {
  return Object.entries(configOf(secret)).flatMap(([place, value]) => {
    const credentials = entryCredentials(value)
    return credentials === undefined ? [] : { from: `Secret ${key}`, place: placeOf(place), credentials }
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
export function entryCredentials(value: unknown): RegistryLogin | undefined {
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

/** `docker.io` for each of the names of Docker Hub. */
export function hubAsOne(host: string): string {
  return hub.includes(host) ? 'docker.io' : host
}

/** Places are written as hosts or as addresses of a version of the API, and Docker Hub under several names. */
export function placeOf(written: string): string {
  const [host = '', ...path] = written.replace(/^https?:\/\//, '').split('/')
  const name = hubAsOne(host)
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
