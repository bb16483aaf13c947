/** Builds: which op is next, and why; what is told while something is in the way. */
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { validate } from '#pkg/apis/validate.ts'
import { buildAnnotation, cancelAnnotation } from '#pkg/apis/wellknown.ts'
import { buildScene, decide, onNode, pass, settle, worldOf } from '#test/helpers/buildworld.ts'
import { buildObject, now, print, secret } from '#test/helpers/world.ts'
import { generationOf, isWanted } from '../holds.ts'
import { justBuilt, reportBuild } from './buildstatus.plan.ts'
import { hashOfSecret, hashOfText } from './inputs.ts'
import { contextKey } from './sources/contextkey.ts'

const dockerfile = 'FROM base:1\nRUN make\n'
const inline = { context: { inline: { files: { Dockerfile: dockerfile } } }, dockerfileInline: undefined }

function lines(scene: ReturnType<typeof buildScene>): string {
  return print(decide(scene).plan)
}

test('files are fetched, bases pulled, and the image is built, one after the other', (t) => {
  const scene = buildScene(buildObject('web', inline), { images: [] })
  const cause = 'it is not built yet'
  t.is(lines(scene), `Build/default/web#1: fetch context of 1 files in spec.context.inline because ${cause}`)
  pass(scene)
  t.is(lines(scene), 'Build/default/web#1: pull image base:1 because base base:1 is not on the node')
  pass(scene)
  t.is(
    lines(scene),
    `Build/default/web#1: build image localhost/default/web:latest (attempt 1) because ${cause}`,
  )
  pass(scene)
  t.is(lines(scene), '')
  const status = settle(scene)
  t.like(status, { phase: 'Succeeded', attempt: 1, builder: 'Classic', cause })
  t.is(findCondition(status.conditions, 'Ready')?.status, 'True')
})

test('the status of a Build of very many bases is one that the server takes', (t) => {
  const names = Array.from({ length: 200 }, (_, index) => `base:${index}`)
  const files = { Dockerfile: names.map((name) => `FROM ${name}\n`).join('') }
  const images = names.map((name) => onNode(name))
  const object = buildObject('web', { ...inline, context: { inline: { files } } })
  const status = settle(buildScene(object, { images }))
  t.is(status.phase, 'Succeeded')
  t.deepEqual(validate(buildKind.schema, { ...object, status }), [])
})

test('a base that has moved in its registry is pulled, and the cause names it', (t) => {
  const digest = hashOfText('one')
  const scene = buildScene(buildObject('web', inline), { images: [onNode('base:1', 'one', digest)] })
  settle(scene)
  scene.bases.set('docker.io/library/base:1', { digest, at: now })
  t.is(lines(scene), '')
  scene.bases.set('docker.io/library/base:1', { digest: hashOfText('two'), at: now + 1 })
  t.regex(lines(scene), /pull image base:1 because base base:1 moved: its registry has sha256:/)
  const status = settle(scene)
  t.is(status.attempt, 2)
  t.regex(status.cause ?? '', /^base base:1 moved from sha256:[0-9a-f]{12} to sha256:[0-9a-f]{12}$/)
})

test('that a registry was asked again is told every five minutes at most, and with whatever else is told', (t) => {
  const digest = hashOfText('one')
  const scene = buildScene(buildObject('web', inline), { images: [onNode('base:1', 'one', digest)] })
  const asked = (at: number) => {
    scene.now = now + at
    scene.bases.set('docker.io/library/base:1', { digest, at: scene.now })
    const world = worldOf(scene)
    scene.status = reportBuild(scene.build, decide(scene), world, scene.now + 60_000)
    const { bases, nextCheckAt = '' } = scene.status
    return [bases?.[0]?.checkedAt, nextCheckAt].map((time) => (Date.parse(time ?? '') - now) / 1000)
  }
  settle(scene)
  t.deepEqual(asked(1000), [1, 61])
  const told = scene.status
  t.deepEqual(asked(61_000), [1, 61])
  t.deepEqual(scene.status, told)
  t.deepEqual(asked(300_000), [1, 61])
  t.deepEqual(asked(301_000), [301, 361])
  scene.build = buildObject('web', { ...inline, suspend: true })
  t.deepEqual(asked(302_000), [302, 362])
  // A clock that was wrong is not waited for.
  t.deepEqual(asked(-86_400_000), [-86_400, -86_340])
})

test('with triggers off, what moves is taken only by a build that is made for another reason', (t) => {
  const triggers = { base: false, context: false }
  const scene = buildScene(buildObject('web', { ...inline, triggers }))
  settle(scene)
  scene.images = [onNode('base:1', 'two')]
  const files = { Dockerfile: 'FROM base:1\nRUN make all\n' }
  const next = { ...inline, context: { inline: { files } }, triggers }
  scene.build = buildObject('web', next)
  scene.images = [...scene.images, { ...onNode('web'), id: scene.status.image?.id ?? '' }]
  t.is(settle(scene).attempt, 1)
  scene.build = buildObject('web', { ...next, args: { A: '1' } })
  const { attempt, cause } = settle(scene)
  t.is(attempt, 2)
  t.regex(cause ?? '', /^the context moved .*; Dockerfile changed; args: A was absent, is 1; and 1 more$/)
})

test('while the registry of a base is left alone, the Build says so by the name of that', (t) => {
  const scene = buildScene(buildObject('web', inline), { images: [] })
  pass(scene)
  const hold = {
    until: now + 60_000,
    failures: 1,
    reason: 'RegistryUnavailable',
    message: 'nobody is there',
  } as const
  const held = { registryHolds: new Map([['docker.io', hold]]) } as const
  const decision = decide(scene, held)
  t.is(print(decision.plan), '')
  t.is(decision.wakeAt, hold.until)
  const { phase, conditions, failure } = reportBuild(scene.build, decision, worldOf(scene, held))
  t.is(phase, 'Failed')
  t.deepEqual(failure, { reason: hold.reason, message: hold.message })
  t.like(findCondition(conditions, 'Ready'), { status: 'False', reason: hold.reason, message: hold.message })
})

test('a schedule makes one build for all times that were missed', (t) => {
  const metadata = { creationTimestamp: '2026-01-01T12:00:00Z' }
  const spec = { triggers: { schedule: '30 3 * * *' } }
  const scene = buildScene(buildObject('web', spec, { metadata }))
  settle(scene)
  t.is(scene.status.nextScheduledAt, '2026-01-02T03:30:00Z')
  t.is(decide(scene).wakeAt, Date.parse('2026-01-02T03:30:00Z'))
  scene.now = Date.parse('2026-02-01T00:00:00Z')
  const status = settle(scene)
  t.is(status.attempt, 2)
  t.is(status.cause, 'spec.triggers.schedule: 2026-01-31T03:30:00Z')
  t.is(status.scheduledAt, '2026-01-31T03:30:00Z')
})

test('a build that failed is made again when an input moves, and for nothing else', (t) => {
  const scene = buildScene(buildObject('web'), { fails: ({ args }) => args['A'] !== '1' })
  const failed = settle(scene)
  t.like(failed, { phase: 'Failed', attempt: 1, failure: { reason: 'StepFailed' } })
  t.is(findCondition(failed.conditions, 'Stalled')?.status, 'True')
  scene.now += 10 * 86_400_000
  t.is(settle(scene).attempt, 1)
  scene.build = buildObject('web', { args: { A: '1' } })
  const good = settle(scene)
  t.like(good, { phase: 'Succeeded', attempt: 2 })
  t.is(good.failure, undefined)
  scene.build = buildObject('web', { args: { A: '2' } })
  const bad = settle(scene)
  t.like(bad, { phase: 'Failed', attempt: 3, image: good.image })
})

test('what cannot be built is told before anything is fetched for it', (t) => {
  const reasons = (spec: Record<string, unknown>) => {
    const { phase, failure } = settle(buildScene(buildObject('web', spec)))
    return `${phase}: ${failure?.reason}: ${failure?.message}`
  }
  t.is(
    reasons({ dockerfileInline: 'FROM base:1\nFOO x\n' }),
    'Failed: InvalidDockerfile: Dockerfile: line 2: unknown instruction: FOO',
  )
  t.regex(
    reasons({ dockerfileInline: 'FROM base:1 AS a\n', target: 'b' }),
    /^Failed: TargetNotFound: spec.target: .*Dockerfile.* no stage .*b/,
  )
  t.regex(
    reasons({ dockerfileInline: 'FROM base:1\nRUN --mount=type=cache,target=/c true\n', builder: 'Classic' }),
    /^Failed: NeedsBuildKit: Dockerfile: line 2, column 5: RUN --mount needs BuildKit/,
  )
  t.is(
    reasons({ context: { inline: { files: { a: 'b' } } }, dockerfileInline: undefined }),
    'Failed: DockerfileNotFound: spec.dockerfile: the context has no file Dockerfile',
  )
  t.regex(
    reasons({ builder: 'BuildKit', secrets: [{ id: 's', secret: 'token', key: 'k' }] }),
    /^Failed: SecretNotFound: spec.secrets s: Secret token does not exist/,
  )
})

test('the status holds no plain hash of a secret', (t) => {
  const spec = { builder: 'BuildKit', secrets: [{ id: 's', secret: 'token', key: 'k' }] }
  const scene = buildScene(buildObject('web', spec), { objects: [secret('token', { k: 'hunter2' })] })
  const { inputs } = settle(scene)
  t.regex(inputs?.['secret s'] ?? '', /^[0-9a-f]{32}$/)
  const plain = ['hunter2', 's\nhunter2'].map((text) => hashOfText(text).slice(7, 39))
  t.false(plain.includes(inputs?.['secret s'] ?? ''))
})

test('a cancel is answered once, and what it broke off waits for an input to move', (t) => {
  const scene = buildScene(buildObject('web', {}, { metadata: { annotations: { [cancelAnnotation]: 'a' } } }))
  const status = settle(scene)
  t.like(status, { phase: 'Canceled', canceled: 'a' })
  t.is(scene.orders.length, 0)
  const annotations = { [cancelAnnotation]: 'a', [buildAnnotation]: 'now no-cache' }
  scene.build = buildObject('web', {}, { metadata: { annotations } })
  t.like(settle(scene), { phase: 'Succeeded', attempt: 1, request: 'now no-cache' })
  t.true(scene.orders[0]?.noCache)
})

test('what is under way is wanted until an input moves, it is suspended, canceled or deleted', (t) => {
  const scene = buildScene(buildObject('web', inline))
  pass(scene)
  const group = 'Build/default/web'
  const generation = generationOf(group, worldOf(scene))
  const wanted = (build: typeof scene.build) => isWanted(group, generation, worldOf({ ...scene, build }))
  t.true(wanted(scene.build))
  t.true(wanted(buildObject('web', { ...inline, historyLimit: 1 })))
  t.false(wanted(buildObject('web', { ...inline, args: { A: '1' } })))
  t.false(wanted(buildObject('web', { ...inline, suspend: true })))
  const metadata = { annotations: { [cancelAnnotation]: 'a' } }
  t.false(wanted(buildObject('web', inline, { metadata })))
  const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  t.false(wanted(buildObject('web', inline, { metadata: deleted })))
  scene.images = [onNode('base:1', 'another')]
  t.false(wanted(scene.build))
})

test('an image that is gone from the node is made again', (t) => {
  const scene = buildScene(buildObject('web'))
  const { image } = settle(scene)
  scene.images = [onNode('base:1')]
  t.regex(lines(scene), /attempt 2\) because the image sha256:[0-9a-f]{12} is not on the node any more$/)
  t.deepEqual(settle(scene).image?.id, image?.id)
})

test('a Build that goes lets go of the node, and nothing else is done for it', (t) => {
  const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  const scene = buildScene(buildObject('web', {}, { metadata }))
  t.is(
    lines(scene),
    'Build/default/web#1: release Build default/web because nothing of it is under way on the node',
  )
})

test("files that lie on the node for one namespace are no other one's, whatever that has heard of", (t) => {
  const wanted = { ignore: [], dockerfile: 'Dockerfile' }
  const upload = (namespace: string) =>
    contextKey({ ...wanted, source: { type: 'upload', namespace, upload: `tree:${'0'.repeat(64)}` } })
  const commit = (secret?: string) =>
    contextKey({
      ...wanted,
      source: {
        type: 'git',
        url: 'https://git.example/app.git',
        commit: '0'.repeat(40),
        ...(secret !== undefined && { secret }),
      },
    })
  t.not(upload('shop'), upload('other'))
  t.not(commit('shop/login'), commit())
  t.not(commit('shop/login'), commit('other/login'))
  t.is(commit('shop/login'), commit('shop/login'))
})

test("a secret has another hash in each namespace, so that nobody tries out another one's", (t) => {
  const key = Buffer.alloc(32, 7)
  const value = Buffer.from('123456')
  const one = hashOfSecret(key, { namespace: 'shop', id: 'token', value })
  t.is(hashOfSecret(key, { namespace: 'shop', id: 'token', value }), one)
  t.not(hashOfSecret(key, { namespace: 'other', id: 'token', value }), one)
})

test('what is told as a build ends is what the next look says of it', (t) => {
  const scene = buildScene(buildObject('web', inline))
  while (scene.orders.length === 0) pass(scene)
  const told = justBuilt(scene.build, scene.status, scene.now)
  const { image: _, ...seen } = settle(scene)
  const { image: __, ...atOnce } = told
  t.deepEqual(atOnce, seen)
  t.is(findCondition(told.conditions, 'Ready')?.status, 'True')
})

test('a context that has moved is told by its files, once they are compared', (t) => {
  const files = (text: string, more: Readonly<Record<string, string>> = {}) => ({
    context: { inline: { files: { Dockerfile: dockerfile, 'src/main.c': text, ...more } } },
    dockerfileInline: undefined,
  })
  const scene = buildScene(buildObject('web', files('a')), { moves: {} })
  t.is(settle(scene).attempt, 1)
  scene.moves = { files: [{ path: 'src/main.c', how: 'changed' }], count: 1 }
  scene.build = buildObject('web', files('b'))
  t.deepEqual(
    pass(scene).map(({ type }) => type),
    ['fetchContext'],
  )
  t.is(settle(scene).cause, 'src/main.c changed')
  scene.moves = {
    files: [
      { path: 'a.c', how: 'added' },
      { path: 'src/main.c', how: 'changed' },
    ],
    count: 3,
  }
  scene.build = buildObject('web', files('c'))
  t.is(settle(scene).cause, 'src/main.c changed (and 2 more files)')
  // What is there already is compared as well.
  scene.moves = { files: [{ path: 'old.c', how: 'removed' }], count: 1 }
  scene.build = buildObject('web', files('a'))
  t.deepEqual(
    pass(scene).map(({ type }) => type),
    ['fetchContext'],
  )
  t.is(settle(scene).cause, 'old.c was removed')
  scene.moves = {}
  scene.build = buildObject('web', files('d'))
  t.regex(settle(scene).cause ?? '', /^the context moved from tree:[0-9a-f]{12} to tree:[0-9a-f]{12}$/)
})

test('a Dockerfile is told of once, though it is a file of the context as well', (t) => {
  const files = (text: string) => ({
    context: { inline: { files: { Dockerfile: text } } },
    dockerfileInline: undefined,
  })
  const scene = buildScene(buildObject('web', files(dockerfile)), { moves: {} })
  settle(scene)
  scene.moves = { files: [{ path: 'Dockerfile', how: 'changed' }], count: 1 }
  scene.build = buildObject('web', files(`${dockerfile}RUN more\n`))
  t.is(settle(scene).cause, 'Dockerfile changed')
  scene.moves = {
    files: [
      { path: 'Dockerfile', how: 'changed' },
      { path: 'a', how: 'added' },
    ],
    count: 2,
  }
  scene.build = buildObject('web', files(dockerfile))
  t.is(settle(scene).cause, 'a was added; Dockerfile changed')
})

test('a context that was too large is fetched again when more is allowed', (t) => {
  const [small, large] = ['1k', '1M'].map((maxContextBytes) => {
    const scene = buildScene(buildObject('web', { ...inline, maxContextBytes }))
    return generationOf('Build/default/web', worldOf(scene))
  })
  t.not(small, large)
})

test('whoever asks for a build is told of what is found then, and ends the rest after a failure', (t) => {
  const git = { context: { git: { url: 'https://git.example/a.git' } }, dockerfileInline: undefined }
  const failure = { reason: 'SourceUnavailable', message: 'nobody is there' }
  const told = (build: ReturnType<typeof buildObject>, request?: string) => {
    const source = { at: now, failure, ...(request !== undefined && { request }) }
    const scene = buildScene(build, { source })
    return reportBuild(build, decide(scene), worldOf(scene))
  }
  const asking = { annotations: { [buildAnnotation]: 'b' } }
  t.like(told(buildObject('web', git)), { phase: 'Failed', failure })
  t.like(told(buildObject('web', git, { metadata: asking }), 'a'), { phase: 'Pending', request: undefined })
  t.like(told(buildObject('web', git, { metadata: asking }), 'b'), { phase: 'Failed', request: 'b' })
  const group = 'Build/default/web'
  const scene = buildScene(buildObject('web', inline), { images: [] })
  pass(scene)
  const before = generationOf(group, worldOf(scene))
  const asked = worldOf({ ...scene, build: buildObject('web', inline, { metadata: asking }) })
  t.not(generationOf(group, asked), before)
  t.true(Number.isSafeInteger(generationOf(group, asked)))
  t.true(isWanted(group, before, asked))
})
