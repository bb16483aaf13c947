import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type ApiRequest, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { nodeQuestions, takesArchive } from './nodequestions.ts'
import { NodeConnections, reachNode } from './proxy.ts'

const base = '/apis/cove.run/v1/nodes/n1'

function make(transport: Transport, clock = new ManualClock(0)) {
  const connections = new NodeConnections()
  connections.register('n1', transport)
  return nodeQuestions({
    hasNode: (name) => name === 'n1' || name === 'away',
    reachNode: (name) => reachNode(connections, name),
    clock,
  })
}

/** What the node is asked. */
async function asked(target: string, more: Partial<ApiRequest> = {}): Promise<ApiRequest | undefined> {
  const seen: ApiRequest[] = []
  const ask = make(async (request) => {
    seen.push(request)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' }
  })
  await ask(makeRequest(`${base}/${target}`, more), adminUser)
  return seen[0]
}

test('a question goes on to the node with what the node knows of it', async (t) => {
  const save = await asked('images/save?image=a&image=b&pretty=true')
  t.is(save?.method, 'GET')
  t.is(save?.path, '/images/save')
  t.is(String(save?.query), 'image=a&image=b')
  t.is((await asked('images?image=a&force=true', { method: 'DELETE' }))?.method, 'DELETE')
  t.is((await asked('images', { method: 'HEAD' }))?.method, 'GET')
})

test('credentials for a registry go along, and nothing else of what the asker says of itself', async (t) => {
  const headers = { 'x-registry-auth': 'e30', authorization: 'x', cookie: 'y', 'impersonate-user': 'z' }
  const pulling = await asked('images/pull?reference=a', { method: 'POST', headers })
  t.deepEqual(pulling?.headers, { accept: '*/*', 'x-registry-auth': 'e30' })
  const looking = await asked('registry/login?server=docker.io', { headers })
  t.deepEqual(looking?.headers, { accept: '*/*', 'x-registry-auth': 'e30' })
})

test('an archive goes on as it comes, a policy as a whole, and no body where none belongs', async (t) => {
  const input = async function* () {
    yield Buffer.from('tar')
  }
  const loading = await asked('images/load', { method: 'POST', input: input() })
  const chunks: Uint8Array[] = []
  for await (const chunk of loading?.input ?? []) chunks.push(chunk)
  t.is(Buffer.concat(chunks).toString(), 'tar')
  t.is((await asked('prune?dryRun=true', { method: 'POST', body: '{}' }))?.body, '{}')
  t.is((await asked('images/tag?image=a&reference=b', { method: 'POST', body: '{}' }))?.body, undefined)
  t.true(takesArchive('POST', `${base}/images/load`))
  t.true(takesArchive('POST', `${base}/images/import`))
  for (const [method, path] of [
    ['PUT', '/images/load'],
    ['POST', '/prune'],
    ['POST', '/images/load/x'],
    ['GET', '/images'],
  ])
    t.false(takesArchive(method ?? '', `${base}${path}`), path)
})

test('a look has its time, and what is under way at the node ends with it', async (t) => {
  const clock = new ManualClock(0)
  let signal: AbortSignal | undefined
  const ask = make((request) => {
    signal = request.signal
    return new Promise(() => undefined)
  }, clock)
  const answer = Promise.resolve(ask(makeRequest(`${base}/images/details?image=a`), adminUser))
  const failed = t.throwsAsync(answer)
  await clock.advance(10_000)
  t.true(isReason(await failed, 'Timeout'))
  t.true(signal?.aborted)
})

test('what takes long comes as it comes, and breaks off with whoever asked', async (t) => {
  const aborter = new AbortController()
  let seen: AbortSignal | undefined
  const ask = make(async ({ signal }) => {
    seen = signal
    const lines = async function* () {
      yield '{"progress":1}\n'
      yield '{"done":{}}\n'
    }
    return { status: 200, headers: { 'content-type': 'application/json-lines' }, body: lines() }
  })
  const request = makeRequest(`${base}/images/push?reference=a`, { method: 'POST', signal: aborter.signal })
  const answer = await ask(request, adminUser)
  t.is(await readAll(answer?.body ?? ''), '{"progress":1}\n{"done":{}}\n')
  aborter.abort()
  t.true(seen?.aborted)
})

test('nodes that are not there or not connected, and methods that nothing answers to, are told so', async (t) => {
  const ask = make(async () => ({ status: 200, headers: {}, body: '' }))
  const fails = (target: string, method = 'GET') =>
    t.throwsAsync(async () => ask(makeRequest(`/apis/cove.run/v1/nodes/${target}`, { method }), adminUser))
  t.true(isReason(await fails('gone/images'), 'NotFound'))
  t.true(isReason(await fails('away/disk'), 'ServiceUnavailable'))
  t.true(isReason(await fails('n1/images', 'PUT'), 'MethodNotAllowed'))
  t.true(isReason(await fails('n1/prune'), 'MethodNotAllowed'))
  for (const target of ['n1/images/nothing', 'n1/registry', 'n1/images/tag/x', 'n1/imagesx', 'n1'])
    t.is(await ask(makeRequest(`/apis/cove.run/v1/nodes/${target}`), adminUser), undefined, target)
})
