/** Images of Builds: which ops follow on the node that builds, and on others; what is said while there is none. */
import test from 'ava'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { buildObject, container, imageObject, nodeName, print, world } from '#test/helpers/world.ts'
import { planContainer } from '../container.ts'
import type { World } from '../world.ts'
import { withFollowedImages } from './following.ts'
import { planImageObject } from './imageobject.plan.ts'
import { reportImage } from './imagestatus.plan.ts'
import { sourceFingerprint } from './source.ts'

const id1 = `sha256:${'a'.repeat(64)}`
const id2 = `sha256:${'b'.repeat(64)}`
const name = 'localhost/default/web:latest'

function on(id: string, references: string[] = []): ObservedImage {
  return { id, references, digests: [], sizeBytes: 5, createdAt: '2026-01-01T00:00:00Z' }
}

interface Parts {
  readonly build?: BuildStatus | 'none'
  readonly spec?: Record<string, unknown>
  readonly status?: Partial<ImageStatus>
  readonly images?: readonly ObservedImage[]
  readonly more?: Partial<World>
  readonly metadata?: Partial<KubeObject['metadata']>
}

function scene({ build = {}, spec = {}, status, images = [], more = {}, metadata = {} }: Parts) {
  const bare = imageObject('web', { reference: name, source: { build: 'web' }, ...spec }, { metadata })
  const image: Image =
    status === undefined ? bare : { ...bare, status: { source: sourceFingerprint(bare.spec), ...status } }
  const builds: Build[] = build === 'none' ? [] : [buildObject('web', {}, { status: build })]
  const seen = world({ objects: [image, ...builds], images }, more)
  const decision = planImageObject(image, seen)
  return { decision, lines: print(decision.plan), report: reportImage(image, decision, seen) }
}

const built = (id: string, more: BuildStatus = {}): BuildStatus => ({
  phase: 'Succeeded',
  image: { id },
  ...more,
})
const failed: BuildStatus = {
  phase: 'Failed',
  failure: { reason: 'StepFailed', message: 'step 3: RUN make: exit code 2', exitCode: 2 },
}

test('the lead takes what the Build has made, by its id', (t) => {
  const { lines, report } = scene({ build: built(id1), images: [on(id1, [name])] })
  t.is(lines, '')
  t.like(report, {
    phase: 'Ready',
    reference: id1,
    id: id1,
    nodes: { [nodeName]: { state: 'Ready', id: id1 } },
  })
})

test('a new build is a new reference, as soon as it is seen on the node', (t) => {
  const images = [on(id1), on(id2, [name])]
  const status = { reference: id1, id: id1 }
  t.is(scene({ build: built(id2), status, images }).report.reference, id2)
  const early = scene({ build: built(id2), status, images: [on(id1, [name])] })
  t.is(early.report.reference, id1)
  t.is(early.report.phase, 'Ready')
})

test('what the Build says in this run counts before what the API shows of it', (t) => {
  const statuses = new Map([['uid-Build-web', built(id2)]])
  const building = {
    statuses,
    sources: new Map(),
    contexts: new Map(),
    bases: new Map(),
    engineBuilder: 'Classic' as const,
  }
  const { report } = scene({ build: built(id1), images: [on(id1), on(id2, [name])], more: { building } })
  t.is(report.reference, id2)
})

test('names are given back, also further ones, but not while the engine may just have given them away', (t) => {
  const parts = {
    build: built(id1),
    spec: { tags: ['web:stable'] },
    status: { reference: id1, id: id1 },
    images: [on(id1), on(id2, [name])],
  }
  t.is(
    scene(parts).lines,
    [
      `Image/default/web#1: tag image ${id1.slice(0, 19)} as ${name} because the name ${name} was given to image ${id2.slice(0, 19)}`,
      `Image/default/web#2: tag image ${id1.slice(0, 19)} as web:stable because the name web:stable is not on the node (after Image/default/web#1)`,
    ].join('\n'),
  )
  t.is(scene({ ...parts, more: { busy: new Set(['Build/default/web']) } }).lines, '')
})

test('a build that fails leaves the last good image, and is told of beside it', (t) => {
  const { lines, report } = scene({
    build: { ...built(id1), ...failed },
    status: { reference: id1, id: id1 },
    images: [on(id1, [name])],
  })
  t.is(lines, '')
  t.like(report, { phase: 'Ready', reference: id1 })
  t.is(
    findCondition(report.conditions, 'Ready')?.message,
    'it is on node n1; Build web: step 3: RUN make: exit code 2',
  )
})

test('while there is no image, the Image says what its Build is at', (t) => {
  const ready = (build: BuildStatus | 'none') => {
    const { report } = scene({ build })
    const { reason, message } = findCondition(report.conditions, 'Ready') ?? {}
    return `${report.phase}: ${reason}: ${message}`
  }
  t.is(ready('none'), 'Pending: WaitingForBuild: spec.source.build: node n1 makes no Build web')
  t.is(ready({}), 'Pending: WaitingForBuild: Build web has made no image yet')
  t.is(
    ready({
      phase: 'Building',
      steps: [
        { number: 1, instruction: 'FROM base:1', state: 'Cached' },
        { number: 2, instruction: 'RUN make', state: 'Running' },
      ],
    }),
    'Pending: WaitingForBuild: Build web is at step 2 of 2: RUN make',
  )
  t.is(
    ready({ phase: 'Suspended' }),
    'Pending: WaitingForBuild: Build web is suspended, and has made no image yet',
  )
  t.is(ready(failed), 'Failed: StepFailed: Build web: step 3: RUN make: exit code 2')
})

test('an image that was removed behind its back is waited for, as the Build makes it anew', (t) => {
  const { lines, report } = scene({ build: built(id1), status: { reference: id1, id: id1 } })
  t.is(lines, '')
  t.is(report.reference, id1)
  t.regex(findCondition(report.conditions, 'Ready')?.message ?? '', /^Build web makes image sha256:a+ anew/)
})

test('the lead pushes each image that comes of the Build once', (t) => {
  const push = [{ reference: 'reg.test:5000/web:1' }]
  const sent = {
    reference: push[0]?.reference ?? '',
    id: id1,
    digest: `sha256:${'1'.repeat(64)}`,
    time: '2026-01-01T00:00:00Z',
  }
  const parts = {
    spec: { push },
    status: { reference: id1, id: id1, pushed: [sent] },
    images: [on(id1), on(id2, [name])],
  }
  t.is(scene({ ...parts, build: built(id1), images: [on(id1, [name])] }).lines, '')
  t.regex(
    scene({ ...parts, build: built(id2) }).lines,
    /push image sha256:bbbb.* to reg.test:5000\/web:1 because/,
  )
})

test('other nodes get it from the node that builds, by its id, and take the next one in the same way', (t) => {
  const spec = { nodeName: 'lead' }
  const status = { reference: id2, nodes: { lead: { state: 'Ready' as const, id: id2 } } }
  const { lines } = scene({ build: 'none', spec, status, images: [on(id1, [name])] })
  t.is(
    lines,
    `Image/default/web#1: get image ${id2.slice(0, 19)} from node lead because status.reference: node lead has it`,
  )
  const waits = scene({ build: 'none', spec, status: { reference: id2, nodes: {} } })
  t.is(waits.decision.waiting?.reason, 'WaitingForLead')
  t.is(scene({ build: 'none', spec }).decision.waiting?.reason, 'WaitingForLead')
})

test('when Build and Image go, the names go', (t) => {
  const { lines } = scene({
    build: 'none',
    metadata: { deletionTimestamp: '2026-01-01T11:59:00Z' },
    status: { reference: id1, id: id1 },
    images: [on(id1, [name])],
  })
  t.regex(lines, /^Image\/default\/web#1: untag image localhost\/default\/web:latest /)
  t.regex(lines, /release Image default\/web/)
})

test('a Container that follows a Build is made from its image, and before that says what it waits for', (t) => {
  const follower = container('web', { imageFrom: { build: 'web' } })
  const plan = (objects: readonly KubeObject[]) => {
    const given = world({ objects: [follower, ...objects], images: [on(id1, [name])] })
    const containers = withFollowedImages(given.desired.containers, given.desired.images)
    const [subject] = containers.values()
    if (subject === undefined) throw new Error('no container')
    return planContainer(subject, { ...given, desired: { ...given.desired, containers } })
  }
  t.deepEqual(plan([]).waiting, {
    reason: 'WaitingForBuild',
    message: 'spec.imageFrom: Build default/web does not exist, or has only just been made',
  })
  const image = imageObject('web', { source: { build: 'web' } }, { status: { reference: id1 } })
  const made = plan([image]).plan.ops.flatMap(({ op }) =>
    op.type === 'createContainer' ? op.create.image : [],
  )
  t.deepEqual(made, [id1])
})
