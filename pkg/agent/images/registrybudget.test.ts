import test from 'ava'
import type { Registry } from '#pkg/apis/registry.ts'
import { type Plan, PlanBuilder } from '#pkg/plan/plan.ts'
import { now, world } from '#test/helpers/world.ts'
import type { AgentOp } from '../ops.ts'
import type { World } from '../world.ts'
import { budgetHold, withinBudgets } from './registrybudget.ts'

function limited(server: string, pulls: number, per = '1h'): Registry {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Registry',
    metadata: { name: 'r' },
    spec: { server, pullLimit: { pulls, per } },
  }
}

function scene(registry: Registry, more: Partial<World> = {}): World {
  const base = world()
  return { ...base, ...more, desired: { ...base.desired, registries: new Map([['r', registry]]) } }
}

function pulls(...references: string[]): Plan<AgentOp> {
  const plans = references.map((reference) =>
    new PlanBuilder<AgentOp>(`Pull/${reference}`)
      .add({ type: 'pullImage', reference, secrets: [] }, 'x')
      .build(),
  )
  return { ops: plans.flatMap(({ ops }) => ops) }
}

const begun = (plan: Plan<AgentOp>, at: World) =>
  withinBudgets(plan, at).plan.ops.map(({ group }) => group.replace('Pull/', ''))

test('of many pulls so many begin as the Registry allows; those of other registries all', (t) => {
  const at = scene(limited('r.io', 2))
  t.deepEqual(begun(pulls('r.io/a', 'r.io/b', 'r.io/c', 'else.io/a', 'else.io/b'), at), [
    'r.io/a',
    'r.io/b',
    'else.io/a',
    'else.io/b',
  ])
})

test('pulls that run and those of the last hour count; when the next may begin is told', (t) => {
  const minute = 60_000
  const at = scene(limited('r.io', 3), {
    busy: new Set(['Pull/r.io/x:1 with shop/login', 'Container/default/web']),
    pulledAt: new Map([['r.io', [now - 61 * minute, now - 40 * minute, now - 10 * minute]]]),
  })
  t.deepEqual(begun(pulls('r.io/a'), at), [])
  const hold = budgetHold('r.io', at)
  t.is(hold?.reason, 'PullLimitReached')
  t.is(hold?.until, now + 20 * minute)
  t.regex(hold?.message ?? '', /its 3 pulls per 1h; pulls go on at 20/)
  t.is(withinBudgets(pulls('r.io/a'), at).wakeAt, now + 20 * minute)
  t.is(budgetHold('r.io', { ...at, now: now + 21 * minute, busy: new Set<string>() }), undefined)
})

test('the budget of the Hub counts under each of its names', (t) => {
  t.deepEqual(begun(pulls('nginx', 'docker.io/library/redis'), scene(limited('index.docker.io', 1))), [
    'nginx',
  ])
})

test('while a registry rests nothing is asked of it, and then one alone until that has ended well', (t) => {
  const hold = { reason: 'RegistryRateLimited', message: 'm', until: now + 1000 }
  const resting = scene(limited('else.io', 1), { registryHolds: new Map([['r.io', hold]]) })
  const plan = pulls('r.io/a', 'r.io/b')
  t.deepEqual(begun(plan, resting), [])
  t.is(withinBudgets(plan, resting).wakeAt, now + 1000)
  const after = { ...resting, now: now + 2000 }
  t.deepEqual(begun(plan, after), ['r.io/a'])
  t.deepEqual(begun(plan, { ...after, busy: new Set(['Pull/r.io/z:1']) }), [])
  t.deepEqual(begun(plan, { ...after, registryHolds: new Map() }), ['r.io/a', 'r.io/b'])
})
