/** Lines of steps, as either builder counts them. */
import test from 'ava'
import { parseDockerfile } from './parse.ts'
import { lineOfBuildKitStep, lineOfClassicStep } from './steplines.ts'

const text = `# comment
ARG BASE=a
FROM $BASE AS Build
RUN one \\
  && more
ENV A=1

WORKDIR /w
RUN two

FROM build
RUN two
FROM scratch
COPY --from=build /a \\
  /b
`
const { dockerfile } = parseDockerfile(text)

test('classic: each instruction is a step, ARGs before FROM as well', (t) => {
  const lines = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((step) => lineOfClassicStep(dockerfile, step))
  t.deepEqual(lines, [2, 3, 4, 6, 8, 9, 11, 12, 13, 14, undefined])
})

test('BuildKit: by stage and place, where only a base from outside is one itself', (t) => {
  const line = (stage: string, step: number, instruction: string) =>
    lineOfBuildKitStep(dockerfile, { stage, inStage: { step }, instruction })
  t.is(line('build', 1, 'FROM docker.io/library/a'), 3)
  t.is(line('build', 2, 'RUN one   && more'), 4)
  t.is(line('build', 3, 'WORKDIR /w'), 8)
  t.is(line('build', 4, 'RUN two'), 9)
  t.is(line('stage-1', 1, 'RUN two'), 12)
  t.is(line('stage-2', 1, 'COPY --from=build /a   /b'), 14)
})

test('BuildKit: what a base brings along shifts places and has no line; words decide then', (t) => {
  const line = (step: number, instruction: string) =>
    lineOfBuildKitStep(dockerfile, { stage: 'build', inStage: { step }, instruction })
  t.is(line(5, 'RUN two'), 9)
  t.is(line(4, 'RUN one && more'), 4)
  t.is(line(3, 'RUN brought'), undefined)
  t.is(lineOfBuildKitStep(dockerfile, { instruction: 'RUN two' }), undefined)
  const only = parseDockerfile('FROM a\nARG X=b\nCOPY $X /\n').dockerfile
  t.is(lineOfBuildKitStep(only, { instruction: 'COPY b /', inStage: { step: 2 } }), 3)
})
