import test from 'ava'
import fc from 'fast-check'
import { withStageLabels } from './labels.ts'
import { parseDockerfile } from './parse.ts'

const label = (text: string, labels: Readonly<Record<string, string>> = { a: 'b' }) =>
  withStageLabels(parseDockerfile(text).dockerfile, labels)

test('every stage gets the labels at its end', (t) => {
  const text = 'ARG V\nFROM a AS one\nRUN x \\\n  y\n\n# two\nFROM b\nCMD z\n'
  t.is(
    label(text).text,
    "ARG V\nFROM a AS one\nRUN x \\\n  y\nLABEL 'a'='b'\n\n# two\nFROM b\nCMD z\nLABEL 'a'='b'\n",
  )
})

test('steps and lines are told as if the labels were not there', (t) => {
  const { hides, stepOf, lineOf } = label('ARG V\nFROM a AS one\nRUN x\nFROM b\nCMD z\n')
  // ARG, FROM, RUN, (LABEL), FROM, CMD, (LABEL)
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(hides), [false, false, false, true, false, false, true])
  t.deepEqual([1, 2, 3, 4, 5, 6, 7].map(stepOf), [1, 2, 3, 3, 4, 5, 5])
  t.deepEqual([1, 2, 3, 5, 6].map(lineOf), [1, 2, 3, 4, 5])
})

test('without labels nothing is changed', (t) => {
  const { text, hides, stepOf, lineOf } = label('FROM a\n', {})
  t.is(text, 'FROM a\n')
  t.deepEqual([hides(1), stepOf(1), lineOf(7)], [false, 1, 7])
})

test('a last line that is continued is left alone', (t) => {
  const text = 'FROM a\nRUN x \\'
  t.is(label(text).text, text)
})

test('values come through as they are, and what no line can hold is left out', (t) => {
  const value = fc.string({ maxLength: 40 }).filter((text) => !/[\r\n]/.test(text))
  fc.assert(
    fc.property(
      fc.dictionary(fc.stringMatching(/^[a-z.]{1,9}$/), value),
      fc.constantFrom('\\', '`'),
      (labels, token) => {
        const given = `# escape=${token}\nFROM a`
        const { dockerfile, problems } = parseDockerfile(label(given, { ...labels, bad: 'a\nb' }).text)
        t.deepEqual(problems, [])
        const [added] = dockerfile.stages[0]?.instructions ?? []
        t.is(added?.pairs.length ?? 0, Object.keys(labels).length)
      },
    ),
  )
})
