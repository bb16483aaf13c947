/** That no event has another reason, the compiler holds: EventNote.reason is of this table. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { eventReasons } from './eventreasons.ts'

const root = join(import.meta.dirname, '../..')

test('every reason is written by somebody', (t) => {
  const files = globSync('pkg/{agent,client,controller,apiserver}/**/*.ts', { cwd: root })
  const sources = files
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n')
  const unused = Object.keys(eventReasons).filter((reason) => !sources.includes(`'${reason}'`))
  t.deepEqual(unused, [])
})

test('reasons are words as Kubernetes has them, and each says what it means', (t) => {
  for (const [reason, { meaning }] of Object.entries(eventReasons)) {
    t.regex(reason, /^[A-Z][A-Za-z]{2,127}$/)
    t.regex(meaning, /^[A-Z].*\.$/, reason)
  }
})

test('no note goes round the table by a cast', (t) => {
  const files = globSync('pkg/**/*.ts', { cwd: root })
  const casting = files.filter((file) => /as EventReason\b/.test(readFileSync(join(root, file), 'utf8')))
  t.deepEqual(
    casting.filter((file) => !file.endsWith('.test.ts')),
    [],
  )
})
