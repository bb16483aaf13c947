/** Images, Registries and PrunePolicies that have come to rest, in whatever way, are written to no more than is due. */
import test from 'ava'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { imageKind } from '#pkg/apis/image.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { registryKind } from '#pkg/apis/registry.ts'
import { startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const group = '/apis/cove.run/v1'
const hour = 3_600_000

const images: Readonly<Record<string, object>> = {
  held: { reference: 'reg.test/app:1' },
  always: { reference: 'reg.test/app:1', pullPolicy: 'Always' },
  everywhere: { reference: 'reg.test/app:1', tags: ['mine:1'], nodeSelector: {} },
  missing: { reference: 'reg.test/nothing:1' },
  never: { reference: 'reg.test/nothing:2', pullPolicy: 'Never' },
  conflict: { reference: 'reg.test/other:1', tags: ['mine:1'] },
  unreachable: { reference: 'reg.test/app2:1', source: { archive: { url: 'http://127.0.0.1:1/app.tar' } } },
  nofile: { reference: 'app:2', source: { archive: { upload: `sha256:${'0'.repeat(64)}` } } },
  nobody: { reference: 'app:3', source: { commit: { container: 'nobody' } } },
  elsewhere: { reference: 'app:4', source: { node: 'n2' } },
  pushed: { reference: 'reg.test/app:1', push: [{ reference: 'else.test/app:1' }] },
  followed: { reference: 'reg.test/app:1', update: { policy: 'Digest', schedule: '0 4 * * *' } },
  unplaced: { reference: 'reg.test/app:1', nodeSelector: { no: 'such' } },
}
const ready = {
  always: 'Present',
  conflict: 'NameConflict',
  elsewhere: 'NotFound',
  everywhere: 'Present',
  followed: 'Present',
  held: 'Present',
  missing: 'ImageNotFound',
  never: 'ErrImageNeverPull',
  nobody: 'Unschedulable',
  nofile: 'NotFound',
  pushed: 'Present',
  unplaced: 'Unschedulable',
  unreachable: 'SourceUnavailable',
}
const policies: Readonly<Record<string, object>> = {
  nightly: { schedule: '0 3 * * *', images: { dangling: true, unused: true, olderThan: '720h' } },
  asked: { images: { unused: true } },
  full: { disk: { high: 90, low: 80 } },
}
const registries: Readonly<Record<string, object>> = {
  hub: { server: 'docker.io', mirrors: ['http://mirror.test'], pullLimit: { pulls: 100, per: '6h' } },
  plain: { server: 'reg.test', insecure: true, secret: { namespace: 'default', name: 'nobody' } },
}

test('what is about images and has come to rest is not written to, hour by hour', async (t) => {
  const cluster = await startCluster({ nodes: 2 })
  t.teardown(() => cluster.close())
  for (const name of ['app', 'other']) cluster.registry.set(`reg.test/${name}:1`, { env: { N: name } })
  await cluster.advance(1000)
  const create = async (path: string, kind: string, specs: Readonly<Record<string, object>>) => {
    for (const [name, spec] of Object.entries(specs)) {
      const body = JSON.stringify({ apiVersion: 'cove.run/v1', kind, metadata: { name }, spec })
      const headers = { 'content-type': 'application/json' }
      await cluster.client.json({ method: 'POST', path: `${group}/${path}`, body, headers }, never)
      await cluster.advance(1000)
    }
  }
  await create('namespaces/default/images', 'Image', images)
  await create('prunepolicies', 'PrunePolicy', policies)
  await create('registries', 'Registry', registries)
  const look = async () => {
    const of = async <T extends KubeObject>(kind: Kind<T>) =>
      (await cluster.client.list(kind, {}, never)).items
    const all = [...(await of(imageKind)), ...(await of(prunePolicyKind)), ...(await of(registryKind))]
    return all.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.resourceVersion] as const)
  }
  const writes = new Map<string, number>()
  for (let passed = 0; passed < 2 * hour; passed += 60_000) await cluster.advance(60_000)
  let before = new Map(await look())
  const calls = cluster.engine('n1').calls.length
  for (let passed = 0; passed < 3 * hour; passed += 60_000) {
    await cluster.advance(60_000)
    const after = await look()
    for (const [name, version] of after)
      if (before.get(name) !== version) writes.set(name, (writes.get(name) ?? 0) + 1)
    before = new Map(after)
  }
  t.deepEqual(Object.fromEntries(writes), { 'PrunePolicy/nightly': 1 }, 'it ran once in the three hours')
  const { items } = await cluster.client.list(imageKind, {}, never)
  const reasons = items.map(({ metadata, status }) => [
    metadata.name,
    findCondition(status?.conditions, 'Ready')?.reason,
  ])
  t.deepEqual(Object.fromEntries(reasons), ready)
  // Once in five minutes, what is not there is looked for.
  const done = cluster.engine('n1').calls.slice(calls)
  t.deepEqual(new Set(done.map(({ method }) => method)), new Set(['pullImage']))
  t.true(done.length <= 37, `${done.length} calls`)
  t.is(before.size, [images, policies, registries].flatMap((specs) => Object.keys(specs)).length)
})
