import { deepEqual, equal } from 'node:assert/strict'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import {
  type Clock,
  ManualClock,
  seededRandom,
  silentLogger,
  systemClock,
} from '#pkg/apimachinery/ambient.ts'
import { isReason, notFound } from '#pkg/apimachinery/errors.ts'
import { type ApiRequest, type Handler, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { type Dial, dialTunnel, serveThroughTunnel } from '#pkg/client/tunnel.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask, open } from '#test/helpers/https.ts'
import { makeNode, nodeIndexOf } from '#test/helpers/nodes.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import { makeGuard } from '../access/authorize.ts'
import { nodeAuthorizer } from '../access/nodeauthorizer.ts'
import { ensurePki, issueNodeIdentity } from '../access/pki.ts'
import { listen } from '../door/listen.ts'
import { containerLogs, NodeConnections, nodeFinder } from './proxy.ts'
import { acceptTunnels } from './tunnel.ts'

const node = 'edge-1'

interface World {
  readonly connections: NodeConnections
  readonly dial: Dial
  /** Every socket an agent has dialled, oldest first. */
  readonly sockets: Duplex[]
  readonly admin: Parameters<typeof ask>[0]
  readonly serverAt: (name: string) => Dial
}

/** A server that accepts tunnels on loopback and proxies logs through them; `clock` is the server's. */
async function makeWorld(t: ExecutionContext, clock: Clock = systemClock()): Promise<World> {
  const [now, random] = [Date.now(), seededRandom(Date.now() % 1e6)]
  const pki = await ensurePki(join(await makeTempDir(t, 'tunnel'), 'pki'), { hosts: [], now, random })
  const connections = new NodeConnections()
  const logs = containerLogs(
    nodeFinder({
      connections,
      lookup: (_namespace, name) => (name === 'web' ? { nodeName: node, containerID: 'c1' } : undefined),
    }),
  )
  const handler: Handler = async (request, user) => (await logs(request, user)) ?? notServed
  const base = { host: '127.0.0.1', port: 0, pki, log: silentLogger, clock }
  const onUpgrade = acceptTunnels({
    connections,
    clock,
    log: silentLogger,
    guard: makeGuard(nodeAuthorizer(nodeIndexOf(makeNode(node)))),
  })
  const listener = await listen({ ...base, authenticate: userOf, handler, onUpgrade })
  t.teardown(() => listener.close())
  const identity = await issueNodeIdentity(pki.ca, node, { now, random })
  const sockets: Duplex[] = []
  const serverAt = (nodeName: string): Dial => {
    const server = `https://127.0.0.1:${listener.port}`
    const dial = dialTunnel({
      server,
      nodeName,
      ca: pki.ca.cert,
      identity: () => identity,
      clock: systemClock(),
    })
    return async (signal) => {
      const socket = await dial(signal)
      sockets.push(socket)
      return socket
    }
  }
  const admin = { port: listener.port, ca: pki.ca.cert, identity: pki.admin }
  return { connections, dial: serverAt(node), sockets, admin, serverAt }
}

const notServed = { status: 404, headers: {}, body: 'not served' }

/** Runs an agent until the test ends. */
function startAgent(t: ExecutionContext, dial: Dial, handler: Handler, clock: Clock = systemClock()): void {
  const aborter = new AbortController()
  const random = seededRandom(1)
  const done = serveThroughTunnel({ dial, handler, clock, random, log: silentLogger, signal: aborter.signal })
  t.teardown(async () => {
    aborter.abort()
    await done
  })
}

function connected(connections: NodeConnections): Promise<Transport> {
  return eventually(() => {
    const transport = connections.get(node)
    if (transport === undefined) throw new Error('the node is not connected')
    return transport
  })
}

function makeRequest(path: string, more: Partial<ApiRequest> = {}): ApiRequest {
  const signal = new AbortController().signal
  return { method: 'GET', path, query: new URLSearchParams(), headers: {}, signal, ...more }
}

const echo: Handler = async (request, user) => ({
  status: 201,
  headers: { 'content-type': 'application/json', connection: 'close' },
  body: JSON.stringify({ ...request, query: String(request.query), body: String(request.body ?? ''), user }),
})

test('the server asks the agent over the connection that the agent opened', async (t) => {
  const { connections, dial } = await makeWorld(t)
  startAgent(t, dial, echo)
  const transport = await connected(connections)
  const query = new URLSearchParams({ a: '1 2' })
  const headers = { 'content-type': 'text/x', host: 'h', connection: 'keep-alive' }
  const response = await transport(makeRequest('/x%2Fy', { method: 'POST', query, headers, body: 'hello' }))
  t.is(response.status, 201)
  const seen = JSON.parse(await readAll(response.body))
  t.like(seen, { method: 'POST', path: '/x%2Fy', query: 'a=1+2', body: 'hello' })
  t.is(seen.headers['content-type'], 'text/x')
})

test('a followed log streams line by line from kubectl to the agent, and ends there when it is given up', async (t) => {
  const { connections, dial, admin } = await makeWorld(t)
  const ended: string[] = []
  let asked = ''
  startAgent(t, dial, async ({ path, query, signal }) => {
    asked = `${path}?${query}`
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: follow(signal, ended) }
  })
  await connected(connections)
  const path = '/apis/cove.run/v1/namespaces/default/containers/web/log?follow=true&tailLines=5&pretty=x'
  const message = await open(admin, path)
  t.is(message.statusCode, 200)
  t.is(message.headers['content-type'], 'text/plain')
  t.is(String((await message[Symbol.asyncIterator]().next()).value), 'line 1\n')
  t.is(asked, '/containers/default/web/log?follow=true&tailLines=5')
  message.destroy()
  await eventually(() => deepEqual(ended, ['ended']))
  t.pass()
})

async function* follow(signal: AbortSignal, ended: string[]): AsyncGenerator<string> {
  yield 'line 1\n'
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  ended.push('ended')
}

test('a broken connection fails what is under way, and the agent comes back', async (t) => {
  const { connections, dial, sockets, admin } = await makeWorld(t)
  startAgent(t, dial, async ({ signal }) => ({ status: 200, headers: {}, body: follow(signal, []) }))
  const transport = await connected(connections)
  const response = await transport(makeRequest('/containers/default/web/log'))
  const reading = readAll(response.body)
  sockets[0]?.destroy()
  const error = await t.throwsAsync(reading)
  t.true(isReason(error, 'ServiceUnavailable'))
  t.regex(error?.message ?? '', /node "edge-1" cannot be reached/)
  await eventually(() => equal(sockets.length, 2))
  const again = await connected(connections)
  t.not(again, transport)
  t.is((await again(makeRequest('/'))).status, 200)
  t.is((await ask(admin, '/apis/cove.run/v1/namespaces/default/containers/none/log')).status, 404)
})

test('an answer that breaks off within its agent is not taken for the whole', async (t) => {
  const { connections, dial } = await makeWorld(t)
  startAgent(t, dial, async () => ({ status: 200, headers: {}, body: breaksOff() }))
  const transport = await connected(connections)
  for (let turn = 0; turn < 20; turn++) {
    const response = await transport(makeRequest('/'))
    const error = await t.throwsAsync(readAll(response.body))
    t.true(isReason(error, 'ServiceUnavailable'))
  }
})

async function* breaksOff(): AsyncGenerator<string> {
  yield 'part'
  throw new Error('the disk is gone')
}

test('a node that is away is named in a 503', async (t) => {
  const { admin } = await makeWorld(t)
  const answer = await ask(admin, '/apis/cove.run/v1/namespaces/default/containers/web/log')
  t.is(answer.status, 503)
  const status = JSON.parse(String(answer.body))
  t.is(status.reason, 'ServiceUnavailable')
  t.regex(status.message, /node "edge-1" cannot be reached: its agent is not connected/)
})

test('a node may only open its own tunnel, and is told why', async (t) => {
  const { serverAt, connections } = await makeWorld(t)
  const error = await t.throwsAsync(serverAt('other')(new AbortController().signal))
  t.true(isReason(error, 'Forbidden'))
  t.regex(error?.message ?? '', /User "system:node:edge-1" cannot get resource "nodes\/tunnel"/)
  t.deepEqual(connections.names(), [])
})

test('an agent whose pings stay unanswered is given up, so that the node counts as away', async (t) => {
  const clock = new ManualClock()
  const { connections, dial } = await makeWorld(t, clock)
  const socket = await dial(new AbortController().signal)
  t.teardown(() => socket.destroy())
  await connected(connections)
  await clock.advance(16_000)
  t.deepEqual(connections.names(), [node])
  await clock.advance(11_000)
  await eventually(() => deepEqual(connections.names(), []))
})

test('the agent waits longer after each failure, never more than 30 s, and stops when told', async (t) => {
  const clock = new ManualClock()
  const aborter = new AbortController()
  const delays: number[] = []
  let last = clock.now()
  const dial: Dial = async () => {
    delays.push(clock.now() - last)
    last = clock.now()
    throw new Error('refused')
  }
  const { signal } = aborter
  const ambient = { clock, random: seededRandom(7), log: silentLogger }
  const done = serveThroughTunnel({ dial, handler: echo, signal, ...ambient })
  await clock.advance(300_000)
  aborter.abort()
  await done
  const [, second = 0, third = 0] = delays
  t.true(second >= 250 && second <= 500)
  t.true(third >= 500 && third <= 1000)
  t.true(delays.slice(9).every((delay) => delay >= 15_000 && delay <= 30_000))
})

test('what the agent throws arrives as its Status', async (t) => {
  const { connections, dial } = await makeWorld(t)
  startAgent(t, dial, async () => {
    throw notFound({ group: 'cove.run', plural: 'containers' }, 'web')
  })
  const response = await (await connected(connections))(makeRequest('/'))
  t.is(response.status, 404)
  t.is(JSON.parse(await readAll(response.body)).reason, 'NotFound')
})

test('an aborted request ends without an answer', async (t) => {
  const { connections, dial } = await makeWorld(t)
  const began = Promise.withResolvers<void>()
  const gone = Promise.withResolvers<void>()
  startAgent(t, dial, ({ signal }) => {
    signal.addEventListener('abort', () => gone.resolve(), { once: true })
    began.resolve()
    return new Promise(() => {})
  })
  const aborter = new AbortController()
  const asking = (await connected(connections))(makeRequest('/', { signal: aborter.signal }))
  await began.promise
  aborter.abort()
  await t.throwsAsync(asking, { name: 'AbortError' })
  await gone.promise
  t.pass()
})

test('readers who stall do not hold up others on the same tunnel', async (t) => {
  const { connections, dial } = await makeWorld(t)
  async function* flood(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    while (!signal.aborted) yield Buffer.alloc(64 * 1024)
  }
  startAgent(t, dial, async ({ path, signal }) => ({
    status: 200,
    headers: {},
    body: path === '/flood' ? flood(signal) : 'quick',
  }))
  const transport = await connected(connections)
  const aborter = new AbortController()
  const stalled = await Promise.all(
    Array.from({ length: 20 }, () => transport(makeRequest('/flood', { signal: aborter.signal }))),
  )
  t.is(stalled.length, 20)
  for (let round = 0; round < 20; round++) {
    t.is(await readAll((await transport(makeRequest('/quick'))).body), 'quick')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  aborter.abort()
})
