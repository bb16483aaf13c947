/** Engines that do not keep, or do not tell, what they are given: the real agent must not give it to them for ever. */
import test, { type ExecutionContext } from 'ava'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal

/** Two Containers, one linked to the other, on an engine that tells of containers what `tell` makes of it. */
async function start(
  t: ExecutionContext,
  spec: object,
  tell: (seen: ObservedContainer) => ObservedContainer,
) {
  const cluster = await startCluster({ nodes: 1 })
  t.teardown(() => cluster.close())
  cluster.registry.set('app:1', { cmd: ['serve'] })
  await cluster.advance(1000)
  const engine = cluster.engine('n1')
  const inspect = engine.inspectContainer.bind(engine)
  engine.inspectContainer = async (name) => {
    const seen = await inspect(name)
    return seen && tell(seen)
  }
  const create = async (kind: string, name: string, fields: object) => {
    const body = JSON.stringify({ apiVersion: 'cove.run/v1', kind, metadata: { name }, spec: fields })
    const path = `/apis/cove.run/v1/namespaces/default/${kind.toLowerCase()}s`
    const headers = { 'content-type': 'application/json' }
    await cluster.client.json({ method: 'POST', path, body, headers }, never)
  }
  await create('Network', 'back', {})
  const base = { image: 'app:1', nodeName: 'n1' }
  const networks = 'networks' in spec ? { networks: spec.networks } : {}
  await create('Container', 'db', { ...base, ...networks })
  await create('Container', 'web', { ...base, ...spec })
  const calls: string[] = []
  for (const name of ['connectNetwork', 'createContainer', 'updateContainer', 'stopContainer'] as const) {
    const call = engine[name].bind(engine) as (...args: unknown[]) => Promise<never>
    engine[name] = (...args: unknown[]) => {
      calls.push(name)
      return call(...args)
    }
  }
  return { cluster, calls, engine }
}

const cases: readonly [string, object, (seen: ObservedContainer) => ObservedContainer][] = [
  [
    'links in a network',
    { networks: [{ name: 'back' }], links: [{ container: 'db' }] },
    (seen) => ({ ...seen, networks: seen.networks.map(({ links: _, ...rest }) => rest) }),
  ],
  [
    'aliases',
    { networks: [{ name: 'back' }] },
    (seen) => ({ ...seen, networks: seen.networks.map((one) => ({ ...one, aliases: [] })) }),
  ],
  ['links on the bridge', { links: [{ container: 'db' }] }, ({ links: _, ...seen }) => seen],
  ['a limit of its own', {}, (seen) => ({ ...seen, limits: { ...seen.limits, pids: 2048 } })],
  ['rights of its own', {}, (seen) => ({ ...seen, security: { ...seen.security, privileged: true } })],
]

for (const [what, spec, tell] of cases) {
  test(`an engine that tells otherwise of ${what} is not asked for it for ever`, async (t) => {
    const { cluster, calls } = await start(t, spec, tell)
    for (let second = 0; second < 600; second++) await cluster.advance(1000)
    // Ten minutes are ten doublings.
    t.true(calls.length <= 80, `${calls.length} calls in ten minutes`)
    const before = calls.length
    for (let minute = 0; minute < 120; minute++) await cluster.advance(60_000)
    t.true(calls.length - before <= 30, `${calls.length - before} calls in two hours`)
    const seen = await cluster.engine('n1').listContainers()
    t.true(seen.some(({ name, state }) => name === 'web' && state === 'running'))
    t.true(seen.length <= 5, seen.map(({ name }) => name).join())
    t.log(`${before} calls in ten minutes, ${calls.length - before} in two hours`)
  })
}
