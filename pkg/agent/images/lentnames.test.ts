/** Names that are only for a push: taken back also by the run after the one that was killed. */
import test from 'ava'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { LentNames, type LentStore } from './lentnames.ts'

const target = 'reg.test:5000/copy:1'

async function setUp() {
  const registry = new SimRegistry()
  const engine = new SimEngine({ clock: new ManualClock(0), registry })
  const signal = new AbortController().signal
  for (const name of ['reg.test:5000/app:1', 'reg.test:5000/app:2']) {
    registry.set(name, { env: { NAME: name } })
    await engine.pullImage(name, { signal })
  }
  const kept: { text?: string } = {}
  const store: LentStore = {
    path: 'memory',
    load: async () => kept.text,
    save: async (text) => {
      kept.text = text
    },
  }
  const idOf = async (name: string) => (await engine.imageDetails(name))?.id
  const image = (await idOf('reg.test:5000/app:1')) ?? ''
  const other = (await idOf('reg.test:5000/app:2')) ?? ''
  const run = () => new LentNames({ engine, store, log: silentLogger })
  return { engine, kept, store, idOf, image, other, run }
}

test('a name that was lent by a run that was killed goes, or goes back', async (t) => {
  const { engine, kept, idOf, image, other, run } = await setUp()
  await run().lend(target, { image })
  t.is(await idOf(target), image)
  await run().recall()
  t.is(await idOf(target), undefined)
  t.is(kept.text, '{}')
  await engine.tagImage(other, target)
  await run().lend(target, { image, before: other })
  await run().recall()
  t.is(await idOf(target), other)
})

test('killed before the name was given, or after somebody gave it away: nothing is touched', async (t) => {
  const { engine, kept, idOf, image, other, run } = await setUp()
  kept.text = JSON.stringify({ [target]: { image } })
  await engine.tagImage(other, target)
  await run().recall()
  t.is(await idOf(target), other)
  t.is(kept.text, '{}')
})

test('a name that has become the only one stays', async (t) => {
  const { engine, idOf, image, run } = await setUp()
  await run().lend(target, { image })
  await engine.removeImage('reg.test:5000/app:1', { force: false })
  await run().recall()
  t.is(await idOf(target), image)
})

test('it is asked once in a run, and again while the engine is away', async (t) => {
  const { engine, idOf, image, run } = await setUp()
  await run().lend(target, { image })
  let isAway = true
  const next = new LentNames({
    engine: new Proxy(engine, {
      get: (real, name) => {
        if (name === 'listImages' && isAway)
          return () => Promise.reject(new StatusError('EngineUnavailable', 'it is away'))
        const value: unknown = Reflect.get(real, name)
        return typeof value === 'function' ? value.bind(real) : value
      },
    }),
    store: {
      path: 'memory',
      load: async () => JSON.stringify({ [target]: { image } }),
      save: async () => {},
    },
    log: silentLogger,
  })
  await t.throwsAsync(next.recall(), { message: /it is away/ })
  isAway = false
  await next.recall()
  t.is(await idOf(target), undefined)
  await engine.tagImage(image, target)
  await next.recall()
  t.is(await idOf(target), image)
})

test('a book that is no book loses nothing but itself, and a disk that takes nothing keeps nobody from pushing', async (t) => {
  const { kept, store, idOf, image, engine, run } = await setUp()
  for (const text of ['[', '[]', '{"a":1}']) {
    kept.text = text
    await run().recall()
    t.is(kept.text, '{}')
  }
  const full = { ...store, save: () => Promise.reject(new Error('ENOSPC')) }
  const names = new LentNames({ engine, store: full, log: silentLogger })
  await names.lend(target, { image })
  t.is(await idOf(target), image)
  await names.takeBack(target)
  t.is(await idOf(target), undefined)
})
