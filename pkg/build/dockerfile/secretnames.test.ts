import test from 'ava'
import { secretArgs } from './secretnames.ts'

test('values of arguments that are called like secrets are secrets, unless they are said to be public', (t) => {
  const args = { DB_PASSWORD: 'x', npm_token: 'y', TOKEN_FILE: '/run/t', EMPTY_SECRET: '', VERSION: '1' }
  t.deepEqual(secretArgs({ args }), ['DB_PASSWORD', 'npm_token'])
  t.deepEqual(secretArgs({ args, publicArgs: ['npm_token'] }), ['DB_PASSWORD'])
  t.deepEqual(secretArgs({}), [])
})
