/** Looks at nodes through the server, with nodes that are played. */
import test, { type ExecutionContext } from 'ava'
import { readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import type { Usage } from '#pkg/apis/looks.ts'
import { ask, call, startTestServer } from '#test/helpers/apiserver.ts'
import type { ApiServer } from '../server.ts'
import { containerLooks, nodeContainers } from './containerlooks.ts'
import { metrics } from './metrics.ts'
import { coreNodes } from './nodeview.ts'
import { NodeConnections, nodeFinder, reachNode } from './proxy.ts'

const usage: Usage = {
  time: '2026-01-01T00:00:01.234Z',
  windowMs: 512,
  cpu: 0.25,
  memoryBytes: 3_000_000,
  memoryLimitBytes: 64_000_000,
  networkReceivedBytes: 1,
  networkSentBytes: 2,
  blockReadBytes: 3,
  blockWrittenBytes: 4,
  pids: 5,
}

function json(value: unknown, status = 200) {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

/** Answers as a node does whose Containers are these, of namespace default. */
function node(...names: readonly string[]): Transport & { readonly asked: string[] } {
  const asked: string[] = []
  const transport: Transport = async ({ method, path, query }) => {
    asked.push(`${method} ${path}${query.size > 0 ? `?${query}` : ''}`)
    if (path === '/containers') return json({ items: [] })
    if (path !== '/stats') return json(path.endsWith('/stats') ? usage : { answered: path })
    const items = names.map((name) => ({ namespace: 'default', name, usage }))
    return json({ node: usage, items: query.get('namespace') === '' ? [] : items })
  }
  return Object.assign(transport, { asked })
}

/** Containers aa and bb on node n1, cc on n2, dd nowhere; and the nodes that are connected. */
async function start(t: ExecutionContext, nodes: Readonly<Record<string, Transport>>) {
  const connections = new NodeConnections()
  for (const [name, transport] of Object.entries(nodes)) connections.register(name, transport)
  const placed: Readonly<Record<string, string>> = { aa: 'n1', bb: 'n1', cc: 'n2' }
  const findNode = nodeFinder({
    connections,
    lookup: (_namespace, name) => {
      const nodeName = placed[name]
      return nodeName === undefined ? undefined : { nodeName, containerID: name }
    },
  })
  const reach = (name: string) => reachNode(connections, name)
  const cache = () => api.cache
  const hasNode = (name: string) => /^n[12]$/.test(name)
  const { transport, clock, close, server } = await startTestServer({
    surfaces: [
      (request, user) => metrics({ cache, clock, findNode, reachNode: reach })(request, user),
      (request, user) => coreNodes(cache)(request, user),
      (request, user) => containerLooks({ findNode, clock })(request, user),
      (request, user) => nodeContainers({ hasNode, reachNode: reach, clock })(request, user),
    ],
  })
  const api: ApiServer = server
  t.teardown(close)
  const create = async (path: string, body: object) => {
    const made = await ask(transport, `POST ${path}`, { body })
    t.is(made.status, 201, made.body.message)
  }
  const apiVersion = 'cove.run/v1'
  for (const name of ['aa', 'bb', 'cc', 'dd']) {
    const nodeName = placed[name]
    const spec = { image: 'app:1', ...(nodeName !== undefined && { nodeName }) }
    const metadata = { name, labels: { app: name } }
    await create('/apis/cove.run/v1/namespaces/default/containers', {
      apiVersion,
      kind: 'Container',
      metadata,
      spec,
    })
  }
  for (const name of ['n1', 'n2']) {
    await create('/apis/cove.run/v1/nodes', { apiVersion, kind: 'Node', metadata: { name }, spec: {} })
    const body = { status: { capacity: { cpu: 4, memory: 8_000_000 } } }
    await ask(transport, `PATCH /apis/cove.run/v1/nodes/${name}/status`, { body })
  }
  return { transport, clock, get: (path: string) => ask(transport, `GET ${path}`) }
}

const base = '/apis/metrics.k8s.io/v1beta1'
const namesIn = ({ items }: { items: { metadata: { name: string } }[] }) =>
  items.map(({ metadata }) => metadata.name)

test('Pods have the metrics of their Containers, in the form that kubectl reads', async (t) => {
  const [n1, n2] = [node('aa', 'bb', 'stranger'), node('cc')]
  const { get } = await start(t, { n1, n2 })
  const { status, body } = await get(`${base}/namespaces/default/pods`)
  t.is(status, 200)
  t.like(body, { kind: 'PodMetricsList', apiVersion: 'metrics.k8s.io/v1beta1' })
  t.deepEqual(namesIn(body), ['aa', 'bb', 'cc'])
  t.deepEqual(body.items[0], {
    metadata: {
      name: 'aa',
      namespace: 'default',
      creationTimestamp: '2026-01-01T00:00:01Z',
      labels: { app: 'aa' },
    },
    timestamp: '2026-01-01T00:00:01Z',
    window: '512ms',
    containers: [
      {
        name: 'aa',
        usage: {
          cpu: '250000000n',
          memory: '3000000',
          'cove.run/memory-limit': '64000000',
          'cove.run/network-received': '1',
          'cove.run/network-sent': '2',
          'cove.run/block-read': '3',
          'cove.run/block-written': '4',
          'cove.run/pids': '5',
        },
      },
    ],
  })
  t.deepEqual(n1.asked, ['GET /stats?namespace=default'])
})

test('labels and names select, and only nodes that hold something of it are asked', async (t) => {
  const [n1, n2] = [node('aa', 'bb'), node('cc')]
  const { get } = await start(t, { n1, n2 })
  t.deepEqual(namesIn((await get(`${base}/pods?labelSelector=app=cc`)).body), ['cc'])
  t.deepEqual(n1.asked, [])
  t.deepEqual(n2.asked, ['GET /stats'])
  t.like((await get(`${base}/namespaces/default/pods/aa`)).body, {
    kind: 'PodMetrics',
    metadata: { name: 'aa' },
  })
  t.deepEqual(n1.asked, ['GET /containers/default/aa/stats'])
  const missing = await get(`${base}/namespaces/default/pods/none`)
  t.like(missing.body, { code: 404, message: 'podmetrics.metrics.k8s.io "none" not found' })
})

test('a node that is away is told in a warning, and the others are shown', async (t) => {
  const { get } = await start(t, { n1: node('aa', 'bb') })
  const { status, body, headers } = await get(`${base}/namespaces/default/pods`)
  t.is(status, 200)
  t.deepEqual(namesIn(body), ['aa', 'bb'])
  t.regex(headers['warning'] ?? '', /^299 - "node \\"n2\\" cannot be reached: its agent is not connected/)
  const alone = await get(`${base}/pods?labelSelector=app=cc`)
  t.like(alone.body, { code: 503, reason: 'ServiceUnavailable' })
})

test('a node that does not answer is waited for ten seconds', async (t) => {
  const { transport, clock } = await start(t, {
    n1: node('aa', 'bb'),
    n2: () => new Promise(() => undefined),
  })
  const asked = call(transport, `GET ${base}/pods`)
  await clock.advance(10_000)
  const { status, headers, body } = await asked
  t.is(status, 200)
  t.deepEqual(namesIn(JSON.parse(await readAll(body))), ['aa', 'bb'])
  t.is(headers['warning'], '299 - "node \\"n2\\" has not answered within 10 s"')
})

test('what a node answers in another form is an error and no crash', async (t) => {
  const answers = [
    json([]),
    json({ node: {}, items: 3 }),
    json('x', 500),
    { status: 200, headers: {}, body: '{' },
  ]
  for (const answer of answers) {
    const { get } = await start(t, { n1: async () => answer })
    t.like((await get(`${base}/nodes/n1`)).body, { code: 500 })
  }
})

test('nodes have metrics of the whole machine, and how much of it there is', async (t) => {
  const { get } = await start(t, { n1: node('aa'), n2: node() })
  const { body } = await get(`${base}/nodes`)
  t.is(body.kind, 'NodeMetricsList')
  t.like(body.items[1], { metadata: { name: 'n2' }, usage: { cpu: '250000000n', memory: '3000000' } })
  t.like((await get(`${base}/nodes/n1`)).body, { kind: 'NodeMetrics', metadata: { name: 'n1' } })
  t.is((await get(`${base}/nodes/none`)).status, 404)
  const nodes = await get('/api/v1/nodes')
  t.like(nodes.body, { kind: 'NodeList', apiVersion: 'v1' })
  t.like(nodes.body.items[0], {
    metadata: { name: 'n1' },
    status: { allocatable: { cpu: '4', memory: '8000000' } },
  })
  t.like((await get('/api/v1/nodes/n2')).body, { kind: 'Node', metadata: { name: 'n2' } })
  t.is((await get('/api/v1/nodes/none')).status, 404)
})

test('metrics are read, and neither watched nor written', async (t) => {
  const { transport, get } = await start(t, {})
  t.is((await get(`${base}/pods?watch=true`)).status, 405)
  t.is((await ask(transport, `DELETE ${base}/nodes/n1`)).status, 405)
  t.is((await get(`${base}/namespaces/default/nodes`)).status, 404)
})

test('a look at a Container is the node that holds it, asked with what it knows', async (t) => {
  const n1 = node('aa')
  const { transport, get } = await start(t, { n1 })
  const of = (name: string) => `/apis/cove.run/v1/namespaces/default/containers/${name}`
  t.like((await get(`${of('aa')}/top?ps=aux&other=1`)).body, { answered: '/containers/default/aa/top' })
  await ask(transport, `POST ${of('aa')}/kill?signal=TERM`)
  await ask(transport, `POST ${of('aa')}/commit?change=A&change=B&reference=x`)
  for (const look of ['changes', 'ports', 'inspect', 'export'])
    t.is((await get(`${of('aa')}/${look}`)).status, 200)
  t.deepEqual(n1.asked, [
    'GET /containers/default/aa/top?ps=aux',
    'POST /containers/default/aa/kill?signal=TERM',
    'POST /containers/default/aa/commit?reference=x&change=A&change=B',
    'GET /containers/default/aa/changes',
    'GET /containers/default/aa/ports',
    'GET /containers/default/aa/inspect',
    'GET /containers/default/aa/export',
  ])
  t.is((await get(`${of('aa')}/kill`)).status, 405)
  t.is((await ask(transport, `POST ${of('aa')}/top`)).status, 405)
  t.is((await get(`${of('none')}/top`)).status, 404)
  t.is((await get(`${of('cc')}/top`)).status, 503)
})

test('all containers of a node are asked of the node itself', async (t) => {
  const { get } = await start(t, { n1: node('aa') })
  t.deepEqual((await get('/apis/cove.run/v1/nodes/n1/containers')).body, { items: [] })
  t.is((await get('/apis/cove.run/v1/nodes/n2/containers')).status, 503)
  t.is((await get('/apis/cove.run/v1/nodes/n9/containers')).status, 404)
})

test('a node tells of what is placed there, and of nothing else', async (t) => {
  const { get } = await start(t, { n1: node('aa', 'bb'), n2: node('aa', 'cc') })
  const lies: Transport = async () =>
    json({ node: usage, items: [{ namespace: 'default', name: 'aa', usage: { ...usage, cpu: 9 } }] })
  t.deepEqual(namesIn((await get(`${base}/pods`)).body), ['aa', 'bb', 'cc'])
  const { get: again } = await start(t, { n1: node('bb'), n2: lies })
  t.deepEqual(namesIn((await again(`${base}/pods`)).body), ['bb'])
})

test('a node that answers without end is not heard to the end', async (t) => {
  const piece = Buffer.alloc(1024 ** 2, ' ')
  const sent = { pieces: 0, ended: false }
  async function* flood() {
    try {
      for (;;) {
        sent.pieces++
        yield piece
      }
    } finally {
      sent.ended = true
    }
  }
  const headers = { 'content-type': 'application/json' }
  const { get } = await start(t, { n1: async () => ({ status: 200, headers, body: flood() }) })
  for (const path of [
    `${base}/nodes/n1`,
    `${base}/namespaces/default/pods/aa`,
    '/apis/cove.run/v1/namespaces/default/containers/aa/inspect',
  ]) {
    Object.assign(sent, { pieces: 0, ended: false })
    const { status, body } = await get(path)
    t.is(status, 500)
    t.regex(body.message, /node "n1" answered more than \d+ bytes/)
    t.true(sent.ended && sent.pieces < 64)
  }
})

test('what clients could not read of one node does not cost them the others', async (t) => {
  for (const wrong of [{ time: 'soon' }, { cpu: 1e300 }, { cpu: -1 }, { memoryBytes: 1e300 }]) {
    const lies: Transport = async () => {
      const items = [{ namespace: 'default', name: 'cc', usage: { ...usage, ...wrong } }]
      return json({ node: usage, items })
    }
    const { get } = await start(t, { n1: node('aa'), n2: lies })
    t.deepEqual(namesIn((await get(`${base}/pods`)).body), ['aa'], JSON.stringify(wrong))
  }
})
