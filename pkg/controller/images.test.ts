/** The controller against the API. */
import test from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { imageKind } from '#pkg/apis/image.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { ImageController } from './images.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const [a, b] = [digest('a'), digest('b')]
const never = new AbortController().signal

test('a Container that is rolled back has its Image told so, whoever else writes its status', async (t) => {
  const { server, transport, clock, close } = await startTestServer()
  t.teardown(() => close())
  const ambient: Ambient = { clock, random: seededRandom(2), log: silentLogger }
  const client = new Client(transport, 'test')
  const abort = new AbortController()
  const path = '/apis/cove.run/v1/namespaces/default'
  const image = {
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name: 'app' },
    spec: { reference: 'app:1', update: { policy: 'Digest' } },
  }
  await ask(transport, `POST ${path}/images`, { body: image })
  for (const name of ['one', 'two']) {
    const spec = { imageFrom: { image: 'app' } }
    const body = { apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name }, spec }
    await ask(transport, `POST ${path}/containers`, { body })
  }
  const settle = async () => {
    let [quiet, revision] = [0, -1]
    while (quiet < 4) {
      await clock.advance(100)
      quiet = revision === server.cache.revision ? quiet + 1 : 0
      revision = server.cache.revision
    }
  }
  const running = new ImageController({ client, ambient }).run(abort.signal)
  await settle()
  const setStatus = (kind: Kind, name: string, status: object) =>
    client.patch(kind, { namespace: 'default', name, subresource: 'status' }, { status }, never)
  const failed = {
    fingerprint: 'f',
    generation: 1,
    reason: 'Exited',
    message: 'it ended with exit code 1',
    time: '2026-01-01T12:00:00Z',
    image: `app:1@${b}`,
  }
  const status = { image: { reference: `app:1@${a}` }, rollout: { phase: 'RolledBack', failed } }
  await Promise.all([
    setStatus(anyKind(containerKind), 'one', status),
    ...['Pulling', 'Ready'].map((phase) => setStatus(anyKind(imageKind), 'app', { phase })),
    setStatus(anyKind(containerKind), 'two', status),
  ])
  await settle()
  const found = await client.get(imageKind, { namespace: 'default', name: 'app' }, never)
  t.deepEqual(
    found.status?.rejected?.map(({ digest: rejected, back }) => [rejected, back]),
    [[b, `app:1@${a}`]],
  )
  abort.abort()
  await running
})
