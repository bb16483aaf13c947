import test from 'ava'
import { kindOfUser } from './container.security.ts'

test('a user is root, another by number, or by a name that tells nothing', (t) => {
  for (const root of ['', '0', 'root', '0:0', 'root:app', '00', '+0', '-0', ':1000'])
    t.is(kindOfUser(root), 'root', root)
  for (const number of ['1', '1000', '1000:0', '65534:app']) t.is(kindOfUser(number), 'numbered', number)
  for (const name of ['app', 'nobody:nobody', 'toor', '10x', '1.5']) t.is(kindOfUser(name), 'named', name)
})
