/**
 * What registries answer, taken apart: from unknown JSON to the port's types. Everything that is not what the
 * distribution API promises is RegistryUnavailable, with a sentence. Pure.
 */
import { createHash } from 'node:crypto'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import type { FoundRepository } from './port.ts'

export const digestPattern = /^sha256:[0-9a-f]{64}$/

const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
]
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
]

/** Without all of them a registry may answer with another digest than the one that engines pull. */
export const manifestAccept = [...indexTypes, ...manifestTypes].join(', ')

export function garbage(registry: string, what: string): StatusError {
  return new StatusError('RegistryUnavailable', `registry ${registry} answers what no registry does: ${what}`)
}

export function digestOfBytes(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`
}

export function parseObject(registry: string, body: Uint8Array, what: string): Record<string, unknown> {
  const value = jsonValue(Buffer.from(body).toString('utf8'))
  if (!isPlainObject(value)) throw garbage(registry, `${what} is no JSON object`)
  return value
}

/** A list of texts under `name`; null, which some registries write for an empty list, is one. */
export function parseTexts(registry: string, body: Uint8Array, name: string): string[] {
  const list = parseObject(registry, body, `the list of ${name}`)[name] ?? []
  if (!Array.isArray(list) || !list.every((item) => typeof item === 'string'))
    throw garbage(registry, `${name} is no list of texts`)
  return list
}

export interface Token {
  readonly token: string
  readonly lifetimeMs: number
}

/** As the token specification has it: a minute when nothing is said. */
export function parseToken(registry: string, body: Uint8Array): Token {
  const { token, access_token: access, expires_in: seconds } = parseObject(registry, body, 'the token')
  const found = typeof token === 'string' && token !== '' ? token : access
  // It becomes a header: nothing else may come of it.
  if (typeof found !== 'string' || !/^[\x21-\x7e]+$/.test(found)) throw garbage(registry, 'it gives no token')
  const lifetime = typeof seconds === 'number' && seconds > 0 ? Math.min(seconds, 86_400) : 60
  return { token: found, lifetimeMs: lifetime * 1000 }
}

export type Manifest =
  | { readonly layers: readonly { readonly digest: string; readonly bytes: number }[] }
  | { readonly index: readonly IndexEntry[] }

export interface IndexEntry {
  readonly digest: string
  /** `linux/arm64/v8`; empty when it says nothing. */
  readonly platform: string
}

export function parseManifest(registry: string, body: Uint8Array): Manifest {
  const manifest = parseObject(registry, body, 'the manifest')
  if (Array.isArray(manifest['manifests']))
    return { index: manifest['manifests'].map((entry) => indexEntry(registry, entry)) }
  if (Array.isArray(manifest['layers']))
    return { layers: manifest['layers'].map((entry) => layerOf(registry, entry)) }
  throw garbage(registry, 'the manifest has neither layers nor manifests')
}

/** The one for the platform; an entry without a variant fits any that is asked for, and the other way round. */
export function choosePlatform(index: readonly IndexEntry[], platform: string): IndexEntry | undefined {
  const [os, architecture, variant] = platform.split('/')
  const fitting = index.filter((entry) => {
    const [entryOs, entryArchitecture, entryVariant] = entry.platform.split('/')
    const fits = entryOs === os && entryArchitecture === architecture
    return fits && (variant === undefined || entryVariant === undefined || entryVariant === variant)
  })
  return fitting.find((entry) => entry.platform === platform) ?? fitting[0]
}

export function parseFound(registry: string, body: Uint8Array): FoundRepository[] {
  const { results } = parseObject(registry, body, 'what was found')
  if (!Array.isArray(results)) throw garbage(registry, 'what was found is no list')
  return results.map((result) => {
    const found: unknown = result
    if (!isPlainObject(found) || typeof found['name'] !== 'string')
      throw garbage(registry, 'what was found has no name')
    const { name, description, star_count: stars, is_official: official } = found
    return {
      name,
      description: typeof description === 'string' ? description : '',
      stars: typeof stars === 'number' ? stars : 0,
      official: official === true,
    }
  })
}

/**
 * The first words of a refusal, as the specification gives them; empty when there are none, or when one of the secrets that
 * were shown is repeated in them.
 */
export function refusalText(body: Uint8Array, secrets: readonly string[]): string {
  const value = jsonValue(Buffer.from(body).toString('utf8'))
  if (!isPlainObject(value)) return ''
  const errors: unknown = value['errors']
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  const text = isPlainObject(first)
    ? (first['message'] ?? first['code'])
    : (value['details'] ?? value['message'])
  if (typeof text !== 'string' || secrets.some((secret) => text.includes(secret))) return ''
  // Whatever a stranger writes goes into a status and onto terminals.
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200)
}

function indexEntry(registry: string, entry: unknown): IndexEntry {
  if (!isPlainObject(entry) || !isDigest(entry['digest'])) throw garbage(registry, 'an index with no digests')
  const { digest, platform } = entry
  const { os, architecture, variant } = isPlainObject(platform) ? platform : {}
  const parts = [os, architecture, variant].filter((part) => typeof part === 'string' && part !== '')
  return { digest, platform: parts.join('/') }
}

function layerOf(registry: string, layer: unknown): { digest: string; bytes: number } {
  if (!isPlainObject(layer) || !isDigest(layer['digest'])) throw garbage(registry, 'a layer has no digest')
  const { digest, size } = layer
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw garbage(registry, 'a layer has no size')
  return { digest, bytes: size }
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && digestPattern.test(value)
}
