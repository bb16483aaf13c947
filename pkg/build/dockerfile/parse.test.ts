// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import fc from 'fast-check'
import { describeProblem } from './dockerfile.ts'
import { mostInstructions, parseDockerfile } from './parse.ts'

const lines = (...text: string[]) => `${text.join('\n')}\n`
const problemsOf = (text: string) => parseDockerfile(text).problems.map(describeProblem)
const firstOf = (text: string) => {
  const [instruction] = parseDockerfile(`FROM scratch\n${text}`).dockerfile.stages[0]?.instructions ?? []
  return instruction
}

test('an unknown instruction is told with its line, and with what was probably meant', (t) => {
  t.deepEqual(problemsOf('FROM a\nFOO x\n'), ['line 2: unknown instruction: FOO'])
  t.deepEqual(problemsOf('FROM a\n  COPPY a /\n'), [
    'line 2, column 3: unknown instruction: COPPY (did you mean COPY?)',
  ])
})

test('all that is wrong is told at once, sorted by place', (t) => {
  t.deepEqual(problemsOf(lines('RUN x', 'FROM', 'COPY a', 'HEALTHCHECK --interval=5 CMD x', 'ENV A=1 B')), [
    'line 1: RUN comes before the first FROM: there only ARG may be',
    'line 2, column 5: FROM is followed by IMAGE, or by IMAGE AS NAME',
    'line 3, column 6: COPY needs a destination besides a',
    'line 4, column 13: --interval is no duration, such as 30s: 5',
    'line 5, column 9: ENV has no = in B: it is KEY=VALUE',
  ])
})

test('words of continued lines know the line they stand in', (t) => {
  const text = lines('FROM scratch', 'COPY a \\', '# a comment', '', '   b \\', 'c/ /x')
  const [copy] = parseDockerfile(text).dockerfile.stages[0]?.instructions ?? []
  t.deepEqual(copy?.args, [
    { text: 'a', line: 2, column: 6 },
    { text: 'b', line: 5, column: 4 },
    { text: 'c/', line: 6, column: 1 },
    { text: '/x', line: 6, column: 4 },
  ])
  t.is(copy?.endLine, 6)
  t.deepEqual(copy?.emptyLines, [4])
})

test('stages have the names and platforms that their FROM says', (t) => {
  const { dockerfile, problems } = parseDockerfile(
    lines('ARG V=1', 'from --platform=linux/amd64 a:$V as Build', 'RUN x', 'FROM build', 'FROM scratch'),
  )
  t.deepEqual(problems, [])
  t.deepEqual(
    dockerfile.stages.map(({ index, name, base, platform }) => ({ index, name, base: base.text, platform })),
    [
      { index: 0, name: 'build', base: 'a:$V', platform: 'linux/amd64' },
      { index: 1, name: undefined, base: 'build', platform: undefined },
      { index: 2, name: undefined, base: 'scratch', platform: undefined },
    ],
  )
  t.deepEqual(dockerfile.globals[0]?.pairs, [{ line: 1, column: 5, key: 'V', value: '1' }])
})

test('directives stand at the top only', (t) => {
  const { dockerfile } = parseDockerfile(
    lines('# syntax=docker/dockerfile:1', '# escape=`', 'FROM a', 'RUN b `', 'c'),
  )
  t.deepEqual(dockerfile.directives, { syntax: 'docker/dockerfile:1', escapeToken: '`' })
  t.is(dockerfile.stages[0]?.instructions[0]?.rest, 'b c')
  t.is(parseDockerfile('# hi\n# escape=`\nFROM a\n').dockerfile.directives.escapeToken, '\\')
})

test('heredocs belong to their instruction, whatever is in them', (t) => {
  const run = firstOf('RUN <<A cat && <<-"B" cat\nFROM x\nA\n\tb\n\tB\nLABEL x=y\n')
  t.deepEqual(run?.heredocs, [
    { line: 2, column: 5, name: 'A', chomp: false, expand: true, content: 'FROM x\n' },
    { line: 2, column: 16, name: 'B', chomp: true, expand: false, content: '\tb\n' },
  ])
  t.is(run?.endLine, 6)
  t.deepEqual(problemsOf('FROM a\nRUN <<EOF\ntrue\n'), [
    'line 2, column 5: unterminated heredoc: no line is EOF',
  ])
  t.deepEqual(problemsOf('FROM a\nRUN echo $((1<<2)) <<<x << y\n'), [])
})

test('a list is JSON or it is none', (t) => {
  t.like(firstOf('CMD ["a b", "\\u0041"] left'), { json: true, args: [{ text: 'a b' }, { text: 'A' }] })
  t.like(firstOf("CMD ['a']"), { json: false, args: [{ text: "['a']" }] })
  t.deepEqual(problemsOf('FROM a\nCMD ["a", 1]\n'), [
    'line 2, column 5: a list in JSON form holds strings and nothing else',
  ])
})

test('flags are read with their quotes, and those that are unknown are told', (t) => {
  t.deepEqual(firstOf('COPY --from="a b" --link x /')?.flags, [
    { line: 2, column: 6, name: 'from', value: 'a b' },
    { line: 2, column: 19, name: 'link' },
  ])
  t.deepEqual(problemsOf('FROM a\nCOPY --chwon=1 a /\nRUN --mount=type=chache,target=/x y\n'), [
    'line 2, column 6: unknown flag: --chwon (did you mean --chown?)',
    'line 3, column 5: unknown type of mount: chache: it is bind, cache, tmpfs, secret, ssh',
  ])
})

test('what ONBUILD keeps is read as an instruction of its own', (t) => {
  t.like(firstOf('ONBUILD COPY --chown=1 a /b'), {
    keyword: 'ONBUILD',
    trigger: { keyword: 'COPY', column: 9, args: [{ text: 'a', column: 24 }, { text: '/b' }] },
  })
  t.deepEqual(problemsOf('FROM a\nONBUILD FROM b\nONBUILD ONBUILD RUN x\n'), [
    'line 2, column 9: ONBUILD cannot keep FROM',
    'line 3, column 9: ONBUILD cannot keep ONBUILD',
  ])
})

test('a text that nobody writes by hand is refused', (t) => {
  const text = `FROM a\n${'RUN x\n'.repeat(mostInstructions)}`
  t.deepEqual(problemsOf(text), [
    `line ${mostInstructions + 1}: it has more than ${mostInstructions} instructions`,
  ])
  t.deepEqual(problemsOf(''), ['line 1: it has no instructions'])
  t.deepEqual(problemsOf('ARG A\n'), ['line 1: it has no FROM, so that there is nothing to build'])
})

test('every word stands where its place says, however lines are continued', (t) => {
  const word = fc.stringMatching(/^[a-z]{1,6}$/)
  const gap = fc.constantFrom(' ', '  ', ' \\\n', ' \\\n  # hi\n ', ' \\\n\n\t')
  fc.assert(
    fc.property(fc.array(fc.tuple(word, gap), { minLength: 2, maxLength: 12 }), (parts) => {
      const text = `FROM a\nVOLUME ${parts.map(([one, behind]) => one + behind).join('')}end\n`
      const rows = text.split('\n')
      const [volume] = parseDockerfile(text).dockerfile.stages[0]?.instructions ?? []
      t.is(volume?.args.length, parts.length + 1)
      for (const { text: own, line, column } of volume?.args ?? []) {
        t.is(rows[line - 1]?.slice(column - 1, column - 1 + own.length), own)
      }
    }),
  )
})

test('a Dockerfile that would keep whoever reads it busy with patterns is refused', (t) => {
  const { problems, dockerfile } = parseDockerfile(`FROM a\nENV B=${'${A##*b}'.repeat(1_001)}\n`)
  t.deepEqual(
    problems.map(({ message }) => message),
    ['it has more than 1000 patterns in its variables'],
  )
  t.deepEqual(dockerfile.stages, [])
})
