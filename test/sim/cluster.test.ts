/** A whole cluster on one manual clock: server, controllers and agents are the real ones. */
import test, { type ExecutionContext } from 'ava'
import { type LogFields, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { networkKind } from '#pkg/apis/network.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { type Cluster, type ClusterOptions, startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const apiVersion = 'cove.run/v1'

async function start(t: ExecutionContext, options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await startCluster({ nodes: 1, ...options })
  t.teardown(() => cluster.close())
  cluster.registry.set('app:1', { cmd: ['serve'] })
  cluster.registry.set('app:2', { cmd: ['serve'] })
  await cluster.advance(1000)
  return cluster
}

async function create(cluster: Cluster, name: string, spec: Record<string, unknown> = {}): Promise<void> {
  const body = JSON.stringify({
    apiVersion,
    kind: 'Container',
    metadata: { name },
    spec: { image: 'app:1', ...spec },
  })
  const path = '/apis/cove.run/v1/namespaces/default/containers'
  await cluster.client.json(
    { method: 'POST', path, body, headers: { 'content-type': 'application/json' } },
    never,
  )
}

async function createPlain(cluster: Cluster, kind: 'Volume' | 'Network', name: string): Promise<void> {
  const path = `/apis/cove.run/v1/namespaces/default/${kind.toLowerCase()}s`
  const body = JSON.stringify({ apiVersion, kind, metadata: { name } })
  await cluster.client.json(
    { method: 'POST', path, body, headers: { 'content-type': 'application/json' } },
    never,
  )
}

function get(cluster: Cluster, name: string): Promise<Container> {
  return cluster.client.get(containerKind, { namespace: 'default', name }, never)
}

async function readiness(cluster: Cluster, name: string): Promise<string> {
  const ready = findCondition((await get(cluster, name)).status?.conditions, 'Ready')
  return `${ready?.status} ${ready?.reason}`
}

test('containers with volume, network and dependency converge, and then nothing is touched any more', async (t) => {
  const cluster = await start(t)
  await createPlain(cluster, 'Volume', 'data')
  await createPlain(cluster, 'Network', 'front')
  await create(cluster, 'db', {
    mounts: [{ volume: 'data', mountPath: '/d' }],
    networks: [{ name: 'front' }],
  })
  await create(cluster, 'web', { networks: [{ name: 'front' }], dependsOn: [{ container: 'db' }] })
  await cluster.advance(10_000)
  t.is(await readiness(cluster, 'db'), 'True Running')
  t.is(await readiness(cluster, 'web'), 'True Running')
  const { mutations } = cluster.engine('n1')
  // The Node tells how many containers its engine has when it looks at that next.
  await cluster.advance(60_000)
  const { revision } = cluster.apiServer.cache
  await cluster.advance(3 * 60_000)
  t.is(cluster.engine('n1').mutations, mutations)
  t.is(cluster.apiServer.cache.revision, revision)
})

test('an engine that is away is a condition on the Node, and everything is put right when it is back', async (t) => {
  const cluster = await start(t)
  await create(cluster, 'web')
  await cluster.advance(5000)
  const engine = cluster.engine('n1')
  engine.outage(true)
  await cluster.advance(60_000)
  const node = await cluster.client.get(nodeKind, { name: 'n1' }, never)
  t.is(findCondition(node.status?.conditions, 'EngineReady')?.status, 'False')
  engine.outage(false)
  engine.reboot()
  await cluster.advance(60_000)
  t.is(await readiness(cluster, 'web'), 'True Running')
  const back = await cluster.client.get(nodeKind, { name: 'n1' }, never)
  t.is(findCondition(back.status?.conditions, 'Ready')?.status, 'True')
})

test('what happened while the agent was away is put right when it is back, and what was right is left alone', async (t) => {
  const cluster = await start(t)
  await create(cluster, 'kept')
  await create(cluster, 'lost')
  await create(cluster, 'deleted')
  await cluster.advance(5000)
  const engine = cluster.engine('n1')
  const before = await engine.inspectContainer('kept')
  await cluster.killAgent('n1')
  await engine.removeContainer('lost', { anonymousVolumes: true })
  await cluster.client.delete(containerKind, { namespace: 'default', name: 'deleted' }, never)
  await cluster.advance(60_000)
  cluster.startAgent('n1')
  await cluster.advance(10_000)
  t.is(await readiness(cluster, 'lost'), 'True Running')
  const after = await engine.inspectContainer('kept')
  t.deepEqual([after?.id, after?.startedAt], [before?.id, before?.startedAt])
  t.is(await engine.inspectContainer('deleted'), undefined)
  await t.throwsAsync(get(cluster, 'deleted'), { message: /not found/ })
})

test('a container that crashes at once is restarted ever more slowly, and says when next', async (t) => {
  const cluster = await start(t, { behaviour: () => ({ exit: { after: 100, code: 3 } }) })
  await create(cluster, 'web')
  await cluster.advance(5000)
  t.is(await readiness(cluster, 'web'), 'False CrashLoopBackOff')
  const { status } = await get(cluster, 'web')
  t.is(status?.lastTermination?.exitCode, 3)
  t.truthy(status?.nextRestartAt)
  const starts = () => cluster.engine('n1').calls.filter(({ method }) => method === 'startContainer').length
  await cluster.advance(10 * 60_000)
  const first = starts()
  t.true(first >= 5 && first <= 9, `${first} starts in ten minutes`)
  await cluster.advance(60 * 60_000)
  t.true(starts() - first <= 13, `${starts() - first} starts in the next hour`)
})

test('one pull serves every container that wants the image, and a failing one backs off and says why', async (t) => {
  const cluster = await start(t)
  for (const name of ['aa', 'bb', 'cc']) await create(cluster, name)
  await create(cluster, 'dd', { image: 'absent:1' })
  await cluster.advance(30_000)
  const pulls = (reference: string) =>
    cluster.engine('n1').calls.filter(({ method, args }) => method === 'pullImage' && args[0] === reference)
      .length
  t.is(pulls('app:1'), 1)
  t.true(pulls('absent:1') <= 3)
  t.is(await readiness(cluster, 'dd'), 'False ImageNotFound')
  cluster.registry.set('absent:1', { cmd: ['serve'] })
  await cluster.advance(6 * 60_000)
  t.is(await readiness(cluster, 'dd'), 'True Running')
})

test('three nodes share the containers evenly, and a volume is where its user is', async (t) => {
  const cluster = await start(t, { nodes: 3 })
  await createPlain(cluster, 'Volume', 'data')
  for (let index = 0; index < 9; index++) await create(cluster, `web-${index}`)
  await create(cluster, 'db', { mounts: [{ volume: 'data', mountPath: '/d' }] })
  await cluster.advance(10_000)
  const { items } = await cluster.client.list(containerKind, {}, never)
  const perNode = Map.groupBy(
    items.filter(({ metadata }) => metadata.name !== 'db'),
    ({ spec }) => spec.nodeName,
  )
  t.deepEqual([...perNode.values()].map((each) => each.length).sort(), [3, 3, 3])
  const volume = await cluster.client.get(volumeKind, { namespace: 'default', name: 'data' }, never)
  t.is(volume.spec.nodeName, (await get(cluster, 'db')).spec.nodeName)
})

test('a deleted network waits for its members and goes after them', async (t) => {
  const cluster = await start(t)
  await createPlain(cluster, 'Network', 'front')
  await create(cluster, 'web', { networks: [{ name: 'front' }] })
  await cluster.advance(5000)
  await cluster.client.delete(networkKind, { namespace: 'default', name: 'front' }, never)
  await cluster.advance(5000)
  const waiting = await cluster.client.get(networkKind, { namespace: 'default', name: 'front' }, never)
  t.is(waiting.status?.nodes?.['n1']?.state, 'InUse')
  await cluster.client.delete(containerKind, { namespace: 'default', name: 'web' }, never)
  await cluster.advance(20_000)
  await t.throwsAsync(cluster.client.get(networkKind, { namespace: 'default', name: 'front' }, never), {
    message: /not found/,
  })
  t.false((await cluster.engine('n1').listNetworks()).some(({ name }) => name === 'front'))
})

test('a failure that took effect all the same is forgiven: the object is Ready, not Failed', async (t) => {
  const cluster = await start(t)
  cluster.engine('n1').fail({ method: 'createNetwork', afterEffect: true, reason: 'EngineError' })
  await createPlain(cluster, 'Network', 'front')
  await cluster.advance(60_000)
  const network = await cluster.client.get(networkKind, { namespace: 'default', name: 'front' }, never)
  t.is(network.status?.phase, 'Ready')
})

test('nodes ask for what their Containers name and nothing else, wait for what is not there, and are never refused', async (t) => {
  const refused: string[] = []
  const warn = (message: string, fields: LogFields = {}) => {
    if (/forbidden/.test(JSON.stringify(fields))) refused.push(`${message}: ${JSON.stringify(fields)}`)
  }
  const cluster = await start(t, { nodes: 3, log: { ...silentLogger, warn } })
  const put = (kind: 'secrets' | 'configmaps', name: string, value: string) => {
    const apiKind = kind === 'secrets' ? 'Secret' : 'ConfigMap'
    const data = kind === 'secrets' ? { stringData: { key: value } } : { data: { key: value } }
    const body = JSON.stringify({ apiVersion: 'v1', kind: apiKind, metadata: { name }, ...data })
    const headers = { 'content-type': 'application/json' }
    return cluster.client.json(
      { method: 'POST', path: `/api/v1/namespaces/default/${kind}`, body, headers },
      never,
    )
  }
  await create(cluster, 'web', {
    nodeName: 'n2',
    env: [{ name: 'KEY', valueFrom: { secretKeyRef: { name: 'late', key: 'key' } } }],
    mounts: [
      { mountPath: '/etc/app', configMap: 'files' },
      { mountPath: '/data', volume: 'data' },
    ],
    networks: [{ name: 'front' }],
  })
  await cluster.advance(5000)
  t.is(await readiness(cluster, 'web'), 'False SecretNotFound')
  await put('secrets', 'late', 'one')
  await put('configmaps', 'files', 'two')
  await createPlain(cluster, 'Volume', 'data')
  await createPlain(cluster, 'Network', 'front')
  await createPlain(cluster, 'Network', 'unused')
  await cluster.advance(15_000)
  t.is(await readiness(cluster, 'web'), 'True Running')
  const networks = async (node: string) => (await cluster.engine(node).listNetworks()).map(({ name }) => name)
  t.true((await networks('n2')).includes('front'))
  for (const node of ['n1', 'n3']) t.false((await networks(node)).includes('front'))
  for (const node of ['n1', 'n2', 'n3']) t.false((await networks(node)).includes('unused'))
  const unused = await cluster.client.get(networkKind, { namespace: 'default', name: 'unused' }, never)
  t.regex(JSON.stringify(unused.status), /waits for the first Container that joins it/)

  // Nobody names them any more, and their node still has to let them go.
  await cluster.client.delete(containerKind, { namespace: 'default', name: 'web' }, never)
  await cluster.advance(15_000)
  await cluster.client.delete(networkKind, { namespace: 'default', name: 'front' }, never)
  await cluster.client.delete(volumeKind, { namespace: 'default', name: 'data' }, never)
  await cluster.advance(15_000)
  t.false((await networks('n2')).includes('front'))
  await t.throwsAsync(cluster.client.get(networkKind, { namespace: 'default', name: 'front' }, never))
  await t.throwsAsync(cluster.client.get(volumeKind, { namespace: 'default', name: 'data' }, never))
  t.deepEqual(refused, [])
})
