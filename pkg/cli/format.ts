/** Objects as text: -o yaml, json, name and jsonpath, in the forms that kubectl prints. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseApiVersion } from '#pkg/apimachinery/meta.ts'
import { UsageError } from './errors.ts'
import { compileJsonPath } from './jsonpath.ts'

export type Json = Record<string, unknown>

/** A parsed -o value. */
export type Format =
  | { readonly kind: 'table'; readonly wide: boolean }
  | { readonly kind: 'objects'; readonly print: (value: Json) => Promise<string> | string }

export interface FormatOptions {
  readonly showManagedFields: boolean
  readonly command: string
}

const known = ['wide', 'yaml', 'json', 'name', 'jsonpath=TEMPLATE'] as const

/** Throws UsageError for a form that does not exist, and for a template that does not parse. */
export function parseFormat(output: string | undefined, options: FormatOptions): Format {
  const strip = (value: Json) => (options.showManagedFields ? value : withoutManagedFields(value))
  if (output === undefined || output === '') return { kind: 'table', wide: false }
  if (output === 'wide') return { kind: 'table', wide: true }
  if (output === 'json') return { kind: 'objects', print: (value) => jsonText(strip(value)) }
  if (output === 'yaml') return { kind: 'objects', print: (value) => yamlText(strip(value)) }
  if (output === 'name') return { kind: 'objects', print: namesText }
  if (output.startsWith('jsonpath=')) {
    const print = compileJsonPath(output.slice('jsonpath='.length), options.command)
    return { kind: 'objects', print: (value) => print(strip(value)) }
  }
  throw new UsageError(`unknown output format "${output}": one of ${known.join(', ')}`, options.command)
}

/** Four spaces and sorted keys. */
export function jsonText(value: unknown): string {
  return `${JSON.stringify(sortKeys(value), null, 4)}\n`
}

/** The YAML writer is loaded when it is first needed. */
export async function yamlText(value: unknown): Promise<string> {
  const { writeYaml } = await import('#pkg/manifest/yaml.ts')
  return writeYaml(sortKeys(value))
}

/** Several objects as the one List that -o json and yaml print. */
export function listOf(items: readonly Json[]): Json {
  return { apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } }
}

export function withoutManagedFields(value: Json): Json {
  if (Array.isArray(value['items'])) {
    return {
      ...value,
      items: value['items'].map((item) => (isPlainObject(item) ? withoutManagedFields(item) : item)),
    }
  }
  if (!isPlainObject(value['metadata'])) return value
  const { managedFields: _, ...metadata } = value['metadata']
  return { ...value, metadata }
}

function namesText(value: Json): string {
  const items = Array.isArray(value['items']) ? value['items'].filter(isPlainObject) : [value]
  return items.map((item) => `${objectName(item)}\n`).join('')
}

/** `container.cove.run/web` */
export function objectName(value: Json): string {
  const { group } = parseApiVersion(String(value['apiVersion'] ?? ''))
  const singular = String(value['kind'] ?? '').toLowerCase()
  const metadata = isPlainObject(value['metadata']) ? value['metadata'] : {}
  return `${group === '' ? singular : `${singular}.${group}`}/${String(metadata['name'] ?? '')}`
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortKeys(value[key])]),
  )
}
