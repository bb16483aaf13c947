import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { type ClientOptions, WebSocket } from 'ws'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { ask, call } from '#test/helpers/apiserver.ts'
import { ask as askSocket } from '#test/helpers/https.ts'
import { adminUser } from '#test/helpers/request.ts'
import { startServer } from '#test/helpers/server.ts'
import { type Program, streamNode } from '#test/helpers/streamnode.ts'
import { podStreams } from './podstreams.ts'

const containers = '/apis/cove.run/v1/namespaces/default/containers'
const pod = '/api/v1/namespaces/default/pods/web'

/** Says what it was called with, and repeats what it reads until that ends. */
const echo: Program = async ({ words, stdin, stdout, stderr }) => {
  stdout(words.join(' '))
  if (words[0] === 'stderr') stderr('oh')
  if (words[0] === 'cat') for await (const data of stdin) stdout(data)
  return words[0] === 'exit' ? Number(words[1]) : 0
}

async function world(t: ExecutionContext, program = echo) {
  const server = await startServer(t)
  const node = streamNode(program)
  server.connections.register('n1', node.transport)
  const transport = inProcess(server.handler, adminUser)
  const body = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web' },
    spec: { image: 'app:1', nodeName: 'n1' },
  }
  await ask(transport, `POST ${containers}`, { body })
  await ask(transport, `PATCH ${containers}/web/status`, {
    body: { status: { phase: 'Running', containerID: 'abc' } },
  })
  const { pki, url } = server
  const client = { port: Number(new URL(url).port), ca: pki.ca.cert, identity: pki.admin }
  const tls: ClientOptions = { ca: pki.ca.cert, ...pki.admin }
  const dial = (path: string, protocols: string[]) =>
    new Dialled(new WebSocket(`${url.replace('https', 'wss')}${path}`, protocols, tls))
  return { transport, node, client, dial, server }
}

class Dialled {
  readonly socket: WebSocket
  readonly messages: Buffer[] = []
  readonly done: Promise<number>

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data) => this.messages.push(Buffer.isBuffer(data) ? data : Buffer.alloc(0)))
    this.done = new Promise((resolve, reject) => {
      socket.once('close', resolve)
      socket.once('error', reject)
    })
  }

  /** What came on a channel. */
  on(channel: number): string {
    return Buffer.concat(
      this.messages.filter(([first]) => first === channel).map((each) => each.subarray(1)),
    ).toString()
  }
}

const v5 = 'v5.channel.k8s.io'

test('exec over a WebSocket carries all streams, ends with a Status and code 1000', async (t) => {
  const { dial, node } = await world(t)
  const dialled = dial(`${pod}/exec?command=stderr&command=x&stdout=true&stderr=true&container=web`, [
    v5,
    'v4.channel.k8s.io',
  ])
  t.is(await dialled.done, 1000)
  t.is(dialled.socket.protocol, v5)
  t.is(dialled.on(1), 'stderr x')
  t.is(dialled.on(2), 'oh')
  t.deepEqual(JSON.parse(dialled.on(3)), { metadata: {}, status: 'Success' })
  t.true(dialled.messages.every(([channel]) => channel !== 255))
  t.deepEqual(node.asked, [
    'POST /containers/default/web/exec?command=stderr&command=x&stdout=true&stderr=true',
  ])
})

test('an exit code is told as Kubernetes tells it', async (t) => {
  const { dial } = await world(t)
  const dialled = dial(`${pod}/exec?command=exit&command=3&stdout=true`, ['v4.channel.k8s.io'])
  await dialled.done
  t.like(JSON.parse(dialled.on(3)), {
    status: 'Failure',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '3' }] },
  })
})

test('stdin goes on until the client says that it has ended, and so does the terminal have its size', async (t) => {
  const program: Program = async ({ stdin, sizes, stdout }) => {
    for await (const data of stdin) stdout(data)
    stdout(sizes.join(' '))
    return 0
  }
  const { dial } = await world(t, program)
  const dialled = dial(`${pod}/exec?command=cat&stdin=true&stdout=true&tty=true`, [v5])
  await once(dialled.socket, 'open')
  dialled.socket.send(Buffer.concat([Buffer.of(4), Buffer.from('{"Width":80,"Height":24}')]))
  dialled.socket.send(Buffer.from('\0hello '))
  dialled.socket.send(Buffer.alloc(0))
  dialled.socket.send(Buffer.from('\0world '))
  dialled.socket.send(Buffer.of(255, 0))
  await dialled.done
  t.is(dialled.on(1), 'hello world 80x24')
})

test('a reader that stops holds the program back, and still gets everything', async (t) => {
  const size = 24 * 1024 * 1024
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const program: Program = async ({ stdout }) => {
    for (let sent = 0; sent < size; sent += chunk.length) stdout(chunk)
    return 0
  }
  const { dial } = await world(t, program)
  const dialled = dial(`${pod}/exec?command=much&stdout=true`, [v5])
  await once(dialled.socket, 'message')
  dialled.socket.pause()
  await new Promise<void>((resolve) => setImmediate(resolve))
  dialled.socket.resume()
  t.is(await dialled.done, 1000)
  t.is(dialled.on(1).length, size)
})

test('refusals are the same Status over both protocols, and nothing is upgraded', async (t) => {
  const { client } = await world(t)
  const websocket = {
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-version': '13',
    'sec-websocket-protocol': v5,
  }
  const spdy = {
    connection: 'Upgrade',
    upgrade: 'SPDY/3.1',
    'x-stream-protocol-version': 'v4.channel.k8s.io',
  }
  const refused = async (path: string) => {
    const answers = [
      await askSocket(client, path, { method: 'GET', headers: websocket }),
      await askSocket(client, path, { method: 'POST', headers: spdy }),
    ]
    const [first, second] = answers.map(({ status, body }) => [status, JSON.parse(body.toString()).message])
    t.deepEqual(first, second)
    return first
  }
  const all = 'stdout=true'
  t.deepEqual(await refused(`${pod}/exec?${all}`), [
    400,
    'you must specify at least one command for the container',
  ])
  t.deepEqual(await refused(`${pod}/exec?command=x`), [
    400,
    'you must specify at least 1 of stdin, stdout, stderr',
  ])
  t.deepEqual(await refused(`${pod}/exec?command=x&${all}&container=other`), [
    400,
    'container other is not valid for pod web',
  ])
  t.deepEqual(await refused(`${pod}/exec?command=refuse&${all}`), [400, 'container "web" is not running'])
  t.deepEqual(await refused('/api/v1/namespaces/default/pods/none/attach?stdout=true'), [
    404,
    'pods "none" not found',
  ])
  const anonymous = await askSocket({ port: client.port, ca: client.ca }, `${pod}/exec?command=x&${all}`, {
    headers: websocket,
  })
  t.is(JSON.parse(anonymous.body.toString()).code, anonymous.status)
  t.true(anonymous.status === 401 || anonymous.status === 403)
  const base64 = { ...websocket, 'sec-websocket-protocol': 'v4.base64.channel.k8s.io' }
  const old = await askSocket(client, `${pod}/exec?command=x&${all}`, { headers: base64 })
  t.is(old.status, 400)
  const plain = await askSocket(client, `${pod}/exec?command=x&${all}`)
  t.is(JSON.parse(plain.body.toString()).message, 'Upgrade request required')
})

test('a port-forward over channels names its port first and carries bytes both ways', async (t) => {
  const { dial, node } = await world(t)
  const dialled = dial(`${pod}/portforward?ports=8080&ports=1`, [v5])
  await once(dialled.socket, 'open')
  dialled.socket.send(Buffer.from('\0hello'))
  while (dialled.on(0).length < 7 || dialled.on(3).length < 3) await once(dialled.socket, 'message')
  t.deepEqual(
    dialled.messages.slice(0, 4).map((message) => [...message]),
    [
      [0, 0x90, 0x1f],
      [1, 0x90, 0x1f],
      [2, 1, 0],
      [3, 1, 0],
    ],
  )
  t.is(dialled.on(0).slice(2), 'hello')
  t.is(dialled.on(3).slice(2), 'error forwarding port 1: container "web" is not running')
  dialled.socket.close()
  await dialled.done
  t.deepEqual(node.asked, [
    'POST /containers/default/web/portforward?port=8080',
    'POST /containers/default/web/portforward?port=1',
  ])
})

test('the log of a Pod is that of its Container, cut where it was asked to be', async (t) => {
  const { transport, node } = await world(t)
  const read = async (query: string) => (await call(transport, `GET ${pod}/log?${query}`)).body
  t.is(String(await read('container=web&tailLines=5&previous=false')), 'one\ntwo\n')
  t.deepEqual(node.asked, ['GET /containers/default/web/log?tailLines=5&previous=false'])
  t.is(String(await read('limitBytes=5')), 'one\nt')
  const refused = async (query: string) => (await ask(transport, `GET ${pod}/log?${query}`)).body.message
  t.is(await refused('container=x'), 'container x is not valid for pod web')
  t.regex(await refused('limitBytes=0'), /limitBytes/)
  t.regex(await refused('tailLines=-1'), /tailLines/)
})

test('a stream asks for the verb create, also over a GET', async (t) => {
  const asked: string[] = []
  const { take } = podStreams({
    findNode: () => Promise.reject(new Error('nobody may get that far')),
    guard: ({ method, path }) => {
      asked.push(`${method} ${path}`)
      throw new StatusError('Forbidden', 'no')
    },
    clock: new ManualClock(),
    log: silentLogger,
  })
  const request = {
    method: 'GET',
    path: `${pod}/exec`,
    query: new URLSearchParams('command=x&stdout=true'),
    headers: {},
    signal: new AbortController().signal,
  }
  const upgrade = { request, user: adminUser, socket: new PassThrough(), head: new Uint8Array() }
  await t.throwsAsync(async () => take(upgrade), { message: 'no' })
  t.deepEqual(asked, [`POST ${pod}/exec`])
})
