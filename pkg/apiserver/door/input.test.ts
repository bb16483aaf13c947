/** Bodies that are taken as they come, on a real socket: of any length, at the pace of whoever takes them. */
import { deepEqual } from 'node:assert/strict'
import { once } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { seededRandom, silentLogger, systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse, Handler } from '#pkg/apimachinery/transport.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask, type Client } from '#test/helpers/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { userOf } from '../access/authenticate.ts'
import { ensurePki } from '../access/pki.ts'
import { type ListenOptions, listen } from './listen.ts'

async function serve(
  t: ExecutionContext,
  handler: Handler,
  more: Partial<ListenOptions> = {},
): Promise<{ readonly admin: Client; readonly close: () => Promise<void> }> {
  const dir = join(await makeTempDir(t, 'input'), 'pki')
  const pki = await ensurePki(dir, { hosts: [], now: Date.now(), random: seededRandom(11) })
  const listener = await listen({
    handler,
    authenticate: userOf,
    host: '127.0.0.1',
    port: 0,
    pki,
    log: silentLogger,
    clock: systemClock(),
    takesInput: (method, path) => method === 'PUT' && path.startsWith('/in'),
    ...more,
  })
  t.teardown(() => listener.close())
  return {
    admin: { port: listener.port, ca: pki.ca.cert, identity: pki.admin },
    close: () => listener.close(),
  }
}

const text = (body: ApiResponse['body']): ApiResponse => ({
  status: 200,
  headers: { 'content-type': 'text/plain' },
  body,
})

async function length(input: AsyncIterable<Uint8Array> | undefined): Promise<number> {
  let sum = 0
  for await (const chunk of input ?? []) sum += chunk.length
  return sum
}

const countInput: Handler = async ({ input }) => text(String(await length(input)))

/** A request whose body the test writes by hand. */
function begin({ port, ca, identity }: Client): { call: ClientRequest; answer: Promise<IncomingMessage> } {
  const call = request({ host: '127.0.0.1', port, ca, path: '/in', method: 'PUT', agent: false, ...identity })
  const answer = once(call, 'response').then(([message]) => message)
  answer.catch(() => undefined)
  call.on('error', () => undefined)
  return { call, answer }
}

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

test('a body of any length is taken where it is expected, and nowhere else', async (t) => {
  const { admin } = await serve(t, countInput)
  const body = Buffer.alloc(8 * 1024 ** 2)
  t.is(String((await ask(admin, '/in', { method: 'PUT', body })).body), String(body.length))
  t.is((await ask(admin, '/other', { method: 'PUT', body })).status, 413)
  t.is((await ask(admin, '/in', { method: 'POST', body })).status, 413)
})

test('whoever sends faster than it is taken is held back', async (t) => {
  const go = Promise.withResolvers<void>()
  const { admin } = await serve(t, async ({ input }) => {
    await go.promise
    return text(String(await length(input)))
  })
  const { call, answer } = begin(admin)
  const chunk = Buffer.alloc(1024 ** 2)
  let sent = 0
  while (call.write(chunk)) sent++
  const full = await Promise.race([
    drained(call).then(() => false),
    eventuallyFull(() => call.writableLength),
  ])
  t.true(full)
  go.resolve()
  await drained(call)
  call.end()
  t.is(await textOf(await answer), String((sent + 1) * chunk.length))
})

/** That nothing of what is to be written goes on its way any more. */
async function eventuallyFull(left: () => number): Promise<boolean> {
  let before = -1
  await eventually(() => {
    const now = left()
    const same = now === before
    before = now
    deepEqual(same, true)
  })
  return true
}

test('an answer comes while the body is still being sent', async (t) => {
  const { admin } = await serve(t, async ({ input }) => text(counting(input)))
  const { call, answer } = begin(admin)
  call.write('one')
  const message = await answer
  const lines = message[Symbol.asyncIterator]()
  t.is(String((await lines.next()).value), '3\n')
  call.write('three')
  t.is(String((await lines.next()).value), '8\n')
  call.end()
  t.true((await lines.next()).done)
})

async function* counting(input: AsyncIterable<Uint8Array> | undefined): AsyncGenerator<string> {
  let sum = 0
  for await (const chunk of input ?? []) {
    sum += chunk.length
    yield `${sum}\n`
  }
}

test('a body that breaks off is not taken for a whole one', async (t) => {
  const failed = Promise.withResolvers<unknown>()
  const { admin } = await serve(t, async ({ input }) => {
    await length(input).catch(failed.resolve)
    return text('')
  })
  const { call } = begin(admin)
  call.write('half')
  await eventually(() => deepEqual(call.writableLength, 0))
  call.destroy()
  const error = await failed.promise
  t.true(error instanceof StatusError && error.reason === 'BadRequest', String(error))
})

test('a body that stands still is given up', async (t) => {
  const failed = Promise.withResolvers<unknown>()
  const { admin } = await serve(
    t,
    async ({ input }) => {
      await length(input).catch(failed.resolve)
      throw new StatusError('Timeout', 'too late')
    },
    { patience: { senderMs: 200 } },
  )
  const { call, answer } = begin(admin)
  call.write('half')
  const error = await failed.promise
  t.true(error instanceof StatusError && error.reason === 'Timeout', String(error))
  t.is((await answer).statusCode, 504)
})

test('whoever is refused hears why, although all of it is still being sent', async (t) => {
  const { admin } = await serve(t, async () => {
    throw new StatusError('RequestEntityTooLarge', 'no room')
  })
  const { call, answer } = begin(admin)
  for (let sent = 0; sent < 32; sent++) call.write(Buffer.alloc(64 * 1024))
  const message = await answer
  t.is(message.statusCode, 413)
  t.regex(await textOf(message), /no room/)
})

test('closing ends bodies that are still being sent', async (t) => {
  const begun = Promise.withResolvers<void>()
  const { admin, close } = await serve(t, async ({ input, signal }) => {
    begun.resolve()
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    return text(String(input === undefined))
  })
  const { call } = begin(admin)
  call.write('half')
  await begun.promise
  await close()
  t.pass()
})
