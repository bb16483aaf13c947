import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { container } from '#test/helpers/world.ts'
import { CopyKeeper } from './copykeeper.ts'
import { encodeCopy, type NodeCopy } from './nodecopy.ts'

function copyOf(names: readonly string[], restartCount = 0): NodeCopy {
  const named = { Secret: {}, ConfigMap: {}, Volume: {}, Network: {}, Image: {} }
  const containers = names.map((name) => container(name))
  const empty = {
    volumes: [],
    networks: [],
    images: [],
    builds: [],
    registries: [],
    prunePolicies: [],
    nodes: [],
  }
  const desired = { ...empty, containers, named }
  return { nodeName: 'n1', clusterID: 'one', desired, statuses: { a: { restartCount } }, events: [] }
}

/** A disk that keeps a text, takes its time, and may fail. */
function make(t: ExecutionContext) {
  const clock = new ManualClock()
  const began = clock.now()
  const disk = { text: undefined as string | undefined, broken: undefined as Error | undefined, takes: 0 }
  const saves: number[] = []
  const warnings: string[] = []
  const store = {
    path: '/node.copy',
    async load() {
      if (disk.broken !== undefined) throw disk.broken
      return disk.text
    },
    async save(text: string) {
      saves.push(clock.now() - began)
      if (disk.takes > 0) await new Promise<void>((resolve) => clock.after(disk.takes, resolve))
      if (disk.broken !== undefined) throw disk.broken
      disk.text = text
    },
  }
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const keeper = new CopyKeeper({ store, ambient: { clock, random: seededRandom(1), log }, nodeName: 'n1' })
  const stop = new AbortController()
  const begin = () => {
    const running = keeper.run(stop.signal)
    const end = async () => {
      stop.abort()
      await running
    }
    t.teardown(end)
    return end
  }
  return { clock, disk, saves, warnings, keeper, begin }
}

test('the first change is written at once, further ones together a second later, and nothing twice', async (t) => {
  const { clock, saves, keeper, begin, disk } = make(t)
  begin()
  for (let turn = 0; turn < 50; turn++) {
    keeper.offer(copyOf(['web'], turn))
    await clock.advance(20)
  }
  await clock.advance(10_000)
  t.deepEqual(saves, [0, 1000])
  t.is(disk.text, encodeCopy(copyOf(['web'], 49)))
  keeper.offer(copyOf(['web'], 49))
  await clock.advance(10_000)
  t.is(saves.length, 2)
})

test('a deletion is written without delay', async (t) => {
  const { clock, saves, keeper, begin } = make(t)
  begin()
  keeper.offer(copyOf(['web', 'api']))
  await clock.advance(100)
  keeper.offer(copyOf(['web', 'api'], 1))
  await clock.advance(100)
  keeper.offer(copyOf(['web'], 1))
  await clock.advance(0)
  t.deepEqual(saves, [0, 200])
})

test('a slow disk is written to for a small part of the time only', async (t) => {
  const { clock, saves, keeper, begin, disk } = make(t)
  disk.takes = 500
  begin()
  for (let turn = 0; turn < 300; turn++) {
    keeper.offer(copyOf(['web'], turn))
    await clock.advance(100)
  }
  t.deepEqual(saves, [0, 10_500, 21_000])
  disk.takes = 0
})

test('a disk that cannot be written is told of and tried again', async (t) => {
  const { clock, keeper, begin, disk, warnings } = make(t)
  disk.broken = new Error('no space left')
  begin()
  keeper.offer(copyOf(['web']))
  await clock.advance(500)
  t.regex(warnings.join(), /cannot be written: after a reboot this node needs its server/)
  disk.broken = undefined
  await clock.advance(2000)
  t.is(disk.text, encodeCopy(copyOf(['web'])))
  t.is(warnings.length, 1)
})

test('what was offered last is written before it ends', async (t) => {
  const { clock, keeper, begin, disk } = make(t)
  const end = begin()
  keeper.offer(copyOf(['web'], 1))
  await clock.advance(10)
  keeper.offer(copyOf(['web'], 2))
  await end()
  t.is(disk.text, encodeCopy(copyOf(['web'], 2)))
})

test('what an earlier run kept is loaded, and not written again; what is of no use is told of', async (t) => {
  const { keeper, disk, warnings, begin, saves, clock } = make(t)
  disk.text = encodeCopy(copyOf(['web', 'api']))
  t.deepEqual(await keeper.load(), copyOf(['web', 'api']))
  begin()
  keeper.offer(copyOf(['web', 'api']))
  await clock.advance(2000)
  t.deepEqual(saves, [])
  disk.text = '{'
  t.is(await keeper.load(), undefined)
  disk.broken = badRequest('it was cut short')
  t.is(await keeper.load(), undefined)
  t.is(warnings.length, 2)
  t.regex(warnings[0] ?? '', /cannot be used: the server is waited for/)
})
