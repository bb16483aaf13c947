/** Image objects in a whole cluster on one manual clock: one lead finds out, all nodes hold the same, and then nothing moves. */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { type Cluster, type ClusterOptions, startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const reference = 'reg.test:5000/app:1'

async function start(t: ExecutionContext, options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await startCluster({ nodes: 1, ...options })
  t.teardown(() => cluster.close())
  cluster.registry.set(reference, { env: { V: '1' } })
  await cluster.advance(1000)
  return cluster
}

async function create(cluster: Cluster, name: string, spec: Record<string, unknown>): Promise<void> {
  await cluster.client.json(
    {
      method: 'POST',
      path: '/apis/cove.run/v1/namespaces/default/images',
      body: JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Image', metadata: { name }, spec }),
      headers: { 'content-type': 'application/json' },
    },
    never,
  )
}

async function get(cluster: Cluster, name: string): Promise<Image> {
  return await cluster.client.get(imageKind, { namespace: 'default', name }, never)
}

async function reasonOf(cluster: Cluster, name: string): Promise<string | undefined> {
  return findCondition((await get(cluster, name)).status?.conditions, 'Ready')?.reason
}

async function idOn(cluster: Cluster, node: string, name: string): Promise<string | undefined> {
  return (await cluster.engine(node).imageDetails(name))?.id
}

test('every node holds what the lead has found, also those that come to it after the tag moved', async (t) => {
  const cluster = await start(t, { nodes: 3 })
  await cluster.killAgent('n3')
  await create(cluster, 'app', { reference, tags: ['app:mine'], nodeSelector: {}, nodeName: 'n1' })
  await cluster.advance(5000)
  const found = (await get(cluster, 'app')).status
  cluster.registry.set(reference, { env: { V: '2' } })
  cluster.startAgent('n3')
  await cluster.advance(70_000)
  const { status } = await get(cluster, 'app')
  t.is(status?.reference, found?.reference)
  assert.deepEqual(
    Object.entries(status?.nodes ?? {}).map(([node, { state, id }]) => [node, state, id]),
    ['n1', 'n2', 'n3'].map((node) => [node, 'Ready', found?.id]),
  )
  for (const node of ['n1', 'n2', 'n3'])
    for (const name of [reference, 'app:mine'])
      t.is(await idOn(cluster, node, name), found?.id, `${name} on ${node}`)
})

test('when all is as it should be nothing is written, asked or done any more, also by an agent that starts again', async (t) => {
  const cluster = await start(t, { nodes: 2 })
  const push = [{ reference: 'reg.test:5000/copy:1' }]
  await create(cluster, 'app', { reference, tags: ['app:mine'], nodeSelector: {}, push })
  await cluster.advance(90_000)
  t.is(await reasonOf(cluster, 'app'), 'Present')
  const { resourceVersion } = (await get(cluster, 'app')).metadata
  const mutations = () => ['n1', 'n2'].map((node) => cluster.engine(node).mutations)
  const before = mutations()
  await cluster.advance(5 * 60_000)
  for (const node of ['n1', 'n2']) {
    await cluster.killAgent(node)
    cluster.startAgent(node)
  }
  await cluster.advance(60_000)
  t.deepEqual(mutations(), before)
  t.is((await get(cluster, 'app')).metadata.resourceVersion, resourceVersion)
})

test('a registry that is away is asked by one, ever more slowly, and all go on when it is back', async (t) => {
  const cluster = await start(t)
  const names = ['a', 'b', 'c'].map((name) => `reg.test:5000/${name}:1`)
  for (const name of names) cluster.registry.set(name, {})
  cluster.registry.fail('reg.test:5000', 'RegistryUnavailable')
  for (const [index, name] of names.entries()) await create(cluster, `image-${index}`, { reference: name })
  await cluster.advance(120_000)
  for (const index of names.keys()) t.is(await reasonOf(cluster, `image-${index}`), 'RegistryUnavailable')
  cluster.registry.fail('reg.test:5000', undefined)
  await cluster.advance(400_000)
  for (const index of names.keys()) t.is(await reasonOf(cluster, `image-${index}`), 'Present')
})

test('deletion takes the image from all nodes, and the object goes when the last has let it go', async (t) => {
  const cluster = await start(t, { nodes: 2 })
  await create(cluster, 'app', { reference, nodeSelector: {} })
  await cluster.advance(30_000)
  t.is(await reasonOf(cluster, 'app'), 'Present')
  await cluster.killAgent('n2')
  await cluster.client.delete(imageKind, { namespace: 'default', name: 'app' }, never)
  await cluster.advance(30_000)
  t.is(await idOn(cluster, 'n1', reference), undefined)
  t.truthy(await idOn(cluster, 'n2', reference))
  t.truthy((await get(cluster, 'app')).metadata.deletionTimestamp)
  cluster.startAgent('n2')
  await cluster.advance(30_000)
  t.is(await idOn(cluster, 'n2', reference), undefined)
  await t.throwsAsync(get(cluster, 'app'), { message: /not found/ })
})

test('an Image whose lead was killed in the middle of it is finished by the next run, and pushed once', async (t) => {
  for (const delay of [5, 50, 120, 200, 400]) {
    const cluster = await start(t)
    await create(cluster, 'app', { reference, push: [{ reference: 'reg.test:5000/copy:1' }] })
    await cluster.advance(delay)
    await cluster.killAgent('n1')
    cluster.startAgent('n1')
    await cluster.advance(90_000)
    const { status } = await get(cluster, 'app')
    t.is(status?.phase, 'Ready')
    t.is(status?.pushed?.length, 1)
    t.is(await idOn(cluster, 'n1', 'reg.test:5000/copy:1'), undefined)
  }
})

test('who leads again goes by what was found meanwhile, not by what it once knew', async (t) => {
  const cluster = await start(t, { nodes: 2 })
  const leadTo = async (nodeName: string, spec: object = {}) => {
    const patch = { spec: { nodeName, ...spec } }
    await cluster.client.patch(imageKind, { namespace: 'default', name: 'app' }, patch, never)
    await cluster.advance(30_000)
  }
  await create(cluster, 'app', { reference, nodeSelector: {}, nodeName: 'n1', pullPolicy: 'Always' })
  await cluster.advance(30_000)
  const first = (await get(cluster, 'app')).status?.reference
  cluster.registry.set(reference, { env: { V: '2' } })
  await leadTo('n2')
  const second = (await get(cluster, 'app')).status?.reference
  t.not(second, first)
  await leadTo('n1', { pullPolicy: 'IfNotPresent' })
  const { status } = await get(cluster, 'app')
  t.is(status?.reference, second)
  t.deepEqual(
    Object.values(status?.nodes ?? {}).map(({ id }) => id),
    [status?.id, status?.id],
  )
})
