/** Doing one op: what is done again because somebody else wrote in between. */
import test from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { Client } from '#pkg/client/rest.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { startTestServer } from '#test/helpers/apiserver.ts'
import { Host } from './host.ts'
import { LentNames } from './images/lentnames.ts'
import { perform } from './perform.ts'
import { diskFiles } from './projection.ts'

const never = new AbortController().signal
const at = { namespace: 'default', name: 'data' }

/** Releases a Volume while somebody else writes to it before each of the first patches; resolves with the patches tried. */
async function release(
  t: { teardown(run: () => Promise<void>): void },
  writers: number,
): Promise<{ readonly tried: number; readonly error?: unknown }> {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const client = new Client(transport, 'test')
  const metadata = { ...at, finalizers: [nodeFinalizer('n1')] }
  const path = '/apis/cove.run/v1/namespaces/default/volumes'
  const body = JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Volume', metadata, spec: {} })
  const headers = { 'content-type': 'application/json' }
  await client.json({ method: 'POST', path, headers, body }, never)
  let tried = 0
  const between: Transport = async (request) => {
    if (request.method === 'PATCH' && tried++ < writers)
      await client.patch(volumeKind, at, { metadata: { labels: { n: String(tried) } } }, never)
    return await transport(request)
  }
  const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const engine = new SimEngine({ clock: ambient.clock, name: 'n1', registry: new SimRegistry() })
  const context = {
    engine,
    client: new Client(between, 'agent'),
    nodeName: 'n1',
    files: diskFiles('/nowhere'),
    host: new Host(undefined, ambient),
    clock: ambient.clock,
    lent: new LentNames({ engine, log: silentLogger }),
    onProgress: () => {},
    onAnswer: () => {},
    credentials: { secretOf: () => undefined, registries: () => [] },
  }
  try {
    await perform({ type: 'releaseObject', kind: 'Volume', object: at }, context, never)
    const { metadata: now } = await client.get(volumeKind, at, never)
    return { tried, ...(now.finalizers?.length && { error: new Error('the finalizer is still there') }) }
  } catch (error) {
    return { tried, error }
  }
}

test('an object is let go although somebody else writes to it at the same time', async (t) => {
  t.deepEqual(await release(t, 0), { tried: 1 })
  t.deepEqual(await release(t, 2), { tried: 3 })
})

test('who always comes too late says so in the end', async (t) => {
  const { tried, error } = await release(t, 100)
  t.is(tried, 5)
  t.true(isReason(error, 'Conflict'))
})
