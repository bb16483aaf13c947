import test from 'ava'
import { type Args, type Flag, flagsInFront, parseArgs } from './args.ts'

const flags: readonly Flag[] = [
  { name: 'output', short: 'o', type: 'text', help: '' },
  { name: 'filename', short: 'f', type: 'list', help: '' },
  { name: 'watch', short: 'w', type: 'bool', help: '' },
  { name: 'all-namespaces', short: 'A', type: 'bool', help: '' },
  { name: 'wait', type: 'text', bare: 'true', help: '' },
  { name: 'dry-run', type: 'text', bare: 'client', oneOf: ['client', 'server'], help: '' },
]

function parse(words: string): Args {
  return parseArgs(words.split(' '), flags, { command: 'get' })
}

test('a value may follow a flag in every way kubectl allows', (t) => {
  for (const words of ['-o json', '-ojson', '-o=json', '--output json', '--output=json'])
    t.is(parse(words).text('output'), 'json', words)
  t.is(parse('-o jsonpath={.a}={.b}').text('output'), 'jsonpath={.a}={.b}')
})

test('short switches combine, also with a flag that takes a value', (t) => {
  const args = parse('-wAo yaml x')
  t.deepEqual([args.bool('watch'), args.bool('all-namespaces'), args.text('output')], [true, true, 'yaml'])
  t.deepEqual(args.positionals, ['x'])
})

test('switches can be switched off, and flags with an implied value take one only after "="', (t) => {
  t.false(parse('--watch=false').bool('watch'))
  t.deepEqual([parse('--wait x').text('wait'), parse('--wait x').positionals], ['true', ['x']])
  t.is(parse('--wait=Healthy').text('wait'), 'Healthy')
  t.is(parse('--dry-run').text('dry-run'), 'client')
})

test('flags stand anywhere, lists repeat, and "--" ends flags', (t) => {
  const args = parse('a -f x b -f - -- -o')
  t.deepEqual(
    [args.positionals, args.list('filename')],
    [
      ['a', 'b', '-o'],
      ['x', '-'],
    ],
  )
})

test('what cannot be understood is refused', (t) => {
  const fails = (words: string, message: string) => t.throws(() => parse(words), { message })
  fails('--otput x', 'unknown flag: --otput (did you mean --output?)')
  fails('-x', 'unknown shorthand flag: "x" in -x')
  fails('-o', 'flag needs an argument: --output')
  fails('--watch=maybe', 'invalid value "maybe" for --watch: must be one of true, false')
  fails('--dry-run=no', 'invalid value "no" for --dry-run: must be one of client, server')
})

test('flags in front of the command are told apart from it, in their long form', (t) => {
  const apart = (words: string) => flagsInFront(words.split(' '), flags)
  t.deepEqual(apart('get -o json'), { front: [], rest: ['get', '-o', 'json'] })
  t.deepEqual(apart('-wo json --filename=x get -o yaml'), {
    front: ['--watch=true', '--output=json', '--filename=x'],
    rest: ['get', '-o', 'yaml'],
  })
  t.deepEqual(apart('--wait get'), { front: ['--wait=true'], rest: ['get'] })
  t.throws(() => apart('-o'), { message: 'flag needs an argument: --output' })
  t.throws(() => apart('--otput x get'), { message: 'unknown flag: --otput (did you mean --output?)' })
})
