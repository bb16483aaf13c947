import test from 'ava'
import { parseArgs } from '../args.ts'
import { commands } from '../commandtable.ts'
import { askedPrune, type PruneScope } from './prunespec.ts'

const now = Date.parse('2026-01-01T12:00:00Z')

function asked(scope: PruneScope, ...words: string[]) {
  const command = commands.find(({ name }) => name === `${scope} prune`)
  return askedPrune(scope, parseArgs(words, command?.flags ?? []), now)
}

test('system prune means leftovers, images without a name, networks and build cache, of whatever age', (t) => {
  t.deepEqual(asked('system').spec, {
    containers: { exited: true, unmanaged: false, olderThan: '0s' },
    images: { dangling: true, unused: false, olderThan: '0s' },
    networks: { unused: true, olderThan: '0s' },
    buildCache: { olderThan: '0s' },
  })
})

test('images that have a name and anonymous volumes go only when they are asked for', (t) => {
  const { spec, words } = asked('system', '-a', '--volumes')
  t.like(spec, { images: { unused: true }, volumes: { anonymous: true, olderThan: '0s' } })
  t.true(words.some((line) => line.includes('volumes with a name always stay')))
})

test('until is a duration, a time or seconds since 1970', (t) => {
  const age = (text: string) => asked('network', '--filter', `until=${text}`).spec['networks']
  t.deepEqual(age('24h'), { unused: true, olderThan: '24h' })
  t.deepEqual(age('2026-01-01T11:00:00Z'), { unused: true, olderThan: '3600s' })
  t.deepEqual(age(String(now / 1000 - 60)), { unused: true, olderThan: '60s' })
  t.throws(() => age('soon'), { message: /is no duration such as 24h/ })
})

test('with a label only images and containers that have it go', (t) => {
  const { spec } = asked('system', '--filter', 'label=stage=ci', '--volumes')
  t.deepEqual(Object.keys(spec), ['containers', 'images'])
  t.throws(() => asked('volume', '--filter', 'label=a=b'), { message: /only images and containers/ })
  t.throws(() => asked('image', '--filter', 'label=a'), { message: /label=KEY=VALUE/ })
  t.throws(() => asked('image', '--filter', 'dangling=true'), { message: /until=TIME/ })
})

test('so much of the build cache stays as is said', (t) => {
  t.deepEqual(asked('builder', '--keep-storage', '10GB').spec, {
    buildCache: { olderThan: '0s', keepStorage: '10000000000' },
  })
  t.throws(() => asked('builder', '--keep-storage', 'much'), { message: /no size/ })
})
