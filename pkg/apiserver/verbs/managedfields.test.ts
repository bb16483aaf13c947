import test from 'ava'
import fc from 'fast-check'
import {
  difference,
  type FieldSet,
  isEmptySet,
  pathsOf,
  printPath,
  sameSet,
} from '#pkg/apimachinery/fieldset.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { configMapKind } from '#pkg/apis/core.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { admin, ask, startTestServer } from '#test/helpers/apiserver.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { capped, changesOf, type Entries, inOrder, ownedByAny } from './managedfields.ts'

const kind = anyKind(configMapKind)

interface Step {
  readonly manager: string
  readonly how: 'put' | 'patch' | 'apply'
  readonly data: Readonly<Record<string, string>>
}

const data = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('1', '2'), {
  noNullPrototype: true,
})
const step: fc.Arbitrary<Step> = fc.record({
  manager: fc.constantFrom('one', 'two', 'three'),
  how: fc.constantFrom('put', 'patch', 'apply'),
  data,
})
const line = '/api/v1/namespaces/default/configmaps'

async function run(steps: readonly Step[]): Promise<{ object: ApiObject; again: ApiObject }> {
  const { server, close } = await startTestServer()
  const transport = inProcess(server.handler, admin)
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }
  const write = async ({ manager, how, data: sent }: Step) => {
    const method = how === 'put' ? 'PUT' : 'PATCH'
    const type = {
      put: 'application/json',
      patch: 'application/merge-patch+json',
      apply: 'application/apply-patch+yaml',
    }
    const force = how === 'apply' ? '&force=true' : ''
    return ask(transport, `${method} ${line}/c?fieldManager=${manager}${force}`, {
      headers: { 'content-type': type[how] },
      body: { ...body, data: sent },
    })
  }
  await ask(transport, `POST ${line}?fieldManager=zero`, { body: { ...body, data: { a: '1' } } })
  for (const one of steps) await write(one)
  const object = (await ask(transport, `GET ${line}/c`)).body
  const last = steps.at(-1)
  const again = last === undefined ? object : (await write(last)).body
  await close()
  return { object, again }
}

test('whoever writes in whatever way: writing the same again changes nothing, and nobody owns what is not there', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), async (steps) => {
      const { object, again } = await run(steps)
      t.deepEqual(again, object)
      const { added } = changesOf(kind, undefined, undefined, object)
      const owned = ownedByAny(object.metadata.managedFields ?? [])
      t.deepEqual(texts(difference(owned, added)), [])
    }),
    { numRuns: 40 },
  )
})

test('without applies all sets together are the fields of the object, and no field has two owners', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        step.filter(({ how }) => how !== 'apply'),
        { maxLength: 6 },
      ),
      async (steps) => {
        const { object } = await run(steps)
        const { added } = changesOf(kind, undefined, undefined, object)
        const entries = object.metadata.managedFields ?? []
        t.true(sameSet(ownedByAny(entries), added))
        const owners = entries.flatMap(({ fieldsV1 }) => texts(fieldsV1))
        t.is(new Set(owners).size, owners.length)
      },
    ),
    { numRuns: 40 },
  )
})

test('applying something and then nothing leaves the object as it was', async (t) => {
  await fc.assert(
    fc.asyncProperty(data, data, async (before, applied) => {
      const first: Step = { manager: 'one', how: 'put', data: { ...before, a: '1' } }
      const last: Step = { manager: 'two', how: 'apply', data: {} }
      // What the applier brings is its own; what is there it leaves as it is.
      const mine = { ...applied, ...first.data }
      const { object } = await run([first, { manager: 'two', how: 'apply', data: mine }, last])
      t.deepEqual(object['data'], (await run([first])).object['data'])
    }),
    { numRuns: 20 },
  )
})

test('the oldest updaters of one version become one, and no field is lost', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(99), { maxLength: 30 }), (ids) => {
      const entries: Entries = ids.map((id) => ({
        manager: `m${id}`,
        operation: id % 5 === 0 ? 'Apply' : 'Update',
        apiVersion: 'v1',
        time: `2026-01-01T00:00:${String(id % 60).padStart(2, '0')}Z`,
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { [`f:${id}`]: {} } },
      }))
      const kept = capped(entries)
      t.true(kept.filter(({ operation }) => operation === 'Update').length <= 10)
      t.true(sameSet(ownedByAny(kept), ownedByAny(entries)))
      t.is(
        kept.filter(({ operation }) => operation === 'Apply').length,
        ids.filter((id) => id % 5 === 0).length,
      )
      if (entries.length <= 10) t.is(kept, entries)
    }),
  )
})

test('appliers come first, then the older entry', (t) => {
  const entry = { apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} } as const
  const entries: Entries = [
    { ...entry, manager: 'b', operation: 'Update', time: '2026-01-02T00:00:00Z' },
    { ...entry, manager: 'c', operation: 'Update', time: '2026-01-01T00:00:00Z' },
    { ...entry, manager: 'a', operation: 'Apply', time: '2026-01-03T00:00:00Z' },
  ]
  t.deepEqual(
    inOrder(entries).map(({ manager }) => manager),
    ['a', 'c', 'b'],
  )
  t.true(isEmptySet(ownedByAny(entries)))
})

function texts(set: FieldSet): string[] {
  return pathsOf(set).map(printPath)
}
