import test from 'ava'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { credentialsFor, type Found, useless } from '#pkg/apis/dockerconfig.ts'
import { secret } from '#test/helpers/world.ts'
import {
  type CredentialSources,
  credentialsOf,
  credentialVersions,
  withCredentialsTold,
  withEach,
  withLogin,
} from './credentials.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const login = (name: string) => ({ auth: base64(`${name}:pass:word`) })

function config(auths: Record<string, unknown>): Secret {
  return {
    ...secret('s', {}),
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64(JSON.stringify({ auths })) },
  }
}

function users(reference: string, ...secrets: readonly Secret[]): string[] {
  const keys = secrets.map((_, index) => `shop/s${index}`)
  return credentialsFor(reference, keys, (key) => secrets[keys.indexOf(key)]).map(
    ({ from, credentials }) => `${from.replace(/^Secret /, '')} ${credentials.username}`,
  )
}

test('credentials are those of the registry, with its port and however its address is written', (t) => {
  const one = config({
    'registry.example.com': login('plain'),
    'registry.example.com:5000': login('port'),
    'https://secure.example.com/v2/': login('address'),
  })
  t.deepEqual(users('registry.example.com/app:1', one), ['shop/s0 plain'])
  t.deepEqual(users('registry.example.com:5000/app:1', one), ['shop/s0 port'])
  t.deepEqual(users('secure.example.com/team/app', one), ['shop/s0 address'])
  t.deepEqual(users('other.example.com/app', one), [])
})

test('Docker Hub is meant by each of its names, and by no other registry', (t) => {
  for (const name of ['https://index.docker.io/v1/', 'index.docker.io', 'docker.io', 'registry-1.docker.io'])
    t.deepEqual(users('nginx:1', config({ [name]: login('me') })), ['shop/s0 me'], name)
  t.deepEqual(users('127.0.0.1:5000/nginx', config({ 'docker.io': login('me') })), [])
})

test('of several places the more exact one is asked first, then Secrets in their order', (t) => {
  const wide = config({ 'r.example.com': login('all'), 'r.example.com/team': login('team') })
  const more = config({ 'r.example.com': login('second') })
  t.deepEqual(users('r.example.com/team/app', wide, more), ['shop/s0 team', 'shop/s0 all', 'shop/s1 second'])
  t.deepEqual(users('r.example.com/other/app', wide, more), ['shop/s0 all', 'shop/s1 second'])
})

test('a star stands for one part of a host, never for several', (t) => {
  const one = config({ '*.example.com': login('star'), 'eu-*.example.org': login('part') })
  t.deepEqual(users('r.example.com/app', one), ['shop/s0 star'])
  t.deepEqual(users('eu-west.example.org/app', one), ['shop/s0 part'])
  t.deepEqual(users('a.b.example.com/app', one), [])
  t.deepEqual(users('r.example.com:5000/app', one), [])
})

test('passwords may hold colons, and name and password may be written apart', (t) => {
  const [found] = credentialsFor('r.io/app', ['a/b'], () => config({ 'r.io': login('me') }))
  t.deepEqual(found?.credentials, { username: 'me', password: 'pass:word' })
  const apart = config({ 'r.io': { username: 'you', password: 'secret' } })
  t.deepEqual(credentialsFor('r.io/app', ['a/b'], () => apart)[0]?.credentials, {
    username: 'you',
    password: 'secret',
  })
})

test('the older form is read too', (t) => {
  const old: Secret = {
    ...secret('s', {}),
    type: 'kubernetes.io/dockercfg',
    data: { '.dockercfg': base64(JSON.stringify({ 'r.io': login('old') })) },
  }
  t.deepEqual(users('r.io/app', old), ['shop/s0 old'])
})

test('what holds no credentials is named: a Secret of another type, an empty one, and one that is not there', (t) => {
  const opaque = secret('o', { password: 'x' })
  const found = new Map([
    ['a/opaque', opaque],
    ['a/empty', config({ 'r.io': {} })],
    ['a/good', config({ 'r.io': login('me') })],
    ['a/odd', { ...config({}), data: { '.dockerconfigjson': base64('[]') } }],
  ])
  t.deepEqual(
    useless([...found.keys(), 'a/gone'], (key) => found.get(key)),
    ['a/opaque', 'a/empty', 'a/odd', 'a/gone'],
  )
})

test('a refusal says with whose credentials was asked, and never what they are', (t) => {
  const refusal = new StatusError('RegistryUnauthorized', 'unauthorized')
  const told = (found: readonly Found[], troubles: readonly string[] = []) =>
    String(withCredentialsTold(refusal, 'r.io/app', { found, troubles }))
  t.regex(told([]), /unauthorized \(no Secret that spec names holds credentials for r\.io, and /)
  const found = [{ from: 'Secret shop/login', credentials: { username: 'me', password: 'hidden' } }]
  t.regex(told(found), /unauthorized \(asked with the credentials of Secret shop\/login\)$/)
  t.regex(told(found, ['docker-credential-x fails']), /; docker-credential-x fails\)$/)
  t.notRegex(told(found), /hidden/)
  const missing = new StatusError('ImageNotFound', 'manifest unknown')
  t.is(withCredentialsTold(missing, 'r.io/app', { found: [], troubles: [] }), missing)
})

const { signal } = new AbortController()
const registry = (server: string, name: string) => ({
  apiVersion: 'cove.run/v1',
  kind: 'Registry' as const,
  metadata: { name },
  spec: { server, secret: { namespace: 'infra', name } },
})

test('who is asked stands in order: named Secrets, the login, the Registry, the node', async (t) => {
  const stored = new Map([
    ['shop/named', config({ 'r.io': login('named') })],
    ['shop/login.r.io', config({ 'r.io': login('login') })],
    ['other/login.r.io', config({ 'r.io': login('other') })],
    ['infra/shared', config({ 'r.io': login('shared') })],
  ])
  const sources: CredentialSources = {
    secretOf: (key) => stored.get(key),
    registries: () => [registry('r.io', 'shared'), registry('else.io', 'named')],
    nodeLogins: async (host) => ({
      found: [{ from: `node at ${host}`, credentials: { username: 'node', password: 'x' } }],
      troubles: ['and one more'],
    }),
  }
  const asked = { namespace: 'shop', secrets: ['shop/named'], signal }
  const { found, troubles } = await credentialsOf('r.io/app', asked, sources)
  t.deepEqual(
    found.map(({ from, credentials }) => `${from}: ${credentials.username}`),
    [
      'Secret shop/named: named',
      'Secret shop/login.r.io: login',
      'Secret infra/shared: shared',
      'node at r.io: node',
    ],
  )
  t.deepEqual(troubles, ['and one more'])
  stored.clear()
  t.deepEqual((await credentialsOf('r.io/app', { ...asked, secrets: [] }, sources)).found.length, 1)
})

test('a Registry of the Hub is meant by each of its names', async (t) => {
  const sources: CredentialSources = {
    secretOf: () => config({ 'https://index.docker.io/v1/': login('hub') }),
    registries: () => [registry('index.docker.io', 'hub')],
  }
  const { found } = await credentialsOf('nginx', { secrets: [], signal }, sources)
  t.deepEqual(
    found.map(({ from }) => from),
    ['Secret infra/hub'],
  )
})

test('each of the credentials is tried until one is good; what is no refusal ends it', async (t) => {
  const offered = ['a', 'b', 'c'].map((username) => ({
    from: `Secret ${username}`,
    credentials: { username, password: 'x' },
  }))
  const tried: string[] = []
  const run = (good: string, reason: Reason) =>
    withEach('r.io/app', { found: offered, troubles: [] }, async (credentials) => {
      tried.push(credentials?.username ?? 'nobody')
      if (credentials?.username !== good) throw new StatusError(reason, 'no')
      return good
    })
  t.is(await run('b', 'RegistryUnauthorized'), 'b')
  const refused = await t.throwsAsync(run('z', 'ImageNotFound'))
  t.regex(refused.message, /Secret a, Secret b, Secret c/)
  await t.throwsAsync(run('z', 'RegistryRateLimited'))
  t.is(tried.join(''), 'ababca')
  const anonymous = await withEach('r.io/app', { found: [], troubles: [] }, async (none) => none)
  t.is(anonymous, undefined)
})

test('other credentials are another version: of a named Secret, of a login, of a Registry', (t) => {
  const stored = (key: string, resourceVersion: string) =>
    new Map([[key, { ...config({}), metadata: { name: 's', resourceVersion } }]])
  const registries = new Map([['shared', registry('r.io', 'shared')]])
  const versions = (secrets: ReadonlyMap<string, Secret>) =>
    credentialVersions('r.io/app', ['shop/named'], { secrets, registries }).join()
  const seen = [
    versions(new Map()),
    versions(stored('shop/named', '1')),
    versions(stored('infra/shared', '1')),
  ]
  t.is(new Set([...seen, versions(stored('infra/shared', '2'))]).size, 4)
})

test('the login of a namespace counts where there is one, and once', (t) => {
  const one = config({ 'r.io:5000': login('me') })
  const loginOf = (secrets: string[], stored: Secret | undefined) =>
    withLogin('r.io:5000/app', { namespace: 'shop', secrets }, () => stored)
  t.deepEqual(loginOf([], undefined), [])
  t.deepEqual(loginOf([], one), ['shop/login.r.io-5000'])
  t.deepEqual(loginOf(['shop/login.r.io-5000'], one), ['shop/login.r.io-5000'])
})
