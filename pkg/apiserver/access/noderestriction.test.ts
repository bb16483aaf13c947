import test from 'ava'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { eventKind } from '#pkg/apis/event.ts'
import { findKind } from '#pkg/apis/kinds.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { makeNode, makePlaced, nodeIndexOf } from '#test/helpers/nodes.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { nodeUser } from './authenticate.ts'
import { noOpinion } from './authorizer.ts'
import { restrictNodes } from './noderestriction.ts'

const holders = [nodeFinalizer('n1'), nodeFinalizer('n2')]
const image = makePlaced('Image', 'shop/app', {
  spec: { reference: 'app:1', nodeName: 'n1' },
  status: { phase: 'Ready', nodes: { n1: { state: 'Ready' }, n2: { state: 'Pending' } } },
  finalizers: holders,
})
const network = makePlaced('Network', 'shop/net', { finalizers: holders })
const cluster = (kind: string): ApiObject => ({
  apiVersion: 'cove.run/v1',
  kind,
  metadata: { name: 'one' },
  spec: { server: 'docker.io', nodeSelector: {}, dryRun: false },
})
const index = nodeIndexOf(makeNode('n1'), makeNode('n2'), image, network)

/** What the node may not do with it; undefined: it may. */
function whyNot(node: string, before: ApiObject, change: object): string | undefined {
  const kind = findKind({ group: 'cove.run', version: 'v1', kind: before.kind })
  if (kind === undefined) throw new Error(`no kind ${before.kind}`)
  return refusal(nodeUser(node), { kind, object: { ...before, ...change }, before })
}

function refusal(user: UserInfo, write: Parameters<ReturnType<typeof restrictNodes>>[1]): string | undefined {
  try {
    restrictNodes({ index, others: () => noOpinion })(user, write)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^.*is not allowed to /, '') : String(error)
  }
}

const nodes = { n1: { state: 'Ready' }, n2: { state: 'Ready' } }

test('the lead of an Image says all of its status but the parts of other nodes', (t) => {
  const own = { n1: { state: 'Pulling' }, n2: { state: 'Pending' } }
  t.is(whyNot('n1', image, { status: { phase: 'Pulling', nodes: own } }), undefined)
  t.is(whyNot('n1', image, { status: { phase: 'Ready', nodes } }), 'modify the status of node "n2"')
  t.is(whyNot('n1', image, { status: { phase: 'Ready' } }), 'modify the status of node "n2"')
  t.is(whyNot('n1', image, { spec: { reference: 'evil:1', nodeName: 'n1' } }), 'modify spec')
})

test('another node that holds an Image says its own part only', (t) => {
  const { status } = image
  t.is(whyNot('n2', image, { status: { phase: 'Ready', nodes } }), undefined)
  t.is(
    whyNot('n2', image, { status: { ...(status as object), reference: 'evil:1' } }),
    "modify status.reference: it is not this node's to say",
  )
  t.is(whyNot('n2', image, { status: { nodes } }), "modify status.phase: it is not this node's to say")
  const taken = { ...image.metadata, finalizers: [nodeFinalizer('n1')] }
  t.is(whyNot('n2', image, { metadata: taken }), undefined)
})

test('of a Registry and of a PrunePolicy a node says its own part only', (t) => {
  for (const kind of ['Registry', 'PrunePolicy']) {
    const object = cluster(kind)
    const mine = { nodes: { n1: { state: 'Ready' } } }
    t.is(whyNot('n1', object, { status: mine }), undefined)
    t.is(whyNot('n2', object, { status: mine }), 'modify the status of node "n1"')
    t.regex(whyNot('n1', object, { status: { ...mine, conditions: [] } }) ?? '', /^modify status\.conditions/)
    t.is(whyNot('n1', object, { spec: { server: 'evil.example' } }), 'modify spec')
    t.is(
      whyNot('n1', object, { metadata: { name: 'one', finalizers: ['x'] } }),
      `modify finalizers other than ${nodeFinalizer('n1')}`,
    )
  }
})

test('of a Network all its nodes say the rest together', (t) => {
  t.is(whyNot('n2', network, { status: { phase: 'Ready', nodes: { n2: { state: 'Ready' } } } }), undefined)
  t.is(whyNot('n2', network, { status: { nodes: { n1: {} } } }), 'modify the status of node "n1"')
})

test('a node tells events of what it holds and of what is for all nodes', (t) => {
  const told = (kind: string, name: string, namespace?: string) =>
    refusal(nodeUser('n1'), {
      kind: eventOf,
      object: {
        apiVersion: 'v1',
        kind: 'Event',
        metadata: { namespace: namespace ?? 'default', name: 'e' },
        involvedObject: { kind, name, ...(namespace !== undefined && { namespace }) },
        source: { host: 'n1' },
      },
    })
  t.is(told('Image', 'app', 'shop'), undefined)
  t.is(told('Image', 'other', 'shop'), 'write events about Image shop/other')
  t.is(told('PrunePolicy', 'daily'), undefined)
  t.is(told('Registry', 'hub'), undefined)
})

const eventOf = findEventKind()

function findEventKind() {
  const kind = findKind({ group: eventKind.group, version: eventKind.version, kind: eventKind.kind })
  if (kind === undefined) throw new Error('no kind Event')
  return kind
}
