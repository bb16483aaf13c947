import test from 'ava'
import { ManualClock, silentLogger, systemRandom } from '#pkg/apimachinery/ambient.ts'
import type { DiskUsage } from '#pkg/engine/images.ts'
import { SizeBook } from './sizebook.ts'

function bookOf(answer: () => Promise<DiskUsage>) {
  const clock = new ManualClock(0)
  let changes = 0
  const ambient = { clock, random: systemRandom(), log: silentLogger }
  const book = new SizeBook({ engine: { diskUsage: answer }, ambient, onChange: () => changes++ })
  return { book, clock, changes: () => changes }
}

const image = (id: string, sharedBytes: number) => ({ id, sizeBytes: 10, sharedBytes, containers: 0 })
const usage = (...images: DiskUsage['images']): DiskUsage => ({
  layersBytes: 0,
  images,
  containers: [],
  volumes: [],
  buildCache: [],
})

test('the engine is asked when images came or went, a little later and once a minute at most', async (t) => {
  let asked = 0
  const { book, clock, changes } = bookOf(() => {
    asked++
    return Promise.resolve(usage(image('a', 4), image('b', -1)))
  })
  book.sync([{ id: 'a' }, { id: 'b' }])
  book.sync([{ id: 'b' }, { id: 'a' }])
  t.is(asked, 0)
  await clock.advance(2000)
  t.is(asked, 1)
  t.is(changes(), 1)
  t.deepEqual([...book.sizes()], [['a', { shared: 4, unique: 6 }]])
  book.sync([{ id: 'a' }])
  await clock.advance(50_000)
  t.is(asked, 1)
  await clock.advance(10_000)
  t.is(asked, 2)
  await book.close()
})

test('an engine that does not answer changes nothing, and the end breaks the question off', async (t) => {
  const { book, clock } = bookOf(() => Promise.reject(new Error('busy')))
  book.sync([{ id: 'a' }])
  await clock.advance(2000)
  t.is(book.sizes().size, 0)
  await book.close()
  book.sync([{ id: 'b' }])
  t.is(book.sizes().size, 0)
})
