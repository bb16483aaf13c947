/** Containers that stay unhealthy over hours: the real agent and server on a manual clock and a simulated engine. */
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Behaviour } from '#pkg/engine/simprocess.ts'
import { startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const at = { namespace: 'default', name: 'web' }

async function start(t: ExecutionContext, probe: NonNullable<Behaviour['probe']>, healthcheck: object = {}) {
  const cluster = await startCluster({ nodes: 1, behaviour: () => ({ probe }) })
  t.teardown(() => cluster.close())
  cluster.registry.set('app:1', { cmd: ['serve'] })
  await cluster.advance(1000)
  const check = { shell: 'check', interval: '1s', timeout: '1s', retries: 1, ...healthcheck }
  const spec = { image: 'app:1', nodeName: 'n1', healthcheck: check }
  const body = JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web' },
    spec,
  })
  const path = '/apis/cove.run/v1/namespaces/default/containers'
  await cluster.client.json(
    { method: 'POST', path, body, headers: { 'content-type': 'application/json' } },
    never,
  )
  const runs: { id: string; startedAt: number }[] = []
  /** Lets time pass, and notes every new run. */
  const pass = async (seconds: number, step = 1) => {
    for (let passed = 0; passed < seconds; passed += step) {
      await cluster.advance(step * 1000)
      const seen = await cluster.engine('n1').inspectContainer('web')
      const startedAt = Date.parse(seen?.startedAt ?? '')
      if (seen === undefined || Number.isNaN(startedAt) || runs.at(-1)?.startedAt === startedAt) continue
      runs.push({ id: seen.id, startedAt })
    }
  }
  const status = async () => (await cluster.client.get(containerKind, at, never)).status ?? {}
  /** What led to each run but the first, and how many seconds after the attempt before. */
  const steps = () =>
    runs.slice(1).map(({ id, startedAt }, index) => {
      const before = runs[index]
      const seconds = Math.round((startedAt - (before?.startedAt ?? 0)) / 1000)
      return `${id === before?.id ? 'restart' : 'recreate'} ${seconds}`
    })
  return { cluster, pass, status, steps }
}

test('restarts, a new container, restarts; then it is held and tried once an hour, also by an agent that was killed', async (t) => {
  const { cluster, pass, status, steps } = await start(t, () => 1)
  await pass(400)
  t.deepEqual(steps(), ['restart 1', 'restart 10', 'recreate 20', 'restart 40', 'restart 80'])
  const held = await status()
  t.is(findCondition(held.conditions, 'Stalled')?.reason, 'HealingBudgetSpent')
  t.deepEqual(
    held.healing?.attempts.map(({ action }) => action),
    ['Restart', 'Restart', 'Recreate', 'Restart', 'Restart'],
  )
  await cluster.killAgent('n1')
  cluster.startAgent('n1')
  await pass(7200, 60)
  t.deepEqual(
    steps()
      .slice(5)
      .map((step) => step.split(' ')[0]),
    ['restart', 'restart'],
  )
  t.is((await status()).healing?.heldSince, held.healing?.heldSince)
})

test('one that gets well again is left alone, and ten minutes later nothing is said of it any more', async (t) => {
  let isWell = false
  const { pass, status, steps } = await start(t, () => (isWell ? 0 : 1))
  await pass(15)
  isWell = true
  await pass(60)
  const runs = steps().length
  t.is((await status()).health?.status, 'healthy')
  t.is((await status()).healing?.attempts.length, runs)
  await pass(640, 5)
  t.is(steps().length, runs)
  t.is((await status()).healing, undefined)
})

test('a slow check keeps it within its budget: it is begun anew every five minutes at last, and never held', async (t) => {
  const { pass, status, steps } = await start(t, () => 1, { interval: '30s', retries: 3 })
  await pass(3600, 2)
  const pauses = steps().map((step) => Number(step.split(' ')[1]))
  t.true(
    pauses.slice(-3).every((seconds) => seconds >= 300 && seconds < 340),
    String(pauses),
  )
  t.is((await status()).healing?.heldSince, undefined)
})

test('a node whose clock is put back by a year goes on looking at everything', async (t) => {
  const { cluster } = await start(t, () => 0)
  await cluster.advance(60_000)
  const engine = cluster.engine('n1')
  const list = engine.listContainers.bind(engine)
  let looks = 0
  engine.listContainers = () => {
    looks++
    return list()
  }
  const { clock } = cluster
  const now = clock.now.bind(clock)
  clock.now = () => now() - 365 * 24 * 3_600_000
  await cluster.advance(95_000)
  t.true(looks >= 3 && looks <= 5, `${looks} looks`)
})
