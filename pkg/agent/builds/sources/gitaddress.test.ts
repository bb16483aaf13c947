import test from 'ava'
import { secret } from '#test/helpers/world.ts'
import { gitAuthorities, gitLogin, parseGitAddress } from './gitaddress.ts'

test('an address is told without its login, which is for its origin', (t) => {
  const { address, login, origin } = parseGitAddress('https://me:p%40ss@git.example/app.git')
  t.is(address, 'https://git.example/app.git')
  t.is(origin, 'https://git.example')
  t.deepEqual(login, { type: 'basic', username: 'me', password: 'p@ss' })
  t.is(parseGitAddress('https://me:100%@git.example/').login?.password, '100%')
})

test('what git could take for an option, or for two lines, is no address', (t) => {
  const evil = [
    '-x@host:repo',
    'git://host/a\nhost=evil',
    'ssh://a b/c',
    'git@host:\u001b]0;x\u0007',
    'https://a/\r\nx',
  ]
  for (const url of evil)
    t.throws(() => parseGitAddress(url), { message: /^spec\.context\.git\.url has blanks/ })
  for (const url of ['git@host:~me/repo', 'file:///srv/a', 'git://h/x'])
    t.is(parseGitAddress(url).address, url)
})

test('a Secret may say who vouches for a server beside a login, or instead of one', (t) => {
  const address = parseGitAddress('https://me:here@git.example/app.git')
  const pem = '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'
  const alone = secret('a', { 'ca.crt': pem })
  t.is(gitLogin(address, 'shop/a', alone)?.type, 'basic')
  t.is(gitLogin(parseGitAddress('https://git.example/app.git'), 'shop/a', alone), undefined)
  t.is(gitAuthorities(address, 'shop/a', alone), pem)
  const both = secret('b', { 'ca.crt': pem, password: 'token' })
  t.like(gitLogin(address, 'shop/b', both), { password: 'token' })
  t.is(gitAuthorities(address, 'shop/b', both), pem)
  const none = secret('c', { username: 'me' })
  t.is(gitAuthorities(address, 'shop/c', none), undefined)
  const wrong = secret('d', { 'ca.crt': 'MIIB' })
  t.throws(() => gitAuthorities(address, 'shop/d', wrong), {
    message: 'ca.crt of Secret shop/d holds no certificate (PEM)',
  })
})
