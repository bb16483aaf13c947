import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type ApiRequest, readAll } from '#pkg/apimachinery/transport.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { buildLogs } from './buildlogs.ts'
import { NodeConnections, reachNode } from './proxy.ts'

const base = '/apis/cove.run/v1/namespaces/shop/builds'
const nodes: Readonly<Record<string, { nodeName?: string }>> = {
  'shop/web': { nodeName: 'n1' },
  'shop/far': { nodeName: 'n2' },
  'shop/new': {},
}

function make() {
  const seen: ApiRequest[] = []
  const connections = new NodeConnections()
  connections.register('n1', async (request) => {
    seen.push(request)
    const lines = async function* () {
      yield 'Step 1/2 : FROM scratch\n'
      yield 'Step 2/2 : RUN make\n'
    }
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: lines() }
  })
  const ask = buildLogs({
    lookup: (namespace, name) => nodes[`${namespace}/${name}`],
    reachNode: (name) => reachNode(connections, name),
  })
  return { ask, seen }
}

test('the log of a Build is what its node sends, asked with what the node knows', async (t) => {
  const { ask, seen } = make()
  const query = 'follow=true&attempt=3&tailLines=10&timestamps=true&pretty=true'
  const answer = await ask(makeRequest(`${base}/web/log?${query}`), adminUser)
  t.is(await readAll(answer?.body ?? ''), 'Step 1/2 : FROM scratch\nStep 2/2 : RUN make\n')
  t.is(seen[0]?.path, '/builds/shop/web/log')
  t.is(String(seen[0]?.query), 'attempt=3&tailLines=10&follow=true&timestamps=true')
})

test('who asks for what is not there, or wrongly, is told so', async (t) => {
  const { ask } = make()
  const fails = (target: string, method = 'GET') =>
    t.throwsAsync(async () => ask(makeRequest(`${base}/${target}`, { method }), adminUser))
  t.true(isReason(await fails('gone/log'), 'NotFound'))
  const unplaced = await fails('new/log')
  t.true(isReason(unplaced, 'BadRequest'))
  t.is(unplaced?.message, 'build "new" has not been placed on a node yet')
  t.true(isReason(await fails('far/log'), 'ServiceUnavailable'))
  t.true(isReason(await fails('web/log', 'POST'), 'MethodNotAllowed'))
  t.is((await fails('web/log?attempt=last'))?.message, 'attempt: "last" is not a whole number')
  t.is(await ask(makeRequest(`${base}/web`), adminUser), undefined)
})
