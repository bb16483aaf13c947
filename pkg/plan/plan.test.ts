import test from 'ava'
import fc from 'fast-check'
import { execute, makeSlots } from './execute.ts'
import { mergePlans, type Plan, PlanBuilder, printPlan } from './plan.ts'

const never = new AbortController().signal

test('a plan prints one line per op with its cause and what it waits for', (t) => {
  const network = new PlanBuilder<string>('Network/default/web')
    .add('create network web', 'it does not exist')
    .build()
  const container = new PlanBuilder<string>('Container/default/api')
    .add('create container api', 'it does not exist', ['Network/default/web#1'])
    .add('start container api', 'spec.state is Running')
    .build()
  t.is(
    printPlan(mergePlans([network, container]), (op) => op),
    [
      'Network/default/web#1: create network web because it does not exist',
      'Container/default/api#1: create container api because it does not exist (after Network/default/web#1)',
      'Container/default/api#2: start container api because spec.state is Running (after Container/default/api#1)',
    ].join('\n'),
  )
})

test('a failed op skips what waits for it and nothing else', async (t) => {
  const plan = mergePlans([
    new PlanBuilder<string>('a').add('fails', 'test').add('waits', 'test').build(),
    new PlanBuilder<string>('b').add('works', 'test').build(),
  ])
  const run = async (op: string) => {
    if (op === 'fails') throw new Error('broken')
  }
  const results = await execute(plan, { run, slots: makeSlots(4), signal: never })
  t.deepEqual(
    results.map((result) => `${result.planned.op} ${result.outcome}`),
    ['fails failed', 'waits skipped', 'works done'],
  )
})

test('an aborted plan skips what has not begun', async (t) => {
  const abort = new AbortController()
  const plan = new PlanBuilder<string>('a').add('first', 'test').add('second', 'test').build()
  const run = async () => abort.abort()
  const results = await execute(plan, { run, slots: makeSlots(1), signal: abort.signal })
  t.deepEqual(
    results.map((result) => result.outcome),
    ['done', 'skipped'],
  )
})

test('an op that waits for something outside the plan is skipped', async (t) => {
  const plan: Plan<string> = { ops: [{ id: 'a#1', op: 'x', cause: 'test', after: ['b#1'], group: 'a' }] }
  const results = await execute(plan, { run: async () => {}, slots: makeSlots(1), signal: never })
  t.is(results[0]?.outcome, 'skipped')
})

test('no op starts before what it waits for has ended, and never more than the slots allow', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 4 }),
      async (groupSizes, slots) => {
        const plan = mergePlans(
          groupSizes.map((size, group) => {
            const builder = new PlanBuilder<string>(`g${group}`)
            for (let index = 1; index <= size; index++) builder.add(`g${group}#${index}`, 'test')
            return builder.build()
          }),
        )
        const ended = new Set<string>()
        let running = 0
        let most = 0
        const run = async (op: string) => {
          running++
          most = Math.max(most, running)
          for (const id of plan.ops.find((planned) => planned.id === op)?.after ?? []) t.true(ended.has(id))
          await new Promise((resolve) => setImmediate(resolve))
          running--
          ended.add(op)
        }
        await execute(plan, { run, slots: makeSlots(slots), signal: never })
        t.is(ended.size, plan.ops.length)
        t.true(most <= slots)
      },
    ),
    { numRuns: 30 },
  )
})
