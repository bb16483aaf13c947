import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { secret } from '#test/helpers/world.ts'
import { credentialsFor, useless, withCredentialsTold } from './pullsecrets.ts'

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
    ({ secret: from, credentials }) => `${from} ${credentials.username}`,
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
  const told = (found: Parameters<typeof withCredentialsTold>[2]) =>
    String(withCredentialsTold(refusal, 'r.io/app', found))
  t.regex(told([]), /unauthorized \(no Secret of spec\.imagePullSecrets holds credentials for r\.io\)$/)
  const found = [{ secret: 'shop/login', credentials: { username: 'me', password: 'hidden' } }]
  t.regex(told(found), /unauthorized \(asked with the credentials of Secret shop\/login\)$/)
  t.notRegex(told(found), /hidden/)
  const missing = new StatusError('ImageNotFound', 'manifest unknown')
  t.is(withCredentialsTold(missing, 'r.io/app', []), missing)
})
