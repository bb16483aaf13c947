/** What cannot be changed once it is stored, of the kinds that have such fields. */
import test from 'ava'
import { makeRuleChecker } from './cel.ts'
import { configMapKind, secretKind } from './core.ts'
import { networkKind } from './network.ts'
import type { Schema } from './schema.ts'
import { volumeKind } from './volume.ts'

const rules = makeRuleChecker()

function fields(schema: Schema, value: object, old?: object): string[] {
  return rules.check(schema, value, { old }).map(({ reason, field }) => `${reason} ${field}`)
}

test('what a volume was made with stays; what happens to its data may change', (t) => {
  const spec = { driver: 'local', driverOpts: {}, labels: { a: 'b' }, reclaimPolicy: 'Retain' }
  const { schema } = volumeKind
  t.deepEqual(fields(schema, { spec }), [])
  t.deepEqual(fields(schema, { spec: { ...spec, reclaimPolicy: 'Delete', nodeName: 'n1' } }, { spec }), [])
  t.deepEqual(
    fields(schema, { spec: { ...spec, driver: 'nfs', driverOpts: { o: 'x' }, labels: {} } }, { spec }),
    [
      'FieldValueForbidden spec.driver',
      'FieldValueForbidden spec.driverOpts',
      'FieldValueForbidden spec.labels',
    ],
  )
})

test('an immutable ConfigMap or Secret keeps its data, and stays immutable', (t) => {
  const old = { data: { a: '1' }, immutable: true }
  const { schema } = configMapKind
  t.deepEqual(fields(schema, { data: { a: '2' } }, { data: { a: '1' } }), [])
  t.deepEqual(fields(schema, old, old), [])
  t.deepEqual(fields(schema, { data: { a: '2' }, binaryData: { b: 'eA==' }, immutable: true }, old), [
    'FieldValueForbidden data',
    'FieldValueForbidden binaryData',
  ])
  t.deepEqual(fields(schema, { immutable: false }, old), [
    'FieldValueForbidden immutable',
    'FieldValueForbidden data',
  ])
  t.deepEqual(fields(secretKind.schema, { type: 'x', data: { a: '2' } }, { ...old, type: 'Opaque' }), [
    'FieldValueForbidden immutable',
    'FieldValueForbidden data',
    'FieldValueInvalid type',
  ])
})

test('the addresses of a network fit together', (t) => {
  const network = (...ipam: readonly object[]) => fields(networkKind.schema, { spec: { ipam } })
  t.deepEqual(network({ subnet: '10.9.0.0/24', gateway: '10.9.0.1', ipRange: '10.9.0.128/25' }), [])
  t.deepEqual(network({ subnet: '10.9.0.0/24', gateway: '10.8.0.1', ipRange: '10.9.0.0/16' }), [
    'FieldValueInvalid spec.ipam[0].gateway',
    'FieldValueInvalid spec.ipam[0].ipRange',
  ])
  t.deepEqual(network({ subnet: 'here' }, { subnet: '10.9.0.0/24', gateway: 'there' }), [
    'FieldValueInvalid spec.ipam[0].subnet',
    'FieldValueInvalid spec.ipam[1].gateway',
  ])
})
