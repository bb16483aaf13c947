import test from 'ava'
import { parseGitAddress } from './gitaddress.ts'

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
