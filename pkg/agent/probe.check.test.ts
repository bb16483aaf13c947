import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import test, { type ExecutionContext } from 'ava'
import { systemRandom } from '#pkg/apimachinery/ambient.ts'
import { selfSign } from '#pkg/apiserver/access/certificate.ts'
import { runCheck } from './probe.check.ts'
import type { ProbeCheck } from './probe.ts'

const signal = new AbortController().signal

async function listen(t: ExecutionContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

async function serve(t: ExecutionContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  const port = await listen(t, server)
  t.teardown(() => server.closeAllConnections())
  return port
}

function http(port: number, more: Partial<Extract<ProbeCheck, { type: 'http' }>> = {}): ProbeCheck {
  return { type: 'http', scheme: 'HTTP', port, path: '/', headers: {}, ...more }
}

const ask = (check: ProbeCheck, addresses: readonly string[] = ['127.0.0.1'], abort = signal) =>
  runCheck(check, addresses, abort)

for (const [statusCode, exitCode] of [
  [200, 0],
  [204, 0],
  [399, 0],
  [400, 1],
  [404, 1],
  [500, 1],
] as const) {
  test(`an answer of ${statusCode} is ${exitCode === 0 ? 'good' : 'bad'}`, async (t) => {
    const port = await serve(t, (_request, response) => response.writeHead(statusCode).end('what it said'))
    const result = await ask(http(port))
    t.is(result.exitCode, exitCode)
    t.true(result.output.startsWith(`HTTP ${statusCode}`))
    t.is(result.output.includes('what it said'), exitCode === 1)
  })
}

test('path and headers are sent as they are given; Host may be another', async (t) => {
  const seen: unknown[] = []
  const port = await serve(t, ({ url, headers }, response) => {
    seen.push([url, headers.host, headers['x-token'], headers['user-agent']])
    response.end()
  })
  await ask(http(port, { path: '/health?deep=1', headers: { Host: 'shop.example', 'X-Token': 'a b' } }))
  t.deepEqual(seen, [['/health?deep=1', 'shop.example', 'a b', 'cove-probe/1']])
})

test('redirects are followed on the same host; one that leads elsewhere is an answer', async (t) => {
  const urls: (string | undefined)[] = []
  const port = await serve(t, ({ url }, response) => {
    urls.push(url)
    if (url === '/a') response.writeHead(302, { location: '/b?x=1' }).end()
    else if (url === '/away') response.writeHead(301, { location: 'http://example.invalid/' }).end()
    else if (url === '/round') response.writeHead(307, { location: '/round' }).end()
    else response.writeHead(503).end()
  })
  t.like(await ask(http(port, { path: '/a' })), { exitCode: 1 })
  t.deepEqual(urls, ['/a', '/b?x=1'])
  t.like(await ask(http(port, { path: '/away' })), { exitCode: 0, output: 'HTTP 301 Moved Permanently' })
  t.like(await ask(http(port, { path: '/round' })), { exitCode: 1, output: 'gave up after 10 redirects' })
})

test('HTTPS is spoken without asking who it is', async (t) => {
  const validity = { random: systemRandom(), from: Date.now() - 60_000, to: Date.now() + 60_000 }
  const { key, cert } = await selfSign('probe', validity)
  const server = createSecureServer({ key, cert }, (_request, response) => response.end())
  const port = await listen(t, server)
  t.teardown(() => server.closeAllConnections())
  t.like(await ask(http(port, { scheme: 'HTTPS' })), { exitCode: 0 })
  t.like(await ask(http(port)), { exitCode: 1 })
})

test('of an endless body only the beginning is read', async (t) => {
  const port = await serve(t, (_request, response) => {
    response.writeHead(500)
    const timer = setInterval(() => response.write('x'.repeat(5000)), 1)
    response.once('close', () => clearInterval(timer))
  })
  const { exitCode, output } = await ask(http(port))
  t.is(exitCode, 1)
  t.true(output.length < 10_400)
})

test('a port is good when it takes connections, and a closed one says what to do', async (t) => {
  const server = createTcpServer((socket) => socket.end())
  const port = await listen(t, server)
  t.deepEqual(await ask({ type: 'tcp', port }), { exitCode: 0, output: `port ${port} takes connections` })
  const closed = await ask({ type: 'tcp', port: 1 })
  t.is(closed.exitCode, 1)
  t.regex(closed.output, /port 1 of 127\.0\.0\.1: nothing listens there .* let it listen on 0\.0\.0\.0/)
})

test('one address that answers is enough, and none is a failure that says so', async (t) => {
  const server = createTcpServer((socket) => socket.end())
  const port = await listen(t, server)
  t.like(await ask({ type: 'tcp', port }, ['127.0.0.2', '127.0.0.1']), { exitCode: 0 })
  t.like(await ask({ type: 'tcp', port }, []), {
    exitCode: 1,
    output: 'the container has no address that its node could reach: use a command in place of http or tcp',
  })
})

test('a silent server is left when the signal aborts', async (t) => {
  const port = await serve(t, () => {})
  const abort = new AbortController()
  const asked = ask(http(port), ['127.0.0.1'], abort.signal)
  abort.abort(new Error('enough'))
  await t.throwsAsync(asked, { message: 'enough' })
})

test('a header that cannot be sent is a failed check', async (t) => {
  const port = await serve(t, (_request, response) => response.end())
  t.like(await ask(http(port, { headers: { 'X-A': 'a\nb' } })), { exitCode: 1 })
})
