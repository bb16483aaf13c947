/** Requests through a real tunnel that both sides write to at the same time. */
import { deepEqual } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, silentLogger, systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type ApiRequest, type Handler, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { dialTunnel, serveThroughTunnel } from '#pkg/client/tunnel.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeNode, nodeIndexOf } from '#test/helpers/nodes.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import { makeGuard } from '../access/authorize.ts'
import { nodeAuthorizer } from '../access/nodeauthorizer.ts'
import { ensurePki, issueNodeIdentity } from '../access/pki.ts'
import { listen } from '../door/listen.ts'
import { NodeConnections } from './proxy.ts'
import { acceptTunnels } from './tunnel.ts'

const nodeName = 'edge-1'
const piece = Buffer.alloc(64 * 1024, 'cove')
const mebibyte = 1024 ** 2

interface Tunnel {
  readonly transport: Transport
  /** The agent's end of the connection. */
  readonly socket: Duplex
}

/** A server and an agent that answers with `handler`, with a tunnel between them, until the test ends. */
async function open(t: ExecutionContext, handler: Handler): Promise<Tunnel> {
  const [now, random, clock, log] = [Date.now(), seededRandom(Date.now() % 1e6), systemClock(), silentLogger]
  const pki = await ensurePki(join(await makeTempDir(t, 'tunnel'), 'pki'), { hosts: [], now, random })
  const connections = new NodeConnections()
  const onUpgrade = acceptTunnels({
    connections,
    clock,
    log,
    guard: makeGuard(nodeAuthorizer(nodeIndexOf(makeNode(nodeName)))),
  })
  const notServed: Handler = async () => ({ status: 404, headers: {}, body: '' })
  const base = { host: '127.0.0.1', port: 0, pki, log, clock, authenticate: userOf }
  const listener = await listen({ ...base, handler: notServed, onUpgrade })
  const identity = await issueNodeIdentity(pki.ca, nodeName, { now, random })
  const server = `https://127.0.0.1:${listener.port}`
  const dial = dialTunnel({ server, nodeName, ca: pki.ca.cert, identity: () => identity, clock })
  const dialled = Promise.withResolvers<Duplex>()
  const stop = new AbortController()
  const serving = serveThroughTunnel({
    dial: async (signal) => {
      const socket = await dial(signal)
      dialled.resolve(socket)
      return socket
    },
    handler,
    clock,
    random,
    log,
    signal: stop.signal,
  })
  t.teardown(async () => {
    stop.abort()
    await serving
    await listener.close()
  })
  const transport = await eventually(() => {
    const found = connections.get(nodeName)
    if (found === undefined) throw new Error('the node is not connected')
    return found
  })
  return { transport, socket: await dialled.promise }
}

function post(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal = new AbortController().signal,
): ApiRequest {
  return { method: 'POST', path: '/stream', query: new URLSearchParams(), headers: {}, input, signal }
}

/** Sends back what it is sent. */
const echo: Handler = async ({ input }) => ({ status: 200, headers: {}, body: input ?? '' })

async function* repeat(bytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece
}

async function digest(source: AsyncIterable<string | Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of source) hash.update(chunk)
  return hash.digest('hex')
}

function streamOf(body: string | Uint8Array | AsyncIterable<string | Uint8Array>) {
  if (typeof body === 'string' || body instanceof Uint8Array) throw new Error('the answer is no stream')
  return body
}

test('100 MB go to the agent and come back while they are sent', async (t) => {
  const { transport } = await open(t, echo)
  const began = performance.now()
  const { status, body } = await transport(post(repeat(100 * mebibyte)))
  t.is(status, 200)
  t.is(await digest(streamOf(body)), await digest(repeat(100 * mebibyte)))
  t.log(`${Math.round((200 * 1000) / (performance.now() - began))} MB/s, both ways taken together`)
})

test('both sides speak in turns, and each ends on its own', async (t) => {
  const { transport } = await open(t, echo)
  const answered = new Map([0, 1, 2].map((turn) => [turn, Promise.withResolvers<void>()]))
  async function* input() {
    for (const [turn, { promise }] of answered) {
      yield Buffer.from(`turn ${turn}`)
      await promise
    }
  }
  const { body } = await transport(post(input()))
  const seen: string[] = []
  for await (const chunk of streamOf(body)) {
    answered.get(seen.length)?.resolve()
    seen.push(String(chunk))
  }
  t.deepEqual(seen, ['turn 0', 'turn 1', 'turn 2'])
})

test('an agent that does not read holds the asker back', async (t) => {
  const { transport } = await open(t, async ({ signal }) => ({
    status: 200,
    headers: {},
    body: silence(signal),
  }))
  const aborter = new AbortController()
  let sent = 0
  async function* counted() {
    for (;;) {
      sent += piece.length
      yield piece
    }
  }
  await transport(post(counted(), aborter.signal))
  let before = -1
  await eventually(() => {
    const still = sent === before
    before = sent
    if (!still) throw new Error('it still sends')
  })
  t.true(sent < 4 * mebibyte, `${sent} bytes are under way`)
  aborter.abort()
})

test('an asker who goes away breaks the input, and does not end it', async (t) => {
  const seen: string[] = []
  const { transport } = await open(t, async ({ input, signal }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      try {
        for await (const chunk of input ?? []) yield chunk
        seen.push('ended')
      } catch (error) {
        seen.push(isReason(error, 'ServiceUnavailable') ? 'broke' : String(error))
      }
      if (signal.aborted) seen.push('aborted')
    })(),
  }))
  const aborter = new AbortController()
  const { body } = await transport(post(sayAndWait(aborter.signal), aborter.signal))
  const chunks = streamOf(body)[Symbol.asyncIterator]()
  t.is(String((await chunks.next()).value), 'hello')
  aborter.abort()
  await eventually(() => deepEqual(seen, ['broke', 'aborted']))
  t.true((await chunks.next()).done)
})

test('an input that fails fails the answer too', async (t) => {
  const seen: string[] = []
  const { transport } = await open(t, async ({ input }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      try {
        for await (const chunk of input ?? []) yield chunk
        seen.push('ended')
      } catch (error) {
        seen.push(isReason(error, 'ServiceUnavailable') ? 'broke' : String(error))
      }
    })(),
  }))
  const answered = Promise.withResolvers<void>()
  async function* failing() {
    yield Buffer.from('half')
    await answered.promise
    throw new Error('the file is gone')
  }
  const { body } = await transport(post(failing()))
  answered.resolve()
  const error = await t.throwsAsync(readAll(body))
  t.true(isReason(error, 'ServiceUnavailable'))
  await eventually(() => deepEqual(seen, ['broke']))
})

test('a refusal is answered without the input being read', async (t) => {
  const { transport } = await open(t, async () => ({ status: 409, headers: {}, body: 'no' }))
  const aborter = new AbortController()
  const { status, body } = await transport(post(sayAndWait(aborter.signal), aborter.signal))
  t.deepEqual([status, await readAll(body)], [409, 'no'])
  aborter.abort()
})

test('an agent that breaks off is told to the asker, in the middle of both streams', async (t) => {
  const { transport } = await open(t, async ({ input }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      for await (const chunk of input ?? []) {
        yield chunk
        throw new Error('the engine is gone')
      }
    })(),
  }))
  const aborter = new AbortController()
  const { body } = await transport(post(sayAndWait(aborter.signal), aborter.signal))
  t.true(isReason(await t.throwsAsync(readAll(body)), 'ServiceUnavailable'))
  aborter.abort()
})

test('a connection that breaks ends both directions with ServiceUnavailable', async (t) => {
  const seen: string[] = []
  const { transport, socket } = await open(t, async ({ input }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      try {
        for await (const chunk of input ?? []) yield chunk
        seen.push('ended')
      } catch (error) {
        seen.push(isReason(error, 'ServiceUnavailable') ? 'broke' : String(error))
      }
    })(),
  }))
  const aborter = new AbortController()
  const { body } = await transport(post(sayAndWait(aborter.signal), aborter.signal))
  const chunks = streamOf(body)[Symbol.asyncIterator]()
  await chunks.next()
  socket.destroy()
  const error = await t.throwsAsync(async () => chunks.next())
  t.true(isReason(error, 'ServiceUnavailable'))
  await eventually(() => deepEqual(seen, ['broke']))
  aborter.abort()
})

async function* sayAndWait(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  yield Buffer.from('hello')
  yield* silence(signal)
}

async function* silence(signal: AbortSignal): AsyncGenerator<Uint8Array> {
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
