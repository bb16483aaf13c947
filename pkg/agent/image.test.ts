import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import { container, image, now, observed, print, secret, world } from '#test/helpers/world.ts'
import { digestOf, findImage, imageReadiness, pullGeneration } from './image.ts'
import { planNode } from './node.plan.ts'
import { resolve } from './resolve.ts'
import type { Hold, World } from './world.ts'

const sha = `sha256:${'a'.repeat(64)}`

function running(object: Container, more: Parameters<typeof observed>[2] = {}) {
  const resolved = resolve({ container: object, ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return observed(object, resolved.fingerprint, more)
}

/** The lines of the node's plan that are about images. */
function imagePlan(of: World): string[] {
  return print(planNode(of).plan)
    .split('\n')
    .filter((line) => line.startsWith('Pull/'))
}

test('an image that is absent is pulled once, however many want it and however they spell it', (t) => {
  const objects = ['app:2', 'docker.io/library/app:2', 'index.docker.io/app:2'].map((reference, index) =>
    container(`web-${index}`, { image: reference }),
  )
  t.deepEqual(imagePlan(world({ objects })), [
    'Pull/docker.io/library/app:2#1: pull image app:2 because spec.image: app:2 is not on the node',
  ])
})

test('the policies pull when absent, before each new container, and never', (t) => {
  const plan = (imagePullPolicy: string, images = [image('app:1')]) =>
    imagePlan(world({ objects: [container('web', { imagePullPolicy })], images }))
  t.deepEqual(plan('IfNotPresent'), [])
  t.is(plan('IfNotPresent', []).length, 1)
  t.deepEqual(plan('Always'), [
    'Pull/docker.io/library/app:1#1: pull image app:1 because spec.imagePullPolicy is Always, and Container web is about to be made',
  ])
  t.deepEqual(plan('Never', []), [])
  const never = container('web', { imagePullPolicy: 'Never' })
  t.deepEqual(imageReadiness(never, world({ images: [] })), {
    waiting: {
      reason: 'ErrImageNeverPull',
      message: 'image app:1 is not on node n1, and spec.imagePullPolicy is Never',
    },
  })
})

test('a pull that has just ended answers the policy Always for everybody', (t) => {
  const web = container('web', { imagePullPolicy: 'Always' })
  const pulled = (ago: number) => ({
    pulls: new Map([['docker.io/library/app:1', { finishedAt: now - ago, layers: [], running: false }]]),
  })
  t.deepEqual(imagePlan(world({ objects: [web] }, pulled(59_000))), [])
  t.is(imagePlan(world({ objects: [web] }, pulled(60_000))).length, 1)
})

test('a changed image is pulled, never made by naming the old one anew', (t) => {
  const before = container('web')
  const after = container('web', { image: 'app:2' })
  const decision = planNode(world({ objects: [after], containers: [running(before)] }))
  t.is(
    print(decision.plan),
    'Pull/docker.io/library/app:2#1: pull image app:2 because spec.image: app:2 is not on the node',
  )
  t.is(decision.decisions.get('Container/default/web')?.waiting?.reason, 'Pulling')
})

test('with the policy Always any change that makes a new container pulls first', (t) => {
  const before = container('web', { imagePullPolicy: 'Always' })
  const after = container('web', { imagePullPolicy: 'Always', args: ['new'] })
  t.is(imagePlan(world({ objects: [after], containers: [running(before)] })).length, 1)
  t.deepEqual(imagePlan(world({ objects: [before], containers: [running(before)] })), [])
})

test('a name that was taken from the image that runs is given back', (t) => {
  const web = container('web')
  const untagged = { ...image('app:1'), references: [] }
  t.deepEqual(imagePlan(world({ objects: [web], containers: [running(web)], images: [untagged] })), [
    'Pull/docker.io/library/app:1#1: tag image sha256:app:1 as app:1 because spec.image: the name app:1 was taken from the image that runs',
  ])
})

test('nothing is pulled for what shall not exist, while a pull runs, or while a failed one rests', (t) => {
  const quiet = (spec: Record<string, unknown>, metadata = {}, more: Partial<World> = {}) =>
    imagePlan(world({ objects: [container('web', spec, { metadata })], images: [] }, more))
  t.deepEqual(quiet({ state: 'Stopped' }), [])
  t.deepEqual(quiet({}, { deletionTimestamp: '2026-01-01T12:00:00Z' }), [])
  const group = 'Pull/docker.io/library/app:1'
  t.deepEqual(quiet({}, {}, { busy: new Set([group]) }), [])
  const hold: Hold = {
    until: now + 1,
    failures: 1,
    reason: 'ImageNotFound',
    message: 'no such image',
    action: 'pull image app:1',
    generation: 0,
  }
  t.deepEqual(quiet({}, {}, { holds: new Map([[group, hold]]) }), [])
  t.is(quiet({}, {}, { holds: new Map([[group, { ...hold, until: now }]]) }).length, 1)
  t.deepEqual(imageReadiness(container('web'), world({ images: [] }, { holds: new Map([[group, hold]]) })), {
    waiting: { reason: 'ImageNotFound', message: 'no such image' },
  })
})

test('an image is found by name or by digest, whatever stands before the digest', (t) => {
  const one = { ...image('foo.io/app:1'), digests: [`foo.io/app@${sha}`] }
  const images = [image('other:1'), one]
  for (const reference of ['foo.io/app:1', `foo.io/app@${sha}`, `foo.io/app:9@${sha}`]) {
    t.is(findImage(images, reference), one, reference)
  }
  for (const reference of ['app:1', 'foo.io/app:2', `bar.io/app@${sha}`, 'NOT:VALID']) {
    t.is(findImage(images, reference), undefined, reference)
  }
  t.is(digestOf(one, 'foo.io/app:1'), `foo.io/app@${sha}`)
  t.is(digestOf(one, 'bar.io/app:1'), undefined)
})

test('who asks with other Secrets asks for a pull of their own; nothing of a Secret but its name is in the plan', (t) => {
  const login = secret('login', { password: 'such-a-secret' })
  const objects = [
    container('aa', { image: 'app:2' }),
    container('bb', { image: 'app:2', imagePullSecrets: [{ name: 'login' }] }),
    login,
  ]
  const lines = imagePlan(world({ objects }))
  t.deepEqual(lines, [
    'Pull/docker.io/library/app:2#1: pull image app:2 because spec.image: app:2 is not on the node',
    'Pull/docker.io/library/app:2 with default/login#1: pull image app:2 because spec.image: app:2 is not on the node',
  ])
  t.notRegex(JSON.stringify(planNode(world({ objects })).plan), /such-a-secret|c3VjaC1hLXNlY3JldA/)
})

test('a pull that was refused is tried again as soon as its Secret changes', (t) => {
  const web = container('web', { image: 'app:2', imagePullSecrets: [{ name: 'login' }] })
  const group = 'Pull/docker.io/library/app:2 with default/login'
  const at = (resourceVersion: string) => {
    const login = secret('login', { password: 'x' })
    return world({ objects: [web, { ...login, metadata: { ...login.metadata, resourceVersion } }] })
  }
  const generation = pullGeneration(group, at('7').desired)
  const hold: Hold = {
    until: now + 60_000,
    failures: 3,
    reason: 'RegistryUnauthorized',
    message: 'no',
    action: 'pull image app:2',
    generation,
  }
  const holds = new Map([[group, hold]])
  t.deepEqual(imagePlan({ ...at('7'), holds }), [])
  t.is(imagePlan({ ...at('8'), holds }).length, 1)
})

test('while its registry rests a container says until when, and its pull stays planned but does not begin', (t) => {
  const hold = { reason: 'RegistryRateLimited', message: 'not before noon', until: now + 1000 }
  const web = container('web', { image: 'r.io/web:1' })
  const resting = world({ objects: [web], images: [] })
  const at = (more: object) => ({ ...resting, registryHolds: new Map([['r.io', hold]]), ...more })
  t.deepEqual(imageReadiness(web, at({})), {
    waiting: { reason: 'RegistryRateLimited', message: 'not before noon' },
  })
  t.deepEqual(imagePlan(at({})), [])
  t.is(planNode(at({})).wakeAt, now + 1000)
  t.like(imageReadiness(web, at({ now: now + 2000 })), { waiting: { reason: 'Pulling' } })
  t.is(imagePlan(at({ now: now + 2000 })).length, 1)
})
