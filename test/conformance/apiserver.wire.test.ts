/** The API over TLS, on the real clock: what the socket and the client make of it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { userOf } from '#pkg/apiserver/access/authenticate.ts'
import { ensurePki, type Pki } from '#pkg/apiserver/access/pki.ts'
import { listen } from '#pkg/apiserver/door/listen.ts'
import { makeApiServer } from '#pkg/apiserver/server.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { apiServerSuite } from './apiserver.ts'

const host = '127.0.0.1'
const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }

/** Making certificates takes longer than most tests, so all of them share one set. */
const shared = mkdtemp(join(tmpdir(), 'cove-wire-')).then(async (dir) => {
  const pki = await ensurePki(dir, { hosts: [host], now: ambient.clock.now(), random: ambient.random })
  return { dir, pki }
})

test.after.always('the certificates are removed', async () => {
  await rm((await shared).dir, { recursive: true, force: true })
})

const open: OpenApi = async (t, { window } = {}) => {
  const { pki } = await shared
  const storage = openInProcessStorage()
  const server = makeApiServer({ storage, ambient, ...(window !== undefined && { window }) })
  await server.start(new AbortController().signal)
  const listener = await listen({
    handler: server.handler,
    authenticate: userOf,
    host,
    port: 0,
    pki,
    ...ambient,
  })
  const transport = httpsTransport(clientOf(pki, listener.port))
  t.teardown(async () => {
    transport.close()
    await listener.close()
    await server.close()
    await storage.close()
  })
  return { transport, forget: async () => storage.compact((await storage.revisions()).current) }
}

function clientOf({ ca, admin }: Pki, port: number) {
  return { server: `https://${host}:${port}`, ca: ca.cert, ...admin }
}

apiServerSuite(test, 'over TLS', open)
