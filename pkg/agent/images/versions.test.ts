import test from 'ava'
import fc from 'fast-check'
import { isOlder, newestTag, versionIn } from './versions.ts'

test('the version of a tag is what a star of the filter stands for', (t) => {
  const cases: readonly (readonly [string, string | undefined, string | undefined])[] = [
    ['1.27.3', undefined, '1.27.3'],
    ['v1.27.3', undefined, 'v1.27.3'],
    ['1.27', undefined, undefined],
    ['latest', undefined, undefined],
    ['1.27.3-alpine', '*-alpine', '1.27.3'],
    ['1.27.3-alpine3.20', '*-alpine', undefined],
    ['1.27.3-alpine3.20', '*-alpine*', '1.27.3'],
    ['release-1.2.3', 'release-*', '1.2.3'],
    ['release-1.2.3-amd64', 'release-*-*', '1.2.3'],
    ['1.2.3', '1.2.3', undefined],
    ['1x27x3', '1.27.*', undefined],
  ]
  for (const [tag, filter, version] of cases) t.is(versionIn(tag, filter), version, `${tag} by ${filter}`)
})

test('the newest tag is the highest version of the range, prereleases only where the range names one', (t) => {
  const tags = ['1.27.9', '1.27.10', '1.28.0', '1.27.11-rc.1', 'latest', '2.0.0', '1.27']
  t.is(newestTag(tags, { range: '~1.27' }), '1.27.10')
  t.is(newestTag(tags, { range: '1.x' }), '1.28.0')
  t.is(newestTag(tags, { range: '>=1.27.11-rc.0 <1.28.0' }), '1.27.11-rc.1')
  t.is(newestTag(tags, { range: '~3' }), undefined)
  t.is(newestTag([], { range: '*' }), undefined)
})

test('a filter keeps tags of other kinds out', (t) => {
  const tags = ['1.27.3', '1.27.4-slim', '1.27.2-alpine', '1.27.1-alpine']
  t.is(newestTag(tags, { range: '~1.27', filter: '*-alpine' }), '1.27.2-alpine')
})

test('of several tags with one version it is the last by name, whatever their order', (t) => {
  const tags = ['1.2.3-alpine3.9', '1.2.3-alpine3.19', '1.2.3-alpine3.20']
  fc.assert(
    fc.property(fc.shuffledSubarray(tags, { minLength: 3 }), (shuffled) => {
      t.is(newestTag(shuffled, { range: '*', filter: '*-alpine*' }), '1.2.3-alpine3.20')
    }),
  )
})

test('older is what has a lower version; what has none is not older', (t) => {
  t.true(isOlder('1.2.3', '1.10.0', undefined))
  t.false(isOlder('1.10.0', '1.2.3', undefined))
  t.false(isOlder('1.2.3', '1.2.3', undefined))
  t.false(isOlder('1.2.3', 'latest', undefined))
  t.false(isOlder('1.2.3', undefined, undefined))
})
