/** The upgrade of Containers' streams on a real socket, with a node that is played. */
import { once } from 'node:events'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, silentLogger, systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  decodeStatus,
  encodeFrame,
  encodeStatus,
  exitStatus,
  framesProtocol,
} from '#pkg/apimachinery/frames.ts'
import { type ApiRequest, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import type { Guard } from '../access/authorize.ts'
import { ensurePki } from '../access/pki.ts'
import { listen } from '../door/listen.ts'
import { containerStreams } from './containerstreams.ts'
import { NodeConnections, nodeFinder } from './proxy.ts'
import { routeUpgrades } from './upgrade.ts'

const base = '/apis/cove.run/v1/namespaces/default/containers'

/** `node` plays the agent; resolves with a client of the administrator. */
async function serve(t: ExecutionContext, node: Transport, guard: Guard = (_request, user) => user) {
  const [now, random, clock, log] = [Date.now(), seededRandom(Date.now() % 1e6), systemClock(), silentLogger]
  const pki = await ensurePki(join(await makeTempDir(t, 'streams'), 'pki'), { hosts: [], now, random })
  const connections = new NodeConnections()
  connections.register('n1', node)
  const lookup = (_namespace: string, name: string) =>
    name === 'web' ? { nodeName: 'n1', containerID: 'c1' } : undefined
  const findNode = nodeFinder({ connections, lookup })
  const onUpgrade = routeUpgrades([containerStreams({ findNode, guard, clock, log })])
  const listener = await listen({
    handler: async () => ({ status: 404, headers: {}, body: '' }),
    authenticate: userOf,
    host: '127.0.0.1',
    port: 0,
    pki,
    log,
    clock,
    onUpgrade,
  })
  const server = `https://127.0.0.1:${listener.port}`
  const client = httpsTransport({ server, ca: pki.ca.cert, cert: pki.admin.cert, key: pki.admin.key })
  t.teardown(async () => {
    client.close()
    await listener.close()
  })
  return (path: string, protocol = framesProtocol, method = 'POST') => {
    const request = { method, path: `${base}/${path}`, query: new URLSearchParams({ command: 'x' }) }
    return client.upgrade({ ...request, headers: {}, signal: new AbortController().signal }, protocol)
  }
}

async function connected(answer: Promise<unknown>): Promise<Duplex> {
  const socket = await answer
  if (!(socket instanceof Duplex)) throw new Error('the upgrade was refused')
  return socket
}

test('what the client sends reaches the node, and what the node sends the client', async (t) => {
  const seen: ApiRequest[] = []
  const open = await serve(t, async (request) => {
    seen.push(request)
    return { status: 200, headers: {}, body: echoOnce(request) }
  })
  const socket = await connected(open('web/exec'))
  socket.write(encodeFrame(channels.stdin, Buffer.from('hello')))
  const frames = []
  for await (const frame of decodeFrames(socket)) frames.push([frame.channel, String(frame.data)])
  t.deepEqual(frames, [
    [channels.stdout, 'hello'],
    [channels.status, JSON.stringify(exitStatus(0))],
  ])
  t.like(seen[0], { method: 'POST', path: '/containers/default/web/exec' })
  t.is(seen[0]?.headers['cove-input'], 'stream')
  socket.destroy()
})

async function* echoOnce({ input }: ApiRequest): AsyncGenerator<Uint8Array> {
  for await (const { data } of decodeFrames(input ?? none())) {
    yield encodeFrame(channels.stdout, data)
    break
  }
  yield encodeStatus(exitStatus(0))
}

async function* none(): AsyncGenerator<Uint8Array> {}

test('a node that breaks off within a frame is the final Status, in a frame of its own', async (t) => {
  const open = await serve(t, async () => ({
    status: 200,
    headers: {},
    body: (async function* () {
      yield encodeFrame(channels.stdout, Buffer.alloc(100, 'a')).subarray(0, 50)
      throw new StatusError('ServiceUnavailable', 'node "n1" cannot be reached')
    })(),
  }))
  const socket = await connected(open('web/exec'))
  const frames = []
  for await (const frame of decodeFrames(socket)) frames.push(frame)
  const [, last] = frames
  t.is(frames[0]?.data.length, 45)
  t.like(decodeStatus(last?.data ?? Buffer.alloc(0)), { reason: 'ServiceUnavailable', code: 503 })
  socket.destroy()
})

test('a client that hangs up breaks the input and ends the work on the node', async (t) => {
  const ended = Promise.withResolvers<string>()
  const open = await serve(t, async ({ input, signal }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      try {
        for await (const chunk of input ?? none()) yield chunk
        ended.resolve('ended')
      } catch {
        ended.resolve(signal.aborted ? 'broke, aborted' : 'broke')
      }
    })(),
  }))
  const socket = await connected(open('web/attach'))
  socket.write(encodeFrame(channels.stdout, Buffer.from('x')))
  await once(socket, 'readable')
  socket.destroy()
  t.regex(await ended.promise, /^broke/)
})

test('each end of a forwarded connection is passed on alone', async (t) => {
  const open = await serve(t, async ({ input }) => ({
    status: 200,
    headers: {},
    body: (async function* () {
      const chunks: Uint8Array[] = []
      for await (const chunk of input ?? none()) chunks.push(chunk)
      yield Buffer.concat(chunks).reverse()
    })(),
  }))
  const socket = await connected(open('web/portforward'))
  socket.end('abc')
  t.is(await readAll(socket), 'cba')
})

test('files may be copied by who may run commands', async (t) => {
  const guarded: string[] = []
  const guard: Guard = ({ path, method }, user) => {
    guarded.push(`${method} ${path}`)
    return user
  }
  const asked: string[] = []
  const open = await serve(
    t,
    async ({ method, path }) => {
      asked.push(`${method} ${path}`)
      return { status: 400, headers: {}, body: '{}' }
    },
    guard,
  )
  await open('web/archive', framesProtocol, 'GET')
  t.deepEqual(guarded, [`POST ${base}/web/exec`])
  t.deepEqual(asked, ['GET /containers/default/web/archive'])
})

test('what is refused is answered with a Status, and nothing is asked of the node', async (t) => {
  const asked: ApiRequest[] = []
  const guard: Guard = ({ path, method }, user) => {
    if (path === `${base}/web/attach` && method === 'POST') throw new StatusError('Forbidden', 'no attaching')
    return user
  }
  const node: Transport = async (request) => {
    asked.push(request)
    return { status: 400, headers: {}, body: JSON.stringify({ reason: 'BadRequest' }) }
  }
  const open = await serve(t, node, guard)
  const refused = async (path: string, protocol?: string, method?: string) => {
    const answer = await open(path, protocol, method)
    if (answer instanceof Duplex) throw new Error('it was not refused')
    return [answer.status, JSON.parse(await readAll(answer.body)).reason]
  }
  t.deepEqual(await refused('none/exec'), [404, 'NotFound'])
  t.deepEqual(await refused('web/exec', 'websocket'), [400, 'BadRequest'])
  t.deepEqual(await refused('web/attach'), [403, 'Forbidden'])
  t.deepEqual(await refused('web/attach', framesProtocol, 'GET'), [403, 'Forbidden'])
  t.deepEqual(await refused('web/other'), [404, 'NotFound'])
  t.is(asked.length, 0)
  t.deepEqual(await refused('web/exec'), [400, 'BadRequest'])
  t.is(asked.length, 1)
})
