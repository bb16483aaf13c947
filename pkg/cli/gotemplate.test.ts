import test from 'ava'
import fc from 'fast-check'
import { UsageError } from './errors.ts'
import { compileTemplate } from './gotemplate.ts'

const value = {
  ID: 'abc',
  Tags: ['a', 'b'],
  Size: 3,
  Config: { Cmd: ['sh', '-c'], Labels: { z: '1', a: '2' }, None: null },
}

const printed = (template: string) => compileTemplate(template, { command: 'inspect' })(value)

test('a template prints values as Go does', (t) => {
  const expected: Readonly<Record<string, string>> = {
    '{{.ID}}: {{ .Size }}': 'abc: 3',
    '{{.Tags}} {{.Config.Labels}}': '[a b] map[a:2 z:1]',
    '{{.Nothing}} {{.Config.None}}': '<no value> <no value>',
    '{{json .Tags}} {{json .Config.None}}': '["a","b"] null',
    '{{range .Tags}}<{{.}}>{{end}}': '<a><b>',
    '{{range $}}{{end}}{{range .Tags}}{{$.ID}}{{end}}': 'abcabc',
    '{{range .Nothing}}x{{else}}none{{end}}': 'none',
    '{{if .Nothing}}x{{else if eq .Size 3}}three{{else}}y{{end}}': 'three',
    '{{with .Config}}{{index .Labels "z"}}{{end}}': '1',
    '{{index .Tags 1}} {{len .Tags}} {{len .ID}}': 'b 2 3',
    '{{join .Tags ","}} {{upper .ID}} {{.ID | printf "%5s|%-5s|" .Size}}': 'a,b ABC     3|abc  |',
    '{{printf "%q %d%%" .ID .Size}}': '"abc" 3%',
    '{{(index .Tags 0)}}{{/* nothing */}}': 'a',
    'a {{- " b " -}} c': 'a b c',
    '{{"}}"}} {{`\\d`}}': '}} \\d',
    '{{and .ID .Size}} {{or .Nothing .ID}} {{not .ID}} {{lt .Size 4}} {{ge .Size 4}} {{ne .ID "x"}}':
      '3 abc false true false true',
    'a\\tb\\n': 'a\tb\n',
  }
  for (const [template, text] of Object.entries(expected)) t.is(printed(template), text, template)
})

test('what is no template is refused with a reason', (t) => {
  const refused: Readonly<Record<string, RegExp>> = {
    '{{.ID': /}} is missing/,
    '{{if .ID}}x': /\{\{if}} has no \{\{end}}/,
    '{{end}}': /unexpected \{\{end}}/,
    '{{}}': /a value is missing/,
    '{{.ID .Size}}': /one value is expected/,
    '{{(.ID}}': /closing parenthesis/,
    '{{$x := .ID}}': /unexpected/,
    '{{nonsense .ID}}': /there is no function nonsense/,
  }
  for (const [template, message] of Object.entries(refused))
    t.throws(() => printed(template), { instanceOf: UsageError, message }, template)
})

test('of rows only their fields can be asked for', (t) => {
  const print = compileTemplate('{{.Name}}', { command: 'images', fields: ['ID', 'Size'] })
  t.throws(() => print({ ID: 'a' }), { message: /there is no field .Name: one of ID, Size/ })
})

test('any text is printed or refused, and nothing else happens', (t) => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '-',
    ' ',
    '.',
    'ID',
    '"',
    '`',
    '(',
    ')',
    '|',
    'if',
    'end',
    'else',
    'range',
    '$',
    '1',
    'json',
    '\\',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      try {
        return typeof printed(pieces.join('')) === 'string'
      } catch (error) {
        return error instanceof UsageError
      }
    }),
    { numRuns: 500 },
  )
  t.pass()
})
