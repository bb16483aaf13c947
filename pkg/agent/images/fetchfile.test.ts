/** Files fetched for Images: over HTTP on loopback, with senders that cut, hang, lie and send in circles. */
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { Client } from '#pkg/client/rest.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { toldAddress } from './address.ts'
import { type FetchContext, withFile } from './fetchfile.ts'

const signal = new AbortController().signal

async function serve(t: ExecutionContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

function context(body: ApiResponse['body'] = '', more: Partial<FetchContext> = {}): FetchContext {
  const client = new Client(() => Promise.resolve({ status: 200, headers: {}, body }), 'test')
  return { client, clock: systemClock(), ...more }
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of content) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

const read = { use: textOf, signal }

test('a file comes from its address, also by way of others', async (t) => {
  const base = await serve(t, (request, response) => {
    if (request.url === '/file') response.end('content')
    else response.writeHead(302, { location: request.url === '/a' ? 'b' : '/file' }).end()
  })
  t.is(await withFile({ url: `${base}/file` }, context(), read), 'content')
  t.is(await withFile({ url: `${base}/a` }, context(), read), 'content')
})

test('an upload comes from the server, whole or in parts', async (t) => {
  const from = { upload: `sha256:${'a'.repeat(64)}`, namespace: 'shop' }
  const asked: string[] = []
  const client = new Client((request) => {
    asked.push(request.path)
    return Promise.resolve({ status: 200, headers: {}, body: Buffer.from('bytes') })
  }, 'test')
  t.is(await withFile(from, context('', { client }), read), 'bytes')
  t.deepEqual(asked, [`/apis/cove.run/v1/namespaces/shop/uploads/${from.upload}`])
  t.is(await withFile(from, context('text'), read), 'text')
  async function* parts() {
    yield 'te'
    yield Buffer.from('xt')
  }
  t.is(await withFile(from, context(parts()), read), 'text')
})

test('redirects end after five, and lead to web addresses only', async (t) => {
  const base = await serve(t, (request, response) => {
    const location = request.url === '/away' ? 'file:///etc/passwd' : '/loop'
    response.writeHead(302, { location }).end()
  })
  const fails = (url: string) => t.throwsAsync(withFile({ url }, context(), read))
  t.regex((await fails(`${base}/loop`))?.message ?? '', /redirects more than 5 times/)
  t.regex((await fails(`${base}/away`))?.message ?? '', /redirects to what is no web address/)
})

test('what cannot be had is SourceUnavailable: refused, not found, cut off', async (t) => {
  const base = await serve(t, (request, response) => {
    if (request.url !== '/cut') response.writeHead(404).end()
    else response.writeHead(200, { 'content-length': 100 }).write('part', () => response.destroy())
  })
  const closed = await serve(t, (request) => request.socket.destroy())
  for (const url of [`${base}/none`, `${base}/cut`, closed]) {
    const error = await t.throwsAsync(withFile({ url }, context(), read))
    t.true(isReason(error, 'SourceUnavailable'), String(error))
  }
})

test('silence ends, before the answer and in the middle of it', async (t) => {
  const begun = Promise.withResolvers<void>()
  const base = await serve(t, (request, response) => {
    if (request.url === '/half') response.writeHead(200).write('half')
    begun.resolve()
  })
  for (const path of ['/never', '/half']) {
    const clock = new ManualClock(0)
    const reading = withFile({ url: `${base}${path}` }, context('', { clock }), read)
    const failing = t.throwsAsync(reading)
    let ended = false
    void failing.then(() => {
      ended = true
    })
    await begun.promise
    while (!ended) {
      await clock.advance(60_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
    const error = await failing
    t.true(isReason(error, 'SourceUnavailable'))
    t.regex(error?.message ?? '', /sends nothing for 60 s/)
  }
})

test('with a digest nothing is used before all of it is verified, and nothing stays on the disk', async (t) => {
  const base = await serve(t, (_, response) => void response.end('content'))
  const spool = await makeTempDir(t)
  const sha256 = createHash('sha256').update('content').digest('hex')
  t.is(await withFile({ url: base, sha256 }, context('', { spool }), read), 'content')
  const used: string[] = []
  const use = async (content: AsyncIterable<Uint8Array>) => void used.push(await textOf(content))
  const wrong = withFile({ url: base, sha256: '0'.repeat(64) }, context('', { spool }), { use, signal })
  const error = await t.throwsAsync(wrong)
  t.true(isReason(error, 'InvalidSpec'))
  t.deepEqual(used, [])
  t.deepEqual(await readdir(spool), [])
})

test('who breaks it off is told the reason that they gave', async (t) => {
  const base = await serve(t, () => {})
  const stop = new AbortController()
  const reading = withFile({ url: base }, context(), { use: textOf, signal: stop.signal })
  stop.abort(new Error('not wanted any more'))
  await t.throwsAsync(reading, { message: /not wanted any more/ })
})

test('what proves the right to an address is told nowhere, also that of a redirect', async (t) => {
  const base = await serve(t, (request, response) => {
    if (request.url?.startsWith('/moved') === true)
      response.writeHead(302, { location: '/file?X-Signature=hunter2' }).end()
    else response.writeHead(403).end()
  })
  const withPassword = base.replace('://', '://me:hunter2@')
  for (const url of [`${base}/moved`, `${base}/file?token=hunter2`, `${withPassword}/file`]) {
    const error = await t.throwsAsync(withFile({ url }, context(), read))
    t.is(error?.message, `${base}/file answers 403`)
  }
  t.is(toldAddress(`${withPassword}/file?token=hunter2#x`), `${base}/file`)
})
