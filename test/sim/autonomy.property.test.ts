/** Whatever is cut, killed and rebooted in whatever order: nothing that is wanted is lost, and in the end all is as it should be. */
import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import { type Cluster, startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const containers = '/apis/cove.run/v1/namespaces/default/containers'
const names = ['a', 'b', 'c', 'd'] as const

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('create', 'delete', 'edit', 'stop'),
      name: fc.constantFrom(...names),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('cut', 'mend', 'kill', 'reboot', 'tear') }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 20, 300, 2000, 40_000) }),
  },
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** What the API says of one that is or is no more there is not what is tested. */
async function unlessAbsent(done: Promise<unknown>): Promise<void> {
  await done.catch((error: unknown) => {
    if (!isReason(error, 'NotFound') && !isReason(error, 'AlreadyExists') && !isReason(error, 'Invalid'))
      throw error
  })
}

async function restart(cluster: Cluster): Promise<void> {
  await Promise.all([cluster.killAgent('n1'), cluster.advance(31_000)])
  cluster.startAgent('n1')
}

async function perform(cluster: Cluster, next: Step): Promise<void> {
  const { client } = cluster
  const at = { namespace: 'default', name: 'name' in next ? next.name : '' }
  if (next.do === 'wait') await cluster.advance('ms' in next ? next.ms : 0)
  if (next.do === 'cut') cluster.wire('n1').cut()
  if (next.do === 'mend') cluster.wire('n1').mend()
  if (next.do === 'kill') await restart(cluster)
  if (next.do === 'tear') {
    const copy = cluster.copy('n1')
    copy.text = copy.text?.slice(0, copy.text.length / 2)
    await restart(cluster)
  }
  if (next.do === 'reboot') {
    cluster.engine('n1').reboot()
    await restart(cluster)
  }
  if (next.do === 'create') {
    const object = {
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name: at.name },
      spec: { image: 'app:1' },
    }
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(object)
    await unlessAbsent(client.json({ method: 'POST', path: containers, body, headers }, never))
  }
  if (next.do === 'delete') await unlessAbsent(client.delete(containerKind, at, never))
  if (next.do === 'edit') {
    const env = [{ name: 'NOW', value: String(cluster.clock.now()) }]
    await unlessAbsent(client.patch(containerKind, at, { spec: { env } }, never))
  }
  if (next.do === 'stop') {
    const found = await cluster.engine('n1').inspectContainer(at.name)
    if (found?.state === 'running') await cluster.engine('n1').stopContainer(found.id, 0)
  }
}

test('a node that is cut off, killed and rebooted at any time ends with what the API says, and with nothing else', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const cluster = await startCluster({ nodes: 1 })
      cluster.registry.set('app:1', { cmd: ['serve'] })
      try {
        await cluster.advance(1000)
        for (const next of steps) await perform(cluster, next)
        cluster.wire('n1').mend()
        // Back-off of what was stopped again and again is five minutes at most; parked containers go after ten.
        await cluster.advance(1_500_000)
        const { items } = await cluster.client.list(containerKind, {}, never)
        const wanted = items.map(({ metadata }) => metadata.name).sort()
        const listed = await cluster.engine('n1').listContainers()
        const there = await Promise.all(listed.map(({ id }) => cluster.engine('n1').inspectContainer(id)))
        const told = there.map((each) => `${each?.labels[engineLabels.name]} ${each?.state}`)
        t.deepEqual(
          told.sort(),
          wanted.map((name) => `${name} running`),
        )
        for (const { metadata, status } of items) {
          t.is(status?.phase, 'Running', metadata.name)
          t.is(metadata.deletionTimestamp, undefined)
        }
      } finally {
        await Promise.all([cluster.close(), cluster.advance(31_000)])
      }
    }),
    { numRuns: Number(process.env['AUTONOMY_RUNS'] ?? 30), endOnFailure: true },
  )
})
