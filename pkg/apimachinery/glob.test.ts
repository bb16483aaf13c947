import test from 'ava'
import fc from 'fast-check'
import { matchesGlob } from './glob.ts'

test('a star stands for any characters, everything else for itself', (t) => {
  for (const [pattern, text] of [
    ['*', ''],
    ['*', 'a/b'],
    ['a*', 'a'],
    ['a*c', 'abbc'],
    ['*-alpine', '1.27-alpine'],
    ['a*b*c', 'a-b-b-c'],
    ['a.b', 'a.b'],
  ] as const)
    t.true(matchesGlob(pattern, text), `${pattern} ${text}`)
  for (const [pattern, text] of [
    ['', 'a'],
    ['a', 'ab'],
    ['a*b', 'a'],
    ['ab*ba', 'aba'],
    ['a.b', 'axb'],
    ['*a*', 'b'],
  ] as const)
    t.false(matchesGlob(pattern, text), `${pattern} ${text}`)
})

test('it agrees with the regular expression of the same meaning', (t) => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 })
  fc.assert(
    fc.property(text, text, (pattern, value) => {
      const source = pattern.replaceAll('.', '\\.').replaceAll('*', '.*')
      return matchesGlob(pattern, value) === new RegExp(`^${source}$`, 's').test(value)
    }),
  )
  t.pass()
})
