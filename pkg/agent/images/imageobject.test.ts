/** Image objects: which ops follow from what is wanted and what is there. Plans are compared as they print. */
import test from 'ava'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import {
  container,
  imageObject,
  nodeName,
  observed,
  print,
  type WorldParts,
  world,
} from '#test/helpers/world.ts'
import type { World } from '../world.ts'
import { planImageObject } from './imageobject.plan.ts'
import { reportImage, withOwnWord } from './imagestatus.plan.ts'
import { sourceFingerprint } from './source.ts'

const d1 = `sha256:${'1'.repeat(64)}`
const d2 = `sha256:${'2'.repeat(64)}`
const id1 = `sha256:${'a'.repeat(64)}`
const id2 = `sha256:${'b'.repeat(64)}`
const repo = 'reg.test:5000/app'

function on(id: string, references: string[], digests: string[] = []): ObservedImage {
  return { id, references, digests, sizeBytes: 5, createdAt: '2026-01-01T00:00:00Z' }
}

interface Scene {
  readonly spec?: Record<string, unknown>
  readonly status?: Partial<ImageStatus>
  readonly metadata?: Partial<KubeObject['metadata']>
  readonly parts?: WorldParts
  readonly more?: Partial<World>
}

/** Status as one that has found `found` would have it. */
function scene({ spec = {}, status, metadata = {}, parts = {}, more = {} }: Scene) {
  const bare = imageObject('app', { reference: `${repo}:1`, ...spec }, { metadata })
  const image: Image =
    status === undefined ? bare : { ...bare, status: { source: sourceFingerprint(bare.spec), ...status } }
  const seen = world({ images: [], ...parts, objects: [image, ...(parts.objects ?? [])] }, more)
  const decision = planImageObject(image, seen)
  return { image, seen, decision, lines: print(decision.plan), report: reportImage(image, decision, seen) }
}

test('an image that is not on the node is pulled under its name', (t) => {
  const { lines, report } = scene({ spec: { platform: 'linux/arm64', pullSecrets: [{ name: 'login' }] } })
  t.is(
    lines,
    `Image/default/app#1: pull image ${repo}:1 because spec.reference: ${repo}:1 is not on the node`,
  )
  t.is(report.phase, 'Pending')
  t.is(report.resolved, `${repo}:1`)
})

test('one that is there is taken as it is, with what its registry calls it', (t) => {
  const { lines, report } = scene({ parts: { images: [on(id1, [`${repo}:1`], [`${repo}@${d1}`])] } })
  t.is(lines, '')
  t.like(report, {
    phase: 'Ready',
    reference: `${repo}:1@${d1}`,
    digest: `${repo}@${d1}`,
    id: id1,
    size: 5,
    nodes: { [nodeName]: { state: 'Ready', id: id1, digest: `${repo}@${d1}` } },
  })
})

test('one that no registry has named goes by its id', (t) => {
  const { report } = scene({ parts: { images: [on(id1, [`${repo}:1`])] } })
  t.is(report.reference, id1)
  t.is(report.digest, undefined)
})

test('pullPolicy Always asks once for each generation, and keeps what it has while the registry rests', (t) => {
  const images = [on(id1, [`${repo}:1`], [`${repo}@${d1}`])]
  const spec = { pullPolicy: 'Always' }
  const asks = scene({ spec, parts: { images } })
  t.regex(asks.lines, /pull image .* because spec.pullPolicy is Always/)
  const { uid = '' } = asks.image.metadata
  t.is(scene({ spec, parts: { images }, more: { imageAsks: new Map([[uid, 1]]) } }).lines, '')
  const hold = { until: asks.seen.now + 5000, reason: 'RegistryRateLimited', message: 'slowly' }
  const status = { reference: `${repo}:1@${d1}` }
  const resting = { registryHolds: new Map([['reg.test:5000', hold]]) }
  const rests = scene({ spec, status, parts: { images }, more: resting })
  t.is(rests.lines, '')
  t.is(rests.decision.wakeAt, hold.until)
  t.is(rests.report.phase, 'Ready')
})

test('pullPolicy Always: names wait for the first try, and for none of those after one that failed', (t) => {
  const images = [on(id1, [`${repo}:1`], [`${repo}@${d1}`])]
  const spec = { pullPolicy: 'Always', tags: [`${repo}:x`] }
  const status = { reference: `${repo}:1@${d1}` }
  t.regex(scene({ spec, status, parts: { images } }).lines, /^Ask\/default\/app#1: pull image [^\n]*$/)
  const hold = {
    until: 0,
    failures: 1,
    reason: 'RegistryUnauthorized',
    message: 'denied',
    action: 'pull image',
    generation: 1,
  } as const
  const holds = new Map([['Ask/default/app', { ...hold, until: 2e12 }]])
  const { lines, report } = scene({ spec, status, parts: { images }, more: { holds } })
  t.regex(lines, /Image\/default\/app#1: tag image .* as reg.test:5000\/app:x/)
  t.regex(findCondition(report.conditions, 'Ready')?.message ?? '', /; pull image: denied$/)
})

test('pullPolicy Never only takes what is there', (t) => {
  const { lines, decision, report } = scene({ spec: { pullPolicy: 'Never' } })
  t.is(lines, '')
  t.is(decision.waiting?.reason, 'ErrImageNeverPull')
  t.is(report.phase, 'Failed')
})

test('a registry that said "not so fast" is not asked before its time, whatever for', (t) => {
  const hold = { until: 2e12, reason: 'RegistryRateLimited', message: 'registry is not asked for a while' }
  const { lines, decision, report } = scene({ more: { registryHolds: new Map([['reg.test:5000', hold]]) } })
  t.is(lines, '')
  t.is(decision.wakeAt, 2e12)
  t.is(report.conditions?.[0]?.reason, 'RegistryRateLimited')
})

test('a tag that moved away comes back to the image that was found, and further names too', (t) => {
  const { lines } = scene({
    spec: { tags: ['app:mine', `${repo}:stable`] },
    status: { reference: `${repo}:1@${d1}`, id: id1 },
    parts: { images: [on(id1, ['app:mine'], [`${repo}@${d1}`]), on(id2, [`${repo}:1`], [`${repo}@${d2}`])] },
  })
  t.is(
    lines,
    [
      `Image/default/app#1: tag image ${id1.slice(0, 19)} as ${repo}:1 because the name ${repo}:1 was given to image ${id2.slice(0, 19)}`,
      `Image/default/app#2: tag image ${id1.slice(0, 19)} as ${repo}:stable because the name ${repo}:stable is not on the node (after Image/default/app#1)`,
    ].join('\n'),
  )
})

test('a digest that was taken away is pulled again, beside the names', (t) => {
  const { lines, report } = scene({
    status: { reference: `${repo}:1@${d1}`, digest: `${repo}@${d1}`, id: id1 },
    parts: { images: [on(id1, [`${repo}:1`])] },
  })
  t.is(
    lines,
    `Digest/default/app#1: pull image ${repo}@${d1} because the digest ${repo}@${d1} was taken from image ${repo}:1@${d1}`,
  )
  t.is(report.phase, 'Ready')
})

test('an image that was removed is pulled by the digest that was found, whatever its tag means now', (t) => {
  const { lines } = scene({ status: { reference: `${repo}:1@${d1}`, id: id1 } })
  t.is(
    lines,
    `Image/default/app#1: pull image ${repo}@${d1} because status.reference: ${repo}:1@${d1} is not on the node`,
  )
})

test('what was found for another spec is not what is wanted', (t) => {
  const { lines } = scene({
    spec: { reference: `${repo}:2` },
    status: { source: 'of-before', reference: `${repo}:1@${d1}`, id: id1 },
    parts: { images: [on(id1, [`${repo}:1`], [`${repo}@${d1}`])] },
  })
  t.is(
    lines,
    `Image/default/app#1: pull image ${repo}:2 because spec.reference: ${repo}:2 is not on the node`,
  )
})

test('a pinned image has no tag to move; with one it gets that too', (t) => {
  const pinned = { reference: `${repo}@${d1}` }
  t.regex(scene({ spec: pinned }).lines, new RegExp(`pull image ${repo}@${d1} because`))
  const images = [on(id1, [], [`${repo}@${d1}`])]
  t.is(scene({ spec: pinned, parts: { images } }).lines, '')
  const tagged = scene({ spec: { reference: `${repo}:1@${d1}` }, parts: { images } })
  t.regex(
    tagged.lines,
    new RegExp(`^Image/default/app#1: tag image ${id1.slice(0, 19)} as ${repo}:1 because`),
  )
  t.is(tagged.report.reference, `${repo}:1@${d1}`)
})

test('other nodes wait for the lead, and then hold exactly what it found', (t) => {
  const spec = { nodeName: 'n2' }
  const waits = scene({ spec })
  t.is(waits.decision.waiting?.reason, 'WaitingForLead')
  t.deepEqual(Object.keys(waits.report), ['nodes'])
  const status = { reference: `${repo}:1@${d1}` }
  t.regex(scene({ spec, status }).lines, new RegExp(`pull image ${repo}@${d1}`))
  const there = scene({ spec, status, parts: { images: [on(id1, [], [`${repo}@${d1}`])] } })
  t.regex(there.lines, new RegExp(`tag image .* as ${repo}:1`))
  t.like(there.report.nodes?.[nodeName], { state: 'Ready', id: id1, digest: `${repo}@${d1}` })
})

test('a node compares its report with its own words only', (t) => {
  const status: ImageStatus = {
    phase: 'Ready',
    nodes: { n1: { state: 'Ready' }, n2: { state: 'Pulling' } },
    rejected: [{ digest: d1, reason: 'Bad', message: 'bad', time: '2026-01-01T00:00:00Z' }],
  }
  const lead = imageObject('app', { reference: 'app:1' })
  t.deepEqual(withOwnWord({ ...lead, status }, { nodeName }).status, {
    phase: 'Ready',
    nodes: { n1: { state: 'Ready' } },
  })
  const other = imageObject('app', { reference: 'app:1', nodeName: 'n2' })
  t.deepEqual(withOwnWord({ ...other, status }, { nodeName }).status, { nodes: { n1: { state: 'Ready' } } })
})

test('all tags are pulled with one op, asked for once; a repository without tags is told', (t) => {
  const spec = { reference: repo, allTags: true }
  const asks = scene({ spec, parts: { images: [on(id1, [`${repo}:latest`])] } })
  t.regex(asks.lines, /pull image reg.test:5000\/app with all tags because spec.allTags/)
  const more = { imageAsks: new Map([[asks.image.metadata.uid ?? '', 1]]) }
  t.is(scene({ spec, more }).decision.waiting?.reason, 'ImageNotFound')
  const images = [on(id2, [`${repo}:3`], [`${repo}@${d2}`])]
  const held = scene({ spec, more, parts: { images } })
  t.is(held.lines, '')
  t.is(held.report.reference, `${repo}:3@${d2}`)
})

test('archives are loaded, files imported, each once; what was made goes by its id', (t) => {
  const archive = { source: { archive: { url: 'http://files.test/a.tar' } } }
  t.is(
    scene({ spec: archive }).lines,
    `Image/default/app#1: load image ${repo}:1 from http://files.test/a.tar because spec.source: ${repo}:1 is not made yet`,
  )
  const made = scene({
    spec: archive,
    status: { reference: id1, id: id1 },
    parts: { images: [on(id1, [`${repo}:1`])] },
  })
  t.is(made.lines, '')
  t.like(made.report, { phase: 'Ready', reference: id1, id: id1 })
  const lost = scene({ spec: archive, status: { reference: id1, id: id1 } })
  t.regex(lost.lines, /load image .* because image sha256:aaaaaaaaaaaa is not on the node any more/)
  const rootfs = { source: { rootfs: { upload: d1, changes: ['CMD ["/bin/sh"]'] } } }
  t.regex(
    scene({ spec: rootfs }).lines,
    /import image reg.test:5000\/app:1 from upload sha256:111111111111 because/,
  )
})

test('a commit waits for its container, and is not made again when it is lost', (t) => {
  const spec = { source: { commit: { container: 'web' } } }
  t.is(scene({ spec }).decision.waiting?.reason, 'WaitingForContainer')
  const web = container('web')
  const there = { objects: [web], containers: [observed(web, 'f')] }
  t.is(
    scene({ spec, parts: there }).lines,
    `Image/default/app#1: commit container id-web as image ${repo}:1 because spec.source: ${repo}:1 is not made yet`,
  )
  const { startedAt: _, ...created } = observed(web, 'f')
  const health = { status: 'starting', failingStreak: 0, log: [] } as const
  for (const early of [created, observed(web, 'f', { health })]) {
    const { decision } = scene({ spec, parts: { objects: [web], containers: [early] } })
    t.is(decision.waiting?.reason, 'WaitingForContainer')
  }
  const lost = scene({ spec, status: { reference: id1, id: id1 }, parts: there })
  t.is(lost.lines, '')
  t.is(lost.decision.waiting?.reason, 'ImageNotFound')
  t.is(lost.report.phase, 'Failed')
})

test('what is to be pushed is pushed once for each image, beside the rest', (t) => {
  const spec = { push: [{ reference: 'reg.test:5000/copy:1' }, { reference: `${repo}:1` }] }
  const parts = { images: [on(id1, [`${repo}:1`], [`${repo}@${d1}`])] }
  const first = scene({ spec, parts })
  t.is(
    first.lines,
    [
      `Push/default/app#1: push image ${id1.slice(0, 19)} to reg.test:5000/copy:1 because spec.push: reg.test:5000/copy:1 is not pushed yet`,
      `Push/default/app#2: push image ${id1.slice(0, 19)} to ${repo}:1 because spec.push: ${repo}:1 is not pushed yet (after Push/default/app#1)`,
    ].join('\n'),
  )
  t.deepEqual(
    first.decision.plan.ops.map(({ op }) => op.type === 'pushImage' && op.keepsName),
    [false, true],
  )
  t.like(
    first.report.conditions?.find(({ type }) => type === 'Pushed'),
    { status: 'False', reason: 'Pushing' },
  )
  const entry = (reference: string, id: string) => ({
    reference,
    id,
    digest: d1,
    time: '2026-01-01T00:00:00Z',
  })
  const pushed = [entry('reg.test:5000/copy:1', id1), entry(`${repo}:1`, id1)]
  const status = { reference: `${repo}:1@${d1}`, pushed }
  const done = scene({ spec, parts, status })
  t.is(done.lines, '')
  t.like(
    done.report.conditions?.find(({ type }) => type === 'Pushed'),
    { status: 'True' },
  )
  const other = { ...status, pushed: [entry('reg.test:5000/copy:1', id2), entry(`${repo}:1`, id1)] }
  t.regex(
    scene({ spec, parts, status: other }).lines,
    /^Push\/default\/app#1: push .* because spec.push: what is at reg.test:5000\/copy:1 is image sha256:bbbb/,
  )
})

const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' }

test('an Image that goes takes its names away one by one; the release comes last', (t) => {
  const { lines } = scene({
    metadata: deleting,
    spec: { tags: ['app:mine'] },
    status: { reference: `${repo}:1@${d1}` },
    parts: { images: [on(id1, [`${repo}:1`, 'app:mine'], [`${repo}@${d1}`])] },
  })
  t.deepEqual(
    lines.split('\n').map((line) => line.replace(/ because.*/, '')),
    [
      `Image/default/app#1: untag image ${repo}:1`,
      'Image/default/app#2: untag image app:mine',
      'Image/default/app#3: release Image default/app',
    ],
  )
})

test('an image that a container was made from stays until that is gone, and says whose it is', (t) => {
  const web = container('web', { image: `${repo}:9` })
  const used = { ...observed(web, 'f'), imageID: id1 }
  const image = on(id1, [`${repo}:1`], [`${repo}@${d1}`])
  const parts = { objects: [web], containers: [used], images: [image] }
  const status = { reference: `${repo}:1@${d1}` }
  const last = scene({ metadata: deleting, status, parts })
  t.is(last.lines, '')
  t.deepEqual(last.decision.waiting, { reason: 'InUse', message: 'used by container web' })
  t.is(last.report.phase, 'Terminating')
  t.is(last.report.nodes?.[nodeName]?.state, 'InUse')
  const named = { ...parts, images: [on(id1, [`${repo}:1`, 'keep:1'], [`${repo}@${d1}`])] }
  t.regex(scene({ metadata: deleting, status, parts: named }).lines, /untag image reg.test:5000\/app:1/)
})

test('a Container that goes too keeps no name for itself', (t) => {
  const spec = { image: `${repo}:1` }
  const images = [on(id1, [`${repo}:1`], [`${repo}@${d1}`])]
  const plan = (objects: KubeObject[]) =>
    scene({ metadata: deleting, status: { reference: `${repo}:1@${d1}` }, parts: { images, objects } }).lines
  t.notRegex(plan([container('web', spec)]), /untag/)
  t.regex(plan([container('web', spec, { metadata: deleting })]), /untag image reg.test:5000\/app:1/)
})

test('what somebody made on the node, and no registry has, outlives an object that only named it', (t) => {
  const release = 'Image/default/app#1: release Image default/app'
  const says = (scene: { lines: string }) => scene.lines.replace(/ because.*/, '')
  const images = [on(id1, [`${repo}:1`]), on(id2, [`${repo}:2`])]
  const local = { status: { reference: id1 }, metadata: deleting, parts: { images } }
  t.is(says(scene(local)), release)
  t.is(says(scene({ ...local, spec: { allTags: true } })), release)
  const made = { source: { archive: { url: 'http://files.test/app.tar' } } }
  t.regex(scene({ ...local, spec: made }).lines, /untag image reg.test:5000\/app:1 /)
})

test('a name that others on the node use for another image is not borrowed for a push', (t) => {
  const target = 'reg.test:5000/copy:1'
  const images = [on(id1, [`${repo}:1`], [`${repo}@${d1}`]), on(id2, [target])]
  const spec = { push: [{ reference: target }] }
  const status = { reference: `${repo}:1@${d1}` }
  const web = container('web', { image: target })
  const refused = scene({ spec, status, parts: { images, objects: [web] } })
  t.is(refused.lines, '')
  t.is(refused.report.phase, 'Ready')
  t.like(
    refused.report.conditions?.find(({ type }) => type === 'Pushed'),
    { status: 'False', reason: 'NameConflict' },
  )
  t.regex(scene({ spec, status, parts: { images } }).lines, /push image .* to reg.test:5000\/copy:1/)
})

test('names that others want, or that mean another image now, stay; Orphan leaves all', (t) => {
  const status = { reference: `${repo}:1@${d1}` }
  const images = [on(id1, [`${repo}:1`], [`${repo}@${d1}`])]
  const release = 'Image/default/app#1: release Image default/app'
  const says = (scene: { lines: string }) => scene.lines.replace(/ because.*/, '')
  const web = container('web', { image: `${repo}:1` })
  t.is(says(scene({ metadata: deleting, status, parts: { images, objects: [web] } })), release)
  const twin = imageObject('twin', { reference: `${repo}:1` })
  t.is(says(scene({ metadata: deleting, status, parts: { images, objects: [twin] } })), release)
  const moved = [on(id1, ['x:1'], [`${repo}@${d1}`]), on(id2, [`${repo}:1`])]
  t.is(says(scene({ metadata: deleting, status, parts: { images: moved } })), release)
  const spec = { deletionPolicy: 'Orphan' }
  t.is(says(scene({ metadata: deleting, spec, status, parts: { images } })), release)
  t.is(says(scene({ metadata: deleting, parts: {} })), release)
})

test('two Images cannot share a name: the older one keeps it', (t) => {
  const older = {
    ...imageObject(
      'older',
      { reference: `${repo}:1` },
      { metadata: { creationTimestamp: '2025-01-01T00:00:00Z' } },
    ),
    status: { reference: `${repo}:1@${d2}` },
  }
  const { lines, decision } = scene({
    metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
    status: { reference: `${repo}:1@${d1}` },
    parts: {
      objects: [older],
      images: [on(id1, [], [`${repo}@${d1}`]), on(id2, [`${repo}:1`], [`${repo}@${d2}`])],
    },
  })
  t.is(lines, '')
  t.is(decision.waiting?.reason, 'NameConflict')
})

test('what was pruned stays away until something needs it', (t) => {
  const spec = { prunePolicy: 'Collect' }
  const status = { reference: `${repo}:1@${d1}`, nodes: { [nodeName]: { state: 'Collected' as const } } }
  const idle = scene({ spec, status })
  t.is(idle.lines, '')
  t.is(idle.report.nodes?.[nodeName]?.state, 'Collected')
  const web = container('web', { image: `${repo}:1` })
  t.regex(scene({ spec, status, parts: { objects: [web] } }).lines, /pull image/)
})

test('progress is told layer by layer, and a failure with its reason', (t) => {
  const layers = [
    { layer: 'aaaaaaaaaaaa', state: 'Pull complete' },
    { layer: 'bbbbbbbbbbbb', state: 'Downloading', currentBytes: 1, totalBytes: 4 },
  ]
  const pulls = new Map([[`${repo}:1`, { running: true, layers }]])
  const { report } = scene({ more: { pulls } })
  t.is(report.phase, 'Pulling')
  t.like(report.nodes?.[nodeName], { state: 'Pulling', message: '1 of 2 layers are here', layers })
  const hold = {
    until: 2e12,
    failures: 1,
    reason: 'RegistryUnauthorized' as const,
    message: 'no',
    action: `pull image ${repo}:1`,
    generation: 1,
  }
  const failed = scene({ more: { holds: new Map([['Image/default/app', hold]]) } })
  t.like(failed.report, { phase: 'Failed' })
  t.is(failed.report.conditions?.[0]?.reason, 'RegistryUnauthorized')
})
