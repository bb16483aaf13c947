/** The reference page of a kind, from its schema alone: what is not in the schema cannot be in the page. */
import { type Kind, kindName } from '#pkg/apis/kind.ts'
import type { Schema, Validation } from '#pkg/apis/schema.ts'

interface Field {
  readonly path: string
  readonly schema: Schema
  readonly required: boolean
  /** It, or something it is in, is refused by this version. */
  readonly unimplemented: boolean
}

/** The page of a kind: markdown. */
export function referencePage(kind: Kind): string {
  const { metadata: _, apiVersion: __, kind: ___, ...own } = kind.schema.properties ?? {}
  const groupVersion = kind.group === '' ? kind.version : `${kind.group}/${kind.version}`
  const short = kind.shortNames.length > 0 ? `, short ${kind.shortNames.join(', ')}` : ''
  const sections = Object.entries(own).map(([name, schema]) => section(name, schema, kind.schema))
  return [
    '<!-- Written by `make generate` from pkg/apis; change the schema, not this page. -->',
    `# ${kind.kind}`,
    kind.description,
    `\`apiVersion: ${groupVersion}\`, \`kind: ${kind.kind}\`; ${kind.namespaced ? 'in a namespace' : 'for the whole cluster'}; \`kubectl get ${kind.plural}\`${short}.`,
    selectable(kind),
    rulesOf(kind.schema),
    ...sections,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n')
}

/** What its objects can be selected by, besides labels. */
function selectable({ selectableFields, selectableAliases = {}, namespaced }: Kind): string {
  const common = namespaced ? ['metadata.name', 'metadata.namespace'] : ['metadata.name']
  const fields = [...common, ...selectableFields, ...Object.keys(selectableAliases)].map(
    (field) => `\`${field}\``,
  )
  return `Fields for \`--field-selector\`: ${fields.join(', ')}.`
}

/** The list of all pages. */
export function referenceIndex(kinds: readonly Kind[]): string {
  const rows = kinds.map((kind) => `| [${kindName(kind)}](${pageName(kind)}) | ${cell(kind.description)} |`)
  return [
    '<!-- Written by `make generate` from pkg/apis; change the schema, not this page. -->',
    '# Kinds',
    ['| kind | what it is |', '| --- | --- |', ...rows].join('\n'),
  ]
    .join('\n\n')
    .concat('\n')
}

export function pageName(kind: Kind): string {
  return `${kind.plural}.md`
}

function section(name: string, schema: Schema, whole: Schema): string {
  const fields = fieldsOf('', schema, false)
  const first = { path: name, schema, required: isRequired(whole, name), unimplemented: false }
  const rows = fields.length > 0 ? fields : [first]
  const about = [schema.description ?? '', rulesOf(schema)].filter(Boolean).join(' ')
  const intro = fields.length > 0 && about !== '' ? `\n\n${about}` : ''
  const table = ['| field | type | default | description |', '| --- | --- | --- | --- |', ...rows.map(row)]
  return `## ${name}${intro}\n\n${table.join('\n')}`
}

/** Depth first, in the order of the schema. `[]` marks items of a list, `.*` values of a map. */
function fieldsOf(prefix: string, schema: Schema, unimplemented: boolean): Field[] {
  if (schema.items !== undefined) return fieldsOf(`${prefix}[]`, schema.items, unimplemented)
  if (schema.additionalProperties !== undefined) {
    return fieldsOf(`${prefix}.*`, schema.additionalProperties, unimplemented)
  }
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`
    const refused = unimplemented || property['x-cove-unimplemented'] === true
    const field = { path, schema: property, required: isRequired(schema, name), unimplemented: refused }
    return [field, ...fieldsOf(path, property, refused)]
  })
}

function isRequired(schema: Schema, name: string): boolean {
  return schema.required?.includes(name) === true
}

function row({ path, schema, required, unimplemented }: Field): string {
  const about = [unimplemented ? '**Not implemented yet.**' : '', schema.description ?? '', limits(schema)]
  const fallback = required ? '(required)' : defaultOf(schema)
  return `| \`${path}\` | ${typeOf(schema)} | ${fallback} | ${cell(about.filter(Boolean).join(' '))} |`
}

function typeOf(schema: Schema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`
  if (schema.additionalProperties !== undefined) return `map of ${typeOf(schema.additionalProperties)}`
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity'
  return formats[schema.format ?? ''] ?? schema.type ?? 'anything'
}

const formats: Readonly<Record<string, string>> = {
  'cove-duration': 'duration',
  'cove-image-reference': 'image reference',
  'date-time': 'time',
}

/** An empty default says no more than that the field may be left out. */
function defaultOf({ default: value }: Schema): string {
  const text = JSON.stringify(value)
  return text === undefined || text === '[]' || text === '{}' ? '' : `\`${text.replaceAll(/^"|"$/g, '')}\``
}

function limits(schema: Schema): string {
  const words = schema.enum?.map((word) => `\`${word}\``).join(', ')
  const range = [
    schema.minimum === undefined ? '' : `at least ${schema.minimum}`,
    schema.maximum === undefined ? '' : `at most ${schema.maximum}`,
  ]
  const numbers = range.filter(Boolean).join(', ')
  const pattern = schema.pattern === undefined ? '' : `Matches \`${schema.pattern}\`.`
  const items = schema.maxItems === undefined ? '' : `At most ${schema.maxItems} items.`
  const entries = schema.maxProperties === undefined ? '' : `At most ${schema.maxProperties} entries.`
  const parts = [words === undefined ? '' : `One of ${words}.`, numbers === '' ? '' : `${upper(numbers)}.`]
  return [...parts, items, entries, pattern, rulesOf(schema)].filter(Boolean).join(' ')
}

/** What each rule says when it is broken; of what only computes its words, the expression. Items are told with their list. */
function rulesOf(schema: Schema): string {
  const each = schema.items?.['x-kubernetes-validations'] ?? []
  const said = [...(schema['x-kubernetes-validations'] ?? []), ...each].map(ruleText)
  return said.length === 0 ? '' : `Rules: ${[...new Set(said)].join('; ')}.`
}

function ruleText({ rule, message, fieldPath }: Validation): string {
  return `${fieldPath === undefined ? '' : `\`${fieldPath.slice(1)}\` `}${message ?? `\`${rule}\``}`
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}
