/**
 * A whole cluster whose agent dies at every call to its engine in the middle of a replacement: before the call is made,
 * and when it was made and its answer is lost. Another agent, which knows nothing of it, goes on.
 */
import test, { type ExecutionContext } from 'ava'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { eventKind } from '#pkg/apis/event.ts'
import type { SimEngine } from '#pkg/engine/sim.ts'
import { isMutating, type SimCall } from '#pkg/engine/simfault.ts'
import { type Cluster, startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const at = { namespace: 'default', name: 'web' }

async function start(t: ExecutionContext, update: Record<string, unknown>): Promise<Cluster> {
  const cluster = await startCluster({
    nodes: 1,
    behaviour: ({ cmd = [] }) =>
      cmd[0] === 'exits'
        ? {
            exit: { after: 100, code: 3 },
            output: [{ stream: 'stderr', text: 'no such table\n' }],
          }
        : {},
  })
  t.teardown(() => cluster.close())
  cluster.registry.set('app:1', { cmd: ['serve'] })
  cluster.registry.set('app:2', { cmd: ['serve'], layers: { a: 100, b: 100 } }, { pullTime: 60_000 })
  await cluster.advance(1000)
  const web = { apiVersion: 'cove.run/v1', kind: 'Container' as const, metadata: at }
  const body = JSON.stringify({ ...web, spec: { image: 'app:1', update } })
  const path = '/apis/cove.run/v1/namespaces/default/containers'
  const headers = { 'content-type': 'application/json' }
  await cluster.client.json({ method: 'POST', path, body, headers }, never)
  await cluster.advance(10_000)
  return cluster
}

async function want(cluster: Cluster, spec: Record<string, unknown>): Promise<void> {
  await cluster.client.patch(containerKind, at, { spec }, never)
}

function get(cluster: Cluster): Promise<Container> {
  return cluster.client.get(containerKind, at, never)
}

async function cast(engine: SimEngine): Promise<string[]> {
  const listed = await engine.listContainers()
  const all = await Promise.all(listed.map(({ id }) => engine.inspectContainer(id)))
  return all
    .map((each) => `${each?.name.replace(/-\w+$/, '')} ${each?.state} ${each?.command.join(' ')}`)
    .sort()
}

/** At the `count`th call from now on that changes something the engine stops answering. */
function strike(engine: SimEngine, count: number, when: 'before' | 'after'): void {
  const { calls } = engine
  const first = calls.length
  const push = calls.push.bind(calls)
  calls.push = (...entries: SimCall[]) => {
    const length = push(...entries)
    if (length - first === count && entries.some(({ method }) => isMutating(method))) {
      // The door asks before a call whether there is an outage, and again when it was made.
      if (when === 'before') engine.outage(true)
      else queueMicrotask(() => engine.outage(true))
    }
    return length
  }
}

interface Death {
  readonly order: string
  readonly wish: string
  readonly when: 'before' | 'after'
  readonly count: number
}

async function slowly(cluster: Cluster, ms: number): Promise<void> {
  for (let time = 0; time < ms; time += 250) await cluster.advance(250)
}

/** False when the replacement took fewer calls than that. */
async function outlives(t: ExecutionContext, { order, wish, when, count }: Death): Promise<boolean> {
  const isGood = wish !== 'exits'
  const cluster = await start(t, { order })
  const engine = cluster.engine('n1')
  const before = engine.calls.length
  strike(engine, count, when)
  await want(cluster, { args: [wish] })
  await slowly(cluster, 10_000)
  const hit = engine.calls.length - before >= count
  await cluster.killAgent('n1')
  engine.outage(false)
  cluster.startAgent('n1')
  await slowly(cluster, 20_000)
  const all = await cast(engine)
  const what = `${when} call ${count}: ${all.join(', ')}`
  t.is(all.filter((line) => line.startsWith('web ')).join(), `web running ${isGood ? wish : 'serve'}`, what)
  t.true(all.length <= 2 && all.every((line) => /^(web running|web_prev exited) /.test(line)), what)
  const { rollout } = (await get(cluster)).status ?? {}
  t.is(rollout?.phase, isGood ? 'Complete' : 'RolledBack', what)
  if (!isGood) t.deepEqual(rollout?.failed?.log, ['no such table'], what)
  return hit
}

for (const order of ['StartFirst', 'StopFirst']) {
  for (const wish of ['v2', 'exits']) {
    const what = `${order}, to one that ${wish === 'v2' ? 'is good' : 'ends'}`
    test(`${what}: whenever the agent dies, another goes on`, async (t) => {
      let deaths = 0
      for (const when of ['before', 'after'] as const)
        for (let count = 1; await outlives(t, { order, wish, when, count }); count++) deaths++
      t.true(deaths >= 8, `${deaths} deaths`)
    })
  }
}

test('a rollback follows the verdict at once, is told of, and is not done again', async (t) => {
  const cluster = await start(t, { order: 'StopFirst' })
  const engine = cluster.engine('n1')
  const from = engine.calls.length
  await want(cluster, { args: ['exits'] })
  await cluster.advance(5000)
  const calls = engine.calls.slice(from)
  const [made, back] = calls.filter(({ method }) => method === 'startContainer').map((call) => call.at)
  t.true((back ?? 0) - (made ?? 0) - 100 <= 50, 'it ends after 100 ms')
  await cluster.advance(3_600_000)
  t.is(engine.calls.slice(from).filter(({ method }) => method === 'createContainer').length, 1)
  const { items } = await cluster.client.list(eventKind, { namespace: 'default' }, never)
  for (const reason of ['RolloutFailed', 'RolledBack']) {
    const event = items.find((each) => each.reason === reason)
    t.regex(event?.message ?? '', /no such table/)
    t.is(event?.count, 1)
  }
})

test('another generation breaks off a pull that nobody wants any more', async (t) => {
  const cluster = await start(t, {})
  await want(cluster, { image: 'app:2' })
  await cluster.advance(5000)
  await want(cluster, { image: 'app:1', args: ['v3'] })
  await cluster.advance(10_000)
  const engine = cluster.engine('n1')
  t.true((await cast(engine)).includes('web running v3'))
  const pull = engine.calls.find(({ method, args }) => method === 'pullImage' && args[0] === 'app:2')
  t.truthy(pull?.error, 'it was broken off')
  await cluster.advance(120_000)
  t.false((await engine.listImages()).some(({ references }) => references.includes('app:2')))
  const { items } = await cluster.client.list(eventKind, { namespace: 'default' }, never)
  t.false(items.some(({ reason }) => reason === 'ErrImagePull'))
})
