import test from 'ava'
import Type from 'typebox'
import { kinds } from './kinds.ts'
import { listMap, memberSchema, oneOf, quantity, type Schema, structural, unimplemented } from './schema.ts'

/** Every schema inside, with the path that `explain` would show. */
function* walk(schema: Schema, path: string): Generator<readonly [string, Schema]> {
  yield [path, schema]
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    yield* walk(property, `${path}.${name}`)
  }
  if (schema.items !== undefined) yield* walk(schema.items, `${path}[]`)
  if (schema.additionalProperties !== undefined) yield* walk(schema.additionalProperties, `${path}{}`)
}

const everything = kinds.flatMap((kind) => [...walk(kind.schema, kind.kind)])

test('every value of every kind has one type, or is a number or a string', (t) => {
  for (const [path, schema] of everything) {
    t.true(schema.type !== undefined || schema['x-kubernetes-int-or-string'] === true, path)
    for (const keyword of ['anyOf', 'allOf', 'oneOf', 'not', 'const', '$ref', 'patternProperties', '~kind']) {
      t.false(keyword in schema, `${path}: ${keyword}`)
    }
    t.is(schema.type === 'array', schema.items !== undefined, path)
  }
})

test('every field says what it is for', (t) => {
  for (const [path, schema] of everything.filter(([path]) => /\.\w+$/.test(path))) {
    t.regex(schema.description ?? '', /^\S.*\S$/s, path)
  }
})

test('a field with a default may be left out, and its default is one of its values', (t) => {
  for (const [path, schema] of everything) {
    for (const name of schema.required ?? []) {
      t.is(schema.properties?.[name]?.default, undefined, `${path}.${name}`)
      t.truthy(schema.properties?.[name], `${path}.${name} is required, so it must exist`)
    }
    if (schema.enum !== undefined && schema.default !== undefined) {
      t.true(
        schema.enum.some((word) => word === schema.default),
        path,
      )
    }
  }
})

test('the keys of every map list are fields of its items', (t) => {
  for (const [path, schema] of everything) {
    for (const key of schema['x-kubernetes-list-map-keys'] ?? []) {
      t.truthy(schema.items?.properties?.[key], `${path}: ${key}`)
    }
  }
})

test('the conversion keeps what means something and drops the rest', (t) => {
  const source = Type.Object(
    {
      word: oneOf(['a', 'b'], { default: 'a' }),
      amount: Type.Optional(quantity({ description: 'How much.' })),
      needed: Type.String({ minLength: 1 }),
      items: listMap(Type.Object({ name: Type.String() }), ['name']),
      map: Type.Optional(Type.Record(Type.String(), Type.Integer())),
      later: unimplemented(Type.Boolean()),
    },
    { title: 'dropped' },
  )
  t.deepEqual(structural(source), {
    type: 'object',
    properties: {
      word: { type: 'string', enum: ['a', 'b'], default: 'a' },
      amount: { description: 'How much.', format: 'cove-quantity', 'x-kubernetes-int-or-string': true },
      needed: { type: 'string', minLength: 1 },
      items: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        'x-kubernetes-patch-merge-key': 'name',
        'x-kubernetes-patch-strategy': 'merge',
        items: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
      },
      map: { type: 'object', additionalProperties: { type: 'integer' } },
      later: { type: 'boolean', 'x-cove-unimplemented': true },
    },
    required: ['needed', 'items'],
  })
})

test('a construct without a structural form is refused', (t) => {
  for (const source of [
    Type.Union([Type.String(), Type.Integer()]),
    Type.Object({ a: Type.Literal('x') }),
    Type.Array(Type.Intersect([Type.Object({}), Type.Object({})])),
    'text',
  ]) {
    t.throws(() => structural(source), { instanceOf: TypeError })
  }
})

test('a member is known by its own name only', (t) => {
  const schema: Schema = { type: 'object', properties: { a: { type: 'string' } } }
  t.deepEqual(memberSchema(schema, 'a'), { type: 'string' })
  t.is(memberSchema(schema, 'constructor'), undefined)
  t.is(memberSchema({ ...schema, additionalProperties: { type: 'integer' } }, 'constructor')?.type, 'integer')
})
