/** Watches: framing, revisions, selections, time, and many at once. */
import type { ExecutionContext, TestFn } from 'ava'
import fc from 'fast-check'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { type ApiWatch, openWatch } from '#test/helpers/apievents.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers } from './apiserver.objects.ts'

export function watching(test: TestFn, name: string, open: OpenApi): void {
  starting(test, name, open)
  selections(test, name, open)
  timing(test, name, open)
  many(test, name, open)
}

async function create(transport: Transport, object: string, labels: object = {}): Promise<number> {
  const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap(object, {}, { labels }) })
  return Number(body.metadata.resourceVersion)
}

async function watch(t: ExecutionContext, transport: Transport, query: string, headers = {}) {
  const opened = await openWatch(transport, `${configMaps}?watch=true${query}`, headers)
  t.teardown(() => opened.close())
  return opened
}

function starting(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a watch without a revision, or from 0, begins with what there is`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a')
    await create(transport, 'b')
    for (const query of ['', '&resourceVersion=0']) {
      const events = await watch(t, transport, query)
      t.deepEqual(await events.short(2), ['ADDED a', 'ADDED b'])
      await ask(transport, `PATCH ${configMaps}/a`, { body: { data: { v: `x${query}` } } })
      t.deepEqual(await events.short(1), ['MODIFIED a'])
    }
  })

  test(`${name}: a watch from a revision gets every change after it, deletions with their own revision`, async (t) => {
    const { transport } = await open(t)
    const revision = await create(transport, 'a')
    await create(transport, 'b')
    await ask(transport, `PATCH ${configMaps}/a`, { body: { data: { v: '1' } } })
    await ask(transport, `DELETE ${configMaps}/a`)
    const events = await watch(t, transport, `&resourceVersion=${revision}`)
    t.deepEqual(await events.short(2), ['ADDED b', 'MODIFIED a'])
    const gone = await events.next()
    t.is(gone?.type, 'DELETED')
    t.deepEqual(gone?.object.data, { v: '1' })
    t.is(gone?.object.metadata.resourceVersion, String(revision + 3))
  })

  test(`${name}: a revision that is forgotten, or was never given, answers 410`, async (t) => {
    const { transport } = await open(t, { window: 4 })
    for (let index = 0; index < 20; index++) await create(transport, `c${index}`)
    const old = await ask(transport, `GET ${configMaps}?watch=true&resourceVersion=2`)
    t.is(old.status, 410)
    t.is(old.body.reason, 'Expired')
    t.regex(old.body.message, /^too old resource version: 2 \(\d+\)$/)
    t.is((await ask(transport, `GET ${configMaps}?watch=true&resourceVersion=999999`)).status, 410)
  })

  test(`${name}: sendInitialEvents sends what there is, says so, and goes on`, async (t) => {
    const { transport } = await open(t)
    const revision = await create(transport, 'a')
    const events = await watch(
      t,
      transport,
      `&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&resourceVersion=${revision}`,
    )
    t.deepEqual(await events.short(1), ['ADDED a'])
    const bookmark = await events.next()
    t.is(bookmark?.type, 'BOOKMARK')
    t.deepEqual(bookmark?.object.metadata, {
      resourceVersion: String(revision),
      annotations: { 'k8s.io/initial-events-end': 'true' },
    })
    await create(transport, 'b')
    t.deepEqual(await events.short(1), ['ADDED b'])
  })

  test(`${name}: without sendInitialEvents=true nothing of what there is is sent, from wherever the watch begins`, async (t) => {
    const { transport } = await open(t)
    const revision = await create(transport, 'a')
    await create(transport, 'b')
    const asked = '&sendInitialEvents=false&resourceVersionMatch=NotOlderThan'
    const since = await watch(t, transport, `${asked}&resourceVersion=${revision}`)
    const fromNow = await watch(t, transport, asked)
    await create(transport, 'c')
    t.deepEqual(await since.short(2), ['ADDED b', 'ADDED c'])
    t.deepEqual(await fromNow.short(1), ['ADDED c'])
  })

  test(`${name}: what there is is sent to who wants no bookmarks, too`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a')
    const events = await watch(t, transport, '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan')
    await create(transport, 'b')
    t.deepEqual(await events.short(2), ['ADDED a', 'ADDED b'])
  })

  test(`${name}: a watch goes on from a bookmark without a gap or a repetition`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a')
    const first = await watch(
      t,
      transport,
      '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=app%3Dx',
    )
    const bookmark = await first.next()
    t.is(bookmark?.type, 'BOOKMARK')
    first.close()
    await create(transport, 'b', { app: 'x' })
    await create(transport, 'c')
    await create(transport, 'd', { app: 'x' })
    const { resourceVersion } = bookmark?.object.metadata ?? {}
    const second = await watch(t, transport, `&resourceVersion=${resourceVersion}&labelSelector=app%3Dx`)
    t.deepEqual(await second.short(2), ['ADDED b', 'ADDED d'])
  })

  test(`${name}: a deleted collection is told object by object, each with a revision of its own`, async (t) => {
    const { transport } = await open(t)
    const revision = await create(transport, 'a')
    await create(transport, 'b')
    await ask(transport, `DELETE ${configMaps}`)
    const events = await watch(t, transport, `&resourceVersion=${revision}`)
    t.deepEqual(await events.short(1), ['ADDED b'])
    const gone = [await events.next(), await events.next()]
    t.deepEqual(
      gone.map((event) => event?.type),
      ['DELETED', 'DELETED'],
    )
    const revisions = gone.map((event) => Number(event?.object.metadata.resourceVersion))
    t.deepEqual(revisions, [revision + 2, revision + 3])
  })

  test(`${name}: a stranger's kinds and other namespaces do not disturb a watch`, async (t) => {
    const { transport } = await open(t)
    const events = await watch(t, transport, '')
    await ask(transport, `POST ${containers}`, { body: container('web') })
    await ask(transport, 'POST /api/v1/namespaces', {
      body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other' } },
    })
    await ask(transport, `POST ${configMaps.replace('default', 'other')}`, { body: configMap('there') })
    await create(transport, 'here')
    t.deepEqual(await events.short(1), ['ADDED here'])
  })
}

function selections(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an object that comes into or leaves a selection is added or deleted`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a', { app: 'x' })
    const events = await watch(t, transport, '&labelSelector=app%3Dx')
    t.deepEqual(await events.short(1), ['ADDED a'])
    const label = (app: string | null) =>
      ask(transport, `PATCH ${configMaps}/a`, { body: { metadata: { labels: { app } } } })
    const left = await label('y')
    const gone = await events.next()
    t.is(gone?.type, 'DELETED')
    t.is(gone?.object.metadata.labels.app, 'x')
    t.is(gone?.object.metadata.resourceVersion, left.body.metadata.resourceVersion)
    await label('x')
    await ask(transport, `PATCH ${configMaps}/a`, { body: { data: { v: '1' } } })
    await ask(transport, `DELETE ${configMaps}/a`)
    t.deepEqual(await events.short(3), ['ADDED a', 'MODIFIED a', 'DELETED a'])
  })

  test(`${name}: one object is watched by its name`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a')
    await create(transport, 'b')
    const events = await watch(t, transport, '&fieldSelector=metadata.name%3Db&resourceVersion=0')
    await ask(transport, `PATCH ${configMaps}/a`, { body: { data: { v: '1' } } })
    await ask(transport, `DELETE ${configMaps}/b`)
    t.deepEqual(await events.short(2), ['ADDED b', 'DELETED b'])
  })

  test(`${name}: a watch shows tables or metadata when asked to`, async (t) => {
    const { transport } = await open(t)
    await create(transport, 'a')
    const rows = await watch(t, transport, '', { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    const row = await rows.next()
    t.is(row?.object.kind, 'Table')
    t.is(row?.object.rows[0].cells[0], 'a')
    const partial = await watch(t, transport, '', {
      accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io',
    })
    t.is((await partial.next())?.object.kind, 'PartialObjectMetadata')
    await ask(transport, `DELETE ${configMaps}/a`)
    t.is((await rows.next())?.type, 'DELETED')
    t.is((await partial.next())?.object.metadata.name, 'a')
  })
}

function timing(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a quiet watch gets blank lines, a bookmark each minute and before its end`, async (t) => {
    const { transport, clock } = await open(t)
    if (clock === undefined) {
      t.pass('the clock of the server cannot be moved')
      return
    }
    const revision = await create(transport, 'a')
    const events = await watch(
      t,
      transport,
      `&resourceVersion=${revision}&allowWatchBookmarks=true&timeoutSeconds=65`,
    )
    const lines: (string | undefined)[] = []
    const readAll = (async () => {
      for (let line = await events.line(); line !== undefined; line = await events.line()) lines.push(line)
    })()
    await clock.advance(15_000)
    t.deepEqual(lines, [''])
    await clock.advance(45_000)
    const bookmark = { kind: 'ConfigMap', apiVersion: 'v1', metadata: { resourceVersion: String(revision) } }
    t.deepEqual(lines.slice(1, 3), ['', ''])
    t.deepEqual(JSON.parse(lines[3] ?? ''), { type: 'BOOKMARK', object: bookmark })
    await clock.advance(5_000)
    await readAll
    t.deepEqual(JSON.parse(lines[4] ?? ''), { type: 'BOOKMARK', object: bookmark })
    t.is(lines.length, 5)
  })

  test(`${name}: a watch that names no time is ended after half an hour at least, and an hour at most`, async (t) => {
    const { transport, clock } = await open(t)
    if (clock === undefined) {
      t.pass('the clock of the server cannot be moved')
      return
    }
    const revision = await create(transport, 'a')
    const events = await watch(t, transport, `&resourceVersion=${revision}&allowWatchBookmarks=true`)
    let ended = false
    const reading = (async () => {
      while ((await events.next()) !== undefined);
      ended = true
    })()
    await clock.advance(1_800_000)
    t.false(ended)
    await clock.advance(1_800_000)
    await reading
    t.true(ended)
  })

  test(`${name}: a watch that nobody reads is cut with 410, and the others go on`, async (t) => {
    const { transport, stats } = await open(t)
    if (stats === undefined) {
      t.pass('between wires the buffers of both sides hide a slow reader')
      return
    }
    const slow = await watch(t, transport, '')
    t.is(stats().watchers, 1)
    for (let round = 0; round < 45; round++) {
      await Promise.all(Array.from({ length: 100 }, (_, index) => create(transport, `c${round}-${index}`)))
    }
    t.is(stats().watchers, 0)
    const last = await slow.next()
    t.is(last?.type, 'ERROR')
    t.is(last?.object.code, 410)
    t.is(await slow.next(), undefined)
  })
}

function many(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: concurrent writers are seen without a gap, whenever the watch begins`, async (t) => {
    const { transport } = await open(t)
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation, { minLength: 1, maxLength: 40 }),
        fc.nat(40),
        async (operations, startAt) => {
          const followed = new Followed(transport, `r${run++}`)
          const working: Promise<unknown>[] = []
          for (const [index, made] of operations.entries()) {
            if (index === startAt) working.push(followed.start())
            working.push(operate(transport, followed.run, made, index))
            if (index % 3 === 0) await Promise.resolve()
          }
          await Promise.all(working)
          if (operations.length <= startAt) await followed.start()
          t.deepEqual(await followed.state(), await followed.list())
        },
      ),
      { numRuns: 25 },
    )
  })

  test(`${name}: a change is encoded once for a thousand watchers, and all get it`, async (t) => {
    const { transport, stats } = await open(t)
    if (stats === undefined) {
      t.pass('the counters of the server cannot be read')
      return
    }
    const watches = await Promise.all(Array.from({ length: 1000 }, () => watch(t, transport, '')))
    const before = stats()
    t.is(before.watchers, 1000)
    await create(transport, 'a')
    await ask(transport, `PATCH ${configMaps}/a`, { body: { data: { v: '1' } } })
    await ask(transport, `DELETE ${configMaps}/a`)
    const seen = await Promise.all(watches.map((events) => events.short(3)))
    for (const events of seen) t.deepEqual(events, ['ADDED a', 'MODIFIED a', 'DELETED a'])
    t.is(stats().encodes - before.encodes, 3)
    for (const events of watches) events.close()
    t.is(stats().watchers, 0)
  })
}

interface Operation {
  readonly object: number
  readonly verb: 'create' | 'patch' | 'delete'
}

const operation: fc.Arbitrary<Operation> = fc.record({
  object: fc.nat(4),
  verb: fc.constantFrom('create', 'patch', 'delete'),
})

/** One of many writers; losing to another one is fine. */
function operate(transport: Transport, run: string, { object, verb }: Operation, value: number) {
  const name = `${run}-${object}`
  if (verb === 'create') return create(transport, name, { run })
  if (verb === 'delete') return ask(transport, `DELETE ${configMaps}/${name}`)
  return ask(transport, `PATCH ${configMaps}/${name}`, { body: { data: { v: String(value) } } })
}

/** A list and the watch that goes on from it: what an informer holds. */
class Followed {
  readonly run: string
  readonly #transport: Transport
  #known: Record<string, string> = {}
  #watch: ApiWatch | undefined

  constructor(transport: Transport, run: string) {
    this.#transport = transport
    this.run = run
  }

  async start(): Promise<void> {
    const { body } = await ask(this.#transport, `GET ${configMaps}?${this.#selector()}`)
    this.#known = revisions(body)
    const from = `&resourceVersion=${body.metadata.resourceVersion}`
    this.#watch = await openWatch(this.#transport, `${configMaps}?watch=true&${this.#selector()}${from}`)
  }

  /** After every event up to now: names with their revisions. Ends the watch. */
  async state(): Promise<Record<string, string>> {
    const end = `${this.run}-end`
    await create(this.#transport, end, { run: this.run })
    for (let event = await this.#watch?.next(); event !== undefined; event = await this.#watch?.next()) {
      const { name, resourceVersion } = event.object.metadata
      if (event.type === 'DELETED') delete this.#known[name]
      else this.#known[name] = resourceVersion
      if (name === end) break
    }
    this.#watch?.close()
    return this.#known
  }

  async list(): Promise<Record<string, string>> {
    return revisions((await ask(this.#transport, `GET ${configMaps}?${this.#selector()}`)).body)
  }

  #selector(): string {
    return `labelSelector=run%3D${this.run}`
  }
}

function revisions(list: { items: { metadata: { name: string; resourceVersion: string } }[] }) {
  return Object.fromEntries(list.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion]))
}
