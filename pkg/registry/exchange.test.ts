import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { makeCertificates } from '#test/helpers/registry.ts'
import { startRegistryStub } from '#test/helpers/registrystub.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { HttpRegistryClient } from './client.ts'

/** One with a certificate that counts; every question about a manifest is answered with these headers. */
async function startSecure(t: ExecutionContext, status: number, headers: Readonly<Record<string, string>>) {
  const directory = await makeTempDir(t)
  const authority = await makeCertificates(directory)
  const [cert, key] = await Promise.all(
    ['cert.pem', 'key.pem'].map((name) => readFile(join(directory, name))),
  )
  const server = createServer({ cert, key }, ({ url }, response) => {
    response.writeHead(url === '/v2/' ? 200 : status, headers).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const registry = `127.0.0.1:${port}`
  const client = new HttpRegistryClient({
    clock: systemClock(),
    // As engines have it: what listens on this machine need not prove itself.
    access: async (host) => ({ insecure: host !== registry, mirrors: [], authorities: [authority] }),
  })
  t.teardown(() => client.close())
  const asking = { credentials: [], signal: new AbortController().signal }
  return () => client.head({ registry, repository: 'team/app', tag: '1' }, asking)
}

test('a registry that must prove itself sends nobody on to what listens on this machine', async (t) => {
  const inside = await startRegistryStub()
  t.teardown(() => inside.stop())
  const head = await startSecure(t, 307, { location: `http://${inside.address}/containers/json` })
  await t.throwsAsync(head, { message: /sends on from HTTPS to HTTP/ })
  t.deepEqual(inside.asked, [])
})

test('a registry that must prove itself has no token asked for over HTTP, by nobody either', async (t) => {
  const inside = await startRegistryStub()
  t.teardown(() => inside.stop())
  const realm = `Bearer realm="http://${inside.address}/latest/token",service="it"`
  const head = await startSecure(t, 401, { 'www-authenticate': realm })
  await t.throwsAsync(head, { message: /gives tokens over HTTP/ })
  t.deepEqual(inside.asked, [])
})
