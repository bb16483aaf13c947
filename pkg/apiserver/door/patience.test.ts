/** What the listener does to those who send too much, or too slowly, or do not read; its bounds made short. */
import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, silentLogger, systemClock } from '#pkg/apimachinery/ambient.ts'
import type { ApiResponse, Handler } from '#pkg/apimachinery/transport.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask, type Client, open } from '#test/helpers/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import { ensurePki } from '../access/pki.ts'
import { listen } from './listen.ts'
import type { Patience } from './patience.ts'

interface Served {
  readonly stranger: Client
  readonly admin: Client
}

async function serve(t: ExecutionContext, handler: Handler, patience: Partial<Patience>): Promise<Served> {
  const dir = join(await makeTempDir(t, 'patience'), 'pki')
  const pki = await ensurePki(dir, { hosts: [], now: Date.now(), random: seededRandom(7) })
  const listener = await listen({
    handler,
    authenticate: userOf,
    host: '127.0.0.1',
    port: 0,
    pki,
    log: silentLogger,
    clock: systemClock(),
    patience,
  })
  t.teardown(() => listener.close())
  const stranger = { port: listener.port, ca: pki.ca.cert }
  return { stranger, admin: { ...stranger, identity: pki.admin } }
}

function text(body: ApiResponse['body'], more: Partial<ApiResponse> = {}): ApiResponse {
  return { status: 200, headers: { 'content-type': 'text/plain' }, body, ...more }
}

const ok: Handler = async () => text('ok')

async function raw({ port, ca, identity }: Client, first: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca, ...identity })
  // What is written after the server has closed is lost, and that is what these tests are about.
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.write(first)
  return socket
}

/** Everything that comes until the server closes. */
async function rest(socket: TLSSocket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'close')
  return Buffer.concat(chunks).toString()
}

test('headers that do not come to their end are answered with 408 and closed', async (t) => {
  const { stranger } = await serve(t, ok, { headersMs: 200 })
  t.regex(
    await rest(await raw(stranger, 'GET / HTTP/1.1\r\nHost: x\r\n')),
    /^HTTP\/1\.1 408 .*"reason":"Timeout"/s,
  )
})

test('a connection that never asks is closed', async (t) => {
  const { stranger } = await serve(t, ok, { headersMs: 200 })
  t.regex(await rest(await raw(stranger, '')), /^HTTP\/1\.1 408 /)
})

test('a body that stops coming is answered with 408 and closed', async (t) => {
  const { admin } = await serve(t, ok, { headersMs: 200, requestMs: 400 })
  const half = await raw(admin, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf')
  t.regex(await rest(half), /^HTTP\/1\.1 408 /)
})

test('a connection that never speaks TLS is closed', async (t) => {
  const { stranger } = await serve(t, ok, { handshakeMs: 200 })
  const socket = connectPlain(stranger.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket.resume(), 'close')
  t.pass()
})

test('headers beyond their length are answered with 431, and all within it arrive', async (t) => {
  const { admin } = await serve(t, async ({ headers }) => text(String(Object.keys(headers).length)), {})
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'y']))
  const answer = await ask(admin, '/', { headers: many(3000) })
  t.true(Number(answer.body) >= 3000, String(answer.body))
  const flood = await rest(await raw(admin, `GET / HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(70_000)}\r\n\r\n`))
  t.regex(flood, /^HTTP\/1\.1 431 .*"code":431/s)
})

test('whoever does not read a large answer is let go of', async (t) => {
  const length = 64 * 1024 * 1024
  const gone = Promise.withResolvers<void>()
  const handler: Handler = async ({ signal }) => {
    signal.addEventListener('abort', () => gone.resolve(), { once: true })
    return text('x'.repeat(length))
  }
  const { admin } = await serve(t, handler, { readerMs: 200 })
  const socket = await raw(admin, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  socket.pause()
  await gone.promise
  t.true((await rest(socket.resume())).length < length)
})

test('whoever reads slowly gets the whole of it', async (t) => {
  const length = 24 * 1024 * 1024
  const patience = 1_000
  const { admin } = await serve(t, async () => text('x'.repeat(length)), { readerMs: patience })
  const started = performance.now()
  let read = 0
  for await (const chunk of await open(admin, '/')) {
    read += chunk.length
    // The patience is over before the whole is there, and never while nothing is taken.
    const slow = performance.now() - started < 2 * patience
    if (slow) await new Promise((resolve) => setTimeout(resolve, 4))
  }
  t.is(read, length)
})

test('of a stream it is for the answer to say how long a reader may take nothing', async (t) => {
  const ended: string[] = []
  const flood = async function* (name: string) {
    try {
      for (;;) yield 'x'.repeat(256 * 1024)
    } finally {
      ended.push(name)
    }
  }
  const { admin } = await serve(
    t,
    async ({ path }) => text(flood(path), path === '/watch' ? { readerMs: 200 } : {}),
    {},
  )
  const [watch, log] = await Promise.all(
    ['/watch', '/log'].map((path) => raw(admin, `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)),
  )
  watch?.pause()
  log?.pause()
  await eventually(() => deepEqual(ended, ['/watch']))
  t.false(log?.destroyed)
  watch?.destroy()
  log?.destroy()
})

test('requests beyond the bound are told to come again; administrators, probes and streams are not', async (t) => {
  const release = Promise.withResolvers<void>()
  const handler: Handler = async ({ path, signal }) => {
    if (path === '/slow') await release.promise
    if (path === '/stream') return text(until(signal))
    return text('ok')
  }
  const { admin, stranger } = await serve(t, handler, { maxInFlight: 2 })
  const streams = await Promise.all(
    [1, 2, 3].map(() => raw(admin, 'GET /stream HTTP/1.1\r\nHost: x\r\n\r\n')),
  )
  await Promise.all(streams.map((socket) => once(socket, 'data')))
  t.is((await ask(stranger, '/')).status, 200)
  const slow = await Promise.all([1, 2].map(() => raw(stranger, 'GET /slow HTTP/1.1\r\nHost: x\r\n\r\n')))
  const refused = await ask(stranger, '/x')
  t.is(refused.status, 429)
  t.is(refused.headers['retry-after'], '1')
  t.is((await ask(stranger, '/readyz')).status, 200)
  t.is((await ask(admin, '/x')).status, 200)
  release.resolve()
  await Promise.all(slow.map((socket) => once(socket, 'data')))
  t.is((await ask(stranger, '/x')).status, 200)
  for (const socket of [...streams, ...slow]) socket.destroy()
})

async function* until(signal: AbortSignal): AsyncGenerator<string> {
  yield 'begin\n'
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

test('connections beyond the bound are closed, those within it served', async (t) => {
  const { admin, stranger } = await serve(t, ok, { maxConnections: 2 })
  const held = await Promise.all([raw(admin, ''), raw(admin, '')])
  const third = connectPlain(stranger.port, '127.0.0.1')
  third.on('error', () => {})
  await once(third.resume(), 'close')
  for (const socket of held) socket.destroy()
  t.pass()
})

test('a body that is too long is answered although all of it is still being sent', async (t) => {
  const { admin } = await serve(t, ok, {})
  const socket = await raw(admin, 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  const answer = rest(socket)
  // For ever, until the server closes.
  while (!socket.destroyed && socket.writable) if (!socket.write(chunk)) await drained(socket)
  t.regex(await answer, /^HTTP\/1\.1 413 .*"reason":"RequestEntityTooLarge"/s)
})
