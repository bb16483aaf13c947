/** `cove explain`: a kind or a field of it, from the schema that admission uses. Needs no server. */

import { nearest } from '#pkg/apimachinery/nearest.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import type { Schema } from '#pkg/apis/schema.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { findResources, unknownResource } from '../resources.ts'
import type { Context } from '../session.ts'
import { wrap } from '../wrap.ts'

export async function run({ io, args }: Context): Promise<number> {
  const [word, extra] = args.positionals
  if (word === undefined) throw new UsageError('say which type', 'explain')
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, 'explain')
  const [type = '', ...path] = word.split('.')
  const [resource] = findResources(type, kinds)
  const kind = kinds.find((candidate) => candidate === resource)
  if (kind === undefined) throw unknownResource(type, kinds)
  const fields = path.filter((name) => name !== '')
  await io.stdout.write(explain(kind, fields, args.bool('recursive')))
  return exitCodes.ok
}

/** kubectl's layout. Throws CliError for a field that does not exist. */
export function explain(kind: Kind, path: readonly string[], recursive: boolean): string {
  const schema = path.reduce((inner, name) => step(inner, name, path), kind.schema)
  const name = path.at(-1)
  const head = [
    ...(kind.group === '' ? [] : [`GROUP:      ${kind.group}\n`]),
    `KIND:       ${kind.kind}\n`,
    `VERSION:    ${kind.version}\n\n`,
    ...(name === undefined ? [] : [`FIELD: ${name} <${typeText(schema)}>\n`, enumBlock(schema), '\n']),
  ]
  const description = name === undefined ? kind.description : describe(schema)
  const hasFields = Object.keys(childrenOf(schema)).length > 0
  const fields = recursive ? outline(schema, '  ') : fieldList(schema)
  return [
    ...head,
    'DESCRIPTION:\n',
    `${wrap(description, 76, '    ')}\n`,
    '    \n',
    hasFields ? `FIELDS:\n${fields}` : '',
    '\n',
  ].join('')
}

function step(schema: Schema, name: string, path: readonly string[]): Schema {
  const children = childrenOf(schema)
  const found = children[name]
  if (found !== undefined) return found
  const hint = nearest(name, Object.keys(children))
  const question = hint === undefined ? '' : ` (did you mean "${hint}"?)`
  throw new CliError(`field "${path.join('.')}" does not exist: no "${name}"${question}`)
}

/** The fields of an object, of the items of a list, or of the values of a map. */
function childrenOf(schema: Schema): Readonly<Record<string, Schema>> {
  if (schema.properties !== undefined) return schema.properties
  const inner = schema.items ?? schema.additionalProperties
  return inner === undefined ? {} : childrenOf(inner)
}

function requiredOf(schema: Schema): readonly string[] {
  if (schema.properties !== undefined) return schema.required ?? []
  const inner = schema.items ?? schema.additionalProperties
  return inner === undefined ? [] : requiredOf(inner)
}

function fieldList(schema: Schema): string {
  return sortedFields(schema)
    .map(([name, field]) =>
      [
        headLine(schema, name, field),
        ...enumLines(field).map((line) => `  ${line}`),
        `${wrap(describe(field), 76, '    ')}\n\n`,
      ].join(''),
    )
    .join('')
}

function outline(schema: Schema, indent: string): string {
  return sortedFields(schema)
    .map(([name, field]) =>
      [
        headLine(schema, name, field, indent),
        ...enumLines(field).map((line) => indent + line),
        outline(field, `${indent}  `),
      ].join(''),
    )
    .join('')
}

function headLine(parent: Schema, name: string, field: Schema, indent = '  '): string {
  const required = requiredOf(parent).includes(name) ? ' -required-' : ''
  return `${indent}${name}\t<${typeText(field)}>${required}\n`
}

function sortedFields(schema: Schema): [string, Schema][] {
  return Object.entries(childrenOf(schema)).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** In a list of fields kubectl shows the first few words only. */
const enumsShown = 4

function enumLines(schema: Schema): string[] {
  if (schema.enum === undefined) return []
  const shown = schema.enum.slice(0, enumsShown).join(', ')
  return [`enum: ${shown}${schema.enum.length > enumsShown ? ', ....' : ''}\n`]
}

function enumBlock(schema: Schema): string {
  return schema.enum === undefined ? '\n' : `ENUM:\n${schema.enum.map((value) => `    ${value}\n`).join('')}`
}

/** As the server's OpenAPI document has it, so that cove and kubectl explain the same. */
function describe(schema: Schema): string {
  const sentences = [
    schema.description ?? '<no description>',
    worthTelling(schema.default) ? `Default: ${JSON.stringify(schema.default)}.` : '',
    schema['x-cove-unimplemented'] === true ? 'Not supported by this version, which refuses it.' : '',
  ]
  return sentences.filter((sentence) => sentence !== '').join(' ')
}

/** Empty defaults go without saying. */
function worthTelling(value: unknown): boolean {
  if (value === undefined || value === '' || value === false) return false
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0
}

function typeText(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true)
    return schema.format === 'cove-quantity' ? 'Quantity' : 'IntOrString'
  if (isMetadata(schema)) return 'ObjectMeta'
  if (schema.type === 'array') return `[]${schema.items === undefined ? 'Object' : typeText(schema.items)}`
  if (schema.additionalProperties !== undefined) return `map[string]${typeText(schema.additionalProperties)}`
  return schema.type === undefined || schema.type === 'object' ? 'Object' : schema.type
}

function isMetadata(schema: Schema): boolean {
  return kinds.some((kind) => kind.schema.properties?.['metadata'] === schema)
}
