import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask } from '#test/helpers/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { type ServeOptions, type Serving, serve } from './serve.ts'

const dayMs = 86_400_000

interface World {
  readonly serving: Serving
  readonly clock: ManualClock
  readonly options: ServeOptions
}

async function start(
  t: ExecutionContext,
  more: Partial<ServeOptions> = {},
  now = Date.now(),
): Promise<World> {
  const clock = new ManualClock(now)
  const storage = openInProcessStorage()
  const options: ServeOptions = {
    storage,
    ambient: { clock, random: seededRandom(now % 1e6), log: silentLogger },
    pkiDir: join(await makeTempDir(t, 'serve'), 'pki'),
    host: '127.0.0.1',
    port: 0,
    hosts: ['cove.example'],
    build: { version: '0.1.0', platform: 'linux/amd64' },
    ...more,
  }
  t.teardown(() => storage.close())
  const serving = await serve(options)
  t.teardown(() => serving.close())
  return { serving, clock, options }
}

function portOf({ url }: Serving): number {
  return Number(new URL(url).port)
}

async function certificateOf(serving: Serving) {
  const socket = connect({ host: '127.0.0.1', port: portOf(serving), ca: serving.pki.ca.cert })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerCertificate()
  socket.destroy()
  return certificate
}

test('everything is answered on one address, and nothing unguarded', async (t) => {
  const { serving } = await start(t)
  const stranger = { port: portOf(serving), ca: serving.pki.ca.cert }
  const admin = { ...stranger, identity: serving.pki.admin }
  const paths = [
    '/version',
    '/readyz',
    '/apis',
    '/openapi/v3',
    '/api/v1/namespaces',
    '/apis/cove.run/v1/containers',
  ]
  for (const path of paths) t.is((await ask(admin, path)).status, 200, path)
  const log = '/apis/cove.run/v1/namespaces/default/containers/web/log'
  for (const path of ['/apis', '/openapi/v3', '/api/v1/namespaces', log, '/nothing'])
    t.is((await ask(stranger, path)).status, 403, path)
  t.is((await ask(admin, log)).status, 404)
})

test('the certificate names the further hosts, and the kubeconfig the address', async (t) => {
  const { serving } = await start(t)
  t.regex((await certificateOf(serving)).subjectaltname ?? '', /DNS:cove\.example/)
  t.true(serving.kubeconfig.includes(serving.url))
})

test('a port in use leaves nothing running', async (t) => {
  const { serving } = await start(t)
  const error = await t.throwsAsync(start(t, { port: portOf(serving) }))
  t.true(isReason(error, 'InUse'))
})

test('a server that runs for months renews its certificate without a restart', async (t) => {
  const { serving, clock } = await start(t, {}, Date.now() - 310 * dayMs)
  const before = await certificateOf(serving)
  await clock.advance(306 * dayMs)
  // The look of the first day is still under way: only when it is done the next one is set.
  await eventually(() => {
    if (clock.nextTimer() === undefined) throw new Error('no next look is set')
  })
  await clock.advance(dayMs)
  const after = await eventually(async () => {
    const now = await certificateOf(serving)
    if (now.serialNumber === before.serialNumber) throw new Error('the old certificate is served')
    return now
  })
  t.true(Date.parse(after.valid_to) > Date.parse(before.valid_to))
})
