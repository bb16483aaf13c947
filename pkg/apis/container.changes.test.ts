import test from 'ava'
import { containerFields, fieldRule } from './container.changes.ts'
import { containerKind } from './container.kind.ts'
import { type Schema, structural } from './schema.ts'

const spec: Schema = structural(containerKind.schema).properties?.['spec'] ?? {}

/** Every path of the schema, those of fields that have fields too. */
function paths(schema: Schema, path: string): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, member]) => [
    `${path}.${name}`,
    ...paths(member, `${path}.${name}`),
  ])
}

test('every field of the schema stands in the table, by itself or by what it is in', (t) => {
  const isCovered = (path: string) =>
    fieldRule(path) !== undefined ||
    Object.keys(containerFields).some((field) => field.startsWith(`${path}.`))
  t.deepEqual(
    paths(spec, 'spec').filter((path) => !isCovered(path)),
    [],
  )
})

test('the table has no field that the schema has not', (t) => {
  const known = new Set(paths(spec, 'spec'))
  t.deepEqual(
    Object.keys(containerFields).filter((field) => !known.has(field)),
    [],
  )
})

test('the longest path that leads to a field counts', (t) => {
  t.is(fieldRule('spec.healthcheck.interval')?.change, 'recreate')
  t.is(fieldRule('spec.healthcheck.onUnhealthy')?.change, 'nothing')
  t.is(fieldRule('spec.env[0].value')?.change, 'recreate')
  t.is(fieldRule('spec.environment'), undefined)
})
