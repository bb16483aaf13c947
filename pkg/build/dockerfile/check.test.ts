// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { type Checking, checkDockerfile, targetProblem } from './check.ts'
import { describeProblem } from './dockerfile.ts'
import { parseDockerfile } from './parse.ts'

const read = (...lines: string[]) => parseDockerfile(`${lines.join('\n')}\n`).dockerfile
const problemsOf = (lines: readonly string[], checking: Checking = {}) =>
  checkDockerfile(read(...lines), checking).map(describeProblem)

test('sources outside of the context are refused, also without a context at all', (t) => {
  t.deepEqual(problemsOf(['FROM a', 'COPY ../x /', 'COPY /etc/x /']), [
    'line 2, column 6: COPY ../x lies outside of the context',
  ])
  t.deepEqual(problemsOf(['FROM a', 'COPY x /', 'ADD http://a/b /'], { noContext: true }), [
    'line 2, column 6: COPY x: there is no context to take it from',
  ])
})

test('several sources need a destination that shows that it is a directory', (t) => {
  t.deepEqual(problemsOf(['FROM a', 'COPY a b /nodir', 'COPY a b /dir/', 'COPY a b .', 'COPY a b $X']), [
    'line 2, column 10: COPY of several sources: the destination must be a directory and end with /, not /nodir',
  ])
})

test('stages take from earlier stages only', (t) => {
  t.deepEqual(
    problemsOf([
      'FROM a AS one',
      'COPY --from=one /x /',
      'COPY --from=two /x /',
      'COPY --from=1 /x /',
      'FROM a AS two',
      'COPY --from=0 /x /',
      'COPY --from=UPPER/x /x /',
    ]),
    [
      'line 2, column 6: stage one cannot take from itself: is a FROM missing?',
      'line 3, column 6: stage two comes later, in line 5: stages take from earlier ones',
      'line 4, column 6: there is no stage 1 before this one, which is 0',
      'line 7, column 6: UPPER/x is no stage, and no reference of an image',
    ],
  )
})

test('a base that has no name is told, unless the platform is part of it and not known', (t) => {
  t.deepEqual(problemsOf(['ARG V', 'FROM $V']), [
    'line 2, column 6: FROM $V names no image: its variables have no value here',
  ])
  t.deepEqual(problemsOf(['ARG V', 'FROM $V'], { args: { V: 'a' } }), [])
  t.deepEqual(problemsOf(['FROM app-$TARGETARCH']), [])
  t.deepEqual(problemsOf(['FROM Bad:Tag:']), ['line 1, column 6: FROM Bad:Tag: is no reference of an image'])
})

test('ports, signals and paths are judged with their variables put in', (t) => {
  t.deepEqual(
    problemsOf([
      'FROM scratch',
      'ENV P=80 Q="81 82/udp"',
      'EXPOSE $P $Q 1000-1002/tcp',
      'EXPOSE web 70000',
      'STOPSIGNAL SIGFOO',
      'STOPSIGNAL usr1',
      'WORKDIR $NOTHING',
      'ENV A="${B:?is needed}"',
    ]),
    [
      'line 4, column 8: EXPOSE web is no port: 80, 53/udp or 8000-8010',
      'line 4, column 12: EXPOSE 70000 is no port: 80, 53/udp or 8000-8010',
      'line 5, column 12: STOPSIGNAL SIGFOO is no signal',
      'line 7, column 9: WORKDIR is empty here',
      'line 8, column 5: B: is needed',
    ],
  )
})

test('only stages that are made are judged', (t) => {
  const lines = ['FROM a AS one', 'FROM a AS two', 'EXPOSE web', 'ENV A="b']
  t.deepEqual(problemsOf(lines, { target: 'one' }), [])
  t.deepEqual(problemsOf(['FROM a AS one', 'EXPOSE web', 'FROM a'], { builder: 'BuildKit' }), [])
  t.is(problemsOf(['FROM a AS one', 'EXPOSE web', 'FROM a']).length, 1)
})

test('more layers than can be mounted are refused', (t) => {
  const many = (count: number) => Array.from({ length: count }, () => 'COPY a /')
  t.deepEqual(problemsOf(['FROM a', ...many(124)]), [])
  t.deepEqual(problemsOf(['FROM a', ...many(125)]), [
    'line 126: the image would have 126 layers or more, and may have 125',
  ])
  t.deepEqual(problemsOf(['FROM scratch', ...many(125)]), [])
  t.is(problemsOf(['FROM a AS one', ...many(100), 'FROM one', ...many(25)]).length, 1)
})

test('an unknown target is told with the names that there are', (t) => {
  const dockerfile = read('FROM a AS builder', 'FROM a AS web')
  t.is(targetProblem(dockerfile, {}), undefined)
  t.is(targetProblem(dockerfile, { target: 'Builder' }), undefined)
  t.is(targetProblem(dockerfile, { target: 'bulider' }), 'no stage is called bulider (did you mean builder?)')
  t.is(targetProblem(dockerfile, { target: 'x' }), 'no stage is called x (there is builder, web)')
  t.is(targetProblem(read('FROM a'), { target: '0' }), 'no stage is called 0: none has a name')
})
