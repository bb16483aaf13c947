import test from 'ava'
import { containerKind } from './container.kind.ts'
import { configMapKind, secretKind } from './core.ts'
import { applyDefaults } from './normalize.ts'
import type { Schema } from './schema.ts'
import { joinPath, validate } from './validate.ts'
import { volumeKind } from './volume.ts'

function causes(schema: Schema, value: unknown): string[] {
  return validate(schema, value, 'f').map(({ reason, field, message }) => `${reason} ${field}: ${message}`)
}

/** What is wrong with a Container of this spec, after defaulting. */
function container(spec: Record<string, unknown>): string[] {
  const value = { metadata: { name: 'web' }, spec: { image: 'a:1', ...spec } }
  return validate(containerKind.schema, applyDefaults(containerKind.schema, value)).map(
    ({ reason, field, message }) => `${reason} ${field}: ${message}`,
  )
}

test('each type refuses what is not of it', (t) => {
  const wrong: readonly (readonly [Schema, unknown, string])[] = [
    [{ type: 'string' }, 1, 'FieldValueTypeInvalid f: must be of type string, not number'],
    [{ type: 'string' }, null, 'FieldValueTypeInvalid f: must be of type string, not null'],
    [{ type: 'integer' }, 1.5, 'FieldValueTypeInvalid f: must be of type integer, not number'],
    [{ type: 'integer' }, '1', 'FieldValueTypeInvalid f: must be of type integer, not string'],
    [{ type: 'number' }, true, 'FieldValueTypeInvalid f: must be of type number, not boolean'],
    [{ type: 'boolean' }, 'yes', 'FieldValueTypeInvalid f: must be of type boolean, not string'],
    [{ type: 'object' }, [], 'FieldValueTypeInvalid f: must be of type object, not array'],
    [{ type: 'array' }, {}, 'FieldValueTypeInvalid f: must be of type array, not object'],
    [
      { 'x-kubernetes-int-or-string': true },
      true,
      'FieldValueTypeInvalid f: must be of type number or string, not boolean',
    ],
  ]
  for (const [schema, value, message] of wrong) t.deepEqual(causes(schema, value), [message])
})

test('each bound says what it wants', (t) => {
  const wrong: readonly (readonly [Schema, unknown, string])[] = [
    [{ type: 'string', minLength: 1 }, '', 'must not be empty'],
    [{ type: 'string', minLength: 2 }, 'a', 'must have at least 2 characters'],
    [{ type: 'string', maxLength: 1 }, 'ab', 'must have at most 1 characters'],
    [{ type: 'string', pattern: '^/' }, 'a', '"a" must match ^/'],
    [{ type: 'string', format: 'cove-duration' }, '30', '"30" is not a duration such as 30s or 1m30s'],
    [
      { 'x-kubernetes-int-or-string': true, format: 'cove-quantity' },
      '64MB',
      '"64MB" is not a quantity such as 500m or 64Mi',
    ],
    [
      { type: 'string', format: 'cove-image-reference' },
      'UP:1',
      '"UP:1" is not an image reference: repository "UP" must be lower case',
    ],
    [{ type: 'string', format: 'date-time' }, '2026', '"2026" is not an RFC 3339 time'],
    [
      { type: 'string', format: 'date-time' },
      '2026-13-01T00:00:00Z',
      '"2026-13-01T00:00:00Z" is not an RFC 3339 time',
    ],
    [{ type: 'string', format: 'byte' }, 'YQ', 'is not base64'],
    [{ type: 'string', format: 'byte' }, '<>==', 'is not base64'],
    [{ type: 'integer', minimum: 1 }, 0, 'must be at least 1'],
    [{ type: 'integer', maximum: 9 }, 10, 'must be at most 9'],
    [{ type: 'number', minimum: 1, maximum: 2 }, 2.5, 'must be between 1 and 2'],
    [{ type: 'string', maxLength: 1 }, '🐳🐳', 'must have at most 1 characters'],
    [{ type: 'array', minItems: 2 }, [1], 'must have at least 2 items'],
    [{ type: 'array', maxItems: 1 }, [1, 2], 'must have at most 1 items'],
  ]
  for (const [schema, value, message] of wrong) {
    t.deepEqual(causes(schema, value), [`FieldValueInvalid f: ${message}`])
  }
  t.deepEqual(causes({ type: 'string', enum: ['a', 'b'] }, 'c'), [
    'FieldValueNotSupported f: unsupported value "c": must be one of "a", "b"',
  ])
})

test('what is within its bounds is accepted', (t) => {
  const right: readonly (readonly [Schema, unknown])[] = [
    [{ type: 'string', format: 'date-time' }, '2026-01-01T00:00:00Z'],
    [{ type: 'string', format: 'date-time' }, '2026-01-01T00:00:00.123456+01:00'],
    [{ type: 'string', maxLength: 1 }, '🐳'],
    [{ type: 'string', format: 'byte' }, ''],
    [{ type: 'string', format: 'byte' }, 'YWI=\n'],
    [{ type: 'string', format: 'byte' }, 'YWJj\nYQ==\n'],
    [{ 'x-kubernetes-int-or-string': true, format: 'cove-quantity' }, 0.5],
    [{ type: 'integer', minimum: 1, maximum: 2 }, 2],
    [
      { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
      { a: 'x', b: 1 },
    ],
    [{ type: 'object', properties: { a: { type: 'string' } } }, { a: null }],
    [{ type: 'object', properties: {} }, { constructor: 1 }],
  ]
  for (const [schema, value] of right) t.deepEqual(causes(schema, value), [], JSON.stringify(value))
})

test('paths lead to the field, in lists and maps', (t) => {
  t.deepEqual(container({ ports: [{ containerPort: 80, hostPort: 99999 }] }), [
    'FieldValueInvalid spec.ports[0].hostPort: must be between 1 and 65535',
  ])
  t.deepEqual(container({ env: [{ name: 'A' }, { value: 'x' }] }), [
    'FieldValueRequired spec.env[1].name: is required',
  ])
  t.deepEqual(container({ nodeSelector: { 'a.b/c': 1 } }), [
    'FieldValueTypeInvalid spec.nodeSelector[a.b/c]: must be of type string, not number',
  ])
  t.deepEqual(container({ image: null, restartPolicy: 'Sometimes' }), [
    'FieldValueNotSupported spec.restartPolicy: unsupported value "Sometimes": must be one of "Always", "OnFailure", "Never"',
  ])
  t.deepEqual(
    validate(secretKind.schema, { type: 'Opaque', data: { 'a.key': '*' } }).map(({ field }) => field),
    ['data[a.key]'],
  )
  t.deepEqual(validate(configMapKind.schema, { data: { a: 'text' } }), [])
  t.is(joinPath('', 'spec'), 'spec')
  t.is(joinPath('a', 'b c'), 'a[b c]')
})

test('a field of the design that is not built yet is refused, not ignored', (t) => {
  const causes = validate(volumeKind.schema, { metadata: { name: 'v' }, spec: { populateFrom: 'x' } })
  const found = causes.find(({ field }) => field === 'spec.populateFrom')
  t.is(found?.reason, 'FieldValueForbidden')
  t.is(found?.message, 'is not implemented in this version of Cove; remove it')
})

test('an item of a set is there once', (t) => {
  const set: Schema = { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }
  t.deepEqual(causes(set, ['a', 'b', 'a']), ['FieldValueDuplicate f[2]: repeats "a"'])
  t.deepEqual(causes(set, ['a', 'b']), [])
})

test('items of a map list are told apart by their keys, defaults counted', (t) => {
  const ports = [
    { containerPort: 80 },
    { containerPort: 80, protocol: 'UDP' },
    { containerPort: 80, protocol: 'TCP' },
  ]
  const repeated = 'FieldValueDuplicate spec.ports[2]: repeats containerPort and protocol [80,"TCP"]'
  t.deepEqual(container({ ports }), [repeated])
  const undefaulted = validate(containerKind.schema, { spec: { image: 'a', ports } })
  t.deepEqual(
    undefaulted.map(({ field }) => field),
    ['spec.ports[2]'],
  )
  t.deepEqual(container({ env: [{ name: 'A' }, { name: 'A' }, 'text'] }), [
    'FieldValueTypeInvalid spec.env[2]: must be of type object, not string',
    'FieldValueDuplicate spec.env[1]: repeats name ["A"]',
  ])
})
