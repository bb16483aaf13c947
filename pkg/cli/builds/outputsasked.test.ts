import test from 'ava'
import { build } from '#test/helpers/world.ts'
import { UsageError } from '../errors.ts'
import { outputsOf } from './outputsasked.ts'

const places = { cwd: '/home/me', directory: '/home/me/app' }

function outputs(to: readonly string[], texts: readonly string[] = []) {
  const own = to.map((each) => ({ from: '/out', to: each }))
  const { spec } = build('web', { outputs: own })
  return outputsOf({ spec }, { ...places, texts }).map((each) => each.to)
}

test('outputs of a manifest go beside it, those of the command line wherever it says', (t) => {
  t.deepEqual(outputs(['dist', './a/../b', '..c', '/srv'], ['/x=../y']), [
    '/home/me/app/dist',
    '/home/me/app/b',
    '/home/me/app/..c',
    '/home/y',
  ])
})

test('a manifest has nothing written elsewhere on the machine of whoever builds it', (t) => {
  for (const to of ['../.bashrc', 'a/../../.ssh/authorized_keys', '..']) {
    const error = t.throws(() => outputs([to]), { instanceOf: UsageError })
    t.regex(error?.message ?? '', /lies outside of \/home\/me\/app: ask for it with --output/)
  }
})
