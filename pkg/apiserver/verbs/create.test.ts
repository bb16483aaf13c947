import test from 'ava'
import { ManualClock, type Random, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { admin, ask } from '#test/helpers/apiserver.ts'
import { makeApiServer } from '../server.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

test('a generated name is tried again when it is taken; when all are, the client may try in a second', async (t) => {
  const storage = openInProcessStorage()
  const seeded = seededRandom(1)
  let draws = 0
  // Each name takes five draws: the same name comes for the first three.
  const random: Random = { next: () => (draws++ < until ? 0 : seeded.next()), uuid: () => seeded.uuid() }
  let until = 15
  const server = makeApiServer({ storage, ambient: { clock: new ManualClock(), random, log: silentLogger } })
  await server.start(new AbortController().signal)
  t.teardown(async () => {
    await server.close()
    await storage.close()
  })
  const transport = inProcess(server.handler, admin)
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { generateName: 'job-' } }
  const create = (query = '') => ask(transport, `POST ${configMaps}${query}`, { body })
  draws = 0
  t.is((await create()).body.metadata.name, 'job-bbbbb')
  t.regex((await create()).body.metadata.name, /^job-(?!bbbbb)/)
  for (const query of ['', '?dryRun=All']) {
    draws = 0
    until = Number.POSITIVE_INFINITY
    const { status, headers, body: failure } = await create(query)
    t.is(status, 409)
    t.is(headers['retry-after'], '1')
    t.is(failure.reason, 'AlreadyExists')
    t.is(
      failure.message,
      'configmaps "job-bbbbb" already exists, the server was not able to generate a unique name for the object',
    )
    t.is(failure.details.retryAfterSeconds, 1)
  }
})
