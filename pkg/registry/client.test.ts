import test, { type ExecutionContext } from 'ava'
import { ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ImageReference } from '#pkg/apimachinery/reference.ts'
import { type RegistryStub, startRegistryStub } from '#test/helpers/registrystub.ts'
import { digestOfBytes } from './answers.ts'
import { HttpRegistryClient } from './client.ts'
import type { Asking, Credentials } from './port.ts'

const digest = `sha256:${'a'.repeat(64)}`
const cove = { username: 'cove', password: 'hunter2' }
const basicOfCove = `Basic ${Buffer.from('cove:hunter2').toString('base64')}`
const head = { headers: { 'docker-content-digest': digest, 'content-type': 'application/x' } }

interface Setting {
  readonly stub: RegistryStub
  readonly clock: ManualClock
  readonly client: HttpRegistryClient
  readonly mirrors: string[]
  readonly tag: (text: string) => ImageReference
}

async function withStub(run: (setting: Setting) => Promise<void>): Promise<void> {
  const stub = await startRegistryStub()
  const clock = new ManualClock()
  const mirrors: string[] = []
  const client = new HttpRegistryClient({
    clock,
    access: async (registry) => ({
      insecure: true,
      authorities: [],
      mirrors: registry === 'docker.io' ? mirrors : [],
    }),
    hub: { registry: `http://${stub.address}`, search: `http://${stub.address}` },
  })
  const tag = (name: string) => ({ registry: stub.address, repository: 'team/app', tag: name })
  try {
    await run({ stub, clock, client, mirrors, tag })
  } finally {
    client.close()
    await stub.stop()
  }
}

function asking(...credentials: Credentials[]): Asking {
  return { credentials, signal: new AbortController().signal }
}

async function refused(t: ExecutionContext, asked: Promise<unknown>): Promise<StatusError> {
  const error = await t.throwsAsync(asked, { instanceOf: StatusError })
  t.notRegex(error.message, /hunter2|aHVudGVyMg|secret-token/)
  return error
}

test('a tag costs one HEAD that takes every kind of manifest', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(({ method }) => (method === 'HEAD' ? head : {}))
    t.deepEqual(await client.head(tag('1'), asking()), { digest, mediaType: 'application/x' })
    await client.head(tag('2'), asking())
    t.deepEqual(
      stub.asked.map(({ method, target }) => `${method} ${target}`),
      ['GET /v2/', 'HEAD /v2/team/app/manifests/1', 'HEAD /v2/team/app/manifests/2'],
    )
    for (const type of ['oci.image.index.v1', 'oci.image.manifest.v1', 'manifest.list.v2', 'manifest.v2'])
      t.true(stub.asked[1]?.accept?.includes(type), type)
  })
})

test('a registry that tells no digest with a HEAD is asked for the manifest, which is hashed', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(({ method }) => ({ body: method === 'GET' ? '{"layers":[]}' : '' }))
    const { digest: found } = await client.head(tag('1'), asking())
    t.is(found, digestOfBytes(Buffer.from('{"layers":[]}')))
  })
})

test('another digest than the one that was asked for is refused', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(() => head)
    const pinned = { ...tag('1'), digest: `sha256:${'b'.repeat(64)}` }
    t.is((await refused(t, client.head(pinned, asking()))).reason, 'RegistryUnavailable')
  })
})

test('credentials are tried in order, and each only where it is asked for', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    const headers = { 'www-authenticate': 'Basic realm="cove"' }
    stub.answer(({ authorization }) => (authorization === basicOfCove ? head : { status: 401, headers }))
    t.is((await client.head(tag('1'), asking({ ...cove, password: 'old' }, cove))).digest, digest)
    const error = await refused(t, client.head(tag('1'), asking()))
    t.is(error.reason, 'RegistryUnauthorized')
    t.is(stub.asked[0]?.authorization, undefined)
  })
})

test('a token is fetched once for a repository, used until it expires, and then fetched anew', async (t) => {
  await withStub(async ({ stub, client, clock, tag }) => {
    const realm = `http://${stub.address}/token`
    const challenge = `Bearer realm="${realm}",service="it",scope="repository:team/app:pull"`
    const token = JSON.stringify({ token: 'secret-token', expires_in: 300 })
    stub.answer(({ target, authorization }) => {
      if (target.startsWith('/token')) return { body: token }
      if (authorization === 'Bearer secret-token') return head
      return { status: 401, headers: { 'www-authenticate': challenge } }
    })
    await client.head(tag('1'), asking(cove))
    await client.head(tag('2'), asking(cove))
    const tokens = () => stub.asked.filter(({ target }) => target.startsWith('/token'))
    t.is(tokens().length, 1)
    t.is(tokens()[0]?.authorization, basicOfCove)
    t.is(tokens()[0]?.target, '/token?service=it&scope=repository%3Ateam%2Fapp%3Apull&account=cove')
    t.is(stub.asked.filter(({ method }) => method === 'HEAD').length, 2)
    await clock.advance(301_000)
    await client.head(tag('3'), asking(cove))
    t.is(tokens().length, 2)
  })
})

test('a refresh token of a helper is sent as a form and not in an address', async (t) => {
  await withStub(async ({ stub, client }) => {
    const challenge = `Bearer realm="http://${stub.address}/token",service="it"`
    stub.answer(({ method, target, authorization }) => {
      if (target === '/token' && method === 'POST') return { body: '{"access_token":"t"}' }
      return authorization === 'Bearer t' ? {} : { status: 401, headers: { 'www-authenticate': challenge } }
    })
    const credentials = { username: '<token>', password: 'hunter2' }
    await t.notThrowsAsync(client.login(stub.address, credentials, asking().signal))
  })
})

test('a wrong password fails a login, and no secret is told, even if the registry repeats it', async (t) => {
  await withStub(async ({ stub, client }) => {
    const headers = { 'www-authenticate': 'Basic realm="cove"' }
    const said = ['hunter2 is wrong', `${'x'.repeat(196)}hunter2`, `wrong: ${basicOfCove}`, 'only wrong']
    for (const message of said) {
      stub.answer(() => ({ status: 401, headers, body: JSON.stringify({ errors: [{ message }] }) }))
      const error = await refused(t, client.login(stub.address, cove, asking().signal))
      t.is(error.reason, 'RegistryUnauthorized')
      t.notRegex(error.message, /hun/)
      t.is(error.message.includes('wrong'), message === 'only wrong')
    }
  })
})

test('what registries refuse with has a reason, and Retry-After counts in seconds and as a date', async (t) => {
  await withStub(async ({ stub, client, clock, tag }) => {
    const date = new Date(clock.now() + 90_000).toUTCString()
    const cases = [
      [403, {}, 'RegistryUnauthorized', undefined],
      [404, {}, 'ImageNotFound', undefined],
      [429, { 'retry-after': '17' }, 'RegistryRateLimited', 17],
      [429, { 'retry-after': date }, 'RegistryRateLimited', 90],
      [429, { 'retry-after': 'soon' }, 'RegistryRateLimited', undefined],
      [503, { 'retry-after': '3' }, 'RegistryUnavailable', 3],
      [500, {}, 'RegistryUnavailable', undefined],
    ] as const
    for (const [status, headers, reason, retryAfter] of cases) {
      stub.answer(({ method }) => (method === 'HEAD' ? { status, headers } : {}))
      const error = await refused(t, client.head(tag('1'), asking()))
      t.is(error.reason, reason)
      t.is(error.details.retryAfterSeconds, retryAfter, `${status}`)
    }
  })
})

test('tags are read page by page, wherever a page says that the next one is', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    const next = '<http://internal:1/v2/team/app/tags/list?n=2&last=b>; rel="next"'
    stub.answer(({ target }) => {
      if (target.endsWith('last=b')) return { body: '{"tags":["c"]}' }
      return target === '/v2/' ? {} : { body: '{"tags":["a","b"]}', headers: { link: next } }
    })
    t.deepEqual(await client.tags(tag('1'), asking()), ['a', 'b', 'c'])
    t.true(stub.asked.every(({ target }) => !target.includes('internal')))
    stub.answer(() => ({ body: '{"name":"team/app","tags":null}' }))
    t.deepEqual(await client.tags(tag('1'), asking()), [])
  })
})

test('pages without an end are an error and not a long wait', async (t) => {
  await withStub(async ({ stub, client }) => {
    stub.answer(() => ({
      body: '{"repositories":["a"]}',
      headers: { link: '</v2/_catalog?n=1000>; rel=next' },
    }))
    const circle = await refused(t, client.catalog(stub.address, asking()))
    t.regex(circle.message, /no end: it names a page/)
    stub.answer(() => ({
      body: '{"repositories":["a"]}',
      headers: { link: `</v2/_catalog?last=${stub.asked.length}>; rel="next"` },
    }))
    t.regex((await refused(t, client.catalog(stub.address, asking()))).message, /more than 100 pages/)
  })
})

test('what is too long for a name takes no room among the tags', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(() => ({ body: JSON.stringify({ tags: ['1', 'x'.repeat(1_000_000)] }) }))
    t.deepEqual(await client.tags(tag(''), asking()), ['1'])
  })
})

test('garbage of every kind is an unavailable registry with a sentence', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    for (const body of ['<html>', '[]', '{"tags":1}', '{"tags":[1]}', '']) {
      stub.answer(({ target }) => (target === '/v2/' ? {} : { body }))
      const error = await refused(t, client.tags(tag('1'), asking()))
      if (body !== '{}') t.is(error.reason, 'RegistryUnavailable', body)
    }
    for (const manifest of ['{}', '{"layers":[1]}', '{"layers":[{"digest":"x"}]}', '{"manifests":[{}]}']) {
      stub.answer(({ target }) => (target === '/v2/' ? {} : { body: manifest }))
      const asked = client.layers(tag('1'), { ...asking(), platform: 'linux/amd64' })
      t.is((await refused(t, asked)).reason, 'RegistryUnavailable', manifest)
    }
    stub.answer(() => ({ headers: { 'content-type': 'text/html' }, body: '<html>welcome</html>' }))
    t.regex(
      (await refused(t, client.head(tag('1'), asking()))).message,
      /what no registry does: the manifest is no JSON object/,
    )
    stub.answer(() => ({ headers: { 'docker-content-digest': 'sha256:zz' } }))
    t.is((await refused(t, client.head(tag('1'), asking()))).reason, 'RegistryUnavailable')
  })
})

test('what is no registry at all is told so', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(() => ({ status: 404, body: 'not here' }))
    const error = await refused(t, client.head(tag('1'), asking()))
    t.is(error.reason, 'RegistryUnavailable')
    t.regex(error.message, /there is no \/v2\//)
  })
})

test('an answer that is too large is not read to its end', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    const body = JSON.stringify({ tags: ['x'.repeat(5 * 1024 * 1024)] })
    stub.answer(({ target }) => (target === '/v2/' ? {} : { body }))
    t.regex((await refused(t, client.tags(tag('1'), asking()))).message, /more than 4194304 bytes/)
  })
})

test('a registry that hangs is given up after half a minute, and at once when nobody waits any more', async (t) => {
  await withStub(async ({ stub, client, clock, tag }) => {
    stub.answer(({ method }) => (method === 'HEAD' ? 'hang' : {}))
    const asked = refused(t, client.head(tag('1'), asking()))
    while (!stub.asked.some(({ method }) => method === 'HEAD')) await new Promise(setImmediate)
    await clock.advance(30_000)
    await clock.advance(30_000)
    t.regex((await asked).message, /no answer in 30 s/)
    const controller = new AbortController()
    const waiting = client.head(tag('1'), { credentials: [], signal: controller.signal })
    controller.abort(new Error('enough'))
    await t.throwsAsync(waiting, { message: 'enough' })
  })
})

test('a connection that is broken off is an unavailable registry', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    stub.answer(({ method }) => (method === 'HEAD' ? 'reset' : {}))
    t.is((await refused(t, client.head(tag('1'), asking()))).reason, 'RegistryUnavailable')
  })
})

test('redirects are followed a few times, and credentials never to another host', async (t) => {
  const other = await startRegistryStub()
  await withStub(async ({ stub, client, tag }) => {
    const headers = { 'www-authenticate': 'Basic realm="cove"' }
    other.answer(() => head)
    stub.answer(({ authorization, target }) => {
      if (authorization === undefined) return { status: 401, headers }
      return { status: 307, headers: { location: `http://${other.address}${target}` } }
    })
    t.is((await client.head(tag('1'), asking(cove))).digest, digest)
    t.deepEqual(
      other.asked.map(({ authorization }) => authorization),
      [undefined],
    )
    stub.answer(({ target }) => ({ status: 302, headers: { location: `${target}x` } }))
    t.regex((await refused(t, client.head(tag('1'), asking(cove)))).message, /sends on more than 5 times/)
  }).finally(() => other.stop())
})

test('layers are those of the platform that is asked for', async (t) => {
  await withStub(async ({ stub, client, tag }) => {
    const manifest = JSON.stringify({ layers: [{ digest, size: 7 }] })
    const inner = digestOfBytes(Buffer.from(manifest))
    const manifests = [
      { digest, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
      { digest: inner, platform: { os: 'linux', architecture: 'amd64' } },
    ]
    stub.answer(({ target }) => {
      if (target === '/v2/') return {}
      return { body: target.endsWith(inner) ? manifest : JSON.stringify({ manifests }) }
    })
    const layers = await client.layers(tag('1'), { ...asking(), platform: 'linux/amd64' })
    t.deepEqual(layers, [{ digest, bytes: 7 }])
    const none = client.layers(tag('1'), { ...asking(), platform: 'windows/amd64' })
    t.is((await refused(t, none)).reason, 'ImageNotFound')
    const liar = client.layers(tag('1'), { ...asking(), platform: 'linux/arm64' })
    t.is((await refused(t, liar)).reason, 'RegistryUnavailable')
  })
})

test('mirrors of the Hub come first, are shown no credentials, and hand on what they do not have', async (t) => {
  const mirror = await startRegistryStub()
  await withStub(async ({ stub, client, mirrors }) => {
    mirrors.push(`http://${mirror.address}/`)
    const hello = { registry: 'docker.io', repository: 'library/hello', tag: '1' }
    mirror.answer(() => head)
    t.is((await client.head(hello, asking(cove))).digest, digest)
    t.is(stub.asked.length, 0)
    t.true(mirror.asked.every(({ authorization }) => authorization === undefined))
    mirror.answer(({ method }) => (method === 'HEAD' ? { status: 404 } : {}))
    stub.answer(() => head)
    t.is((await client.head(hello, asking(cove))).digest, digest)
    stub.answer(() => ({ status: 503 }))
    const error = await refused(t, client.head({ ...hello, tag: '2' }, asking()))
    t.is(error.reason, 'RegistryUnavailable')
    t.regex(error.message, /before that: registry docker.io has no tag 2/)
  }).finally(() => mirror.stop())
})

test('the search of the Hub gives as many as are asked for', async (t) => {
  await withStub(async ({ stub, client }) => {
    const results = [
      { name: 'nginx', description: 'web', star_count: 9, is_official: true },
      { name: 'me/nginx', star_count: 1 },
    ]
    stub.answer(() => ({ body: JSON.stringify({ results }) }))
    t.deepEqual(await client.search('ngi nx', { ...asking(), limit: 1 }), [
      { name: 'nginx', description: 'web', stars: 9, official: true },
    ])
    t.is(stub.asked[0]?.target, '/v1/search?q=ngi+nx&n=1')
  })
})

test('a registry that must prove itself is not asked over HTTP, and why is told', async (t) => {
  await withStub(async ({ stub }) => {
    const client = new HttpRegistryClient({
      clock: systemClock(),
      access: async () => ({ insecure: false, mirrors: [], authorities: [] }),
    })
    const error = await refused(t, client.head({ registry: stub.address, repository: 'a' }, asking(cove)))
    client.close()
    t.is(error.reason, 'RegistryUnavailable')
    t.regex(error.message, /does not speak HTTPS/)
    t.is(stub.asked.length, 0)
  })
})
