/** The registry client against a real registry: open, with a password, and with a certificate of an authority of its own. */
import test from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { HttpRegistryClient } from '#pkg/registry/client.ts'
import type { Credentials, RegistryAccess } from '#pkg/registry/port.ts'
import { baseImage, ensureBaseImage, testEngineHost } from '#test/helpers/engine.ts'
import { type RegistryOptions, startRegistry, testAccount } from '#test/helpers/registry.ts'

const { signal } = new AbortController()
const asking = (...credentials: Credentials[]) => ({ credentials, signal })

async function scene(
  t: { teardown(run: () => Promise<void>): void },
  options: RegistryOptions,
  more: Partial<RegistryAccess> = {},
) {
  const registry = await startRegistry(options)
  const trusted = registry.authority === undefined ? [] : [registry.authority]
  const access = async () => ({
    insecure: registry.authority === undefined,
    mirrors: [],
    authorities: trusted,
    ...more,
  })
  const client = new HttpRegistryClient({ clock: systemClock(), access })
  t.teardown(async () => {
    client.close()
    await registry.stop()
  })
  const reference = { registry: registry.address, repository: 'team/app', tag: '1' }
  return { registry, client, reference }
}

test('an open registry tells tags, digests, layers and repositories', async (t) => {
  const { registry, client, reference } = await scene(t, {})
  const engine = testEngineHost()
  await ensureBaseImage(engine)
  await registry.push(engine, baseImage, 'team/app:1')
  await registry.push(engine, baseImage, 'team/app:2')
  const head = await client.head(reference, asking())
  t.regex(head.digest, /^sha256:[0-9a-f]{64}$/)
  t.deepEqual(await client.head({ ...reference, digest: head.digest }, asking()), head)
  t.deepEqual([...(await client.tags(reference, asking()))].sort(), ['1', '2'])
  t.deepEqual(await client.catalog(registry.address, asking()), ['team/app'])
  const layers = await client.layers(reference, { ...asking(), platform: 'linux/amd64' })
  t.true(layers.length > 0 && layers.every(({ bytes }) => bytes > 0))
  const missing = await t.throwsAsync(client.head({ ...reference, tag: 'no' }, asking()), {
    instanceOf: StatusError,
  })
  t.is(missing.reason, 'ImageNotFound')
  const noRepository = client.tags({ ...reference, repository: 'team/none' }, asking())
  t.is((await t.throwsAsync(noRepository, { instanceOf: StatusError })).reason, 'ImageNotFound')
})

test('a registry with a password takes the right one only, also when it is the second', async (t) => {
  const { registry, client } = await scene(t, { password: true })
  const wrong = { ...testAccount, password: 'guessed-wrongly' }
  t.deepEqual(await client.catalog(registry.address, asking(wrong, testAccount)), [])
  for (const credentials of [[], [wrong]]) {
    const refused = client.catalog(registry.address, asking(...credentials))
    const error = await t.throwsAsync(refused, { instanceOf: StatusError })
    t.is(error.reason, 'RegistryUnauthorized')
    t.notRegex(error.message, /guessed-wrongly/)
  }
  await client.login(registry.address, testAccount, signal)
  const bad = await t.throwsAsync(client.login(registry.address, wrong, signal), { instanceOf: StatusError })
  t.is(bad.reason, 'RegistryUnauthorized')
})

test('a certificate counts when its authority does, or when nobody insists on one', async (t) => {
  const known = await scene(t, { tls: true, password: true })
  await known.client.login(known.registry.address, testAccount, signal)
  t.deepEqual(await known.client.catalog(known.registry.address, asking(testAccount)), [])
  const lax = await scene(t, { tls: true }, { insecure: true, authorities: [] })
  t.deepEqual(await lax.client.catalog(lax.registry.address, asking()), [])
  const strict = await scene(t, { tls: true }, { authorities: [] })
  const error = await t.throwsAsync(strict.client.catalog(strict.registry.address, asking()), {
    instanceOf: StatusError,
  })
  t.is(error.reason, 'RegistryUnavailable')
  t.regex(error.message, /not trusted; put that of its authority into \/etc\/docker\/certs\.d\//)
})

test('a registry that is gone is told as one that cannot be reached', async (t) => {
  const { registry, client, reference } = await scene(t, {})
  await client.catalog(registry.address, asking())
  await registry.stop()
  const error = await t.throwsAsync(client.head(reference, asking()), { instanceOf: StatusError })
  t.is(error.reason, 'RegistryUnavailable')
  t.regex(error.message, /nothing listens there/)
})
