import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { Readable } from 'node:stream'
import test, { type ExecutionContext } from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { httpsTransport } from './https.ts'

async function serve(t: ExecutionContext, listener: RequestListener) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const transport = httpsTransport({
    server: `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`,
  })
  t.teardown(() => {
    transport.close()
    server.close()
    server.closeAllConnections()
  })
  return { server, transport }
}

function get(transport: Transport, path: string, more: { signal?: AbortSignal; body?: string } = {}) {
  const { signal = new AbortController().signal, body } = more
  const method = body === undefined ? 'GET' : 'POST'
  const query = new URLSearchParams({ a: 'x y' })
  return transport({ method, path, query, headers: {}, signal, ...(body !== undefined && { body }) })
}

test('method, path below the base, query and body arrive, and the answer comes back', async (t) => {
  const { transport } = await serve(t, (request, response) => {
    request.pipe(response.setHeader('x-seen', `${request.method} ${request.url}`))
  })
  const { status, headers, body } = await get(transport, '/x', { body: 'héllo' })
  t.deepEqual([status, headers['x-seen'], await readAll(body)], [200, 'POST /base/x?a=x+y', 'héllo'])
})

test('what is sent as it comes arrives, no faster than it is read, and its failure is told as it is', async (t) => {
  const { transport } = await serve(t, (request, response) => {
    request.pipe(response)
  })
  const send = (input: AsyncIterable<Uint8Array>) => {
    const signal = new AbortController().signal
    return transport({ method: 'POST', path: '/', query: new URLSearchParams(), headers: {}, input, signal })
  }
  const { body } = await send(Readable.from([Buffer.from('one '), Buffer.from('two')]))
  t.is(await readAll(body), 'one two')
  const broken = new Error('the disk is gone')
  const failing = async function* () {
    yield Buffer.alloc(0)
    throw broken
  }
  t.is(await t.throwsAsync(send(failing())), broken)
})

test('connections are kept, and one that the server closed meanwhile is made anew', async (t) => {
  const { server, transport } = await serve(t, (_request, response) => response.end('ok'))
  let connections = 0
  server.on('connection', () => connections++)
  await readAll((await get(transport, '/')).body)
  await readAll((await get(transport, '/')).body)
  t.is(connections, 1)
  server.closeAllConnections()
  t.is(await readAll((await get(transport, '/')).body), 'ok')
  t.is(connections, 2)
})

test('a body comes chunk by chunk, and an abort ends it with the reason of the signal', async (t) => {
  const { transport } = await serve(t, (_request, response) => void response.write('first'))
  const controller = new AbortController()
  const { body } = await get(transport, '/', { signal: controller.signal })
  const reason = new Error('enough')
  const reading = async () => {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      t.is(Buffer.from(chunk).toString(), 'first')
      controller.abort(reason)
    }
  }
  t.is(await t.throwsAsync(reading()), reason)
  t.is(await t.throwsAsync(get(transport, '/', { signal: controller.signal })), reason)
})

test('a connection that breaks in the middle of a body is an error', async (t) => {
  const { transport } = await serve(t, (_request, response) => {
    response.write('half')
    setImmediate(() => response.destroy())
  })
  const { body } = await get(transport, '/')
  const error: unknown = await t.throwsAsync(readAll(body), { message: /the connection to .* broke/ })
  t.true(isReason(error, 'ServiceUnavailable'))
})

test('a slow reader holds the sender back', async (t) => {
  let sent = 0
  const chunks = function* () {
    while (sent < 512) {
      sent++
      yield Buffer.alloc(64 * 1024)
    }
  }
  const { transport } = await serve(t, (_request, response) => {
    Readable.from(chunks()).pipe(response)
  })
  const { body } = await get(transport, '/')
  const iterator = (body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  await iterator.next()
  // Turns of the loop, in which an unbounded reader would take everything.
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
  t.true(sent < 400, `${sent} of 512 chunks were sent`)
  await iterator.return?.()
})

test('a server that is not there is told with what to do', async (t) => {
  const server = createTcpServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  const transport = httpsTransport({ server: `https://127.0.0.1:${port}` })
  const error: unknown = await t.throwsAsync(get(transport, '/'), {
    message: `cannot reach the server at https://127.0.0.1:${port} (connection refused): is \`cove up\` running?`,
  })
  t.true(isReason(error, 'ServiceUnavailable'))
})

test('a server that speaks no TLS is told as such', async (t) => {
  const { server } = await serve(t, (_request, response) => response.end())
  const { port } = server.address() as AddressInfo
  const transport = httpsTransport({ server: `https://127.0.0.1:${port}` })
  await t.throwsAsync(get(transport, '/'), { message: /it does not speak TLS/ })
})

test('a token never travels unprotected', (t) => {
  t.throws(() => httpsTransport({ server: 'http://h', token: 'x' }), { message: /readable on the way/ })
  t.throws(() => httpsTransport({ server: 'h:1' }), { message: /neither https/ })
  t.throws(() => httpsTransport({ server: '::' }), { message: /not a URL/ })
})
