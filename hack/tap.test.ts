import test from 'ava'
import { TapReader } from './tap.ts'

const output = `TAP version 13
ok 1 - a › two # SKIP
not ok 2 - a › three # TODO
not ok 3 - a › one # of many
  ---
    name: AssertionError
    message: 'ok 9 - no test'
  ...
ok 4 - a › four
not ok 5 - test/b.test.ts exited with a non-zero exit code: 1

a line that the code under test wrote
1..4
# tests 3
# fail 2
`

function read(text: string) {
  const printed: string[] = []
  const reader = new TapReader((line) => printed.push(line))
  for (const line of text.split('\n')) reader.line(line)
  return { reader, printed }
}

test('tests are counted by how they ended, files that crash count as failures', (t) => {
  t.deepEqual(read(output).reader.counts, { passed: 1, failed: 2, skipped: 2 })
})

test('a failure keeps its diagnostics, and what is no TAP is passed on', (t) => {
  const { reader, printed } = read(output)
  t.deepEqual(reader.failures, [
    "a › one # of many\n      name: AssertionError\n      message: 'ok 9 - no test'",
    'test/b.test.ts exited with a non-zero exit code: 1',
  ])
  t.true(printed.includes('a line that the code under test wrote'))
})
