/** Commands about images where there are several nodes. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { makeCove } from '#test/helpers/cli.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const id = (digit: string) => `sha256:${digit.repeat(64)}`
const image = (digit: string, references: readonly string[]) => ({
  id: id(digit),
  references,
  digests: [],
  parent: '',
  labels: {},
  sizeBytes: 1_000_000,
  createdAt: '2026-01-01T00:00:00Z',
  children: false,
  containers: [],
})

const held: Readonly<Record<string, readonly object[]>> = {
  n1: [image('a', ['web:1']), image('b', ['both:1']), image('c', ['other:1'])],
  n2: [image('b', ['both:1']), image('d', ['other:1'])],
}

/** A server of these nodes; what it was asked to do is kept. */
async function serve(t: ExecutionContext, nodes: readonly string[], broken?: string) {
  const directory = await makeTempDir(t, 'nodes')
  const kubeconfig = join(directory, 'kubeconfig')
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'c',
    contexts: [context],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: {} }],
  }
  await writeFile(kubeconfig, JSON.stringify(config))
  const asked: string[] = []
  const answer = ({ method, path, query }: ApiRequest): unknown => {
    if (path.endsWith('/nodes'))
      return { metadata: { resourceVersion: '1' }, items: nodes.map((name) => ({ metadata: { name } })) }
    const [, node = '', sub = ''] = /nodes\/([^/]+)\/(.*)$/.exec(path) ?? []
    if (method !== 'GET') asked.push(`${node} ${method} ${sub} ${query.get('image')}`)
    if (method === 'DELETE') return { untagged: [query.get('image')], deleted: [] }
    if (sub === 'images/raw') return { Id: query.get('image'), Node: node }
    return { items: held[node] ?? [] }
  }
  const transport = async (request: ApiRequest): Promise<ApiResponse> => {
    const headers = { 'content-type': 'application/json' }
    const isBroken = broken !== undefined && request.path.includes(`/nodes/${broken}/`)
    const status = { kind: 'Status', code: 503, reason: 'ServiceUnavailable', message: 'node is away' }
    if (isBroken) return { status: 503, headers, body: JSON.stringify(status) }
    return { status: 200, headers, body: JSON.stringify(answer(request)) }
  }
  return { cove: makeCove({ kubeconfig, directory, transport }), asked }
}

test('a listing asks all nodes and says which is which; ids that are on both are told once', async (t) => {
  const { cove } = await serve(t, ['n2', 'n1'])
  const { stdout } = await cove('images')
  const rows = stdout
    .trimEnd()
    .split('\n')
    .map((row) => row.split(/ {2,}/))
  t.deepEqual(rows[0], ['REPOSITORY', 'TAG', 'IMAGE ID', 'CREATED', 'SIZE', 'NODE'])
  t.deepEqual(
    rows
      .slice(1)
      .map((row) => `${row[0]} ${row[5]}`)
      .toSorted(),
    ['both n1', 'both n2', 'other n1', 'other n2', 'web n1'],
  )
  t.is((await cove('images -q')).stdout.trimEnd().split('\n').length, 4)
  t.is((await cove('images --node n2 -o name')).stdout, 'both:1\nother:1\n')
  t.is((await cove("images --format '{{.Node}} {{.ID}}' web")).stdout, `n1 ${'a'.repeat(12)}\n`)
})

test('a node that cannot be asked is told of, and the others are listed', async (t) => {
  const { cove } = await serve(t, ['n1', 'n2'], 'n2')
  const { code, stdout, stderr } = await cove('images -q')
  t.deepEqual([code, stdout.trimEnd().split('\n').length], [1, 3])
  t.regex(stderr, /node is away/)
})

test('what changes something goes to the only node, or where it is said to go', async (t) => {
  const several = await serve(t, ['n1', 'n2'])
  const refused = await several.cove('rmi web:1')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /there are several nodes \(n1, n2\): name one with --node, or all with --all-nodes/)
  t.regex((await several.cove('push web:1')).stderr, /several nodes \(n1, n2\): name one with --node\n/)
  t.deepEqual(several.asked, [])
  await several.cove('rmi --node n2 both:1')
  await several.cove('rmi --all-nodes both:1')
  const line = (node: string) => `${node} DELETE images both:1`
  t.deepEqual(several.asked, [line('n2'), line('n1'), line('n2')])
  const only = await serve(t, ['n1'])
  t.is((await only.cove('rmi both:1')).stdout, 'Untagged: both:1\n')
  const none = await serve(t, [])
  t.regex((await none.cove('rmi both:1')).stderr, /there is no node/)
})

test('a look finds the node that has the image, unless the word means two', async (t) => {
  const { cove } = await serve(t, ['n1', 'n2'])
  t.is(JSON.parse((await cove('image inspect web:1')).stdout)[0].Node, 'n1')
  t.is((await cove("image inspect both:1 d --format '{{.Node}}'")).stdout, 'n1\nn2\n')
  const { code, stderr } = await cove('image inspect other:1')
  t.is(code, 1)
  t.regex(stderr, /other:1 is another image on node n2 than on node n1: name one with --node/)
  t.regex((await cove('image inspect none:1')).stderr, /No such image on any node: none:1/)
  t.is((await cove("image inspect --node n2 other:1 --format '{{.Id}}'")).stdout, `${id('d')}\n`)
})

test('what is wrong with the command line is told before anybody is asked', async (t) => {
  const { cove } = await serve(t, ['n1'])
  for (const words of [
    'images a b',
    'images -f nonsense',
    "images --format '{{.Nothing}}'",
    "images --format '{{.ID}}' -o json",
    'image history',
    'tag one',
    'tag one UPPER',
    'rmi',
    'pull',
    'pull -a web:1',
    'push web@sha256:0000000000000000000000000000000000000000000000000000000000000000',
    'save',
    'load file.tar',
    'import',
    'df extra',
  ])
    t.is((await cove(words)).code, 2, words)
})
