import test from 'ava'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import { day, PruneWorld, pruneSpec } from '#test/helpers/pruneworld.ts'
import { buildObject, clusterID, container, imageObject, network, now, volume } from '#test/helpers/world.ts'
import { prune } from './pruning.ts'

const dangling = pruneSpec({ images: { dangling: true } })
const unused = pruneSpec({ images: { unused: true } })
const hex = (digit: string) => digit.repeat(64)

test('a dangling image goes; one that a stopped container was made from and what others are made of stay', async (t) => {
  const all = new PruneWorld()
  const lost = all.image('lost')
  const used = all.image('used')
  await all.container('ended', used)
  const base = all.image('base')
  const step = all.image('step', { parent: base })
  all.image('top', { parent: step, tags: ['top:1'] })
  const { removed, kept, reclaimedBytes } = await all.run(dangling)
  t.deepEqual(removed, [
    { what: `image ${short(lost)}`, why: 'it has lost its name, and nothing uses it, since 30d', bytes: 10 },
  ])
  t.is(reclaimedBytes, 10)
  t.is(whyOf(kept, used), 'container ended was made from it')
  t.is(whyOf(kept, step), 'it is what was made into image top:1, which stays')
  t.is(whyOf(kept, base), `it is what was made into image ${short(step)}, which stays`)
  t.is(
    kept.find(({ what }) => what === 'image top:1')?.why,
    'it has a name, and only images without one are to go',
  )
})

test('an age that cannot be read makes nothing old enough', async (t) => {
  const all = new PruneWorld()
  all.image('lost')
  // The API lets none in; what was stored otherwise must do no harm.
  const images = { ...dangling.images, dangling: true, unused: true, olderThan: 'soon' }
  const { removed } = await all.run({ ...dangling, images })
  t.deepEqual(removed, [])
})

test('a pattern of many stars is looked for in little time', async (t) => {
  const all = new PruneWorld()
  all.image('long', { tags: [`${'a'.repeat(120)}:1`] })
  const started = performance.now()
  const { removed } = await all.run(
    pruneSpec({ images: { unused: true, references: [`${'a*'.repeat(60)}b`] } }),
  )
  t.deepEqual(removed, [])
  t.true(performance.now() - started < 2000)
})

test('an image that is pinned by its digest stays although it has no name', async (t) => {
  const all = new PruneWorld()
  const pinned = all.image('pinned', { digests: ['registry.test/lib/bb'] })
  const repulled = all.image('repulled', { digests: ['registry.test/lib/old'] })
  all.objects = [imageObject('bb', { reference: `registry.test/lib/bb@${pinned}` })]
  const { removed, kept } = await all.run(dangling)
  t.deepEqual(
    removed.map(({ what }) => what),
    [`image registry.test/lib/old@${repulled.slice(0, 19)}`],
  )
  const name = `image registry.test/lib/bb@${pinned.slice(0, 19)}`
  t.is(kept.find(({ what }) => what === name)?.why, 'Image default/bb is to be here')
})

test('of a Build stay its image, its bases and its stages; what earlier builds left goes', async (t) => {
  const all = new PruneWorld()
  const base = all.image('base', { tags: ['base:1'] })
  const oldStage = all.image('old-stage', { parent: base })
  const old = all.image('old', { parent: base })
  const stage = all.image('stage', { parent: base, labels: { 'cove.run/build': 'default/web' } })
  const made = all.image('made', { parent: base, tags: ['localhost/default/web:latest'] })
  all.image('elsewhere', { tags: ['other:1'] })
  const status = {
    image: { id: made },
    stages: [stage],
    bases: [{ reference: 'base:1', id: base }],
  }
  all.objects = [buildObject('web', { cacheFrom: ['cache:1'] }, { status })]
  all.image('cache', { tags: ['cache:1'] })
  const { removed, kept } = await all.run(pruneSpec({ images: { unused: true, dangling: true } }))
  t.deepEqual(
    removed.map(({ what }) => what).sort(),
    ['image other:1', `image ${short(old)}`, `image ${short(oldStage)}`].sort(),
  )
  t.is(whyOf(kept, stage), 'it is a stage of Build default/web, and its cache')
  const why = (name: string) => kept.find(({ what }) => what === `image ${name}`)?.why
  t.is(why('localhost/default/web:latest'), 'Build default/web made it')
  t.is(why('base:1'), 'Build default/web is made of it')
  t.is(why('cache:1'), 'Build default/web is made of it')
})

test('of a Build that goes nothing is kept', async (t) => {
  const all = new PruneWorld()
  const labels = { 'cove.run/build': 'default/web' }
  const stage = all.image('stage', { labels })
  const going = { finalizers: ['node.cove.run/n1'], deletionTimestamp: '2026-01-01T11:00:00Z' }
  all.objects = [buildObject('web', {}, { metadata: going, status: { stages: [stage] } })]
  const again = await all.run(pruneSpec({ images: { dangling: true } }))
  t.deepEqual(
    again.removed.map(({ what }) => what),
    [`image ${short(stage)}`],
  )
})

test('of an image with several names one after the other is cut, and never its id by force', async (t) => {
  const all = new PruneWorld()
  const id = all.image('many', { tags: ['a:1', 'a:2', 'registry.test/b:1'], digests: ['registry.test/c'] })
  await all.run(unused)
  t.deepEqual(
    all.performed.map((op) => op.type === 'removeImage' && op.reference),
    ['a:1', 'a:2', 'registry.test/b:1', `registry.test/c@${id}`],
  )
  t.deepEqual(await all.engine.listAllImages(), [])
})

test('an image goes whole or not at all: one of its names is enough to keep all', async (t) => {
  const all = new PruneWorld()
  all.image('two', { tags: ['app:1', 'app:old'] })
  all.objects = [container('web', { image: 'app:1' })]
  t.deepEqual((await all.run(unused)).removed, [])
})

test('a whole family goes, the youngest first, and the second run finds nothing', async (t) => {
  const all = new PruneWorld()
  const base = all.image('base', { tags: ['base:1'] })
  const step = all.image('step', { parent: base })
  all.image('top', { parent: step, tags: ['top:1'] })
  const { removed, reclaimedBytes } = await all.run(unused)
  t.deepEqual(
    removed.map(({ what }) => what),
    ['image top:1', `image ${short(step)}`, 'image base:1'],
  )
  t.is(reclaimedBytes, 30)
  t.deepEqual((await all.run(unused)).removed, [])
})

test('ages are counted from the last use, not from when an image was made', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'], unused: 3 })
  all.image('young', { tags: ['young:1'], unused: 1 })
  const { removed, kept } = await all.run(pruneSpec({ images: { unused: true, olderThan: '48h' } }))
  t.deepEqual(
    removed.map(({ what, why }) => [what, why]),
    [['image old:1', 'nothing uses it, since 3d']],
  )
  t.is(kept.find(({ what }) => what === 'image young:1')?.why, 'used 24h ago: it goes after 2d')
})

test('the newest of each repository stay, and only the names that are meant go', async (t) => {
  const all = new PruneWorld()
  for (const version of [1, 2, 3]) all.image(`v${version}`, { tags: [`registry.test/ci/app:${version}`] })
  all.image('other', { tags: ['registry.test/prod/app:1'] })
  all.image('both', { tags: ['registry.test/ci/lib:1', 'registry.test/prod/lib:1'] })
  const spec = pruneSpec({ images: { unused: true, keepLast: 2, references: ['registry.test/ci/*'] } })
  const { removed, kept } = await all.run(spec)
  t.is(removed.length, 1)
  t.is(kept.filter(({ why }) => why === 'it is among the newest 2 of registry.test/ci/app').length, 2)
  const reasons = kept.map(({ why }) => why)
  t.true(reasons.includes('registry.test/prod/app:1 is none of the names that are to go'))
  t.true(reasons.includes('registry.test/prod/lib:1 is none of the names that are to go'))
})

test('what is being pulled, what was before, and what is marked stay', async (t) => {
  const all = new PruneWorld()
  all.image('pulled', { tags: ['pulled:1'] })
  all.image('before', { tags: ['app:0'] })
  all.image('marked', { tags: ['marked:1'], labels: { 'cove.run/keep': 'true' } })
  all.image('not', { tags: ['not:1'], labels: { 'cove.run/keep': 'false' } })
  all.busy.add('Pull/docker.io/library/pulled:1 with default/key')
  all.objects = [imageObject('app', { reference: 'app:1' }, { status: { previous: 'app:0' } })]
  const { removed } = await all.run(unused)
  t.deepEqual(
    removed.map(({ what }) => what),
    ['image not:1'],
  )
})

test('the image of an Image that may be collected goes, and it is told before', async (t) => {
  const all = new PruneWorld()
  const id = all.image('app', { tags: ['app:1'] })
  all.objects = [imageObject('app', { reference: 'app:1', prunePolicy: 'Collect' })]
  t.is((await all.run(unused)).removed.length, 1)
  t.deepEqual(all.collected, [id])
})

test('what somebody comes to want during the run stays', async (t) => {
  const all = new PruneWorld()
  all.image('first', { tags: ['first:1'], unused: 9 })
  all.image('second', { tags: ['second:1'], unused: 8 })
  const parts = all.parts()
  const spied = {
    ...parts,
    onImage: () => {
      all.objects = [container('web', { image: 'second:1' })]
    },
  }
  const request = { spec: unused, group: 'Prune/test', because: 'Schedule' } as const
  const { removed, kept } = await prune(spied, {
    request,
    dryRun: false,
    signal: new AbortController().signal,
  })
  t.deepEqual(
    removed.map(({ what }) => what),
    ['image first:1'],
  )
  t.deepEqual(kept, [{ what: 'image second:1', why: 'Container default/web is made from it' }])
})

test('what turns out to be in use is no failure, and what cannot be removed keeps nothing else', async (t) => {
  const all = new PruneWorld()
  all.image('a', { tags: ['a:1'], unused: 9 })
  all.image('b', { tags: ['b:1'], unused: 8 })
  all.image('c', { tags: ['c:1'], unused: 7 })
  all.engine.fail(
    { method: 'removeImage', call: 1, reason: 'InUse' },
    { method: 'removeImage', call: 2, reason: 'EngineError' },
  )
  const { removed, kept, failed } = await all.run(unused)
  t.deepEqual(
    [removed, kept, failed].map((list) => list.map(({ what }) => what)),
    [['image c:1'], ['image a:1'], ['image b:1']],
  )
  t.regex(kept[0]?.why ?? '', /^it is in use after all: /)
})

test('containers that have ended go when Cove left them behind; of others only when they are meant too', async (t) => {
  const all = new PruneWorld()
  const app = all.image('app', { tags: ['app:1'] })
  const ours = {
    [engineLabels.cluster]: clusterID,
    [engineLabels.namespace]: 'default',
    [engineLabels.name]: 'web',
  }
  await all.container('web', app, { labels: ours })
  await all.container('theirs', app, { labels: { [engineLabels.cluster]: 'other' } })
  await all.container('leftover', app, { labels: { [engineLabels.build]: 'default/app' } })
  await all.container('stranger', app)
  await all.container('running', app, {}, true)
  await all.container('paused', app, {}, true)
  await all.engine.pauseContainer('paused')
  const own = await all.run(pruneSpec({ containers: { olderThan: '0s' } }))
  t.deepEqual(
    own.removed.map(({ what }) => what),
    ['container leftover'],
  )
  const whole = await all.run(pruneSpec({ containers: { unmanaged: true, olderThan: '0s' } }))
  t.deepEqual(
    whole.removed.map(({ what }) => what),
    ['container stranger'],
  )
  t.deepEqual((await all.engine.listContainers()).map(({ name }) => name).sort(), [
    'paused',
    'running',
    'theirs',
    'web',
  ])
})

test('a container has the labels of its image: that of a build says nothing about who made it', async (t) => {
  const all = new PruneWorld()
  const labels = { [engineLabels.build]: 'default/web' }
  const web = all.image('web', { tags: ['web:1'], labels })
  await all.container('theirs', web, { labels })
  const { removed, kept } = await all.run(pruneSpec({ containers: { olderThan: '0s' } }))
  t.deepEqual(removed, [])
  t.regex(kept[0]?.why ?? '', /Cove did not make it/)
})

test('volumes with a name stay; of the others those that nothing mounts and no Volume stands for go', async (t) => {
  const all = new PruneWorld()
  const app = all.image('app', { tags: ['app:1'], volumes: ['/data'] })
  await all.container('ended', app)
  const mounted = (await all.engine.listVolumes()).map(({ name }) => name)
  await all.volume('data')
  for (const digit of ['a', 'b', 'c']) await all.volume(hex(digit), digit === 'c' ? { team: 'shop' } : {})
  all.objects = [volume('kept', { externalName: hex('b') })]
  await all.clock.advance(2 * day)
  t.deepEqual((await all.run(pruneSpec({ volumes: {} }))).removed, [])
  const { removed } = await all.run(pruneSpec({ volumes: { anonymous: true } }))
  t.deepEqual(
    removed.map(({ what }) => what),
    ['volume aaaaaaaaaaaa'],
  )
  const left = (await all.engine.listVolumes()).map(({ name }) => name)
  t.deepEqual(left.sort(), ['data', hex('b'), hex('c'), ...mounted].sort())
})

test('networks that nobody is in and no Network stands for go', async (t) => {
  const all = new PruneWorld()
  const app = all.image('app', { tags: ['app:1'] })
  for (const name of ['lonely', 'joined', 'declared']) await all.network(name)
  await all.network('others', { [engineLabels.cluster]: 'other' })
  await all.container('ended', app, { networks: [{ network: 'joined', aliases: [] }] })
  all.objects = [network('declared')]
  t.deepEqual((await all.run(pruneSpec({ networks: {} }))).removed, [])
  await all.clock.advance(2 * day)
  const { removed } = await all.run(pruneSpec({ networks: {} }))
  t.deepEqual(
    removed.map(({ what }) => what),
    ['network lonely'],
  )
})

test('a full disk takes the least recently used first, and stops when there is room', async (t) => {
  const all = new PruneWorld()
  for (const [name, days] of [
    ['a', 1],
    ['b', 9],
    ['c', 5],
    ['d', 0],
  ] as const)
    all.image(name, { tags: [`${name}:1`], unused: days, layers: { [name]: 20 } })
  all.diskOf = (bytes) => ({
    path: '/var/lib/docker',
    totalBytes: 100,
    usedBytes: 10 + bytes,
    availableBytes: 90 - bytes,
    usedPercent: 10 + bytes,
  })
  const spec = pruneSpec({ disk: { high: 85, low: 60 } })
  const { removed, kept, reclaimedBytes } = await all.run(spec, 'Disk')
  t.deepEqual(
    removed.map(({ what }) => what),
    ['image b:1', 'image c:1'],
  )
  t.is(reclaimedBytes, 40)
  t.true(kept.some(({ what, why }) => what === 'image a:1' && why === 'the disk has room without it'))
  t.true(kept.some(({ what, why }) => what === 'image d:1' && why.startsWith('used 0s ago')))
  t.deepEqual((await all.run(spec, 'Disk')).removed, [])
})

test('build cache goes by its age, and so much of it stays as is asked for', async (t) => {
  const all = new PruneWorld()
  const record = { type: 'regular', description: 'RUN make', inUse: false, shared: false }
  const at = (days: number) => new Date(now - days * day).toISOString()
  all.engine.host.buildCache.push(
    { ...record, id: 'old', sizeBytes: 60, createdAt: at(9), lastUsedAt: at(8) },
    { ...record, id: 'used', sizeBytes: 50, createdAt: at(9), lastUsedAt: at(8), inUse: true },
    { ...record, id: 'young', sizeBytes: 40, createdAt: at(9), lastUsedAt: at(1) },
  )
  const { removed, reclaimedBytes } = await all.run(pruneSpec({ buildCache: {} }))
  t.deepEqual(removed, [{ what: 'build cache', why: 'no build has used it for 2d', bytes: 60 }])
  t.is(reclaimedBytes, 60)
  const second = await all.run(pruneSpec({ buildCache: { olderThan: '0s', keepStorage: '90' } }))
  t.deepEqual(second.removed, [])
})

test('a dry run says what would go, and touches nothing', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'] })
  const { removed, reclaimedBytes } = await all.run(unused, 'Request', true)
  t.is(removed.length, 1)
  t.is(reclaimedBytes, 10)
  t.deepEqual(all.performed, [])
})

function short(id: string): string {
  return id.slice(7, 19)
}

function whyOf(kept: readonly { what: string; why: string }[], id: string): string | undefined {
  return kept.find(({ what }) => what === `image ${short(id)}`)?.why
}
