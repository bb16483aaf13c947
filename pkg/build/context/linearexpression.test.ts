import test from 'ava'
import fc from 'fast-check'
import { makeIgnore } from './ignore.ts'
import { compilePattern } from './ignorepattern.ts'
import { linearExpression } from './linearexpression.ts'

const piece = fc.constantFrom(
  ...['a', 'b', '/', '[^/]*', '[^/]', '[^\\n]*', '([^\\n]*/)?', '[a-b]', '[^a]', '\\x2e', '\\n', '|'],
  ...['a{2}', 'b{1,}', '[^/]{0,2}', 'a{0}', '(?:^)', '(?:$)', '(?:\\b)', '(?:\\B)', '\\]', '\\{', '(?:^){2}'],
)
// None that take two units: of these /[^/]$/u finds nothing in V8 14.
const text = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '.', '\n', '-', ']', '{', '\u00e9'),
  maxLength: 12,
})

test('an expression of a pattern finds what JavaScript finds with it', (t) => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), text, (pieces, path) => {
      const source = `^${pieces.join('')}$`
      t.is(linearExpression(source)?.(path), new RegExp(source, 'u').test(path), source)
    }),
    { numRuns: 3000 },
  )
})

test('a character of two units is one', (t) => {
  t.true(linearExpression('^[^/]$')?.('\u{1f600}'))
  t.true(linearExpression('^a|[^/]$')?.('\u{1f600}'))
  t.false(linearExpression('^[^/][^/]$')?.('\u{1f600}'))
})

test('no pattern of a stranger keeps whoever reads a context busy', (t) => {
  const long = `${'a'.repeat(200)}/`.repeat(10)
  const patterns = [
    `${'a*'.repeat(200)}b`,
    `${'**/'.repeat(60)}x?`,
    `${'?{0,500}'.repeat(15)}c`,
    `${'*a'.repeat(90)}b`,
  ]
  const begun = process.cpuUsage()
  for (const pattern of patterns) t.false(compilePattern(pattern)(long))
  const { user } = process.cpuUsage(begun)
  t.true(user < 5_000_000, `${user} µs`)
})

test('a pattern that would need more room than any that is meant is refused', (t) => {
  const { ignores } = makeIgnore([`${'a{0,1000}'.repeat(100)}*c`])
  t.throws(() => ignores('aaa'), { message: /^the pattern ".*" is too large$/ })
})
