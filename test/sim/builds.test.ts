/**
 * Builds in a whole cluster on one manual clock: each is made by one node and is not written to any more, over hours, the
 * restart of an agent and the death of a node. Files that are built of are on the disk, which the clock does not wait for.
 */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import { imageKind } from '#pkg/apis/image.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { type Cluster, startCluster } from '#pkg/sim/cluster.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const never = new AbortController().signal
const base = 'reg.test/base:1'
/** ms. */
const hour = 3_600_000

async function start(t: ExecutionContext): Promise<Cluster> {
  const builds = await makeTempDir(t, 'builds')
  const cluster = await startCluster({ nodes: 2, builds })
  t.teardown(() => cluster.close())
  cluster.registry.set(base, {})
  await cluster.advance(1000)
  return cluster
}

async function create(cluster: Cluster, name: string, from: string, spec: object = {}): Promise<void> {
  const files = { Dockerfile: `FROM ${from}\nCOPY page /page\nLABEL name=${name}\n`, page: name }
  const whole = { context: { inline: { files } }, tags: [`${name}:1`], ...spec }
  const body = JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Build', metadata: { name }, spec: whole })
  const headers = { 'content-type': 'application/json' }
  const path = '/apis/cove.run/v1/namespaces/default/builds'
  await cluster.client.json({ method: 'POST', path, body, headers }, never)
}

/** Lets time pass until each is what its inputs say. */
async function builtAll(cluster: Cluster): Promise<readonly Build[]> {
  return await eventually(
    async () => {
      await cluster.advance(1000)
      const { items } = await cluster.client.list(buildKind, {}, never)
      for (const { metadata, status } of items) {
        const { conditions, observedGeneration } = status ?? {}
        assert.equal(observedGeneration, metadata.generation)
        const condition = findCondition(conditions, 'UpToDate')
        assert.equal(condition?.status, 'True', `${metadata.name}: ${condition?.message}`)
      }
      return items
    },
    { timeoutMs: 20_000, what: 'the end of all builds' },
  )
}

async function versions(cluster: Cluster): Promise<Readonly<Record<string, string | undefined>>> {
  const builds = await cluster.client.list(buildKind, {}, never)
  const images = await cluster.client.list(imageKind, {}, never)
  const all = [...builds.items, ...images.items]
  return Object.fromEntries(
    all.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion]),
  )
}

function builtOn(cluster: Cluster, node: string): number {
  return cluster.engine(node).calls.filter(({ method }) => method === 'buildImage').length
}

test('each Build is made once by one node; then nothing is written or built any more, hour by hour', async (t) => {
  const cluster = await start(t)
  await create(cluster, 'last', 'first:1')
  await create(cluster, 'first', base)
  await create(cluster, 'other', base)
  const builds = await builtAll(cluster)
  const homes = Object.fromEntries(builds.map(({ metadata, spec }) => [metadata.name, spec.nodeName]))
  t.is(homes['last'], homes['first'])
  t.is(builtOn(cluster, 'n1') + builtOn(cluster, 'n2'), 3)
  await cluster.advance(60_000)
  const before = await versions(cluster)
  for (let passed = 0; passed < 1.2 * hour; passed += 60_000) await cluster.advance(60_000)
  t.deepEqual(await versions(cluster), before)
  await cluster.killAgent('n1')
  cluster.startAgent('n1')
  await create(cluster, 'later', base, { nodeName: 'n1' })
  await builtAll(cluster)
  await cluster.advance(60_000)
  const { 'Build/later': _, 'Image/later': __, ...after } = await versions(cluster)
  t.deepEqual(after, before)
  t.is(builtOn(cluster, 'n1') + builtOn(cluster, 'n2'), 4)
})

test('a Build whose Node is deleted is made by another one, and nobody waits for the one that is gone', async (t) => {
  const cluster = await start(t)
  await create(cluster, 'app', base, { nodeName: 'n1' })
  await builtAll(cluster)
  await cluster.killAgent('n1')
  await cluster.client.delete(nodeKind, { name: 'n1' }, never)
  await cluster.advance(5000)
  const [app] = await builtAll(cluster)
  t.is(app?.spec.nodeName, 'n2')
  t.deepEqual(app?.metadata.finalizers, ['node.cove.run/n2'])
  t.is(builtOn(cluster, 'n2'), 1)
  await cluster.client.delete(buildKind, { namespace: 'default', name: 'app' }, never)
  await cluster.advance(5000)
  t.deepEqual(await versions(cluster), {})
})
