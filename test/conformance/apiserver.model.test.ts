/**
 * Random writes by several managers, with revisions that may be stale, finalizers and owners, against a simple model:
 * one revision per change, none for what changes nothing; every revision can be listed, and watched from.
 */
import assert from 'node:assert/strict'
import test from 'ava'
import fc from 'fast-check'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { openWatch } from '#test/helpers/apievents.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { applied, type Change, changed, deleted, Model, type Outcome, type Thing } from './apiserver.model.ts'
import { container, containers } from './apiserver.objects.ts'

type Command = fc.AsyncCommand<Model, Transport>
type Answer = Awaited<ReturnType<typeof ask>>

const names = fc.constantFrom('a1', 'b1', 'c1')
const managers = fc.constantFrom('m1', 'm2')
const images = fc.constantFrom('i:1', 'i:2')
const marks = fc.constantFrom('x', 'y')
const finalizers = fc.subarray(['example.com/f', 'example.com/g'])
/** The revision that a write says it begins with. */
const locks = fc.constantFrom('none', 'none', 'current', 'stale')
/** Most are meant. */
const dry = fc.constantFrom(false, false, false, false, true)

type Lock = 'none' | 'current' | 'stale'

function lockOf(thing: Thing | undefined, lock: Lock): { resourceVersion?: string } {
  if (lock === 'none') return {}
  const revision = thing?.revision ?? 1
  return { resourceVersion: String(lock === 'current' ? revision : revision - 1) }
}

interface Written {
  readonly model: Model
  readonly name: string
  readonly dryRun: boolean
  readonly outcome: Outcome
}

/** The answer is the model's, and the model goes on from there. */
function settle({ model, name, dryRun, outcome }: Written, { status, body }: Answer): void {
  assert.equal(status, outcome.code, JSON.stringify(body))
  if (!('next' in outcome)) return
  const { next } = outcome
  if (next === 'same') assert.deepEqual(view(body), plain(model.things.get(name)))
  if (next === 'same' || dryRun) return
  if (next === 'removed') model.remove(name)
  else {
    model.put(name, { ...next, uid: next.uid || body.metadata.uid })
    assert.deepEqual(view(body), plain(model.things.get(name)))
  }
}

function plain(thing: Thing | undefined): unknown {
  return JSON.parse(JSON.stringify(thing))
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into objects of every shape
function view({ metadata, spec, status }: any): unknown {
  const entries: { manager: string; operation: string; fieldsV1: Record<string, Record<string, unknown>> }[] =
    metadata.managedFields
  const managing = entries.filter(({ fieldsV1 }) => fieldsV1['f:spec']?.['f:image'] !== undefined)
  return plain({
    uid: metadata.uid,
    revision: Number(metadata.resourceVersion),
    generation: metadata.generation,
    image: spec.image,
    labels: metadata.labels ?? {},
    finalizers: metadata.finalizers ?? [],
    owners: (metadata.ownerReferences ?? []).map(({ uid }: { uid: string }) => uid),
    deleting: metadata.deletionTimestamp !== undefined,
    phase: status?.phase,
    managers: managing.map(({ manager, operation }) => `${manager}/${operation}`).sort(),
  } as Thing)
}

/** Where, and whether it is only tried. */
interface Way {
  readonly name: string
  readonly manager: string
  readonly dryRun: boolean
}

const ways: fc.Arbitrary<Way> = fc.record({ name: names, manager: managers, dryRun: dry })

function query({ manager, dryRun }: Way, more: object = {}): string {
  const words = { fieldManager: manager, ...(dryRun && { dryRun: 'All' }), ...more }
  return new URLSearchParams(words).toString()
}

function command(text: string, run: (model: Model, transport: Transport) => Promise<void>): Command {
  return { check: () => true, run, toString: () => text }
}

function fresh(way: Way, parts: Partial<Thing>): Omit<Thing, 'revision'> {
  const none = { labels: {}, finalizers: [], owners: [], managers: [`${way.manager}/Update`] }
  return { uid: '', generation: 1, image: 'i:1', deleting: false, phase: undefined, ...none, ...parts }
}

const create = fc.tuple(ways, images, finalizers, fc.boolean()).map(([way, image, held, owned]) =>
  command(`create ${JSON.stringify([way, image, held, owned])}`, async (model, transport) => {
    const { name, dryRun } = way
    const owner = model.things.get('c1')?.uid
    const owners = owned && owner !== undefined ? [owner] : []
    const references = owners.map((uid) => ({
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      name: 'c1',
      uid,
    }))
    const outcome: Outcome = model.things.has(name)
      ? { code: 409 }
      : { code: 201, next: fresh(way, { image, finalizers: held, owners }) }
    const body = container(name, { image }, { finalizers: held, ownerReferences: references })
    const answer = await ask(transport, `POST ${containers}?${query(way)}`, { body })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

const changes: fc.Arbitrary<Change> = fc.record(
  { image: images, label: marks, finalizers },
  { requiredKeys: [] },
)

/** Of a write that begins with what is there. */
function outcomeOf(thing: Thing | undefined, lock: Lock, decide: (thing: Thing) => Outcome): Outcome {
  if (thing === undefined) return { code: 404 }
  return lock === 'stale' ? { code: 409 } : decide(thing)
}

const patch = fc.tuple(ways, changes, locks).map(([way, change, lock]) =>
  command(`patch ${JSON.stringify([way, change, lock])}`, async (model, transport) => {
    const { name, manager, dryRun } = way
    const thing = model.things.get(name)
    const { image, label, finalizers: held } = change
    const body = {
      metadata: {
        ...lockOf(thing, lock),
        ...(label !== undefined && { labels: { app: label } }),
        ...(held !== undefined && { finalizers: held }),
      },
      ...(image !== undefined && { spec: { image } }),
    }
    const outcome = outcomeOf(thing, lock, (known) => changed(known, change, manager))
    const answer = await ask(transport, `PATCH ${containers}/${name}?${query(way)}`, { body })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

const put = fc.tuple(ways, changes, locks).map(([way, change, lock]) =>
  command(`put ${JSON.stringify([way, change, lock])}`, async (model, transport) => {
    const { name, manager, dryRun } = way
    const thing = model.things.get(name)
    const read = (await ask(transport, `GET ${containers}/${name}`)).body
    const now = thing === undefined ? container(name) : read
    const { resourceVersion: _revision, ...metadata } = now.metadata
    const { image = now.spec.image, label, finalizers: held = metadata.finalizers } = change
    const labels = label === undefined ? metadata.labels : { ...metadata.labels, app: label }
    const body = {
      ...now,
      metadata: { ...metadata, ...lockOf(thing, lock), labels, finalizers: held },
      spec: { ...now.spec, image },
    }
    const outcome = outcomeOf(thing, lock, (known) => changed(known, change, manager))
    const answer = await ask(transport, `PUT ${containers}/${name}?${query(way)}`, { body })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

const report = fc.tuple(ways, fc.constantFrom('Running', 'Stopped'), locks).map(([way, phase, lock]) =>
  command(`status ${JSON.stringify([way, phase, lock])}`, async (model, transport) => {
    const { name, dryRun } = way
    const thing = model.things.get(name)
    const body = { metadata: lockOf(thing, lock), status: { phase } }
    const outcome = outcomeOf(thing, lock, (known) => ({
      code: 200,
      next: known.phase === phase ? 'same' : { ...known, phase },
    }))
    const answer = await ask(transport, `PATCH ${containers}/${name}/status?${query(way)}`, { body })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

const apply = fc.tuple(ways, images, marks, fc.boolean()).map(([way, image, mark, force]) =>
  command(`apply ${JSON.stringify([way, image, mark, force])}`, async (model, transport) => {
    const { name, manager, dryRun } = way
    const thing = model.things.get(name)
    const labels = { [`by-${manager}`]: mark }
    const outcome: Outcome =
      thing === undefined
        ? { code: 201, next: fresh(way, { image, labels, managers: [`${manager}/Apply`] }) }
        : applied(thing, { image, mark, manager, force })
    const line = `PATCH ${containers}/${name}?${query(way, { force: String(force) })}`
    const headers = { 'content-type': 'application/apply-patch+yaml' }
    const answer = await ask(transport, line, { body: container(name, { image }, { labels }), headers })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

const remove = fc.tuple(ways, locks, fc.boolean()).map(([way, lock, byUid]) =>
  command(`delete ${JSON.stringify([way, lock, byUid])}`, async (model, transport) => {
    const { name, dryRun } = way
    const thing = model.things.get(name)
    const preconditions = { ...lockOf(thing, lock), ...(byUid && thing && { uid: thing.uid }) }
    const outcome = outcomeOf(thing, lock, deleted)
    const answer = await ask(transport, `DELETE ${containers}/${name}?${query(way)}`, {
      body: { preconditions },
    })
    settle({ model, name, dryRun, outcome }, answer)
  }),
)

// biome-ignore lint/suspicious/noExplicitAny: tests look into lists of every shape
function revisionsOf({ items }: any): Record<string, string> {
  return Object.fromEntries(
    items.map(({ metadata }: { metadata: { name: string; resourceVersion: string } }) => [
      metadata.name,
      metadata.resourceVersion,
    ]),
  )
}

/** Every revision shows what the model had then, and a watch from it tells all that came after. */
async function historyHolds(model: Model, transport: Transport): Promise<void> {
  for (const [revision, snapshot] of model.snapshots) {
    const exact = `resourceVersion=${revision}&resourceVersionMatch=Exact`
    const { body } = await ask(transport, `GET ${containers}?${exact}`)
    assert.deepEqual(revisionsOf(body), snapshot)
    const first = await ask(transport, `GET ${containers}?resourceVersion=${revision}&limit=1`)
    const { continue: token } = first.body.metadata
    const rest =
      token === undefined ? [] : (await ask(transport, `GET ${containers}?continue=${token}`)).body.items
    assert.deepEqual(revisionsOf({ items: [...first.body.items, ...rest] }), snapshot)
    const after = model.history.filter((step) => step.revision > revision)
    const watch = await openWatch(transport, `${containers}?watch=true&resourceVersion=${revision}`)
    for (const step of after) {
      const event = await watch.next()
      const { name, resourceVersion } = event?.object.metadata ?? {}
      assert.deepEqual({ type: event?.type, name, revision: Number(resourceVersion) }, { ...step })
    }
    watch.close()
  }
}

interface ManagerEntry {
  readonly manager: string
  readonly operation: string
  readonly subresource?: string
  readonly apiVersion: string
  readonly fieldsType: string
  readonly time: string
  readonly fieldsV1: object
}

/** Each manager has one entry per way of writing, none of them empty. */
async function managersHold(transport: Transport): Promise<void> {
  const { body } = await ask(transport, `GET ${containers}`)
  for (const { metadata } of body.items) {
    const entries: ManagerEntry[] = metadata.managedFields
    const ids = entries.map(({ manager, operation, subresource }) =>
      [manager, operation, subresource].join('/'),
    )
    assert.equal(new Set(ids).size, ids.length, ids.join(', '))
    for (const { apiVersion, fieldsType, fieldsV1, time, operation } of entries) {
      assert.deepEqual([apiVersion, fieldsType], ['cove.run/v1', 'FieldsV1'])
      assert.ok(operation === 'Apply' || operation === 'Update')
      assert.ok(Object.keys(fieldsV1).length > 0)
      assert.match(time, /Z$/)
    }
  }
}

test('whatever is written in whatever order, the server does what the model says', async (t) => {
  const commands = fc.commands([create, create, patch, put, report, apply, apply, remove], {
    maxCommands: 40,
    size: 'max',
  })
  let steps = 0
  await fc.assert(
    fc.asyncProperty(commands, async (list) => {
      const { transport, close } = await startTestServer()
      try {
        const { body } = await ask(transport, `GET ${containers}`)
        const model = new Model(Number(body.metadata.resourceVersion))
        await fc.asyncModelRun(async () => ({ model, real: transport }), list)
        const now = await ask(transport, `GET ${containers}`)
        assert.equal(now.body.metadata.resourceVersion, String(model.revision))
        await historyHolds(model, transport)
        await managersHold(transport)
        steps += model.history.length
      } finally {
        await close()
      }
    }),
    { numRuns: 100, seed: 20260, includeErrorInReport: true },
  )
  t.log(`${steps} changes`)
  t.true(steps > 300)
})
