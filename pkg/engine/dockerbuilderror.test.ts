import test from 'ava'
import type { Reason } from '#pkg/apimachinery/errors.ts'
import { BuildError } from './builds.ts'
import type { ToldFailure } from './dockerbuildclassic.ts'
import { buildFailure, buildRefusal } from './dockerbuilderror.ts'

const dial = 'dial tcp 127.0.0.1:1: connect: connection refused'

const failures: readonly (readonly [Reason, ToldFailure])[] = [
  [
    'BuildFailed',
    { message: "The command 'x' returned a non-zero code: 7", exitCode: 7, instruction: 'RUN x' },
  ],
  ['BuildFailed', { message: 'COPY failed: stat x: file does not exist', instruction: 'COPY x /' }],
  ['BuildFailed', { message: '"/x" not found: not found', instruction: 'COPY --from=one /x /' }],
  ['BuildFailed', { message: 'lstat /x: no such file or directory', instruction: 'COPY --from=a /x /' }],
  ['BuildFailed', { message: 'the --chmod option requires BuildKit', instruction: 'COPY --chmod=1 a /' }],
  ['BuildFailed', { message: 'dockerfile parse error line 2: unknown instruction: RUNN' }],
  ['BuildFailed', { message: 'target stage zz could not be found' }],
  ['BuildFailed', { message: 'unable to find user x: no matching entries', instruction: 'RUN true' }],
  ['NoSpace', { message: 'write /x: no space left on device', instruction: 'COPY x /' }],
  ['RegistryUnavailable', { message: `Get "http://127.0.0.1:1/v2/": ${dial}`, instruction: 'FROM r/x' }],
  [
    'RegistryUnavailable',
    {
      message: `invalid from flag value r/x: Get "http://r/v2/": ${dial}`,
      instruction: 'COPY --from=r/x / /',
    },
  ],
  ['RegistryUnauthorized', { message: 'Get "https://r/v2/": unauthorized: no', instruction: 'FROM r/x' }],
  ['ImageNotFound', { message: 'manifest for r/x:1 not found: manifest unknown', instruction: 'FROM r/x:1' }],
  ['ImageNotFound', { message: 'r.test/x:1: not found', instruction: 'FROM r.test/x:1' }],
  [
    'ImageNotFound',
    { message: 'pull access denied for x, repository does not exist', instruction: 'FROM x' },
  ],
  [
    'SourceUnavailable',
    { message: `ADD failed: Get "http://h/x": ${dial}`, instruction: 'ADD http://h/x /' },
  ],
  ['SourceUnavailable', { message: `Get "http://h/x": ${dial}`, instruction: 'ADD http://h/x' }],
  ['BuildFailed', { message: 'invalid response status 404', instruction: 'ADD http://h/x' }],
  ['ImageNotFound', { message: 'No such image: sha256:abc', instruction: 'RUN true' }],
  ['ImageNotFound', { message: 'unable to find image "sha256:abc"', instruction: 'COPY f /f' }],
  ['EngineError', { message: 'network abc not found', instruction: 'RUN true' }],
]

for (const [reason, failure] of failures) {
  test(`${failure.instruction ?? 'before any step'}: "${failure.message}" is ${reason}`, (t) => {
    t.is(buildFailure(failure).reason, reason)
  })
}

test('what a step did not do well keeps its place', (t) => {
  const error = buildFailure({ message: 'code: 7', step: 3, exitCode: 7, instruction: 'RUN x' })
  t.true(error instanceof BuildError)
  t.deepEqual(error instanceof BuildError && error.failure, { step: 3, exitCode: 7 })
})

test('words of BuildKit that tell nobody what to do are explained', (t) => {
  const { message, reason } = buildFailure({ message: 'invalid not-modified ETag: ' })
  t.is(reason, 'BuildFailed')
  t.regex(message, /^invalid not-modified ETag: \(the server of an ADD .* spec\.builder Classic/)
})

test('a refused Dockerfile has the line', (t) => {
  const message = 'dockerfile parse error line 12: unknown instruction: RUNN'
  const error = buildRefusal({ statusCode: 400, message })
  t.deepEqual(error instanceof BuildError && error.failure, { line: 12 })
})

test('calls are refused for what is wrong with them', (t) => {
  const reasonOf = (statusCode: number, message: string) => buildRefusal({ statusCode, message }).reason
  t.is(reasonOf(400, 'the Dockerfile (Dockerfile) cannot be empty'), 'BuildFailed')
  t.is(reasonOf(400, 'invalid reference format: repository name must be lowercase'), 'InvalidSpec')
  t.is(reasonOf(500, 'network mode "x" not supported by buildkit'), 'InvalidSpec')
  t.is(reasonOf(500, 'Error processing tar file(exit status 1): unexpected EOF'), 'InvalidSpec')
  t.is(reasonOf(500, 'no space left on device'), 'NoSpace')
  t.is(reasonOf(503, 'starting'), 'EngineUnavailable')
})
