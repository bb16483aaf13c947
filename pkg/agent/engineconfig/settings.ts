/**
 * The two settings of registries in the engine's daemon.json: read, compared, changed in its text. Pure. Measured on
 * Docker Engine 20.10: a reload takes what the file says of each of the two; what the file does not say stays as it is,
 * so that only an empty list takes everything away.
 */
import { createHash } from 'node:crypto'
import { isIP, isIPv4 } from 'node:net'
import type { NodeSpec } from '#pkg/apis/node.ts'

/** What is wanted of each, or reported; absent: it is left alone. */
export interface RegistrySettings {
  readonly insecure?: readonly string[]
  readonly mirrors?: readonly string[]
}

export type ReportedRegistries = Required<RegistrySettings>

const settingKeys = { insecure: 'insecure-registries', mirrors: 'registry-mirrors' } as const
/** As flags of dockerd, which has other names for them. */
export const settingFlags = { insecure: '--insecure-registry', mirrors: '--registry-mirror' } as const

const settings = ['insecure', 'mirrors'] as const

export type ParsedFile =
  | { readonly ok: true; readonly content: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly message: string }

/** Undefined when nothing is asked for. */
export function wishOf(spec: NodeSpec['engine']): RegistrySettings | undefined {
  const { insecureRegistries: insecure, registryMirrors: mirrors } = spec ?? {}
  if (insecure === undefined && mirrors === undefined) return undefined
  return { ...(insecure !== undefined && { insecure }), ...(mirrors !== undefined && { mirrors }) }
}

/** The wish's settings that are asked for. */
export function namedSettings(wish: RegistrySettings): (keyof RegistrySettings)[] {
  return settings.filter((setting) => wish[setting] !== undefined)
}

/** What is wrong with it, in a sentence; undefined: nothing. */
export function faultOf({ insecure = [], mirrors = [] }: RegistrySettings): string | undefined {
  return insecure.map(faultOfInsecure).find(isText) ?? mirrors.map(faultOfMirror).find(isText)
}

function faultOfMirror(mirror: string): string | undefined {
  const field = `spec.engine.registryMirrors: "${mirror}"`
  const url = URL.parse(mirror)
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return `${field} is not http://HOST[:PORT] or https://HOST[:PORT]`
  if (url.username !== '' || url.password !== '')
    return 'spec.engine.registryMirrors: a mirror must not hold credentials'
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '')
    return `${field} must end after its host and port`
  return undefined
}

function faultOfInsecure(registry: string): string | undefined {
  const field = `spec.engine.insecureRegistries: "${registry}"`
  const [address = '', bits] = splitNetwork(registry)
  if (bits !== undefined) {
    const most = isIPv4(address) ? 32 : 128
    const fits = isIP(address) !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= most
    return fits ? undefined : `${field} is not a network such as 10.0.0.0/8`
  }
  const url = URL.parse(`http://${registry}`)
  const fits =
    url !== null && url.username === '' && url.pathname === '/' && url.search === '' && url.hash === ''
  return fits ? undefined : `${field} is not HOST[:PORT] or a network such as 10.0.0.0/8`
}

function splitNetwork(registry: string): readonly [string, string | undefined] {
  const slash = registry.indexOf('/')
  return slash === -1 ? [registry, undefined] : [registry.slice(0, slash), registry.slice(slash + 1)]
}

/** Of a daemon.json, or of none. */
export function parseFile(text: string | undefined): ParsedFile {
  // An engine takes an empty file for one that sets nothing.
  if (text === undefined || text.trim() === '') return { ok: true, content: {} }
  try {
    const content: unknown = JSON.parse(text)
    if (isObject(content)) return { ok: true, content }
    return { ok: false, message: 'it holds no object' }
  } catch (error) {
    // The parser's own words repeat what is there, which may be the password of a proxy.
    const [at] =
      /\(?line \d+ column \d+\)?|position \d+/.exec(error instanceof Error ? error.message : '') ?? []
    return { ok: false, message: at === undefined ? 'from its beginning' : `at ${at.replace(/[()]/g, '')}` }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** What the file says of the two; a value that is no list of strings is an error, in a sentence. */
export function settingsIn(content: Readonly<Record<string, unknown>>): RegistrySettings | string {
  const found: { insecure?: readonly string[]; mirrors?: readonly string[] } = {}
  for (const setting of settings) {
    const value = content[settingKeys[setting]]
    if (value === undefined) continue
    if (!isStrings(value)) return `"${settingKeys[setting]}" is not a list of strings`
    found[setting] = value
  }
  return found
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string')
}

/** Whether each of the asked settings is as it is asked for, whatever the order and the spelling. */
export function agrees(asked: RegistrySettings, found: RegistrySettings): boolean {
  return namedSettings(asked).every((setting) => {
    const there = found[setting]
    return there !== undefined && sameSet(setting, asked[setting] ?? [], there)
  })
}

function sameSet(setting: keyof RegistrySettings, one: readonly string[], other: readonly string[]): boolean {
  const spell = setting === 'mirrors' ? spellMirror : spellInsecure
  // Every engine may speak so to its own machine: it reports that, asked or not.
  const set = (list: readonly string[]) =>
    new Set(list.map(spell).filter((each) => !alwaysInsecure.has(each)))
  return set(one).symmetricDifference(set(other)).size === 0
}

const alwaysInsecure: ReadonlySet<string> = new Set(['127.0.0.0/8', '::1/128'])

function spellMirror(mirror: string): string {
  return URL.parse(mirror)?.href ?? mirror
}

/** As the engine reports networks: without the bits behind the mask. */
function spellInsecure(registry: string): string {
  const [address, bits] = splitNetwork(registry)
  if (bits === undefined) return registry
  if (!isIPv4(address)) return `${URL.parse(`http://[${address}]`)?.hostname.slice(1, -1) ?? address}/${bits}`
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const size = 2 ** (32 - Number(bits))
  const first = Math.floor(number / size) * size
  const parts = [2 ** 24, 2 ** 16, 2 ** 8, 1].map((unit) => Math.floor(first / unit) % 256)
  return `${parts.join('.')}/${bits}`
}

/** The file's text with these settings: other keys, their order and the indentation stay. `text` must be valid. */
export function withSettings(text: string | undefined, wish: RegistrySettings): string {
  const parsed = parseFile(text)
  if (!parsed.ok) throw new Error(`a file that is not valid is not changed: ${parsed.message}`)
  const lists = namedSettings(wish).map((setting) => [settingKeys[setting], wish[setting]])
  const indent = /\n([ \t]+)"/.exec(text ?? '')?.[1] ?? '  '
  return `${JSON.stringify({ ...parsed.content, ...Object.fromEntries(lists) }, undefined, indent)}\n`
}

/** Of a file's text, or of a wish: equal ones have equal ones. */
export function hashOf(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(value ?? null))
    .digest('hex')
    .slice(0, 32)
}

function isText(value: string | undefined): value is string {
  return value !== undefined
}
