import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { container, now, secret, volume } from '#test/helpers/world.ts'
import { type DesiredCopy, decodeCopy, encodeCopy, hasLost, laterStatus, type NodeCopy } from './nodecopy.ts'

const none = { Secret: {}, ConfigMap: {}, Volume: {}, Network: {}, Image: {} }

function desired(parts: Partial<DesiredCopy> = {}): DesiredCopy {
  const empty = {
    containers: [],
    volumes: [],
    builds: [],
    networks: [],
    images: [],
    registries: [],
    prunePolicies: [],
    nodes: [],
  }
  return { ...empty, named: none, ...parts }
}

const copy: NodeCopy = {
  nodeName: 'n1',
  clusterID: 'one',
  desired: desired({
    containers: [container('web')],
    named: { ...none, Secret: { 'default/login': secret('login', { a: 'b' }), 'default/absent': null } },
  }),
  statuses: { 'uid-Container-web': { phase: 'Running', restartCount: 3 } },
  events: [],
}

test('what was encoded is decoded as it was, absent objects too', (t) => {
  t.deepEqual(decodeCopy(encodeCopy(copy), 'n1'), copy)
})

test('what is no copy of this node and this format is refused with a reason', (t) => {
  const refused = (text: string, message: RegExp, nodeName = 'n1') =>
    t.throws(() => decodeCopy(text, nodeName), { message })
  refused('{"format":3 secret', /^it is not JSON$/)
  refused('[]', /not of format 3/)
  refused(encodeCopy(copy).replace('"format":3', '"format":4'), /another version of Cove/)
  refused(encodeCopy(copy).replace('"clusterID":"one"', '"clusterID":""'), /not as the agent writes it/)
  refused(encodeCopy(copy).replace('"containers":[', '"pods":['), /not as the agent writes it/)
  refused(encodeCopy(copy), /of node "n1", not of "n2"/, 'n2')
})

test('an object that is gone, made anew or now being deleted is a loss; any other change is none', (t) => {
  const web = container('web')
  const data = volume('data')
  const before = desired({ containers: [web], volumes: [data] })
  t.false(hasLost(undefined, before))
  t.false(hasLost(before, before))
  t.false(
    hasLost(
      before,
      desired({ containers: [container('web', { image: 'app:2' }), container('api')], volumes: [data] }),
    ),
  )
  t.true(hasLost(before, desired({ containers: [web] })))
  const anew = container('web', {}, { metadata: { uid: 'another' } })
  t.true(hasLost(before, desired({ containers: [anew], volumes: [data] })))
  const deleted = container('web', {}, { metadata: { deletionTimestamp: timestamp(now) } })
  const deleting = desired({ containers: [deleted], volumes: [data] })
  t.true(hasLost(before, deleting))
  t.false(hasLost(deleting, deleting))
})

test('of two statuses that counts which tells of the later time; what is to come is no such time', (t) => {
  const at = (seconds: number) => timestamp(now + seconds * 1000)
  const own = { phase: 'Running', startedAt: at(-60), nextRestartAt: at(300) } as const
  const told = { phase: 'Failed', startedAt: at(-60), finishedAt: at(-30) } as const
  t.is(laterStatus(own, told, now), told)
  t.is(laterStatus(told, own, now), told)
  t.is(laterStatus(own, { phase: 'Failed', startedAt: at(-60) }, now), own)
  t.is(laterStatus(own, undefined, now), own)
  const withParts = {
    phase: 'Failed',
    startedAt: at(-60),
    lastAction: { time: at(-5), action: 'start', cause: 'c' },
  } as const
  t.is(laterStatus(told, withParts, now), withParts)
})
