/** The collector against the API, over random ownership and random orders of deletion. */
import test from 'ava'
import fc from 'fast-check'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import type { KubeObject, OwnerReference } from '#pkg/apimachinery/meta.ts'
import type { ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer, type TestServer } from '#test/helpers/apiserver.ts'
import { GarbageCollector } from './garbage.ts'

interface World extends TestServer {
  /** Until nothing is written any more. */
  settle(): Promise<void>
  stop(): Promise<void>
}

/** `through`: what the collector alone asks through. */
async function startWorld(through = (transport: Transport) => transport): Promise<World> {
  const server = await startTestServer()
  const ambient: Ambient = { clock: server.clock, random: seededRandom(2), log: silentLogger }
  const abort = new AbortController()
  const client = new Client(through(server.transport), 'garbage-test')
  const running = new GarbageCollector({ client, ambient, kinds }).run(abort.signal)
  const settle = async () => {
    let [quiet, revision] = [0, -1]
    while (quiet < 3) {
      await server.clock.advance(100)
      quiet = revision === server.server.cache.revision ? quiet + 1 : 0
      revision = server.server.cache.revision
    }
  }
  const stop = async () => {
    abort.abort()
    await running
    await server.close()
  }
  for (const name of ['a', 'b']) {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
    await ask(server.transport, 'POST /api/v1/namespaces', { body })
  }
  return { ...server, settle, stop }
}

/** Where an object lives: in a namespace, or in none (a Node). */
type Place = 'a' | 'b' | 'cluster'

interface Thing {
  readonly place: Place
  /** Indices into the list of things, and whether the owner has to wait. */
  readonly owners: readonly { readonly of: number; readonly block: boolean }[]
}

interface Deletion {
  readonly of: number
  readonly policy: 'Background' | 'Foreground' | 'Orphan'
}

const count = 6
const index = fc.nat({ max: count - 1 })
const thing: fc.Arbitrary<Thing> = fc.record({
  place: fc.constantFrom<Place>('a', 'a', 'a', 'b', 'cluster'),
  owners: fc.uniqueArray(fc.record({ of: index, block: fc.boolean() }), {
    maxLength: 3,
    selector: ({ of }) => of,
  }),
})
const things = fc.array(thing, { minLength: count, maxLength: count })
const deletions = fc.array(
  fc.record({
    of: index,
    policy: fc.constantFrom('Background' as const, 'Foreground' as const, 'Orphan' as const),
  }),
  { minLength: 1, maxLength: 4 },
)

function pathOf(place: Place): string {
  return place === 'cluster' ? '/apis/cove.run/v1/nodes' : `/api/v1/namespaces/${place}/configmaps`
}

function typeOf(place: Place) {
  return place === 'cluster'
    ? { apiVersion: 'cove.run/v1', kind: 'Node' }
    : { apiVersion: 'v1', kind: 'ConfigMap' }
}

/** Objects `o0`, `o1`, ... as drawn; answers their UIDs. */
async function create({ transport }: World, all: readonly Thing[]): Promise<string[]> {
  const uids: string[] = []
  for (const [number, { place }] of all.entries()) {
    const body = { ...typeOf(place), metadata: { name: `o${number}` } }
    uids.push((await ask(transport, `POST ${pathOf(place)}`, { body })).body.metadata.uid)
  }
  for (const [number, { place, owners }] of all.entries()) {
    if (owners.length === 0) continue
    const ownerReferences = owners.map(({ of, block }): OwnerReference => {
      const type = typeOf(all[of]?.place ?? 'a')
      return { ...type, name: `o${of}`, uid: uids[of] ?? '', blockOwnerDeletion: block }
    })
    await ask(transport, `PATCH ${pathOf(place)}/o${number}`, { body: { metadata: { ownerReferences } } })
  }
  return uids
}

function requestDeletion({ transport }: World, all: readonly Thing[], { of, policy }: Deletion) {
  const { place = 'a' } = all[of] ?? {}
  return ask(transport, `DELETE ${pathOf(place)}/o${of}`, { body: { propagationPolicy: policy } })
}

/** What is there: names, each with those of the owners that it names. */
async function whatIsLeft({ transport }: World, uids: readonly string[]): Promise<Record<string, string[]>> {
  const lists = ['/apis/cove.run/v1/nodes', '/api/v1/configmaps'].map((path) => ask(transport, `GET ${path}`))
  const items: KubeObject[] = (await Promise.all(lists)).flatMap(({ body }) => body.items)
  return Object.fromEntries(
    items
      .map(({ metadata }) => {
        const owners = (metadata.ownerReferences ?? []).map(({ uid }) => `o${uids.indexOf(uid)}`)
        return [metadata.name, owners.toSorted()] as const
      })
      .toSorted(([left], [right]) => left.localeCompare(right)),
  )
}

/** Kubernetes' rules, on a settled world: one deletion at a time, to its end. */
function expected(all: readonly Thing[], asked: readonly Deletion[]): Record<string, string[]> {
  const left = new Map(all.map(({ owners }, number) => [number, new Set(owners.map(({ of }) => of))]))
  for (const { of, policy } of asked) {
    if (!left.delete(of)) continue
    if (policy === 'Orphan') for (const owners of left.values()) owners.delete(of)
    for (let changed = true; changed; ) changed = sweep(all, left)
  }
  const entries = [...left].map(([number, owners]) => [
    `o${number}`,
    [...owners].map((of) => `o${of}`).toSorted(),
  ])
  return Object.fromEntries(entries)
}

function sweep(all: readonly Thing[], left: Map<number, Set<number>>): boolean {
  for (const [number, owners] of left) {
    const lost = [...owners].filter((of) => !left.has(of) && !isMisplaced(all, number, of))
    if (lost.length === 0) continue
    if (lost.length === owners.size) left.delete(number)
    else for (const of of lost) owners.delete(of)
    return true
  }
  return false
}

/** An object of the cluster cannot have an owner inside a namespace, be it there or not. */
function isMisplaced(all: readonly Thing[], of: number, owner: number): boolean {
  return all[of]?.place === 'cluster' && all[owner]?.place !== 'cluster'
}

test('deletions one after another leave exactly what the rules of Kubernetes leave', async (t) => {
  const property = fc.asyncProperty(things, deletions, async (all, asked) => {
    const world = await startWorld()
    try {
      const uids = await create(world, all)
      for (const deletion of asked) {
        await requestDeletion(world, all, deletion)
        await world.settle()
      }
      t.deepEqual(await whatIsLeft(world, uids), expected(all, asked))
    } finally {
      await world.stop()
    }
  })
  await fc.assert(property, { numRuns: 120 })
})

test('however deletions meet, nothing goes unasked while an owner of it lives, and nothing waits for ever', async (t) => {
  const property = fc.asyncProperty(things, deletions, async (all, asked) => {
    const world = await startWorld()
    try {
      const uids = await create(world, all)
      await Promise.all(asked.map((deletion) => requestDeletion(world, all, deletion)))
      const wanted = new Set(asked.map(({ of }) => uids[of] ?? ''))
      await world.settle()
      for (const problem of await problemsIn(world, wanted)) t.fail(problem)
    } finally {
      await world.stop()
    }
  })
  await fc.assert(property, { numRuns: 80 })
  t.pass()
})

/** Replays everything that was stored. */
async function problemsIn({ storage }: World, wanted: ReadonlySet<string>): Promise<string[]> {
  const abort = new AbortController()
  const { current } = await storage.revisions()
  const objects = new Map<string, KubeObject>()
  const problems: string[] = []
  for await (const events of storage.watch('/registry/', 0, abort.signal)) {
    for (const { type, record } of events) {
      const object: KubeObject = JSON.parse(record.value)
      const before = objects.get(record.key)
      if (type === 'delete') objects.delete(record.key)
      else objects.set(record.key, object)
      const begins = !isGoing(before) && (type === 'delete' || isGoing(object))
      if (begins && isHeld(object, objects) && !wanted.has(object.metadata.uid ?? ''))
        problems.push(`${object.metadata.name} went although nobody asked and it has owners`)
    }
    if ((events.at(-1)?.record.revision ?? 0) >= current) abort.abort()
  }
  const waiting = [...objects.values()].filter(isGoing)
  return [...problems, ...waiting.map(({ metadata }) => `${metadata.name} waits for ever`)]
}

function isGoing(object: KubeObject | undefined): boolean {
  return object?.metadata.deletionTimestamp !== undefined
}

/** By an owner that lives, or by having none. */
function isHeld({ metadata }: KubeObject, objects: ReadonlyMap<string, KubeObject>): boolean {
  const { ownerReferences = [] } = metadata
  const owners = [...objects.values()].filter(
    (owner) => !isGoing(owner) || owner.metadata.finalizers?.includes('foregroundDeletion') !== true,
  )
  const living = new Set(owners.map((owner) => owner.metadata.uid))
  return ownerReferences.length === 0 || ownerReferences.some(({ uid }) => living.has(uid))
}

test('a dependent that another writer gives a new owner meanwhile is kept', async (t) => {
  const world = await startWorld()
  t.teardown(world.stop)
  const uids = await create(world, [
    { place: 'a', owners: [] },
    { place: 'a', owners: [] },
    { place: 'a', owners: [{ of: 0, block: false }] },
  ])
  await requestDeletion(world, [{ place: 'a', owners: [] }], { of: 0, policy: 'Background' })
  const ownerReferences = [{ ...typeOf('a'), name: 'o1', uid: uids[1] }]
  await ask(world.transport, `PATCH ${pathOf('a')}/o2`, { body: { metadata: { ownerReferences } } })
  await world.settle()
  t.deepEqual(await whatIsLeft(world, uids), { o1: [], o2: ['o1'] })
})

test('an owner in another namespace is told as a Warning event, once', async (t) => {
  const world = await startWorld()
  t.teardown(world.stop)
  await create(world, [
    { place: 'a', owners: [] },
    { place: 'b', owners: [{ of: 0, block: false }] },
  ])
  await world.settle()
  await ask(world.transport, `PATCH ${pathOf('b')}/o1`, { body: { metadata: { labels: { a: 'b' } } } })
  await world.settle()
  const { body } = await ask(world.transport, 'GET /api/v1/namespaces/b/events')
  t.is(body.items.length, 1)
  t.is(body.items[0].reason, 'OwnerRefInvalidNamespace')
  t.is(body.items[0].type, 'Warning')
  t.is(body.items[0].count, 1)
  t.regex(body.items[0].message, /does not exist in namespace "b"/)
})

/** Watches of this path say nothing until they are let through. */
function lagging(path: string) {
  const gate = Promise.withResolvers<void>()
  const through =
    (transport: Transport): Transport =>
    async (request) => {
      const response = await transport(request)
      const isHeld = request.path === path && request.query.get('watch') === 'true'
      return isHeld ? { ...response, body: held(response.body, gate.promise) } : response
    }
  return { through, release: () => gate.resolve() }
}

async function* held(body: ApiResponse['body'], until: Promise<void>) {
  if (typeof body === 'string' || body instanceof Uint8Array) throw new TypeError('a watch is a stream')
  for await (const chunk of body) {
    await until
    yield chunk
  }
}

test('an owner that the copies do not show yet is asked for before its dependents go', async (t) => {
  const { through, release } = lagging('/apis/cove.run/v1/nodes')
  const world = await startWorld(through)
  t.teardown(world.stop)
  await world.settle()
  const uids = await create(world, [
    { place: 'cluster', owners: [] },
    { place: 'a', owners: [{ of: 0, block: true }] },
  ])
  await world.settle()
  t.deepEqual(await whatIsLeft(world, uids), { o0: [], o1: ['o0'] })
  release()
  await world.settle()
  t.deepEqual(await whatIsLeft(world, uids), { o0: [], o1: ['o0'] })
})

test('dependents that the copies do not show yet are left behind as orphans like all others', async (t) => {
  const { through, release } = lagging('/api/v1/configmaps')
  const world = await startWorld(through)
  t.teardown(world.stop)
  await world.settle()
  const things: Thing[] = [
    { place: 'cluster', owners: [] },
    { place: 'a', owners: [{ of: 0, block: false }] },
  ]
  const uids = await create(world, things)
  await requestDeletion(world, things, { of: 0, policy: 'Orphan' })
  await world.clock.advance(500)
  t.deepEqual(await whatIsLeft(world, uids), { o0: [], o1: ['o0'] })
  release()
  await world.settle()
  t.deepEqual(await whatIsLeft(world, uids), { o1: [] })
})
