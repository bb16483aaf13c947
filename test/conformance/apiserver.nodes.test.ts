/** What nodes may read and write, asked of a whole server as the nodes themselves. */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { inProcess, readAll, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { nodeFinalizer, nodeLabel } from '#pkg/apis/wellknown.ts'
import { nodeUser, ownNodeUser } from '#pkg/apiserver/access/authenticate.ts'
import { authorizing } from '#pkg/apiserver/access/authorize.ts'
import { makeAccess } from '#pkg/apiserver/accesscontrol.ts'
import { admin, ask, startTestServer } from '#test/helpers/apiserver.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeRequest } from '#test/helpers/request.ts'

const cove = '/apis/cove.run/v1'
const here = `${cove}/namespaces/default`
const core = '/api/v1/namespaces/default'
const [n1, n2] = [nodeFinalizer('n1'), nodeFinalizer('n2')]

type Ask = (line: string, body?: unknown) => Promise<{ status: number; body: Body }>
interface Body {
  readonly message: string
  readonly items: readonly { readonly metadata: { readonly name: string } }[]
  readonly metadata: { readonly finalizers?: readonly string[] }
}

async function start(t: ExecutionContext) {
  const access = makeAccess()
  const started = await startTestServer({ ...access.server, surfaces: [access.reviews] })
  t.teardown(started.close)
  const handler = authorizing(started.server.handler, access.guard)
  const as =
    (user: UserInfo): Ask =>
    (line, body) =>
      ask(inProcess(handler, user), line, body === undefined ? {} : { body })
  const root = as(admin)
  const make = async (line: string, body: object) => {
    const answer = await root(line, body)
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body))
  }
  for (const name of ['n1', 'n2'])
    await make(`POST ${cove}/nodes`, { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name } })
  return { root, make, one: as(nodeUser('n1')), two: as(nodeUser('n2')), as, ...started, handler }
}

const secret = (name: string) => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name } })
const container = (name: string, nodeName: string, secretName: string, more: object = {}) => ({
  apiVersion: 'cove.run/v1',
  kind: 'Container',
  metadata: { name, finalizers: [nodeFinalizer(nodeName)], ...more },
  spec: { image: 'app:1', nodeName, mounts: [{ mountPath: '/s', secret: secretName }] },
})

test('a node reads the Secrets that its Containers name, from the moment it hears of them until they are gone', async (t) => {
  const { make, root, one, two } = await start(t)
  for (const name of ['aa', 'bb']) await make(`POST ${core}/secrets`, secret(name))
  t.is((await one(`GET ${core}/secrets/aa`)).status, 403)
  await make(`POST ${here}/containers`, container('web', 'n1', 'aa'))
  t.is((await one(`GET ${core}/secrets/aa`)).status, 200)
  const listed = await one(`GET ${core}/secrets?fieldSelector=metadata.name%3Daa`)
  t.deepEqual(
    listed.body.items.map(({ metadata }) => metadata.name),
    ['aa'],
  )
  const refused = await two(`GET ${core}/secrets/aa`)
  t.is(refused.status, 403)
  t.is(
    refused.body.message,
    `secrets "aa" is forbidden: User "system:node:n2" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'n2' and this object`,
  )
  t.is((await one(`GET ${core}/secrets/bb`)).status, 403)
  t.is((await one('GET /api/v1/secrets')).status, 403)
  await root(`DELETE ${here}/containers/web`)
  t.is((await one(`GET ${core}/secrets/aa`)).status, 200, 'it has not cleaned up yet')
  const released = await one(`PATCH ${here}/containers/web`, { metadata: { finalizers: [] } })
  t.is(released.status, 200)
  t.is((await one(`GET ${core}/secrets/aa`)).status, 403)
})

test('a node sees and changes its own Containers only, and of them what a node may', async (t) => {
  const { make, one, two } = await start(t)
  const others = { finalizers: [n1, 'example.com/other'], labels: { app: 'web' } }
  await make(`POST ${here}/containers`, container('web', 'n1', 's', others))
  const web = `${here}/containers/web`
  t.is((await two(`GET ${web}`)).status, 403)
  t.is((await two(`PATCH ${web}/status`, { status: { phase: 'Running' } })).status, 403)
  t.is((await one(`PATCH ${web}/status`, { status: { phase: 'Running' } })).status, 200)
  const forbidden: readonly (readonly [object, RegExp])[] = [
    [{ spec: { image: 'evil:1' } }, /node "n1" is not allowed to modify spec/],
    [{ spec: { mounts: [{ mountPath: '/s', secret: 'more' }] } }, /modify spec/],
    [{ metadata: { labels: { app: 'db' } } }, /modify metadata\.labels/],
    [{ metadata: { annotations: { a: 'b' } } }, /modify metadata\.annotations/],
    [{ metadata: { finalizers: [n1] } }, /modify finalizers other than node\.cove\.run\/n1/],
    [{ metadata: { finalizers: [n1, n2, 'example.com/other'] } }, /modify finalizers/],
    [
      { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'c', uid: 'u' }] } },
      /modify metadata\.ownerReferences/,
    ],
  ]
  for (const [patch, why] of forbidden) {
    const { status, body } = await one(`PATCH ${web}`, patch)
    t.is(status, 403)
    t.regex(body.message, why)
    t.is((await one(`PATCH ${web}?dryRun=All`, patch)).status, 403)
  }
  t.is((await one(`PATCH ${web}`, { metadata: { finalizers: ['example.com/other'] } })).status, 200)
})

test('a watch ends within seconds when its reason is gone, however long it was to be', async (t) => {
  const { make, root, handler, clock } = await start(t)
  await make(`POST ${core}/secrets`, secret('aa'))
  await make(`POST ${here}/containers`, container('web', 'n1', 'aa', { finalizers: [] }))
  const query = 'watch=true&resourceVersion=0&timeoutSeconds=1000000&fieldSelector=metadata.name%3Daa'
  const request = makeRequest(`${core}/secrets?${query}`)
  const text = readAll((await handler(request, nodeUser('n1'))).body)
  await clock.advance(60_000)
  await root(`DELETE ${here}/containers/web`)
  await clock.advance(15_000)
  const lines = (await text).split('\n').filter((line) => line !== '')
  t.deepEqual(
    lines.map((line) => JSON.parse(line).type),
    ['ADDED', 'ERROR'],
  )
  t.like(JSON.parse(lines.at(-1) ?? '').object, { code: 403, reason: 'Forbidden' })
})

test('a node lets go of what an older version stored without some of its fields', async (t) => {
  const { one, storage } = await start(t)
  const old = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'old', namespace: 'default', uid: 'u', finalizers: [n1, 'example.com/other'] },
    spec: { image: 'app:1', nodeName: 'n1' },
  }
  const { ok } = await storage.create('/registry/cove.run/containers/default/old', JSON.stringify(old))
  t.true(ok)
  const path = `${here}/containers/old`
  const status = async () => (await one(`PATCH ${path}/status`, { status: { phase: 'Running' } })).status
  await eventually(async () => assert.equal(await status(), 200), { what: 'the old Container' })
  t.is((await one(`PATCH ${path}`, { spec: { restartPolicy: 'Never' } })).status, 403)
  const released = await one(`PATCH ${path}`, { metadata: { finalizers: ['example.com/other'] } })
  t.is(released.status, 200, released.body.message)
})

test('a node cannot take off the finalizers of others by taking off the last of something that goes', async (t) => {
  const { make, root, one, two } = await start(t)
  const metadata = { name: 'net', finalizers: [n1, n2], labels: { [nodeLabel('n1')]: '' } }
  await make(`POST ${here}/networks`, { apiVersion: 'cove.run/v1', kind: 'Network', metadata })
  await root(`DELETE ${here}/networks/net`)
  const greedy = await one(`PATCH ${here}/networks/net`, { metadata: { finalizers: [] } })
  t.is(greedy.status, 403)
  const own = await one(`PATCH ${here}/networks/net`, { metadata: { finalizers: [n2] } })
  t.deepEqual(own.body.metadata.finalizers, [n2])
  t.is((await one(`GET ${here}/networks/net`)).status, 403)
  t.is((await two(`PATCH ${here}/networks/net`, { metadata: { finalizers: [] } })).status, 200)
  t.is((await root(`GET ${here}/networks/net`)).status, 404)
})

test('nodes that share a Network speak of their own part, and find it by their label', async (t) => {
  const { make, one, two } = await start(t)
  const metadata = { name: 'net', finalizers: [n1, n2], labels: { [nodeLabel('n1')]: '' } }
  await make(`POST ${here}/networks`, { apiVersion: 'cove.run/v1', kind: 'Network', metadata })
  const report = (node: string) => ({ status: { nodes: { [node]: { state: 'Ready' } } } })
  t.is((await one(`PATCH ${here}/networks/net/status`, report('n1'))).status, 200)
  t.is((await two(`PATCH ${here}/networks/net/status`, report('n2'))).status, 200)
  const meddling = await one(`PATCH ${here}/networks/net/status`, { status: { nodes: { n2: null } } })
  t.regex(meddling.body.message, /node "n1" is not allowed to modify the status of node "n2"/)
  const listed = await one(`GET ${cove}/networks?labelSelector=${encodeURIComponent(nodeLabel('n1'))}`)
  t.is(listed.body.items.length, 1)
  t.is((await two(`GET ${cove}/networks?labelSelector=${encodeURIComponent(nodeLabel('n1'))}`)).status, 403)
})

test('a node tells events in its own name about what is its own, or was until lately', async (t) => {
  const { make, root, one, two } = await start(t)
  await make(`POST ${here}/containers`, container('web', 'n1', 's'))
  let count = 0
  const event = (host: string, name: string, kind = 'Container') => ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e${count++}` },
    involvedObject: { apiVersion: 'cove.run/v1', kind, namespace: 'default', name },
    source: { component: 'cove-agent', host },
    type: 'Normal',
  })
  const events = `POST ${core}/events`
  t.is((await one(events, event('n1', 'web'))).status, 201)
  t.is((await one(`PATCH ${core}/events/e0`, { count: 2 })).status, 200)
  t.is((await two(`PATCH ${core}/events/e0`, { count: 9 })).status, 403)
  t.is((await one(`PATCH ${core}/events/e0`, { source: { host: 'n2' } })).status, 403)
  t.is((await one(`PATCH ${core}/events/expired`, { count: 2 })).status, 404)
  t.regex((await one(events, event('n2', 'web'))).body.message, /write events of the host "n2"/)
  t.regex((await two(events, event('n2', 'web'))).body.message, /write events about Container default\/web/)
  t.is((await one(events, event('n1', 'nothing'))).status, 403)
  const astray = await one('POST /api/v1/namespaces/kube-system/events', event('n1', 'web'))
  t.regex(astray.body.message, /write events about the namespace "default" in another one|does not match/)
  t.is((await one(events, { ...event('n1', 'n1', 'Node') })).status, 201)
  await root(`DELETE ${here}/containers/web`)
  await one(`PATCH ${here}/containers/web`, { metadata: { finalizers: [] } })
  t.is((await one(events, event('n1', 'web'))).status, 201)
  await make(`POST ${here}/containers`, container('web', 'n2', 's'))
  t.is((await one(events, event('n1', 'web'))).status, 403, 'the name is somebody else now')
})

test('a node changes the status of its Node and nothing else of it', async (t) => {
  const { one } = await start(t)
  t.is((await one(`PATCH ${cove}/nodes/n1/status`, { status: { kernel: '6.1' } })).status, 200)
  t.is((await one(`PATCH ${cove}/nodes/n1`, { spec: { unschedulable: false } })).status, 403)
  t.is((await one(`PATCH ${cove}/nodes/n2/status`, { status: { kernel: '6.1' } })).status, 403)
  const sneaky = { metadata: { labels: { zone: 'vault' } }, status: { kernel: '6.2' } }
  const { status, body } = await one(`PATCH ${cove}/nodes/n1/status`, sneaky)
  t.true(status === 403 || !('labels' in body.metadata))
})

test('an agent in the process of the server makes its own Node, without anything that draws Containers to it', async (t) => {
  const { as } = await start(t)
  const own = as(ownNodeUser('n3'))
  const node = (name: string, metadata: object = {}, spec: object = {}) =>
    own(`POST ${cove}/nodes`, {
      apiVersion: 'cove.run/v1',
      kind: 'Node',
      metadata: { name, ...metadata },
      spec,
    })
  t.is((await node('n4')).status, 403)
  t.regex((await node('n3', { labels: { zone: 'vault' } })).body.message, /set the labels: zone/)
  t.is((await node('n3', { finalizers: ['a.example/b'] })).status, 403)
  t.is((await node('n3', { labels: { 'kubernetes.io/hostname': 'n3' } })).status, 201)
})

test('a node whose Node was deleted is locked out, and cannot make it again', async (t) => {
  const { make, root, one } = await start(t)
  await make(`POST ${here}/containers`, container('web', 'n1', 's'))
  t.is((await one(`GET ${here}/containers/web`)).status, 200)
  await root(`DELETE ${cove}/nodes/n1`)
  const { status, body } = await one(`GET ${here}/containers/web`)
  t.is(status, 403)
  t.regex(body.message, /there is no Node object of node 'n1'/)
  const again = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: 'n1' } }
  t.is((await one(`POST ${cove}/nodes`, again)).status, 403)
})

test('a node reads no revisions, not even those of its Containers: they are of no use to it', async (t) => {
  const { make, one } = await start(t)
  await make(`POST ${here}/containers`, container('web', 'n1', 's'))
  const revisions = '/apis/apps/v1/namespaces/default/controllerrevisions'
  const metadata = { name: 'web-1' }
  await make(`POST ${revisions}`, {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata,
    revision: 1,
  })
  t.is((await one(`GET ${revisions}/web-1`)).status, 403)
  t.is((await one(`GET ${revisions}`)).status, 403)
})

test('a node asks no node about containers, neither itself nor others: that is for people', async (t) => {
  const { make, one } = await start(t)
  for (const [name, node] of [
    ['web', 'n1'],
    ['other', 'n2'],
  ] as const) {
    await make(`POST ${here}/containers`, container(name, node, 's'))
    for (const look of ['inspect', 'export', 'top', 'stats', 'changes', 'ports', 'log', 'archive'])
      t.is((await one(`GET ${here}/containers/${name}/${look}`)).status, 403, `${name}/${look}`)
    for (const act of ['exec', 'attach', 'kill', 'commit', 'portforward'])
      t.is((await one(`POST ${here}/containers/${name}/${act}`)).status, 403, `${name}/${act}`)
    for (const look of ['containers', 'adoptable'])
      t.is((await one(`GET ${cove}/nodes/${node}/${look}`)).status, 403, `${node}/${look}`)
  }
  t.is((await one('GET /apis/metrics.k8s.io/v1beta1/nodes')).status, 403)
})
