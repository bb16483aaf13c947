import test from 'ava'
import fc from 'fast-check'
import { type Reference, referencesOf } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import { nodeFinalizer, nodeLabel } from '#pkg/apis/wellknown.ts'
import { makeContainer, makeNode, makePlaced, nodeIndexOf, tellNodes } from '#test/helpers/nodes.ts'
import { makeRequest } from '#test/helpers/request.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { attributesOf } from './attributes.ts'
import { nodeUser, ownNodeUser, userOf } from './authenticate.ts'
import { nodeAuthorizer } from './nodeauthorizer.ts'
import { objectID } from './nodeindex.ts'

const cove = '/apis/cove.run/v1'
const shop = `${cove}/namespaces/shop`
const core = '/api/v1/namespaces/shop'
const spec = {
  nodeName: 'n1',
  mounts: [
    { mountPath: '/s', secret: 'own' },
    { mountPath: '/v', volume: 'named' },
  ],
  networks: [{ name: 'net' }],
  imageFrom: { image: 'wanted' },
}
const event = (name: string, host: string): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Event',
  metadata: { namespace: 'shop', name },
  involvedObject: {},
  source: { host },
})
const digestOf = (digit: string) => `sha256:${digit.repeat(64)}`
const layersOf = (image: string) => `images/layers?image=${encodeURIComponent(image)}`
const index = nodeIndexOf(
  makeNode('n1'),
  makeNode('n2'),
  makeContainer('shop/web', spec),
  makeContainer('shop/other', { nodeName: 'n2', mounts: [{ mountPath: '/s', secret: 'hidden' }] }),
  makeContainer('shop/leaving', { nodeName: 'n2' }, [nodeFinalizer('n1')]),
  makePlaced('Volume', 'shop/held', { spec: { nodeName: 'n1' }, finalizers: [nodeFinalizer('n1')] }),
  makePlaced('Volume', 'shop/named', { spec: { nodeName: 'n2' } }),
  makePlaced('Volume', 'shop/foreign'),
  makePlaced('Network', 'shop/held', { finalizers: [nodeFinalizer('n1'), nodeFinalizer('n2')] }),
  makePlaced('Image', 'shop/led', {
    spec: {
      reference: 'team/app:1',
      nodeName: 'n1',
      pullSecrets: [{ name: 'registry' }],
      push: [{ reference: 'other.example/app', secret: 'mirror' }],
      source: { archive: { upload: digestOf('a') } },
    },
    status: { id: digestOf('1'), reference: digestOf('1') },
    finalizers: [nodeFinalizer('n1'), nodeFinalizer('n2')],
  }),
  makePlaced('Image', 'shop/followed', {
    spec: { reference: 'team/web:1', nodeName: 'n2' },
    status: {
      id: digestOf('2'),
      reference: `team/web:1@${digestOf('3')}`,
      nodes: { n1: { id: digestOf('9') } },
    },
    finalizers: [nodeFinalizer('n1'), nodeFinalizer('n2')],
  }),
  makePlaced('Image', 'shop/sent', {
    spec: { reference: 'team/sent:1', nodeName: 'n1', source: { node: 'n3' } },
    finalizers: [nodeFinalizer('n1')],
  }),
  makePlaced('Image', 'shop/theirs', {
    spec: { reference: 'team/theirs:1', nodeName: 'n2', source: { rootfs: { upload: digestOf('b') } } },
    status: { id: digestOf('4'), reference: digestOf('4') },
    finalizers: [nodeFinalizer('n2')],
  }),
  makePlaced('Build', 'shop/made', {
    spec: {
      nodeName: 'n1',
      context: { upload: `tree:${'c'.repeat(64)}` },
      secrets: [{ id: 'token', secret: 'token', key: 'k' }],
      pullSecrets: [{ name: 'bases' }],
    },
    finalizers: [nodeFinalizer('n1')],
  }),
  makePlaced('Build', 'shop/cloned', {
    spec: { nodeName: 'n2', context: { git: { url: 'ssh://git.example/x', secret: 'deploykey' } } },
    finalizers: [nodeFinalizer('n2')],
  }),
  {
    apiVersion: 'cove.run/v1',
    kind: 'Registry',
    metadata: { name: 'hub' },
    spec: { server: 'docker.io', secret: { namespace: 'shop', name: 'hub' } },
  },
  event('mine', 'n1'),
  event('theirs', 'n2'),
)
const decide = nodeAuthorizer(index)

/** Why node n1 may not; undefined: it may. */
function whyNot(line: string, user = nodeUser('n1')): string | undefined {
  const [method = '', target = ''] = line.split(' ')
  const { verdict, reason } = decide(user, attributesOf(makeRequest(target, { method })))
  return verdict === 'allow' ? undefined : reason
}

const selected = (field: string, value: string) => `fieldSelector=${encodeURIComponent(`${field}=${value}`)}`
const labelled = (label: string) => `labelSelector=${encodeURIComponent(label)}`
const layersOnly = "node 'n1' can only get layers of images that it is to have, from nodes that hold them"
const unrelated = "no relationship found between node 'n1' and this object"

const may = [
  `GET ${cove}/containers?${selected('spec.nodeName', 'n1')}`,
  `GET ${cove}/containers?watch=true&${selected('spec.nodeName', 'n1')}`,
  `GET ${shop}/containers/web`,
  `PATCH ${shop}/containers/web`,
  `PATCH ${shop}/containers/web/status`,
  `GET ${shop}/containers/leaving`,
  `GET ${core}/secrets/own`,
  `GET ${core}/secrets?${selected('metadata.name', 'own')}`,
  `GET ${core}/secrets?watch=true&${selected('metadata.name', 'own')}`,
  `GET ${shop}/volumes/named`,
  `GET ${shop}/volumes?${selected('metadata.name', 'named')}`,
  `GET ${cove}/volumes?${selected('spec.nodeName', 'n1')}`,
  `PATCH ${shop}/volumes/held/status`,
  `GET ${shop}/networks/net`,
  `GET ${cove}/networks?watch=true&${labelled(nodeLabel('n1'))}`,
  `PATCH ${shop}/networks/held`,
  `GET ${shop}/images/wanted`,
  `GET ${shop}/images?watch=true&${selected('metadata.name', 'wanted')}`,
  `GET ${cove}/images?watch=true&${labelled(nodeLabel('n1'))}`,
  `PATCH ${shop}/images/led`,
  `PATCH ${shop}/images/led/status`,
  `GET ${core}/secrets/registry`,
  `GET ${core}/secrets/mirror`,
  `GET ${core}/secrets/hub`,
  `GET ${shop}/uploads/${digestOf('a')}`,
  `GET ${cove}/builds?watch=true&${selected('spec.nodeName', 'n1')}`,
  `GET ${shop}/builds/made`,
  `PATCH ${shop}/builds/made`,
  `PATCH ${shop}/builds/made/status`,
  `GET ${core}/secrets/token`,
  `GET ${core}/secrets/bases`,
  `GET ${core}/secrets/login.r.example.com`,
  `GET ${shop}/uploads/tree:${'c'.repeat(64)}`,
  `GET ${cove}/registries?watch=true`,
  `PATCH ${cove}/registries/hub/status`,
  `GET ${cove}/prunepolicies`,
  `PATCH ${cove}/prunepolicies/daily/status`,
  `GET ${cove}/nodes/n2/${layersOf('team/app:1')}`,
  `GET ${cove}/nodes/n2/${layersOf(`docker.io/team/app@${digestOf('7')}`)}`,
  `GET ${cove}/nodes/n2/${layersOf(digestOf('2'))}&have=${digestOf('8')}`,
  `GET ${cove}/nodes/n2/${layersOf(`team/web:1@${digestOf('3')}`)}`,
  `GET ${cove}/nodes/n3/${layersOf('team/sent:1')}`,
  'GET /api/v1/namespaces/default',
  `POST ${core}/events`,
  `PATCH ${core}/events/mine`,
  `PATCH ${core}/events/gone`,
  `GET ${cove}/nodes/n1`,
  `GET ${cove}/nodes?${selected('metadata.name', 'n1')}`,
  `PATCH ${cove}/nodes/n1/status`,
  `GET ${cove}/nodes/n1/tunnel`,
  `POST ${cove}/nodes/n1/certificate`,
]

const mayNot: readonly (readonly [string, string])[] = [
  [`GET ${cove}/containers`, 'can only list/watch containers with spec.nodeName field selector'],
  [
    `GET ${cove}/containers?${selected('spec.nodeName', 'n2')}`,
    'can only list/watch containers with spec.nodeName field selector',
  ],
  [
    `GET ${cove}/containers?${selected('spec.nodeName!', 'n1')}`,
    'can only list/watch containers with spec.nodeName field selector',
  ],
  [`GET ${shop}/containers/other`, unrelated],
  [`PATCH ${shop}/containers/other/status`, unrelated],
  [`DELETE ${shop}/containers/web`, ''],
  [`POST ${shop}/containers`, ''],
  [`GET ${core}/secrets/hidden`, unrelated],
  ['GET /api/v1/namespaces/bank/secrets/own', unrelated],
  [`GET ${core}/secrets`, 'No Object name found'],
  ['GET /api/v1/secrets', 'can only read namespaced object of this type'],
  [`GET /api/v1/secrets?${selected('metadata.name', 'own')}`, 'can only read namespaced object of this type'],
  [`PUT ${core}/secrets/own`, ''],
  [`GET ${core}/configmaps/own`, unrelated],
  [`GET ${shop}/volumes/foreign`, unrelated],
  [`PATCH ${shop}/volumes/named/status`, unrelated],
  [`PATCH ${shop}/networks/net/status`, unrelated],
  [`GET ${cove}/networks?${labelled(nodeLabel('n2'))}`, 'can only read namespaced object of this type'],
  [`GET ${cove}/networks?${labelled(`!${nodeLabel('n1')}`)}`, 'can only read namespaced object of this type'],
  [`GET ${shop}/images/theirs`, unrelated],
  [`PATCH ${shop}/images/wanted/status`, unrelated],
  [`GET ${cove}/images`, 'can only read namespaced object of this type'],
  [`DELETE ${shop}/images/led`, ''],
  [`GET ${shop}/uploads/${digestOf('b')}`, unrelated],
  [`GET ${cove}/namespaces/bank/uploads/${digestOf('a')}`, unrelated],
  [`PUT ${shop}/uploads/${digestOf('a')}`, ''],
  [`GET /api/v1/namespaces/bank/secrets/hub`, unrelated],
  [`PATCH ${cove}/registries/hub`, ''],
  [`GET ${shop}/builds/cloned`, unrelated],
  [`PATCH ${shop}/builds/cloned/status`, unrelated],
  [`GET ${cove}/builds`, 'can only list/watch builds with spec.nodeName field selector'],
  [`DELETE ${shop}/builds/made`, ''],
  [`GET ${core}/secrets/deploykey`, unrelated],
  ['GET /api/v1/namespaces/bank/secrets/login.r.example.com', unrelated],
  // Of the images that it leads, a node itself says which they are.
  [`GET ${cove}/nodes/n2/${layersOf(digestOf('1'))}`, layersOnly],
  [`GET ${cove}/nodes/n2/${layersOf(digestOf('9'))}`, layersOnly],
  [`GET ${cove}/nodes/n2/${layersOf('team/theirs:1')}`, layersOnly],
  [`GET ${cove}/nodes/n2/${layersOf(digestOf('4'))}`, layersOnly],
  [`GET ${cove}/nodes/n3/${layersOf('team/app:1')}`, layersOnly],
  [`GET ${cove}/nodes/n2/${layersOf('team/app:1')}&image=x`, layersOnly],
  [`GET ${cove}/nodes/n2/images`, layersOnly],
  [`GET ${cove}/nodes/n2/images/save?image=team/app:1`, layersOnly],
  [`POST ${cove}/nodes/n2/images/layers?image=team/app:1`, ''],
  [`GET ${cove}/nodes/n2/disk`, ''],
  [`POST ${cove}/nodes/n2/prune`, ''],
  ['GET /api/v1/namespaces/shop', 'can only read the namespace default'],
  [`PATCH ${core}/events/theirs`, unrelated],
  [`GET ${cove}/nodes`, "node 'n1' cannot read '', only its own Node object"],
  [`GET ${cove}/nodes/n2`, "node 'n1' cannot read 'n2', only its own Node object"],
  [`PATCH ${cove}/nodes/n1`, ''],
  [`DELETE ${cove}/nodes/n1`, ''],
  [`POST ${cove}/nodes`, "node 'n1' gets its Node object when it joins"],
  [`POST ${cove}/nodes/n2/certificate`, "node 'n1' cannot read 'n2', only its own Node object"],
  ['GET /api/v1/namespaces/shop/pods/web/log', ''],
]

for (const line of may) test(`a node may ${line}`, (t) => t.is(whyNot(line), undefined))
for (const [line, why] of mayNot) test(`a node may not ${line}`, (t) => t.is(whyNot(line), why))

test('only an agent in the own process of the server makes its Node, and works before there is one', (t) => {
  t.is(whyNot(`POST ${cove}/nodes`, ownNodeUser('n3')), undefined)
  t.is(whyNot(`GET ${cove}/nodes/n3`, ownNodeUser('n3')), undefined)
  t.regex(whyNot(`GET ${cove}/nodes/n3`, nodeUser('n3')) ?? '', /there is no Node object of node 'n3'/)
})

test('a certificate from before its Node object was made is not good', (t) => {
  const made = makeNode('n1')
  const creationTimestamp = '2026-01-02T00:00:00Z'
  const fresh = nodeAuthorizer(nodeIndexOf({ ...made, metadata: { ...made.metadata, creationTimestamp } }))
  const asked = attributesOf(makeRequest(`${cove}/nodes/n1`))
  const known = (time: string) => {
    const subject = { CN: 'system:node:n1', O: 'system:nodes' }
    const valid_from = new Date(Date.parse(time) - 300_000).toUTCString()
    const valid_to = '2027-01-01T00:00:00Z'
    const certificate = Object.assign(Object.create(null), { subject, valid_from, valid_to })
    return userOf({ authorized: true, getPeerCertificate: () => certificate }, {})
  }
  const before = fresh(known('2026-01-01T00:00:00Z'), asked)
  t.regex(before.reason, /is older than its Node object: its machine must join again/)
  // Signed, and registered a moment later.
  for (const time of ['2026-01-01T23:59:50Z', '2026-01-02T00:00:00Z', '2026-06-01T00:00:00Z'])
    t.is(fresh(known(time), asked).verdict, 'allow', time)
})

test('others are not the business of this authorizer', (t) => {
  const attributes = attributesOf(makeRequest(`${core}/secrets/own`))
  const impostors = [
    { name: 'system:node:n1', groups: ['system:authenticated'] },
    { name: 'bob', groups: ['system:nodes'] },
  ]
  for (const user of impostors) t.deepEqual(decide(user, attributes), { verdict: 'no opinion', reason: '' })
})

const few = fc.constantFrom('a', 'b', 'c')
const nodeNames = ['n1', 'n2', 'n3'] as const
const mount = fc.oneof(
  few.map((secret) => ({ mountPath: '/x', secret })),
  few.map((configMap) => ({ mountPath: '/x', configMap })),
  few.map((volume) => ({ mountPath: '/x', volume })),
)
const variable = fc.oneof(
  few.map((name) => ({ name: 'X', valueFrom: { secretKeyRef: { name, key: 'k' } } })),
  few.map((name) => ({ name: 'X', valueFrom: { configMapKeyRef: { name, key: 'k' } } })),
)
/** What becomes of the Container of one name: it is as this, or it is gone. */
const change = fc.record({
  key: fc.tuple(fc.constantFrom('shop', 'bank'), few).map((parts) => parts.join('/')),
  nodeName: fc.option(fc.constantFrom(...nodeNames), { nil: undefined }),
  leaving: fc.uniqueArray(fc.constantFrom(...nodeNames)),
  mounts: fc.array(mount, { maxLength: 3 }),
  env: fc.array(variable, { maxLength: 3 }),
  networks: fc.uniqueArray(few).map((names) => names.map((name) => ({ name }))),
  imageFrom: fc.option(
    few.map((image) => ({ image })),
    { nil: undefined },
  ),
  gone: fc.boolean(),
})

const plurals: Readonly<Record<Reference['kind'], string>> = {
  Secret: '/api/v1/namespaces/NS/secrets/',
  ConfigMap: '/api/v1/namespaces/NS/configmaps/',
  Volume: '/apis/cove.run/v1/namespaces/NS/volumes/',
  Network: '/apis/cove.run/v1/namespaces/NS/networks/',
  Image: '/apis/cove.run/v1/namespaces/NS/images/',
}

const everything = (['Secret', 'ConfigMap', 'Volume', 'Network', 'Image'] as const).flatMap((kind) =>
  ['shop', 'bank'].flatMap((namespace) =>
    ['a', 'b', 'c'].map((name) => ({
      id: objectID(kind, namespace, name),
      get: attributesOf(makeRequest(plurals[kind].replace('NS', namespace) + name)),
    })),
  ),
)

test('after any changes a node may read what its Containers name, and nothing else', (t) => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
      const held = nodeIndexOf(...nodeNames.map(makeNode))
      const live = new Map<string, ApiObject>()
      for (const { key, leaving, gone, ...fields } of changes) {
        const object = makeContainer(key, fields, leaving.map(nodeFinalizer))
        tellNodes(held, object, gone)
        if (gone) live.delete(key)
        else live.set(key, object)
      }
      const authorize = nodeAuthorizer(held)
      for (const node of nodeNames) {
        const named = new Set([...live.values()].filter((object) => isOn(object, node)).flatMap(idsNamedBy))
        const readable = everything.filter(({ get }) => authorize(nodeUser(node), get).verdict === 'allow')
        t.deepEqual(
          readable.map(({ id }) => id),
          everything.filter(({ id }) => named.has(id)).map(({ id }) => id),
        )
      }
    }),
    { numRuns: 60 },
  )
})

function isOn(object: ApiObject, node: string): boolean {
  const { nodeName } = (object as unknown as Container).spec
  return nodeName === node || object.metadata.finalizers?.includes(nodeFinalizer(node)) === true
}

function idsNamedBy(object: ApiObject): string[] {
  return referencesOf(object as unknown as Container).map(({ kind, namespace, name }) =>
    objectID(kind, namespace, name),
  )
}
