import test from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { mergePlans, PlanBuilder } from '#pkg/plan/plan.ts'
import type { AgentOp } from './ops.ts'
import { Runner, restAfter } from './runner.ts'

const signal = new AbortController().signal

function starts(group: string, ...containers: string[]) {
  const builder = new PlanBuilder<AgentOp>(group)
  for (const name of containers) builder.add({ type: 'startContainer', container: name }, 'why')
  return builder.build()
}

function make(perform: (op: AgentOp) => Promise<void>) {
  const clock = new ManualClock(0)
  const told: string[] = []
  const runner = new Runner({
    ambient: { clock, random: seededRandom(1), log: silentLogger },
    perform,
    onResult: ({ planned, outcome }) => told.push(`${planned.id} ${outcome}`),
    onGroupEnd: (group) => told.push(`${group} ended, ${runner.busy().size} busy`),
  })
  return { clock, runner, told }
}

test('the same group never runs twice at once; others run beside it', async (t) => {
  const gates = new Map<string, () => void>()
  const { runner, told } = make((op) => {
    const name = 'container' in op ? op.container : ''
    return new Promise((resolve) => gates.set(name, resolve))
  })
  runner.launch(mergePlans([starts('a', 'one'), starts('b', 'two')]), () => 1, signal)
  runner.launch(starts('a', 'three'), () => 1, signal)
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual([...gates.keys()], ['one', 'two'])
  t.deepEqual([...runner.busy()], ['a', 'b'])
  for (const open of gates.values()) open()
  await runner.idle()
  t.deepEqual(told, ['a#1 done', 'b#1 done', 'a ended, 1 busy', 'b ended, 0 busy'])
  t.is(runner.lastAction('a')?.action, 'start container one')
})

test('a registry that stands still keeps nobody waiting for another one', async (t) => {
  const begun: string[] = []
  const gate = Promise.withResolvers<void>()
  const { runner } = make(async (op) => {
    if (op.type !== 'pullImage') return
    begun.push(op.reference)
    if (op.reference.startsWith('slow.')) await gate.promise
  })
  const pull = (reference: string) =>
    new PlanBuilder<AgentOp>(`Pull/${reference}`)
      .add({ type: 'pullImage', reference, secrets: [] }, 'why')
      .build()
  const slow = ['a', 'b', 'c', 'd'].map((name) => `slow.example.com/${name}`)
  runner.launch(mergePlans([...slow, 'fast.example.com/a'].map(pull)), () => 1, signal)
  await new Promise((resolve) => setImmediate(resolve))
  t.deepEqual(begun, [...slow.slice(0, 3), 'fast.example.com/a'])
  gate.resolve()
  await runner.idle()
  t.is(begun.length, 5)
})

test('a group that fails rests ever longer, until it succeeds or its object changes', async (t) => {
  let broken = true
  const { clock, runner, told } = make(async () => {
    if (broken) throw new StatusError('HostPortInUse', 'port 80 is taken')
  })
  const run = async (generation: number) => {
    runner.launch(starts('a', 'one', 'two'), () => generation, signal)
    await runner.idle()
    return runner.holds().get('a')
  }
  t.like(await run(1), {
    failures: 1,
    generation: 1,
    reason: 'HostPortInUse',
    message: 'port 80 is taken',
    action: 'start container one',
  })
  t.deepEqual(told.slice(0, 2), ['a#1 failed', 'a ended, 0 busy'])
  t.is(runner.lastAction('a')?.action, 'start container one (failed)')
  const second = await run(1)
  t.is(second?.failures, 2)
  const rest = (second?.until ?? 0) - clock.now()
  t.true(rest >= 3600 && rest <= 4400, `${rest}`)
  t.is((await run(2))?.failures, 1, 'a changed object begins anew')
  broken = false
  t.is(await run(2), undefined)
})

test('what is aborted is no failure', async (t) => {
  const controller = new AbortController()
  const { runner, told } = make(async () => {
    controller.abort()
    throw new Error('cut off')
  })
  runner.launch(starts('a', 'one'), () => 1, controller.signal)
  await runner.idle()
  t.is(runner.holds().size, 0)
  t.deepEqual(told, ['a ended, 0 busy'])
})

test('of a group whose object has changed nothing further is begun, and what ended is told all the same', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { runner, told } = make(() => gate.promise)
  runner.launch(mergePlans([starts('a', 'one', 'two'), starts('b', 'three')]), () => 1, signal)
  await new Promise((resolve) => setImmediate(resolve))
  runner.cancel((group, generation) => group === 'b' && generation === 1)
  gate.resolve()
  await runner.idle()
  t.deepEqual(told.slice(0, 2), ['a#1 done', 'b#1 done'])
  t.is(told.length, 4)
  const failing = make(() => Promise.reject(new StatusError('EngineError', 'lost')))
  failing.runner.launch(starts('a', 'one'), () => 1, signal)
  failing.runner.cancel(() => false)
  await failing.runner.idle()
  t.is(failing.runner.holds().size, 0, 'another generation does not wait for what failed before')
})

test('what can be broken off is, when nobody wants it any more, and is no failure', async (t) => {
  const clock = new ManualClock(0)
  const told: string[] = []
  const long = new Runner({
    ambient: { clock, random: seededRandom(1), log: silentLogger },
    perform: (_, stop) =>
      new Promise((_resolve, reject) => stop.addEventListener('abort', () => reject(stop.reason))),
    onResult: ({ outcome }) => told.push(outcome),
    onGroupEnd: (group) => told.push(group),
  })
  long.launch(starts('Pull/a', 'pull'), () => 0, signal)
  await new Promise((resolve) => setImmediate(resolve))
  long.cancel(() => false)
  await long.idle()
  t.deepEqual(told, ['Pull/a'])
  t.is(long.holds().size, 0)
})

test('groups of objects that are no more are forgotten', async (t) => {
  const { runner } = make(() => Promise.reject(new Error('broken')))
  runner.launch(mergePlans([starts('a', 'one'), starts('b', 'two')]), () => 1, signal)
  await runner.idle()
  runner.forget((group) => group === 'b')
  t.deepEqual([...runner.holds().keys()], ['b'])
  t.is(runner.lastAction('a'), undefined)
})

test('how long a failure rests depends on what follows from it', (t) => {
  const rests = (error: unknown) => [1, 2, 3, 99].map((failures) => restAfter(error, failures) / 1000)
  const of = (...args: ConstructorParameters<typeof StatusError>) => rests(new StatusError(...args))
  t.deepEqual(of('EngineUnavailable', ''), [1, 1, 1, 1])
  t.deepEqual(of('Conflict', ''), [0.2, 0.4, 0.8, 30])
  t.deepEqual(of('HostPortInUse', ''), [2, 4, 8, 300])
  t.deepEqual(of('ImageNotFound', ''), [10, 20, 40, 300])
  t.deepEqual(of('RegistryRateLimited', '', { retryAfterSeconds: 60 }), [60, 60, 60, 300])
  t.deepEqual(of('InvalidSpec', ''), [3600, 3600, 3600, 3600])
  t.deepEqual(rests(new Error('a bug')), [2, 4, 8, 300])
})

test('what succeeds each time and is still to be done rests ever longer, until there is nothing to do', async (t) => {
  const { clock, runner } = make(async () => {})
  const rest = async (container: string) => {
    runner.launch(starts('a', container), () => 1, signal)
    await runner.idle()
    const { until = clock.now(), message } = runner.holds().get('a') ?? {}
    runner.forgive(new Set(['a']))
    return { seconds: (until - clock.now()) / 1000, message }
  }
  const seconds: number[] = []
  for (let round = 0; round < 6; round++) seconds.push((await rest(`id${round}`)).seconds)
  t.deepEqual(seconds, [0, 0, 0, 1, 2, 4])
  t.regex((await rest('one')).message ?? '', /^it was done 7 times, and is still to be done/)
  for (let round = 0; round < 40; round++) await rest('one')
  t.is((await rest('one')).seconds, 24 * 3600)
  runner.forgive(new Set())
  t.is((await rest('one')).seconds, 0)
})
