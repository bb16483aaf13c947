/** What has come to rest, in whatever way, is written to no more: the real agent and server on a manual clock. */
import test from 'ava'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Behaviour } from '#pkg/engine/simprocess.ts'
import { startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const path = '/apis/cove.run/v1/namespaces/default/containers'
const hour = 3_600_000

const behaviours: Readonly<Record<string, Behaviour>> = {
  ends: { exit: { after: 100, code: 0 } },
  fails: { exit: { after: 100, code: 3 } },
  sick: { probe: () => 1 },
}
const healthcheck = { shell: 'check', interval: '5s', timeout: '1s', retries: 1 }

const specs: Readonly<Record<string, object>> = {
  plain: {},
  checked: { healthcheck },
  shown: { args: ['sick'], healthcheck: { ...healthcheck, onUnhealthy: 'None' } },
  stopped: { state: 'Stopped' },
  paused: { state: 'Paused' },
  created: { state: 'Created' },
  done: { args: ['ends'], restartPolicy: 'Never' },
  failed: { args: ['fails'], restartPolicy: 'Never' },
  linked: { links: [{ container: 'plain' }] },
  follower: { networkMode: 'container:plain' },
  waiting: { dependsOn: [{ container: 'nobody' }] },
  unpullable: { image: 'nowhere:1', imagePullPolicy: 'Never' },
  changed: {},
  undone: {},
  restarted: {},
}

test('Containers that have come to rest are not written to, hour by hour', async (t) => {
  const cluster = await startCluster({
    nodes: 1,
    behaviour: ({ cmd = [] }) => behaviours[cmd[0] ?? ''] ?? { probe: () => 0 },
  })
  t.teardown(() => cluster.close())
  cluster.registry.set('app:1', { cmd: ['serve'] })
  await cluster.advance(1000)
  const send = (method: 'POST' | 'PATCH', to: string, body: object, type = 'application/json') =>
    cluster.client.json(
      { method, path: to, body: JSON.stringify(body), headers: { 'content-type': type } },
      never,
    )
  for (const [name, spec] of Object.entries(specs))
    await send('POST', path, {
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name },
      spec: { image: 'app:1', nodeName: 'n1', ...spec },
    })
  const merge = 'application/merge-patch+json'
  for (let second = 0; second < 60; second++) await cluster.advance(1000)
  await send('PATCH', `${path}/changed`, { spec: { env: [{ name: 'A', value: '1' }] } }, merge)
  await send('PATCH', `${path}/undone`, { spec: { args: ['fails'] } }, merge)
  const metadata = { annotations: { 'cove.run/restartedAt': 'now' } }
  for (const name of ['restarted', 'stopped', 'paused', 'created', 'done'])
    await send('PATCH', `${path}/${name}`, { metadata }, merge)
  for (let minute = 0; minute < 60; minute++) await cluster.advance(60_000)
  const look = async () => {
    const { items } = await cluster.client.list(containerKind, { namespace: 'default' }, never)
    return new Map(items.map((item) => [item.metadata.name, item]))
  }
  const before = await look()
  const versions = new Set<string>()
  for (let passed = 0; passed < 3 * hour; passed += 60_000) {
    await cluster.advance(60_000)
    versions.add((await look()).get('shown')?.metadata.resourceVersion ?? '')
  }
  const after = await look()
  t.is(after.size, Object.keys(specs).length)
  // From 720 failures to 2880 they double twice.
  t.true(versions.size <= 3, `${versions.size} versions of one that goes on failing`)
  for (const [name, object] of after) {
    if (name === 'shown') continue
    const earlier = before.get(name)
    t.deepEqual(object.status, earlier?.status, name)
    t.is(object.metadata.resourceVersion, earlier?.metadata.resourceVersion, `${name} was written`)
  }
  const running = [...after].filter(([, { status }]) => status?.phase === 'Running').map(([name]) => name)
  const up = ['changed', 'checked', 'follower', 'linked', 'plain', 'restarted', 'shown', 'undone']
  t.deepEqual(running.sort(), up)
})
