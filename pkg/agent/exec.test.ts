/** The node's door for streams on both sides: exec, attach and port-forward, with a simulated engine behind it. */
import { createServer, type Socket } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import {
  channels,
  decodeFrames,
  decodeStatus,
  encodeEnd,
  encodeFrame,
  encodeResize,
  exitCodeOf,
  type StreamStatus,
} from '#pkg/apimachinery/frames.ts'
import { type ApiResponse, readAll } from '#pkg/apimachinery/transport.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { commands, simulatedCommands } from '#test/conformance/engineprograms.ts'
import { clusterID, container, world } from '#test/helpers/world.ts'
import { ownedBy } from './owned.ts'
import { connectTo } from './portforward.ts'
import { resolve } from './resolve.ts'
import { streamsHandler } from './streams.ts'

const user = { name: 'server', groups: [] }

/** A node that runs Container web, which echoes what it reads. */
async function serve() {
  const clock = new ManualClock()
  const behaviour = () => ({ echoes: true }) as const
  const engine = new SimEngine({ clock, behaviour, commands: simulatedCommands })
  engine.registry.set('app:1')
  await engine.pullImage('app:1', { signal: new AbortController().signal })
  const resolved = resolve({ container: container('web', { command: ['run'], stdin: true }), ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  await engine.createContainer(resolved.create)
  await engine.startContainer('web')
  const handler = streamsHandler({
    engine,
    clock,
    nodeName: 'n1',
    ownerOf: (found) => ownedBy(found, { clusterID, containers: [], statuses: new Map() }),
    connect: (_host, port, signal) => connectTo('127.0.0.1', port, signal),
  })
  const aborter = new AbortController()
  const post = (
    path: string,
    query: Record<string, string | readonly string[]>,
    input: AsyncIterable<Uint8Array>,
  ) => {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query))
      for (const one of typeof value === 'string' ? [value] : value) search.append(name, one)
    const request = { method: 'POST', path: `/containers/default/web/${path}`, query: search }
    return handler({ ...request, headers: {}, input, signal: aborter.signal }, user)
  }
  return { clock, engine, post, aborter }
}

async function* frames(...sent: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* sent
}

/** Frames, and then nothing more until the test is over. */
async function* open(aborter: AbortController, ...sent: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* sent
  await new Promise<void>((resolve) =>
    aborter.signal.addEventListener('abort', () => resolve(), { once: true }),
  )
}

async function read({ body }: ApiResponse) {
  if (typeof body === 'string' || body instanceof Uint8Array) throw new Error(`no stream: ${body}`)
  const text = { stdout: '', stderr: '' }
  const statuses: StreamStatus[] = []
  for await (const { channel, data } of decodeFrames(body)) {
    if (channel === channels.stdout) text.stdout += Buffer.from(data)
    if (channel === channels.stderr) text.stderr += Buffer.from(data)
    if (channel === channels.status) statuses.push(decodeStatus(data))
  }
  const [status, ...others] = statuses
  if (status === undefined || others.length > 0) throw new Error(`${statuses.length} final statuses`)
  return { ...text, status, code: exitCodeOf(status) }
}

const all = { stdin: 'true', stdout: 'true', stderr: 'true' }

test('a command gets its input and its end, and answers with its streams and exit code', async (t) => {
  const { post } = await serve()
  const two = await read(await post('exec', { ...all, command: commands.twoStreams.argv }, frames()))
  t.like(two, { stdout: 'out\n', stderr: 'err\n', code: 3 })
  t.is(two.status.details?.causes?.[0]?.reason, 'ExitCode')
  const hello = encodeFrame(channels.stdin, Buffer.from('hello'))
  const count = await read(
    await post(
      'exec',
      { ...all, command: commands.count.argv },
      frames(hello, hello, encodeEnd(channels.stdin)),
    ),
  )
  t.like(count, { stdout: '10\n', code: 0 })
  t.is(count.status.status, 'Success')
})

test('output ends the answer also while the asker keeps its input open', async (t) => {
  const { post, aborter } = await serve()
  const x = encodeFrame(channels.stdin, Buffer.from('xyz'))
  const first = await read(
    await post('exec', { ...all, command: commands.firstByte.argv }, open(aborter, x, x)),
  )
  t.like(first, { stdout: 'x', code: 0 })
  aborter.abort()
})

test('a terminal takes the size that is sent', async (t) => {
  const { post, aborter } = await serve()
  const input = open(
    aborter,
    encodeResize({ width: 120, height: 40 }),
    encodeFrame(channels.stdin, Buffer.from('\n')),
  )
  const answer = await read(
    await post('exec', { ...all, tty: 'true', command: commands.terminalSize.argv }, input),
  )
  t.regex(answer.stdout, /40 120/)
  t.is(answer.code, 5)
  aborter.abort()
})

test('malformed input ends the command with a Status that says so', async (t) => {
  const { post } = await serve()
  const answer = await read(
    await post('exec', { ...all, command: commands.echo.argv }, frames(Buffer.from([77, 0, 0, 0, 0]))),
  )
  t.like(answer.status, { status: 'Failure', reason: 'BadRequest', code: 400 })
})

test('an engine that goes away is the final Status', async (t) => {
  const { post, engine } = await serve()
  const answer = await post('attach', { stdout: 'true' }, frames())
  engine.outage(true)
  const refused = await post('exec', { ...all, command: ['x'] }, frames())
  t.is(refused.status, 503)
  t.is(answer.status, 200)
})

test('who attaches reads and writes the process itself', async (t) => {
  const { post, engine, clock } = await serve()
  const hello = encodeFrame(channels.stdin, Buffer.from('hello\n'))
  const answer = await post('attach', all, frames(hello))
  await clock.advance(0)
  await engine.stopContainer('web', 0)
  t.like(await read(answer), { stdout: 'hello\n', code: 0 })
})

test('what cannot begin is answered with its code', async (t) => {
  const { post, engine } = await serve()
  const cases: [string, Record<string, string | readonly string[]>, RegExp][] = [
    ['exec', { stdout: 'true' }, /name a command/],
    ['exec', { command: 'x' }, /at least 1 of stdin, stdout, stderr/],
    ['portforward', { port: '0' }, /not a number from 1 to 65535/],
    ['portforward', { port: String(await closedPort()) }, /nothing answers on port \d+ of container "web"/],
  ]
  for (const [path, query, message] of cases) {
    const answer = await post(path, query, frames())
    t.is(answer.status, 400)
    t.regex(JSON.parse(await readAll(answer.body)).message, message)
  }
  await engine.stopContainer('web', 0)
  const stopped = await post('exec', { ...all, command: ['x'] }, frames())
  t.is(stopped.status, 400)
  t.regex(await readAll(stopped.body), /is not running: it ended with exit code 143/)
})

test('a forwarded connection carries bytes both ways, and its ends apart', async (t) => {
  const { post } = await serve()
  // Answers only when it has read the end.
  const port = await listen(t, (socket) => {
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => socket.end(Buffer.concat(chunks).reverse()))
  })
  const answer = await post(
    'portforward',
    { port: String(port) },
    frames(Buffer.from('abc'), Buffer.from('def')),
  )
  t.is(answer.status, 200)
  t.is(await readAll(answer.body), 'fedcba')
})

test('a forwarded connection that is reset fails, and one that is given up is closed', async (t) => {
  const { post, aborter } = await serve()
  const reset = await listen(t, (socket) => socket.once('data', () => socket.resetAndDestroy()))
  const answer = await post('portforward', { port: String(reset) }, open(aborter, Buffer.from('x')))
  await t.throwsAsync(readAll(answer.body), {
    message: /the connection to port \d+ of container "web" broke/,
  })
  const closed = Promise.withResolvers<void>()
  const silent = await listen(t, (socket) => socket.resume().on('end', () => closed.resolve()))
  const held = await post('portforward', { port: String(silent) }, open(aborter))
  aborter.abort()
  await closed.promise
  t.is(await readAll(held.body), '')
})

async function listen(t: ExecutionContext, serve: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined)
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
