import test from 'ava'
import { stale } from './generate.ts'
import { completeLock } from './lock.ts'

test('what is derived from the sources is up to date: else run make generate and commit', (t) => {
  t.deepEqual(stale(), [])
})

test('a lock without the packages of other platforms is completed, once', (t) => {
  const packages = {
    'node_modules/lint': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { '@lint/cli-linux-x64': '1.0.0', '@lint/cli-linux-x64-musl': '1.0.0' },
    },
    'node_modules/lint/node_modules/@lint/cli-linux-x64': { version: '1.0.0', optional: true },
  }
  const completed = completeLock(JSON.stringify({ lockfileVersion: 3, packages }))
  t.like(JSON.parse(completed).packages['node_modules/@lint/cli-linux-x64-musl'], {
    version: '1.0.0',
    os: ['linux'],
    cpu: ['x64'],
    libc: ['musl'],
    optional: true,
    dev: true,
  })
  t.is(Object.keys(JSON.parse(completed).packages).length, 3)
  t.is(completeLock(completed), completed)
})

test('a lock that lacks more than a platform is refused', (t) => {
  const packages = { 'node_modules/a': { version: '1.0.0', optionalDependencies: { helper: '1.0.0' } } }
  t.throws(() => completeLock(JSON.stringify({ packages })), {
    message: /lacks helper@1\.0\.0: run npm install/,
  })
})
