/**
 * What the storage port promises, as tests that every implementation runs. An implementation that keeps data beyond
 * close() says how to open it again.
 */
import type { ExecutionContext, TestFn } from 'ava'
import fc from 'fast-check'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Storage, StoredEvent, StoredRecord, WriteResult } from '#pkg/storage/port.ts'

export interface StoreOptions {
  /** A watch with more unread changes is cut. */
  readonly maxUnread?: number
}

export interface Opened {
  readonly storage: Storage
  /** Closes the store and opens the same data again; absent when it keeps none. */
  readonly reopen?: () => Promise<Storage>
}

export type OpenStorage = (t: ExecutionContext, options?: StoreOptions) => Promise<Opened>

const never = new AbortController().signal

export function storageSuite(test: TestFn, name: string, open: OpenStorage): void {
  writing(test, name, open)
  listing(test, name, open)
  watching(test, name, open)
  compacting(test, name, open)
  modelling(test, name, open)
}

function writing(test: TestFn, name: string, open: OpenStorage): void {
  test(`${name}: a created key is read back with its revision`, async (t) => {
    const { storage } = await open(t)
    const revision = written(await storage.create('/a', 'one'))
    t.deepEqual(await storage.get('/a'), { key: '/a', value: 'one', revision })
    t.is(await storage.get('/b'), undefined)
  })

  test(`${name}: creating a key that exists loses and tells what is there`, async (t) => {
    const { storage } = await open(t)
    const revision = written(await storage.create('/a', 'one'))
    const lost = await storage.create('/a', 'two')
    t.deepEqual(lost, { ok: false, current: { key: '/a', value: 'one', revision } })
  })

  test(`${name}: an update or delete of anything but the last change loses and tells what is there`, async (t) => {
    const { storage } = await open(t)
    const first = written(await storage.create('/a', 'one'))
    const second = written(await storage.update('/a', 'two', first))
    const other = written(await storage.create('/b', 'other'))
    const current = { key: '/a', value: 'two', revision: second }
    for (const expected of [0, first, other, second + 100, -1]) {
      t.deepEqual(await storage.update('/a', 'three', expected), { ok: false, current })
      t.deepEqual(await storage.delete('/a', expected), { ok: false, current })
    }
    t.deepEqual(await storage.get('/a'), current)
  })

  test(`${name}: a key that does not exist can be neither updated nor deleted`, async (t) => {
    const { storage } = await open(t)
    const created = written(await storage.create('/a', 'one'))
    const deleted = written(await storage.delete('/a', created))
    for (const expected of [0, created, deleted]) {
      t.deepEqual(await storage.update('/a', 'x', expected), { ok: false, current: undefined })
      t.deepEqual(await storage.delete('/a', expected), { ok: false, current: undefined })
    }
    t.is(await storage.get('/a'), undefined)
  })

  test(`${name}: a deleted key can be created again`, async (t) => {
    const { storage } = await open(t)
    const created = written(await storage.create('/a', 'one'))
    const deleted = written(await storage.delete('/a', created))
    const again = written(await storage.create('/a', 'two'))
    t.deepEqual([created, deleted, again], [created, created + 1, created + 2])
    t.deepEqual(await storage.get('/a'), { key: '/a', value: 'two', revision: again })
  })

  test(`${name}: of many racing for one key exactly one wins each time`, async (t) => {
    const { storage } = await open(t)
    const racers = Array.from({ length: 20 }, (_, index) => index)
    let last = winnerOf(t, await Promise.all(racers.map((racer) => storage.create('/a', `${racer}`))))
    for (let round = 0; round < 5; round++) {
      const expected = last
      const results = await Promise.all(racers.map((racer) => storage.update('/a', `${racer}`, expected)))
      last = winnerOf(t, results)
    }
    winnerOf(t, await Promise.all(racers.map(() => storage.delete('/a', last))))
  })

  test(`${name}: a lost race does not disturb writes made in the same moment`, async (t) => {
    const { storage } = await open(t)
    written(await storage.create('/taken', 'x'))
    const [before, lost, after] = await Promise.all([
      storage.create('/before', '1'),
      storage.create('/taken', '2'),
      storage.create('/after', '3'),
    ])
    t.false(lost.ok)
    t.is(written(after), written(before) + 1)
    t.is((await storage.get('/after'))?.value, '3')
  })

  test(`${name}: revisions grow by one per change, whatever loses in between`, async (t) => {
    const { storage } = await open(t)
    const start = (await storage.revisions()).current
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => storage.create(`/${index % 50}`, 'x')),
    )
    const revisions = results.flatMap((result) => (result.ok ? [result.revision] : []))
    t.deepEqual(revisions, countingFrom(start + 1, 50))
    t.is((await storage.revisions()).current, start + 50)
  })

  test(`${name}: keys and values keep every well-formed string, and others are refused`, async (t) => {
    const { storage } = await open(t)
    for (const text of ['', 'ü', '😀', 'a\0b', '\u{10ffff}', '\ufffd', "'; DROP TABLE log; --"]) {
      const revision = written(await storage.create(`/${text}`, text))
      t.deepEqual(await storage.get(`/${text}`), { key: `/${text}`, value: text, revision })
    }
    await fails(t, storage.create('/\ud800', 'x'), 'BadRequest')
    await fails(t, storage.create('/x', '\ud800'), 'BadRequest')
  })

  test(`${name}: after close everything fails with ServiceUnavailable, and closing again is harmless`, async (t) => {
    const { storage } = await open(t)
    const late = storage.create('/a', 'x')
    await storage.close()
    t.true((await late).ok, 'what was asked before is finished')
    await storage.close()
    await fails(t, storage.create('/b', 'x'), 'ServiceUnavailable')
    await fails(t, storage.get('/a'), 'ServiceUnavailable')
    await fails(t, storage.list('/'), 'ServiceUnavailable')
    await fails(t, take(storage.watch('/', 0, never), 1), 'ServiceUnavailable')
  })

  test(`${name}: opened again, the store has all it had and never uses a revision twice`, async (t) => {
    const { storage, reopen } = await open(t)
    if (reopen === undefined) {
      t.pass('keeps nothing beyond close')
      return
    }
    const created = written(await storage.create('/a', 'one'))
    written(await storage.create('/b', 'kept'))
    const deleted = written(await storage.delete('/a', created))
    await storage.compact(deleted)
    const again = await reopen()
    t.deepEqual(await again.revisions(), { current: deleted, compacted: deleted })
    t.is((await again.get('/b'))?.value, 'kept')
    t.is(written(await again.create('/a', 'two')), deleted + 1)
  })
}

function listing(test: TestFn, name: string, open: OpenStorage): void {
  test(`${name}: a list holds exactly the keys under its prefix, in byte order`, async (t) => {
    const { storage } = await open(t)
    const inside = ['/a/', '/a/b', '/a/b/c', '/a/ü', '/a/\u{ffff}', '/a/😀', '/a/\u{10ffff}', '/a/B', '/a/\0']
    const outside = ['/a', '/a0', '/b/', '/A/b', '/', '']
    for (const key of [...inside, ...outside]) written(await storage.create(key, key))
    const list = await storage.list('/a/')
    t.deepEqual(keysOf(list), inside.toSorted(byBytes))
    t.is(list.remaining, 0)
    t.is(list.revision, (await storage.revisions()).current)
    t.deepEqual(keysOf(await storage.list('')), [...inside, ...outside].toSorted(byBytes))
    t.deepEqual(keysOf(await storage.list('/nothing')), [])
  })

  test(`${name}: a prefix that ends in the last code point has an end too`, async (t) => {
    const { storage } = await open(t)
    for (const key of ['a\u{10ffff}', 'a\u{10ffff}z', 'b', 'a\u{d7ff}x', 'a\u{e000}'])
      written(await storage.create(key, ''))
    t.deepEqual(keysOf(await storage.list('a\u{10ffff}')), ['a\u{10ffff}', 'a\u{10ffff}z'])
    t.deepEqual(keysOf(await storage.list('a\u{d7ff}')), ['a\u{d7ff}x'])
  })

  test(`${name}: pages at one revision add up to the list of that revision, whatever is written meanwhile`, async (t) => {
    const { storage } = await open(t)
    const revisions = new Map<string, number>()
    for (let index = 0; index < 25; index++) {
      const key = `/p/${String(index).padStart(2, '0')}`
      revisions.set(key, written(await storage.create(key, `v${index}`)))
    }
    const whole = await storage.list('/p/')
    let page = await storage.list('/p/', { limit: 10 })
    const records: StoredRecord[] = [...page.records]
    t.is(page.remaining, 15)
    while (page.remaining > 0) {
      const last = records.at(-1)
      if (last === undefined) return t.fail('a page with records remaining was empty')
      for (const key of ['/p/03', '/p/17', '/p/24']) {
        const expected = revisions.get(key)
        if (expected !== undefined) revisions.set(key, written(await storage.update(key, 'later', expected)))
      }
      written(await storage.create(`/p/12-${records.length}`, 'new'))
      written(await storage.delete(last.key, (await storage.get(last.key))?.revision ?? 0))
      revisions.delete(last.key)
      page = await storage.list('/p/', { limit: 10, after: last.key, revision: whole.revision })
      t.is(page.revision, whole.revision)
      t.is(page.remaining, 25 - records.length - page.records.length)
      records.push(...page.records)
    }
    t.deepEqual(records, whole.records)
    t.notDeepEqual((await storage.list('/p/')).records, whole.records)
  })

  test(`${name}: an uncounted page only tells whether there is more`, async (t) => {
    const { storage } = await open(t)
    for (const key of ['/a', '/b', '/c', '/d', '/e']) await storage.create(key, key)
    const page = (after: string) => storage.list('/', { limit: 2, uncounted: true, after })
    const seen = await Promise.all(['', '/b', '/d', '/c'].map(page))
    t.deepEqual(
      seen.map(({ records, remaining }) => [records.map(({ key }) => key).join(), remaining]),
      [
        ['/a,/b', 1],
        ['/c,/d', 1],
        ['/e', 0],
        ['/d,/e', 0],
      ],
    )
  })

  test(`${name}: a page that ends with the last record has none remaining`, async (t) => {
    const { storage } = await open(t)
    for (const key of ['/a', '/b']) written(await storage.create(key, ''))
    t.is((await storage.list('/', { limit: 2 })).remaining, 0)
    t.deepEqual(keysOf(await storage.list('/', { after: '/b' })), [])
    t.deepEqual(keysOf(await storage.list('/', { after: '' })), ['/a', '/b'])
    t.deepEqual(keysOf(await storage.list('/', { limit: 0 })), ['/a', '/b'])
  })

  test(`${name}: a list from the future fails as Kubernetes says it`, async (t) => {
    const { storage } = await open(t)
    const error = await fails(t, storage.list('/', { revision: 1_000 }), 'Timeout')
    t.is(error?.details.causes?.[0]?.reason, 'ResourceVersionTooLarge')
    await fails(t, take(storage.watch('/', 1_000, never), 1), 'Timeout')
  })
}

function watching(test: TestFn, name: string, open: OpenStorage): void {
  test(`${name}: a watch tells creations, updates and deletions with the last value`, async (t) => {
    const { storage } = await open(t)
    const first = written(await storage.create('/a', 'one'))
    const second = written(await storage.update('/a', 'two', first))
    const backlog = take(storage.watch('/', first - 1, never), 4)
    const third = written(await storage.delete('/a', second))
    const fourth = written(await storage.create('/a', 'again'))
    const expected: StoredEvent[] = [
      { type: 'put', record: { key: '/a', value: 'one', revision: first }, created: true },
      { type: 'put', record: { key: '/a', value: 'two', revision: second }, created: false },
      { type: 'delete', record: { key: '/a', value: 'two', revision: third } },
      { type: 'put', record: { key: '/a', value: 'again', revision: fourth }, created: true },
    ]
    t.deepEqual(await backlog, expected)
    t.deepEqual(await take(storage.watch('/', first - 1, never), 4), expected, 'the same from the log alone')
  })

  test(`${name}: a watch tells live deletions with the last value`, async (t) => {
    const { storage } = await open(t)
    const created = written(await storage.create('/a', 'one'))
    const events = take(storage.watch('/', created, never), 1)
    await storage.revisions()
    const deleted = written(await storage.delete('/a', created))
    t.deepEqual(await events, [{ type: 'delete', record: { key: '/a', value: 'one', revision: deleted } }])
  })

  test(`${name}: a watch sees only its prefix, from right after its revision`, async (t) => {
    const { storage } = await open(t)
    written(await storage.create('/a/1', ''))
    const seen = written(await storage.create('/a/2', ''))
    for (const key of ['/a', '/a0', '/a/3', '/b/1', '/a/4']) written(await storage.create(key, ''))
    const events = await take(storage.watch('/a/', seen, never), 2)
    t.deepEqual(
      events.map((event) => event.record.key),
      ['/a/3', '/a/4'],
    )
  })

  test(`${name}: watches begun at any moment under concurrent writers see every change once, in order`, async (t) => {
    const { storage } = await open(t)
    const start = (await storage.revisions()).current
    const writes = 12 * 50
    const writer = async (id: number) => {
      let revision = written(await storage.create(`/w/${id}`, '0'))
      for (let index = 1; index < 50; index++)
        revision = written(await storage.update(`/w/${id}`, `${index}`, revision))
    }
    const writers = Promise.all(Array.from({ length: 12 }, (_, id) => writer(id)))
    const watches: Promise<StoredEvent[]>[] = []
    for (let index = 0; index < 20; index++) {
      watches.push(take(storage.watch('/w/', start, never), writes))
      await storage.get('/w/0')
    }
    await writers
    for (const events of await Promise.all(watches)) {
      t.deepEqual(
        events.map((event) => event.record.revision),
        countingFrom(start + 1, writes),
      )
    }
  })

  test(`${name}: a backlog longer than a page arrives whole`, async (t) => {
    const { storage } = await open(t)
    await Promise.all(Array.from({ length: 2_500 }, (_, index) => storage.create(`/${index}`, '')))
    const events = await take(storage.watch('/', 0, never), 2_500)
    t.deepEqual(
      events.map((event) => event.record.revision),
      countingFrom(1, 2_500),
    )
  })

  test(`${name}: a change is readable when a watch tells it`, async (t) => {
    const { storage } = await open(t)
    const watching = (async () => {
      for await (const batch of storage.watch('/', 0, never)) {
        return { told: batch[0]?.record, read: await storage.get('/a') }
      }
      return undefined
    })()
    const revision = written(await storage.create('/a', 'x'))
    const record = { key: '/a', value: 'x', revision }
    t.deepEqual(await watching, { told: record, read: record })
  })

  test(`${name}: what is written in one moment arrives in one batch`, async (t) => {
    const { storage } = await open(t)
    const abort = new AbortController()
    const batches: number[] = []
    const watching = (async () => {
      for await (const batch of storage.watch('/', 0, abort.signal)) {
        batches.push(batch.length)
        if (batch.some((event) => event.record.key === '/last')) abort.abort()
      }
    })()
    await storage.revisions()
    await Promise.all(['/a', '/b', '/c'].map((key) => storage.create(key, '')))
    await storage.create('/last', '')
    await watching
    t.deepEqual(batches, [3, 1])
  })

  test(`${name}: a watch ends without an error when its signal aborts, waiting or not`, async (t) => {
    const { storage } = await open(t)
    const abort = new AbortController()
    const waiting = take(storage.watch('/', 0, abort.signal), 1)
    await storage.revisions()
    abort.abort()
    t.deepEqual(await waiting, [])
    t.deepEqual(await take(storage.watch('/', 0, abort.signal), 1), [], 'aborted before it began')
  })

  test(`${name}: an open watch fails with ServiceUnavailable when the store closes`, async (t) => {
    const { storage } = await open(t)
    const waiting = take(storage.watch('/', 0, never), 1)
    await storage.revisions()
    await Promise.all([storage.close(), fails(t, waiting, 'ServiceUnavailable')])
  })

  test(`${name}: a reader too far behind is cut with Expired, and nobody else is`, async (t) => {
    const { storage } = await open(t, { maxUnread: 50 })
    const slow = storage.watch('/', 0, never)[Symbol.asyncIterator]()
    written(await storage.create('/first', ''))
    await slow.next()
    const quick = take(storage.watch('/', 1, never), 200)
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => storage.create(`/${round}/${index}`, '')))
    }
    const drained = (async () => {
      for (let next = await slow.next(); !next.done; next = await slow.next()) t.true(next.value.length < 51)
    })()
    await fails(t, drained, 'Expired')
    t.is((await quick).length, 200)
  })
}

function compacting(test: TestFn, name: string, open: OpenStorage): void {
  test(`${name}: compaction forgets what is superseded or deleted and keeps every current value`, async (t) => {
    const { storage } = await open(t)
    const kept = written(await storage.create('/kept', 'old and current'))
    let changed = written(await storage.create('/changed', '0'))
    for (let index = 1; index < 700; index++)
      changed = written(await storage.update('/changed', `${index}`, changed))
    const gone = written(await storage.create('/gone', 'x'))
    const deleted = written(await storage.delete('/gone', gone))
    await storage.compact(deleted)
    t.deepEqual(await storage.revisions(), { current: deleted, compacted: deleted })
    t.deepEqual((await storage.list('/')).records, [
      { key: '/changed', value: '699', revision: changed },
      { key: '/kept', value: 'old and current', revision: kept },
    ])
    t.is(await storage.get('/gone'), undefined)
    t.true((await storage.update('/kept', 'new', kept)).ok, 'an old but current revision is still updated')
    t.true((await storage.create('/gone', 'again')).ok)
    t.is((await storage.get('/gone'))?.value, 'again')
  })

  test(`${name}: list and watch before the compacted revision fail with Expired, at it they work`, async (t) => {
    const { storage } = await open(t)
    const first = written(await storage.create('/a', 'one'))
    const second = written(await storage.update('/a', 'two', first))
    const third = written(await storage.update('/a', 'three', second))
    await storage.compact(second)
    await fails(t, storage.list('/', { revision: first }), 'Expired')
    await fails(t, take(storage.watch('/', first, never), 1), 'Expired')
    t.deepEqual((await storage.list('/', { revision: second })).records, [
      { key: '/a', value: 'two', revision: second },
    ])
    const events = await take(storage.watch('/', second, never), 1)
    t.is(events[0]?.record.revision, third)
  })

  test(`${name}: a compaction of the future stops at the current revision`, async (t) => {
    const { storage } = await open(t)
    const first = written(await storage.create('/a', 'one'))
    await storage.compact(first + 1_000)
    await storage.compact(0)
    t.deepEqual(await storage.revisions(), { current: first, compacted: first })
    t.is(written(await storage.update('/a', 'two', first)), first + 1)
  })

  test(`${name}: writers go on while a compaction works`, async (t) => {
    const { storage } = await open(t)
    let revision = written(await storage.create('/a', ''))
    for (let index = 0; index < 20; index++) {
      const results = await Promise.all(
        Array.from({ length: 100 }, (_, key) => storage.create(`/${index}/${key}`, '')),
      )
      t.true(results.every((result) => result.ok))
    }
    const { current } = await storage.revisions()
    let done = false
    const compaction = storage.compact(current).then(() => {
      done = true
    })
    let between = 0
    while (!done) {
      revision = written(await storage.update('/a', 'x', revision))
      between++
    }
    await compaction
    t.true(between >= 3, `${between} writes went between the slices`)
  })

  test(`${name}: live watches miss nothing while a compaction works`, async (t) => {
    const { storage } = await open(t)
    let revision = written(await storage.create('/a', ''))
    const events = take(storage.watch('/', revision, never), 300)
    await storage.revisions()
    for (let index = 0; index < 300; index++) {
      revision = written(await storage.update('/a', `${index}`, revision))
      if (index % 50 === 49) await storage.compact(revision)
    }
    t.deepEqual(
      (await events).map((event) => event.record.revision),
      countingFrom(revision - 299, 300),
    )
  })
}

/** Any sequence of operations, some of them in the same moment, does what a map would do. */
function modelling(test: TestFn, name: string, open: OpenStorage): void {
  test(`${name}: any history does what a map of values with a counter would do`, async (t) => {
    const { storage } = await open(t)
    const key = fc.constantFrom('/a', '/b', '/b/c', '/b0', '/ü', '/😀')
    const operation = fc.oneof(
      { weight: 3, arbitrary: fc.record({ op: fc.constant('create' as const), key, value: fc.string() }) },
      {
        weight: 4,
        arbitrary: fc.record({
          op: fc.constant('update' as const),
          key,
          value: fc.string({ unit: 'binary' }),
          stale: fc.boolean(),
        }),
      },
      { weight: 2, arbitrary: fc.record({ op: fc.constant('delete' as const), key, stale: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ op: fc.constant('compact' as const), back: fc.nat(10) }) },
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { maxLength: 4 }), { maxLength: 15 }),
        async (history) => {
          const model = new Model(storage, `/run-${round++}`)
          await model.begin()
          for (const moment of history) await model.apply(t, moment)
          await model.check(t)
        },
      ),
      { numRuns: 60 },
    )
  })
}

type Operation =
  | { op: 'create'; key: string; value: string }
  | { op: 'update'; key: string; value: string; stale: boolean }
  | { op: 'delete'; key: string; stale: boolean }
  | { op: 'compact'; back: number }

class Model {
  readonly #storage: Storage
  readonly #prefix: string
  readonly #records = new Map<string, StoredRecord>()
  readonly #events: StoredEvent[] = []
  /** What a list at each revision of this run must hold. */
  readonly #history = new Map<number, StoredRecord[]>()
  #start = 0
  #revision = 0

  constructor(storage: Storage, prefix: string) {
    this.#storage = storage
    this.#prefix = prefix
  }

  async begin(): Promise<void> {
    this.#start = (await this.#storage.revisions()).current
    this.#revision = this.#start
  }

  /** Predicts, then does all of one moment at once. */
  async apply(t: ExecutionContext, moment: readonly Operation[]): Promise<void> {
    const predicted: (WriteResult | undefined)[] = []
    const asked: Promise<WriteResult | undefined>[] = []
    for (const operation of moment) {
      if (operation.op === 'compact') await this.#storage.compact(this.#revision - operation.back)
      else {
        const key = this.#prefix + operation.key
        const current = this.#records.get(key)
        const stale = operation.op !== 'create' && operation.stale
        const expected = (current?.revision ?? 0) - (stale ? 1 : 0)
        asked.push(this.#ask(operation, key, expected))
        predicted.push(this.#predict(operation, key, expected))
      }
    }
    t.deepEqual(await Promise.all(asked), predicted)
  }

  async check(t: ExecutionContext): Promise<void> {
    const list = await this.#storage.list(this.#prefix)
    t.deepEqual(list.records, this.#sorted())
    const { current, compacted } = await this.#storage.revisions()
    t.is(current, this.#revision)
    for (const [revision, records] of this.#history) {
      if (revision < compacted) continue
      t.deepEqual((await this.#storage.list(this.#prefix, { revision })).records, records)
    }
    const after = Math.max(compacted, this.#start)
    const expected = this.#events.filter((event) => event.record.revision > after)
    t.deepEqual(await take(this.#storage.watch(this.#prefix, after, never), expected.length), expected)
  }

  #ask(
    operation: Exclude<Operation, { op: 'compact' }>,
    key: string,
    expected: number,
  ): Promise<WriteResult> {
    if (operation.op === 'create') return this.#storage.create(key, operation.value)
    if (operation.op === 'update') return this.#storage.update(key, operation.value, expected)
    return this.#storage.delete(key, expected)
  }

  #predict(operation: Exclude<Operation, { op: 'compact' }>, key: string, expected: number): WriteResult {
    const current = this.#records.get(key)
    const fits =
      operation.op === 'create'
        ? current === undefined
        : current !== undefined && current.revision === expected
    if (!fits) return { ok: false, current }
    const revision = ++this.#revision
    if (operation.op === 'delete') {
      this.#records.delete(key)
      this.#events.push({ type: 'delete', record: { key, value: current?.value ?? '', revision } })
    } else {
      const record = { key, value: operation.value, revision }
      this.#records.set(key, record)
      this.#events.push({ type: 'put', record, created: operation.op === 'create' })
    }
    this.#history.set(revision, this.#sorted())
    return { ok: true, revision }
  }

  #sorted(): StoredRecord[] {
    return [...this.#records.values()].toSorted((a, b) => byBytes(a.key, b.key))
  }
}

/** The first `count` events, or all of a watch that ends before. */
export async function take(
  watch: AsyncIterable<readonly StoredEvent[]>,
  count: number,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = []
  if (count === 0) return events
  for await (const batch of watch) {
    events.push(...batch)
    if (events.length >= count) break
  }
  return events
}

export function written(result: WriteResult): number {
  if (!result.ok) throw new Error(`lost against revision ${result.current?.revision}`)
  return result.revision
}

async function fails(t: ExecutionContext, promise: Promise<unknown>, reason: StatusError['reason']) {
  const error = await t.throwsAsync(promise, { instanceOf: StatusError })
  t.true(isReason(error, reason), `${error?.reason}: ${error?.message}`)
  return error
}

function winnerOf(t: ExecutionContext, results: readonly WriteResult[]): number {
  const winners = results.flatMap((result) => (result.ok ? [result.revision] : []))
  t.is(winners.length, 1)
  return winners[0] ?? 0
}

function countingFrom(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => first + index)
}

function keysOf(list: { readonly records: readonly StoredRecord[] }): string[] {
  return list.records.map((record) => record.key)
}

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
