import test from 'ava'
import fc from 'fast-check'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import { day, type ImageParts, PruneWorld, pruneSpec } from '#test/helpers/pruneworld.ts'
import { clusterID, container, imageObject, network, volume } from '#test/helpers/world.ts'
import { keepSet } from './keepset.ts'
import type { PruneSight } from './sight.ts'

const hex = (digit: string) => digit.repeat(64)

const seed = fc.record({
  images: fc.array(
    fc.record({
      tags: fc.subarray(['a:1', 'a:2', 'registry.test/b:1', 'registry.test/b:2']),
      digests: fc.subarray(['docker.io/library/a', 'registry.test/c']),
      above: fc.option(fc.nat(7), { nil: undefined }),
      unused: fc.nat(40),
      marked: fc.boolean(),
    }),
    { maxLength: 8 },
  ),
  containers: fc.array(
    fc.record({
      image: fc.nat(7),
      up: fc.boolean(),
      whose: fc.constantFrom('ours', 'other', 'build', 'nobody'),
      volume: fc.constantFrom('data', hex('a'), hex('b'), undefined),
      network: fc.constantFrom('x', 'y', undefined),
    }),
    { maxLength: 6 },
  ),
  wants: fc.subarray(['a:1', 'a:2', 'registry.test/b:1']),
  images_: fc.subarray(['a:1', 'registry.test/b:2']),
  collects: fc.boolean(),
  declares: fc.boolean(),
  rules: fc.record({
    dangling: fc.boolean(),
    unused: fc.boolean(),
    olderThan: fc.constantFrom('0s', '240h'),
    keepLast: fc.nat(2),
  }),
  unmanaged: fc.boolean(),
  disk: fc.boolean(),
})
type Seed = typeof seed extends fc.Arbitrary<infer Value> ? Value : never

async function grow({ images, containers, wants, images_, collects, declares }: Seed): Promise<PruneWorld> {
  const all = new PruneWorld()
  const ids: string[] = []
  for (const [index, { above, marked, ...parts }] of images.entries()) {
    const parent = above === undefined ? undefined : ids[above]
    const image: ImageParts = {
      ...parts,
      ...(parent !== undefined && { parent }),
      ...(marked && index % 3 === 0 && { labels: { 'cove.run/keep': '' } }),
    }
    ids.push(all.image(`i${index}`, image))
  }
  for (const name of ['x', 'y', 'z']) await all.network(name)
  for (const name of ['data', hex('a'), hex('b'), hex('c')]) await all.volume(name)
  await all.clock.advance(2 * day)
  for (const [index, one] of containers.entries()) {
    const image = ids[one.image]
    if (image === undefined) continue
    const mounts = one.volume === undefined ? [] : [mount(one.volume)]
    const networks = one.network === undefined ? [] : [{ network: one.network, aliases: [] }]
    await all.container(`c${index}`, image, { labels: labelsOf(one.whose), mounts, networks }, one.up)
  }
  all.objects = [
    ...wants.map((image, index) => container(`w${index}`, { image })),
    ...images_.map((reference, index) =>
      imageObject(`i${index}`, { reference, prunePolicy: collects ? 'Collect' : 'Keep' }),
    ),
    ...(declares ? [volume('v', { externalName: hex('b') }), network('y')] : []),
  ]
  return all
}

const mount = (source: string) => ({ type: 'volume', source, target: '/data', readOnly: false }) as const

function labelsOf(whose: Seed['containers'][number]['whose']): Record<string, string> {
  if (whose === 'ours') return { [engineLabels.cluster]: clusterID, [engineLabels.name]: 'web' }
  if (whose === 'other') return { [engineLabels.cluster]: 'other' }
  return whose === 'build' ? { [engineLabels.build]: 'default/b' } : {}
}

function specOf({ rules, unmanaged, disk }: Seed) {
  return pruneSpec({
    images: rules,
    containers: { unmanaged, olderThan: '0s' },
    networks: { olderThan: '0s' },
    volumes: { anonymous: true, olderThan: '0s' },
    ...(disk && { disk: { high: 1, low: 0 } }),
  })
}

test('whatever the world and the policy, all that is to be kept is there afterwards, and a second run finds nothing', async (t) => {
  await fc.assert(
    fc.asyncProperty(seed, async (value) => {
      const all = await grow(value)
      const because = value.disk ? 'Disk' : 'Schedule'
      const before = await all.sight()
      const done = await all.run(specOf(value), because)
      t.deepEqual(done.failed, [])
      t.deepEqual(lost(before, await all.sight(), mayLeave(before, value)), [])
      t.false(JSON.stringify(all.engine.calls).includes('"force":true'))
      const second = await all.run(specOf(value), because)
      t.deepEqual(second.removed, [])
    }),
    { numRuns: 300 },
  )
})

/** Containers that may go by the policy, by id. */
function mayLeave({ containers }: PruneSight, { unmanaged }: Seed): ReadonlySet<string> {
  const mayGo = containers.filter(({ state, labels }) => {
    if (state === 'running' || labels[engineLabels.cluster] !== undefined) return false
    return unmanaged || labels[engineLabels.build] !== undefined
  })
  return new Set(mayGo.map(({ id }) => id))
}

/** What had to stay and is not there any more, or has lost a name; every volume with a name besides. */
function lost(before: PruneSight, after: PruneSight, leaving: ReadonlySet<string>): string[] {
  const keep = keepSet(before, leaving)
  const left = new Set([
    ...after.images.map((image) => JSON.stringify(image)),
    ...[...after.containers, ...after.networks].map(({ id }) => id),
    ...after.volumes.map(({ name }) => name),
  ])
  const had = [
    ...before.images.filter((image) => keep.image(image)).map((image) => JSON.stringify(image)),
    ...before.containers.filter((container) => keep.container(container)).map(({ id }) => id),
    ...before.networks.filter((network) => keep.network(network)).map(({ id }) => id),
    ...before.volumes.filter((volume) => keep.volume(volume)).map(({ name }) => name),
    'data',
  ]
  return had.filter((each) => !left.has(each))
}
