import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { container, observed, print, world } from '#test/helpers/world.ts'
import { followersOf, leansOnNobody } from './container.followers.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'

const owner = container('owner')
const ownerID = 'a'.repeat(64)
const follower = container('follower', { networkMode: 'container:owner' })

function ownerRuns(more: Partial<ObservedContainer> = {}): ObservedContainer {
  return observed(owner, fingerprintOf(owner, []), { id: ownerID, ...more })
}

function fingerprintOf(object: Container, containers: readonly ObservedContainer[]): string {
  const resolved = resolve({ container: object, ...world({ objects: [owner, follower], containers }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return resolved.fingerprint
}

function followerRuns(more: Partial<ObservedContainer> = {}): ObservedContainer {
  return observed(follower, fingerprintOf(follower, [ownerRuns()]), {
    networks: [],
    networkMode: `container:${ownerID}`,
    startedAt: '2026-01-01T11:30:00Z',
    ...more,
  })
}

function decide(...containers: readonly ObservedContainer[]) {
  return planContainer(follower, world({ objects: [owner, follower], containers }))
}

test('followers are those that share a network, through others too, each before whom it follows', (t) => {
  const second = container('second', { networkMode: 'container:follower' })
  const other = container('other', { networkMode: 'container:another' })
  const elsewhere = container(
    'elsewhere',
    { networkMode: 'container:owner' },
    { metadata: { namespace: 'shop' } },
  )
  const { desired } = world({ objects: [owner, follower, second, other, elsewhere] })
  t.deepEqual(
    followersOf(owner, { desired }).map(({ metadata }) => metadata.name),
    ['second', 'follower'],
  )
  t.deepEqual(followersOf(second, { desired }), [])
})

test('Containers that share each other in a circle have each other as followers, and an end', (t) => {
  const one = container('one', { networkMode: 'container:two' })
  const two = container('two', { networkMode: 'container:one' })
  const { desired } = world({ objects: [one, two] })
  t.deepEqual(
    followersOf(one, { desired }).map(({ metadata }) => metadata.name),
    ['two'],
  )
})

test('it is made in the network of the container that runs, by its id', (t) => {
  const { plan } = decide(ownerRuns())
  const [create] = plan.ops.map(({ op }) => op)
  t.is(create?.type === 'createContainer' ? create.create.networkMode : '', `container:${ownerID}`)
})

test('it is not made before the container whose network it shares runs', (t) => {
  const absent = decide()
  t.is(print(absent.plan), '')
  t.deepEqual(absent.waiting, {
    reason: 'NetworkContainerNotRunning',
    message: 'spec.networkMode: it shares the network of Container owner, which has no container yet',
  })
  const ended = decide(ownerRuns({ state: 'exited', exitCode: 3 }))
  t.is(print(ended.plan), '')
  t.is(
    ended.waiting?.message,
    'spec.networkMode: it shares the network of Container owner, which is exited with exit code 3',
  )
  const gone = planContainer(follower, world({ objects: [follower] }))
  t.is(
    gone.waiting?.message,
    'spec.networkMode: it shares the network of Container owner, which does not exist on this node',
  )
})

test('one that shares the network of a run that goes on is left alone', (t) => {
  const decision = decide(ownerRuns(), followerRuns())
  t.is(print(decision.plan), '')
  t.is(decision.waiting, undefined)
})

test('whose network is shared is no part of the fingerprint, but whose it is by name is', (t) => {
  t.is(fingerprintOf(follower, [ownerRuns()]), fingerprintOf(follower, [ownerRuns({ id: 'b'.repeat(64) })]))
  const plain = container('follower', { networkMode: 'bridge' })
  t.not(fingerprintOf(follower, [ownerRuns()]), fingerprintOf(plain, [ownerRuns()]))
})

test('it is started anew when the container whose network it shares was', (t) => {
  const { plan } = decide(ownerRuns({ startedAt: '2026-01-01T11:30:01Z' }), followerRuns())
  t.is(
    print(plan),
    'Container/default/follower#1: restart container id-follower because spec.networkMode: it shares the network of Container owner, which was started anew',
  )
})

test('while the container whose network it shares is down, it goes on and says so', (t) => {
  const decision = decide(ownerRuns({ state: 'exited' }), followerRuns())
  t.is(print(decision.plan), '')
  t.is(decision.waiting?.reason, 'NetworkContainerNotRunning')
})

test('it is made anew when the container whose network it shares was replaced', (t) => {
  const replaced = ownerRuns({ id: 'b'.repeat(64), startedAt: '2026-01-01T11:50:00Z' })
  const { plan } = decide(replaced, followerRuns())
  t.true(
    print(plan).includes(
      'because spec.networkMode: it shares the network of Container owner, which was replaced: want container:bbbbbbbbbbbb, found container:aaaaaaaaaaaa',
    ),
    print(plan),
  )
})

test('a successor on trial has no followers: they go with the name', (t) => {
  const next = ownerRuns({ id: 'c'.repeat(64), name: 'owner_next', startedAt: '2026-01-01T11:50:00Z' })
  t.is(print(decide(ownerRuns(), next, followerRuns()).plan), '')
})

test('it is not made in the network of one that is being deleted', (t) => {
  const going = container('owner', {}, { metadata: { deletionTimestamp: '2026-01-01T12:00:00Z' } })
  const { plan, waiting } = planContainer(
    follower,
    world({ objects: [going, follower], containers: [ownerRuns()] }),
  )
  t.is(print(plan), '')
  t.regex(waiting?.message ?? '', /Container owner, which is being deleted$/)
})

test('while the owner is being worked on, nobody is started beside that: it may be about to stop', (t) => {
  const containers = [ownerRuns({ startedAt: '2026-01-01T11:50:00Z' }), followerRuns()]
  const busy = new Set(['Container/default/owner'])
  const at = (observedNow: ObservedContainer[]) =>
    planContainer(follower, world({ objects: [owner, follower], containers: observedNow }, { busy }))
  t.is(print(at(containers).plan), '')
  const ended = at([ownerRuns(), followerRuns({ state: 'exited' })])
  t.is(print(ended.plan), '')
  t.regex(ended.waiting?.message ?? '', /is being worked on$/)
})

test('what the engine will not start is known: the network or the linked container it leans on does not run', (t) => {
  const { observed: all } = world({ containers: [ownerRuns()] })
  const leans = (more: Partial<ObservedContainer>) => leansOnNobody(followerRuns(more), { observed: all })
  t.false(leans({}))
  t.true(leans({ networkMode: 'container:gone' }))
  t.false(leans({ networkMode: 'bridge', links: ['owner:db'] }))
  t.true(leans({ networkMode: 'bridge', links: ['owner_prev-abc:db'] }))
})
