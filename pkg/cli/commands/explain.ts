/** `cove explain`: a kind or a field of it, from the schema that admission uses. Needs no server. */

import type { Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { nearest } from '#pkg/apis/normalize.ts'
import type { Schema } from '#pkg/apis/schema.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { wrap } from '../help.ts'
import { findResources, unknownResource } from '../resources.ts'
import type { Context } from '../session.ts'

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
    ...(name === undefined ? [] : [`FIELD: ${name} <${typeText(schema)}>\n\n`]),
  ]
  const description = name === undefined ? kind.description : (schema.description ?? '<empty>')
  const details = constraints(schema)
  const body = childrenOf(schema)
  const fields =
    Object.keys(body).length === 0 ? '' : `FIELDS:\n${recursive ? outline(schema, '  ') : fieldList(schema)}`
  return [
    ...head,
    'DESCRIPTION:\n',
    `${wrap(description, 76, '    ')}\n`,
    ...details.map((line) => `    ${line}\n`),
    '\n',
    fields,
    fields === '' ? '' : '\n',
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
  const required = requiredOf(schema)
  return Object.entries(childrenOf(schema))
    .map(([name, field]) =>
      [
        `  ${name}\t<${typeText(field)}>${required.includes(name) ? ' -required-' : ''}\n`,
        ...constraints(field).map((line) => `  ${line}\n`),
        `${wrap(field.description ?? '<no description>', 76, '    ')}\n`,
      ].join(''),
    )
    .join('\n')
}

function outline(schema: Schema, indent: string): string {
  const required = requiredOf(schema)
  return Object.entries(childrenOf(schema))
    .map(
      ([name, field]) =>
        `${indent}${name}\t<${typeText(field)}>${required.includes(name) ? ' -required-' : ''}\n${outline(field, `${indent}  `)}`,
    )
    .join('')
}

function constraints(schema: Schema): string[] {
  return [
    ...(schema.enum === undefined ? [] : [`enum: ${schema.enum.join(', ')}`]),
    ...(schema.default === undefined ? [] : [`default: ${JSON.stringify(schema.default)}`]),
    ...(schema['x-cove-unimplemented'] === true ? ['not implemented in this version'] : []),
  ]
}

function typeText(schema: Schema): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'IntOrString'
  if (schema.type === 'array') return `[]${schema.items === undefined ? 'Object' : typeText(schema.items)}`
  if (schema.additionalProperties !== undefined) return `map[string]${typeText(schema.additionalProperties)}`
  return schema.type === undefined || schema.type === 'object' ? 'Object' : schema.type
}
