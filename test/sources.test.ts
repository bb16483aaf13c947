import test from 'ava'
import { parseSource } from './helpers/sources.ts'

const specifiers = (text: string) => parseSource('pkg/a/b.ts', text).imports.map(({ specifier }) => specifier)
const code = (text: string) => parseSource('pkg/a/b.ts', text).code

test('every way to import is found, with its line', (t) => {
  const text = [
    "import a from 'a'",
    "import type { B } from '#pkg/b/b.ts'",
    'import {\n  c,\n  type D,\n} from "./c.ts"',
    "import 'reflect-metadata'",
    "export * from './e.ts'",
    "export type { F } from './f.ts'",
    "const g = await import('g')",
  ].join('\n')
  t.deepEqual(
    parseSource('pkg/a/b.ts', text).imports.map(({ specifier, typeOnly, line }) => [
      specifier,
      typeOnly,
      line,
    ]),
    [
      ['a', false, 1],
      ['#pkg/b/b.ts', true, 2],
      ['./c.ts', false, 3],
      ['reflect-metadata', false, 7],
      ['./e.ts', false, 8],
      ['./f.ts', true, 9],
      ['g', false, 10],
    ],
  )
})

test('what only looks like an import is none', (t) => {
  t.deepEqual(specifiers("// import a from 'a'\nconst b = \"import c from 'c'\"\n/* import('d') */"), [])
  t.deepEqual(specifiers("export const a = [1]\nexport function from() { return 'b' }"), [])
})

test('comments, strings and regular expressions are blanked, code in templates stays', (t) => {
  t.is(code("f('Date.now') // Math.random"), `f('${' '.repeat(8)}')${' '.repeat(15)}`)
  t.regex(
    code('const a = `let $' + '{process.pid} $' + '{`x $' + '{b} any`} process`'),
    /process\.pid(?!.*process)/,
  )
  t.notRegex(code('const a = `let $' + '{b} any`'), /let|any/)
  t.notRegex(code('const quote = /[\'"]any/\nconst c = 1'), /any/)
  t.regex(code('const quote = /[\'"]/\nprocess.exit()'), /process\.exit/)
  t.regex(code('const half = a / 2\nconst b = any / 2'), /any/)
})
