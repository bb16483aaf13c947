import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, Transport } from '#pkg/apimachinery/transport.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { containerLogs, NodeConnections, nodeFinder, type Placement } from './proxy.ts'

const base = '/apis/cove.run/v1/namespaces/default/containers'
const running: Placement = { nodeName: 'n1', containerID: 'c1' }

function makeLogs(transport?: Transport, target: Placement | undefined = running) {
  const connections = new NodeConnections()
  if (transport !== undefined) connections.register('n1', transport)
  return containerLogs(
    nodeFinder({ connections, lookup: (_namespace, name) => (name === 'gone' ? undefined : target) }),
  )
}

const answering: Transport = async () => ({ status: 200, headers: {}, body: 'log' })

test('only the options that the agent knows are forwarded', async (t) => {
  const seen: ApiRequest[] = []
  const logs = makeLogs(async (request) => {
    seen.push(request)
    return { status: 200, headers: {}, body: '' }
  })
  const headers = { authorization: 'x' }
  await logs(makeRequest(`${base}/web/log?follow=true&sinceSeconds=3&container=x`, { headers }), adminUser)
  t.is(seen[0]?.path, '/containers/default/web/log')
  t.is(String(seen[0]?.query), 'follow=true&sinceSeconds=3')
  t.deepEqual(seen[0]?.headers, { accept: 'text/plain' })
})

test("the form that the reader wants the output in is the agent's to choose", async (t) => {
  const seen: ApiRequest[] = []
  const logs = makeLogs(async (request) => {
    seen.push(request)
    return { status: 200, headers: {}, body: '' }
  })
  const headers = { accept: 'application/vnd.cove.run.frames' }
  await logs(makeRequest(`${base}/web/log`, { headers }), adminUser)
  t.deepEqual(seen[0]?.headers, headers)
})

test('a mistake in an option is told before any node is asked', async (t) => {
  const logs = makeLogs(answering)
  for (const query of [
    'tailLines=-1',
    'tailLines=x',
    'sinceTime=yesterday',
    'sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1',
  ]) {
    const error = await t.throwsAsync(async () => logs(makeRequest(`${base}/web/log?${query}`), adminUser))
    t.true(isReason(error, 'BadRequest'), query)
  }
})

test('a container that is missing, not placed or not created says so', async (t) => {
  const ask = (name: string, target?: Placement) =>
    t.throwsAsync(async () => makeLogs(answering, target)(makeRequest(`${base}/${name}/log`), adminUser))
  t.true(isReason(await ask('gone'), 'NotFound'))
  t.regex((await ask('web', {}))?.message ?? '', /not been placed/)
  t.regex((await ask('web', { nodeName: 'n1' }))?.message ?? '', /node "n1" has not created it yet/)
})

test('a node whose connection breaks is named in a 503', async (t) => {
  const logs = makeLogs(async () => {
    throw new Error('socket hang up')
  })
  const error = await t.throwsAsync(async () => logs(makeRequest(`${base}/web/log`), adminUser))
  t.true(isReason(error, 'ServiceUnavailable'))
  t.regex(error?.message ?? '', /node "n1"/)
})

test('a new connection of a node replaces the old one, and outlives its end', (t) => {
  const connections = new NodeConnections()
  const [first, second]: Transport[] = [async () => answering(makeRequest('/')), answering]
  const dropFirst = connections.register('n1', first ?? answering)
  const dropSecond = connections.register('n1', second ?? answering)
  dropFirst()
  t.is(connections.get('n1'), second)
  dropSecond()
  t.deepEqual(connections.names(), [])
})

test('other paths are left to others', async (t) => {
  t.is(await makeLogs()(makeRequest(`${base}/web`), adminUser), undefined)
})

test('a node answers what it was asked: it sends nobody elsewhere, and sets nothing', async (t) => {
  const answers = (status: number, headers: Readonly<Record<string, string>>) =>
    makeLogs(async () => ({ status, headers, body: 'log' }))(makeRequest(`${base}/web/log`), adminUser)
  for (const status of [302, 307, 304, 101, 100, 0, 700, Number.NaN]) {
    const error = await t.throwsAsync(async () => answers(status, { location: '/api/v1/secrets' }))
    t.true(isReason(error, 'InternalError'), String(status))
  }
  const headers = {
    'content-type': 'text/plain',
    'set-cookie': 'a=b',
    'www-authenticate': 'Basic',
    location: '/',
  }
  t.deepEqual((await answers(200, headers))?.headers, { 'content-type': 'text/plain' })
  t.is((await answers(404, headers))?.status, 404)
})
