import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, Socket } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, silentLogger, systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask, type Client, open } from '#test/helpers/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import { ensurePki, issueNodeIdentity, type Pki } from '../access/pki.ts'
import { type Listener, type ListenOptions, listen } from './listen.ts'

const now = Date.now()

async function makePki(t: ExecutionContext): Promise<Pki> {
  const dir = join(await makeTempDir(t, 'listen'), 'pki')
  return ensurePki(dir, { hosts: [], now, random: seededRandom(now % 1e6) })
}

interface Served {
  readonly listener: Listener
  readonly pki: Pki
  readonly stranger: Client
  readonly admin: Client
}

async function serve(
  t: ExecutionContext,
  handler: Handler,
  more: Partial<ListenOptions> = {},
): Promise<Served> {
  const pki = await makePki(t)
  const options = {
    handler,
    authenticate: userOf,
    host: '127.0.0.1',
    port: 0,
    pki,
    log: silentLogger,
    clock: systemClock(),
  }
  const listener = await listen({ ...options, ...more })
  t.teardown(() => listener.close())
  const stranger = { port: listener.port, ca: pki.ca.cert }
  return { listener, pki, stranger, admin: { ...stranger, identity: pki.admin } }
}

function text(body: ApiResponse['body'], headers: Record<string, string> = {}): ApiResponse {
  return { status: 200, headers: { 'content-type': 'text/plain', ...headers }, body }
}

const tellUser: Handler = async (_request, user) => text(JSON.stringify(user))

test('the client certificate says who asks, and nobody is anonymous', async (t) => {
  const { pki, stranger, admin } = await serve(t, tellUser)
  const random = seededRandom(3)
  const node = { ...stranger, identity: await issueNodeIdentity(pki.ca, 'edge-1', { now, random }) }
  const who = async (client: Client): Promise<UserInfo> => JSON.parse(String((await ask(client, '/')).body))
  t.deepEqual(await who(admin), { name: 'cove-admin', groups: ['system:masters', 'system:authenticated'] })
  const { extra, ...edge } = await who(node)
  t.deepEqual(edge, { name: 'system:node:edge-1', groups: ['system:nodes', 'system:authenticated'] })
  t.deepEqual(Object.keys(extra ?? {}), ['node.cove.run/certified'])
  t.deepEqual(await who(stranger), { name: 'system:anonymous', groups: ['system:unauthenticated'] })
})

test('a certificate of another authority is refused, not taken for anonymous', async (t) => {
  const { stranger } = await serve(t, tellUser)
  const foreign = await makePki(t)
  const answer = await ask({ ...stranger, identity: foreign.admin }, '/')
  t.is(answer.status, 401)
  t.is(JSON.parse(String(answer.body)).reason, 'Unauthorized')
})

test('a resumed session without a certificate stays anonymous', async (t) => {
  const { stranger } = await serve(t, tellUser)
  const talk = async (session?: Buffer) => {
    const socket = connect({
      host: '127.0.0.1',
      port: stranger.port,
      ca: stranger.ca,
      ...(session && { session }),
    })
    let ticket = Buffer.alloc(0)
    socket.on('session', (session) => {
      ticket = session
    })
    let reused = false
    socket.on('secureConnect', () => {
      reused = socket.isSessionReused()
    })
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    let all = ''
    for await (const chunk of socket) all += String(chunk)
    return { all, reused, session: ticket }
  }
  const first = await talk()
  const second = await talk(first.session)
  t.true(second.reused)
  t.regex(second.all, /system:anonymous/)
})

test('method, path, query, headers and body arrive as they were sent', async (t) => {
  const seen: ApiRequest[] = []
  const { admin } = await serve(t, async (request) => {
    seen.push(request)
    return text('')
  })
  await ask(admin, '/api/v1/a%2Fb/../c?x=1&x=2', { method: 'POST', body: '{"a":1}', headers: { 'X-Y': 'z' } })
  const [request] = seen
  t.is(request?.method, 'POST')
  t.is(request?.path, '/api/v1/a%2Fb/../c')
  t.deepEqual(request?.query.getAll('x'), ['1', '2'])
  t.is(request?.headers['x-y'], 'z')
  t.is(Buffer.from(request?.body ?? '').toString(), '{"a":1}')
})

test('a body above 3 MiB is refused, announced or not', async (t) => {
  const { admin } = await serve(t, async () => text('taken'))
  const body = Buffer.alloc(3 * 1024 * 1024 + 1)
  const announced = await ask(admin, '/', { method: 'POST', body })
  const chunked = await ask(admin, '/', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })
  for (const answer of [announced, chunked]) {
    t.is(answer.status, 413)
    t.is(JSON.parse(String(answer.body)).reason, 'RequestEntityTooLarge')
  }
  const most = await ask(admin, '/', { method: 'POST', body: body.subarray(1) })
  t.is(String(most.body), 'taken')
})

test('what a handler throws becomes a Status; an unknown error does not tell its inside', async (t) => {
  const { admin } = await serve(t, async ({ path }) => {
    if (path === '/known') throw new StatusError('TooManyRequests', 'slow down', { retryAfterSeconds: 3 })
    throw new TypeError('secret detail')
  })
  const known = await ask(admin, '/known')
  t.is(known.status, 429)
  t.is(known.headers['retry-after'], '3')
  const unknown = await ask(admin, '/other')
  t.is(unknown.status, 500)
  t.false(String(unknown.body).includes('secret detail'))
})

test('chunks arrive one by one, and the stream ends when the client goes', async (t) => {
  const ended: string[] = []
  const { admin } = await serve(t, async ({ signal }) => text(ticks(signal, ended)))
  const message = await open(admin, '/')
  const chunks = message[Symbol.asyncIterator]()
  t.is(String((await chunks.next()).value), 'tick 0\n')
  message.destroy()
  await eventually(() => deepEqual(ended, ['ended']))
  t.pass()
})

/** One chunk, then nothing until the signal aborts: a watch without changes. */
async function* ticks(signal: AbortSignal, ended: string[]): AsyncGenerator<string> {
  yield 'tick 0\n'
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
  ended.push('ended')
}

test('a client that does not read stops the source instead of filling memory', async (t) => {
  let produced = 0
  const chunk = Buffer.alloc(64 * 1024)
  async function* flood(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    while (!signal.aborted) {
      produced += chunk.length
      yield chunk
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const { admin } = await serve(t, async ({ signal }) => text(flood(signal)))
  const message = await open(admin, '/')
  const settled = async () => {
    const before = produced
    await new Promise((resolve) => setTimeout(resolve, 100))
    if (before !== produced) throw new Error(`still producing at ${produced}`)
  }
  await eventually(settled)
  t.true(produced < 32 * 1024 * 1024, `${produced} bytes were produced`)
  message.destroy()
})

test('a stream that fails half way breaks the connection instead of looking complete', async (t) => {
  async function* broken(): AsyncGenerator<string> {
    yield 'begin'
    throw new Error('lost')
  }
  const { admin } = await serve(t, async () => text(broken()))
  await t.throwsAsync(ask(admin, '/'), { code: 'ECONNRESET' })
})

test('large JSON is compressed for those who ask, small is not', async (t) => {
  const large = JSON.stringify('x'.repeat(200_000))
  const { admin } = await serve(t, async ({ path }) => ({
    status: 200,
    headers: { 'content-type': 'application/json', vary: 'Accept' },
    body: path === '/large' ? large : '{}',
  }))
  const headers = { 'accept-encoding': 'gzip' }
  const zipped = await ask(admin, '/large', { headers })
  t.is(zipped.headers['content-encoding'], 'gzip')
  t.is(zipped.headers['vary'], 'Accept, Accept-Encoding')
  t.is(String(gunzipSync(zipped.body)), large)
  t.is((await ask(admin, '/large')).headers['content-encoding'], undefined)
  t.is(
    (await ask(admin, '/large', { headers: { 'accept-encoding': 'gzip;q=0' } })).headers['content-encoding'],
    undefined,
  )
  t.is((await ask(admin, '/small', { headers })).headers['content-encoding'], undefined)
})

test('closing ends watches cleanly, lets requests finish and accepts no more', async (t) => {
  const ended: string[] = []
  const release = Promise.withResolvers<void>()
  const { listener, admin } = await serve(t, async ({ path, signal }) => {
    if (path === '/watch') return text(ticks(signal, ended))
    await release.promise
    return text('finished')
  })
  const watching = ask(admin, '/watch')
  const busy = ask(admin, '/busy')
  await once(await open(admin, '/watch'), 'data')
  const closing = listener.close()
  t.is(String((await watching).body), 'tick 0\n')
  release.resolve()
  t.is(String((await busy).body), 'finished')
  await closing
  await t.throwsAsync(ask(admin, '/'), { code: 'ECONNREFUSED' })
})

test('a port in use is an error that names the address and says what to do', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  const error = await t.throwsAsync(serve(t, tellUser, { port }))
  t.true(isReason(error, 'InUse'))
  t.regex(error?.message ?? '', new RegExp(`127\\.0\\.0\\.1:${port} is in use.*another port`))
})

test('garbage, a broken handshake and a reset leave the server working', async (t) => {
  const { admin, stranger } = await serve(t, tellUser)
  const garbage = connect({ host: '127.0.0.1', port: stranger.port, ca: stranger.ca })
  garbage.on('error', () => t.pass()).resume()
  garbage.write('NOT HTTP\r\n\r\n')
  await once(garbage, 'close')
  const plain = new Socket()
  plain.on('error', () => t.pass()).resume()
  plain.connect(stranger.port, '127.0.0.1', () => plain.write('hello'))
  await once(plain, 'close')
  t.is((await ask(admin, '/')).status, 200)
})

test('an upgrade nobody takes is answered with a Status', async (t) => {
  const { admin } = await serve(t, tellUser)
  const answer = await ask(admin, '/x', { headers: { connection: 'Upgrade', upgrade: 'websocket' } })
  t.is(answer.status, 404)
  t.is(JSON.parse(String(answer.body)).kind, 'Status')
})

test('a renewed certificate is served without a restart', async (t) => {
  const { listener, stranger } = await serve(t, tellUser)
  const renewed = await makePki(t)
  listener.renew(renewed)
  t.is((await ask({ ...stranger, ca: renewed.ca.cert }, '/')).status, 200)
})
