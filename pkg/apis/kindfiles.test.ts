import test from 'ava'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { kindNames, kindsOfTypes } from './kindfiles.ts'
import { kinds } from './kinds.ts'

test('each kind is loaded alone, as it is among all', async (t) => {
  t.deepEqual(
    kindNames,
    kinds.map(({ kind }) => kind),
  )
  for (const kind of kinds)
    t.deepEqual(await kindsOfTypes([{ apiVersion: apiVersionOf(kind), kind: kind.kind }]), [kind])
  const two = [
    { apiVersion: 'v1', kind: 'Secret' },
    { apiVersion: 'cove.run/v1', kind: 'Build' },
    { apiVersion: 'v1', kind: 'Secret' },
  ]
  t.deepEqual(
    (await kindsOfTypes(two)).map(({ kind }) => kind),
    ['Secret', 'Build'],
  )
})

test('for what is no kind there are all, to say which there are', async (t) => {
  for (const type of [
    { apiVersion: 'cove.run/v1', kind: 'Biuld' },
    { apiVersion: 'cove.run/v2', kind: 'Build' },
    { apiVersion: 'v1', kind: 'constructor' },
  ])
    t.is(await kindsOfTypes([{ apiVersion: 'cove.run/v1', kind: 'Container' }, type]), kinds)
})
