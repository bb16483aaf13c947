import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { containerKind } from './container.kind.ts'
import { kinds } from './kinds.ts'
import { applyDefaults, prune, unknownFields } from './normalize.ts'
import type { Schema } from './schema.ts'

const { schema } = containerKind

test('unknown fields are named with the field that was probably meant', (t) => {
  const value = {
    kind: 'Container',
    spec: {
      imgae: 'a',
      ports: [{ contanerPort: 80 }],
      nodeSelector: { anything: 'goes' },
      wholly: { unlike: 1 },
      constructor: 1,
    },
    extra: true,
  }
  t.deepEqual(unknownFields(schema, value), [
    { path: 'spec.imgae', suggestion: 'image' },
    { path: 'spec.ports[0].contanerPort', suggestion: 'containerPort' },
    { path: 'spec.wholly' },
    { path: 'spec.constructor' },
    { path: 'extra' },
  ])
})

test('what may hold anything has no unknown fields', (t) => {
  const managedFields = [{ fieldsV1: { 'f:spec': { 'f:image': {} } } }]
  t.deepEqual(unknownFields(schema, { metadata: { managedFields } }), [])
  t.deepEqual(prune(schema, { metadata: { managedFields } }), { metadata: { managedFields } })
})

test('pruning drops what is unknown and what is null', (t) => {
  t.deepEqual(
    prune(schema, { spec: { image: 'a', user: null, imgae: 'b', ports: [{ name: null, x: 1 }] } }),
    {
      spec: { image: 'a', ports: [{}] },
    },
  )
  t.is(prune(schema, 'text'), 'text')
})

test('defaults fill what is absent, at every depth that is present', (t) => {
  const { spec } = applyDefaults(schema, { spec: { image: 'a', ports: [{ containerPort: 80 }] } }) as {
    spec: Record<string, unknown>
  }
  t.deepEqual(spec['ports'], [{ containerPort: 80, protocol: 'TCP' }])
  t.is(spec['restartPolicy'], 'Always')
  t.deepEqual(spec['env'], [])
  t.false('healthcheck' in spec)
})

test('two objects never share a default', (t) => {
  const make = () => applyDefaults(schema, { spec: { image: 'a' } }) as { spec: { env: unknown[] } }
  const one = make()
  one.spec.env.push('changed')
  t.deepEqual(make().spec.env, [])
})

/** Values that more or less fit the schema: right and wrong types, nulls, absent and unknown fields. */
function manifestOf(of: Schema): fc.Arbitrary<unknown> {
  const wrong = fc.constantFrom<unknown>(null, 'x', 1, true, [], {})
  return fc.oneof({ weight: 9, arbitrary: fittingOf(of) }, { weight: 1, arbitrary: wrong })
}

function fittingOf(of: Schema): fc.Arbitrary<unknown> {
  if (of.enum !== undefined) return fc.constantFrom<unknown>(...of.enum)
  if (of.items !== undefined) return fc.array(manifestOf(of.items), { maxLength: 2 })
  if (of.additionalProperties !== undefined) {
    return fc.dictionary(fc.constantFrom('a', 'b'), manifestOf(of.additionalProperties), {
      maxKeys: 2,
      noNullPrototype: true,
    })
  }
  if (of.properties === undefined) return fc.constantFrom<unknown>('x', 1, true)
  const fields = Object.entries(of.properties).map(([name, field]) => [name, manifestOf(field)] as const)
  return fc.record(
    { ...Object.fromEntries(fields), unknown: fc.constant(1) },
    { requiredKeys: [], noNullPrototype: true },
  )
}

for (const kind of kinds) {
  test(`defaulting and pruning a ${kind.kind} once is enough`, (t) => {
    const property = fc.property(manifestOf(kind.schema), (value) => {
      const before = structuredClone(value)
      const pruned = prune(kind.schema, value)
      const defaulted = applyDefaults(kind.schema, pruned)
      return (
        isDeepStrictEqual(value, before) &&
        isDeepStrictEqual(prune(kind.schema, pruned), pruned) &&
        unknownFields(kind.schema, pruned).length === 0 &&
        isDeepStrictEqual(applyDefaults(kind.schema, defaulted), defaulted) &&
        isDeepStrictEqual(prune(kind.schema, defaulted), defaulted)
      )
    })
    t.notThrows(() => fc.assert(property, { numRuns: 50 }))
  })
}
