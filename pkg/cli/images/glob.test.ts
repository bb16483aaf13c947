import test from 'ava'
import fc from 'fast-check'
import { UsageError } from '../errors.ts'
import { compileGlob } from './glob.ts'

test('patterns stand for what path.Match lets them stand for', (t) => {
  const fits: readonly (readonly [pattern: string, text: string, fits: boolean])[] = [
    ['seq', 'seq', true],
    ['se*', 'seq', true],
    ['se*:1', 'seq:1', true],
    ['*', 'shop/web', false],
    ['*/*', 'shop/web', true],
    ['s?q', 'seq', true],
    ['s?q', 's/q', false],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[^a-c]x', 'dx', true],
    ['[ab-d]', 'c', true],
    ['[c-a]', 'b', false],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a.c', 'abc', false],
    ['**a', 'bba', true],
  ]
  for (const [pattern, text, expected] of fits)
    t.is(compileGlob(pattern)(text), expected, `${pattern} ${text}`)
  for (const pattern of ['[', '[]', '[a', 'a\\', '[a-]'])
    t.throws(() => compileGlob(pattern), { instanceOf: UsageError })
})

test('a text without signs is a pattern for itself alone, and any pattern is understood or refused', (t) => {
  const plain = fc.string({ unit: fc.constantFrom('a', 'b', '/', ':', '.', '-', '@') })
  fc.assert(fc.property(plain, plain, (a, b) => compileGlob(a)(b) === (a === b)))
  const any = fc.string({ unit: fc.constantFrom('a', 'b', '[', ']', '^', '-', '*', '?', '\\', '/') })
  fc.assert(
    fc.property(any, any, (pattern, text) => {
      try {
        return typeof compileGlob(pattern)(text) === 'boolean'
      } catch (error) {
        return error instanceof UsageError
      }
    }),
  )
  t.pass()
})
