/** What an attempt tells of itself, however much the builder and its programs say. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { validate } from '#pkg/apis/validate.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { buildObject } from '#test/helpers/world.ts'
import { Attempt } from './attempt.ts'
import { afterBuild } from './buildbook.ts'
import { BuildLogs } from './buildlogs.ts'

const order = {
  attempt: 1,
  cause: 'it is not built yet',
  inputHash: 'sha256:1',
  inputs: {},
  dockerfile: 'FROM a\n',
  dockerfileName: 'Dockerfile',
  builder: 'BuildKit',
  tags: [],
  args: {},
  labels: {},
  noCache: false,
  cacheFrom: [],
  secrets: [],
  outputs: [],
  timeoutMs: 1000,
  answers: {},
  told: {},
} as const

test('a status stays small, whatever a builder says', async (t) => {
  const clock = new ManualClock()
  const log = new BuildLogs(await makeTempDir(t), clock).begin('u1', 1, (error) => t.fail(error.message))
  const attempt = new Attempt({ clock, order, log, onChange: () => {} })
  const long = 'x'.repeat(300_000)
  attempt.useTriggers(new Map([[1, Array.from({ length: 100 }, () => long)]]))
  for (let step = 1; step <= 600; step++)
    attempt.add({ type: 'step', step, of: 600, instruction: long, stage: long })
  for (let count = 0; count < 100; count++) attempt.add({ type: 'warning', message: long })
  attempt.add({ type: 'output', step: 1, text: `${long}\n`.repeat(3) })
  const failure = attempt.failureOf({ step: 1, exitCode: 1 }, { reason: 'StepFailed', message: long })
  attempt.end('Failed', 'failed')
  t.is(attempt.steps.length, 512)
  t.is(attempt.steps[0]?.triggers?.length, 64)
  t.is(attempt.warnings.length, 64)
  t.true(failure.message.length < 2100)
  t.true(JSON.stringify([attempt.steps, attempt.warnings, failure]).length < 400_000)
})

test('the status of a build of very many stages is one that the server takes', (t) => {
  const many = Array.from({ length: 400 }, (_, index) => `sha256:${index}`)
  const running = { order, startedAt: 0, steps: [], warnings: [] }
  const built = { image: 'sha256:1', stages: many }
  const status = afterBuild({}, { running, end: { result: 'Succeeded', built }, now: 1000, limit: 10 })
  t.deepEqual(validate(buildKind.schema, { ...buildObject('web'), status }), [])
  t.is(status.stages?.[0], 'sha256:0')
})
