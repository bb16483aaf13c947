import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { Loop, type LoopOptions } from './loop.ts'

function start(t: ExecutionContext, pass: LoopOptions['pass'], options: Partial<LoopOptions> = {}) {
  const clock = new ManualClock(0)
  const controller = new AbortController()
  const ambient = { clock, random: seededRandom(1), log: silentLogger }
  const loop = new Loop({ name: 'test', pass, ambient, ...options })
  const running = loop.run(controller.signal)
  t.teardown(async () => {
    controller.abort()
    await running
  })
  return { clock, loop, controller, running }
}

test('the first pass begins at once, and then none without a poke', async (t) => {
  let passes = 0
  const { clock, loop } = start(t, async () => void passes++)
  await clock.advance(1_000_000)
  t.is(passes, 1)
  loop.poke()
  await clock.advance(0)
  t.is(passes, 2)
})

test('pokes during a pass lead to one more, and passes never overlap', async (t) => {
  const gates: (() => void)[] = []
  let under = 0
  let most = 0
  const { clock, loop } = start(t, async () => {
    most = Math.max(most, ++under)
    await new Promise<void>((resolve) => gates.push(resolve))
    under--
    return undefined
  })
  await clock.advance(0)
  for (let poke = 0; poke < 5; poke++) loop.poke()
  await clock.advance(0)
  t.is(gates.length, 1)
  gates[0]?.()
  await clock.advance(0)
  t.is(gates.length, 2)
  gates[1]?.()
  await clock.advance(1000)
  t.deepEqual([gates.length, most], [2, 1])
})

test('pokes that come close together are one', async (t) => {
  let passes = 0
  const { clock, loop } = start(t, async () => void passes++, { settleMs: 10 })
  await clock.advance(10)
  t.is(passes, 1)
  loop.poke()
  await clock.advance(5)
  loop.poke()
  await clock.advance(4)
  t.is(passes, 1)
  await clock.advance(100)
  t.is(passes, 2)
})

test('a prompt loop acts at once after a rest, and gathers what comes soon after a pass', async (t) => {
  const passes: number[] = []
  const pass = async () => void passes.push(clock.now())
  const { clock, loop } = start(t, pass, { settleMs: 10, isPrompt: true })
  await clock.advance(100)
  loop.poke()
  await clock.advance(5)
  loop.poke()
  await clock.advance(3)
  loop.poke()
  await clock.advance(100)
  loop.poke()
  await clock.advance(0)
  t.deepEqual(passes, [0, 100, 115, 208])
})

test('a pass says when to look again; a poke may come first', async (t) => {
  const passes: number[] = []
  const { clock, loop } = start(t, async () => {
    passes.push(clock.now())
    return clock.now() < 250 ? clock.now() + 100 : undefined
  })
  await clock.advance(150)
  loop.poke()
  await clock.advance(1000)
  t.deepEqual(passes, [0, 100, 150, 250])
  t.is(clock.nextTimer(), undefined)
})

test('a pass that fails is tried again after pauses that grow, and success forgives', async (t) => {
  const passes: number[] = []
  let broken = true
  const { clock, loop } = start(
    t,
    async () => {
      passes.push(clock.now())
      // A poke does not shorten the pause.
      if (broken) loop.poke()
      if (broken) throw new Error('broken')
      return undefined
    },
    { backoff: { first: 100, most: 400 } },
  )
  await clock.advance(1500)
  for (const [turn, most] of [100, 200, 400, 400].entries()) {
    const pause = (passes[turn + 1] ?? Number.NaN) - (passes[turn] ?? Number.NaN)
    t.true(pause >= most * 0.75 && pause <= most * 1.25, `pause ${turn}: ${pause}`)
  }
  broken = false
  await clock.advance(1000)
  const done = passes.length
  await clock.advance(10_000)
  t.is(passes.length, done)
})

test('it ends when told, also while it waits, rests or settles', async (t) => {
  for (const [pass, settleMs] of [
    [async () => undefined, 0],
    [async () => Promise.reject(new Error('broken')), 0],
    [async () => t.fail('nothing begins after the end') as undefined, 10],
  ] as const) {
    const { clock, controller, running } = start(t, pass, { settleMs })
    await clock.advance(0)
    controller.abort()
    await t.notThrowsAsync(running)
    t.is(clock.nextTimer(), undefined)
  }
})
