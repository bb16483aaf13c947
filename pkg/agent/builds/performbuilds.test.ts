/** How a failed build is told: what is the Dockerfile's fault stays failed, what passes by itself is tried again. */
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { SimRegistry } from '#pkg/engine/simregistry.ts'
import { buildScene, decide } from '#test/helpers/buildworld.ts'
import { imageContext } from '#test/helpers/imagecontext.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { buildObject } from '#test/helpers/world.ts'
import { Attempt } from './attempt.ts'
import type { BuildEnd } from './buildbook.ts'
import { BuildLogs } from './buildlogs.ts'
import { type BuildContext, buildImage } from './performbuilds.ts'

const signal = new AbortController().signal
const full = 'no room for what it writes: 12M are free'

/** A step that takes ten seconds and fails. */
async function built(t: ExecutionContext, room: (now: number) => string | undefined) {
  const clock = new ManualClock(0)
  const registry = new SimRegistry()
  const engine = new SimEngine({ clock, registry, runs: () => ({ takes: 10_000, exitCode: 2 }) })
  registry.set('base:1', {})
  await engine.pullImage('base:1', { signal })
  const scene = buildScene(buildObject('web', { dockerfileInline: 'FROM base:1\nRUN make\n' }))
  const [planned] = decide(scene).plan.ops
  if (planned?.op.type !== 'buildImage') throw new Error(`it is not due: ${planned?.op.type}`)
  const ends: BuildEnd[] = []
  const logs = new BuildLogs(await makeTempDir(t), clock)
  const context: BuildContext = {
    ...imageContext({ engine, clock }),
    host: { whyNoRoom: async () => room(clock.now()) },
    building: {
      open: () => Promise.reject(new Error('it has no files')),
      fetch: async () => {},
      begin: (_, order) =>
        new Attempt({
          clock,
          order,
          log: logs.begin('web', order.attempt, (error) => t.fail(error.message)),
          onChange: () => {},
        }),
      end: (_build, _attempt, end) => void ends.push(end),
      secretOf: () => undefined,
    },
  }
  const outcome = buildImage(planned.op, context, signal).then(
    () => undefined,
    (error: unknown) => error,
  )
  await clock.advance(20_000)
  const [end] = ends
  return { error: await outcome, end }
}

test('a step that fails where there is room has failed until an input moves', async (t) => {
  const { error, end } = await built(t, () => undefined)
  t.true(isReason(error, 'BuildFailed'))
  t.like(end, { result: 'Failed', permanent: true, failure: { reason: 'StepFailed', exitCode: 2, step: 2 } })
})

test('a step that fills the disk and ends with a code of its own is tried again, and the disk is named', async (t) => {
  // As the builder removes what the step has written before it tells of it.
  const { error, end } = await built(t, (now) => (now > 5000 && now < 9900 ? full : undefined))
  t.true(isReason(error, 'NoSpace'))
  t.like(end, { result: 'Failed', permanent: false, failure: { reason: 'NoSpace', exitCode: 2, step: 2 } })
  if (end?.result === 'Failed')
    t.regex(end.failure.message, /^step 2: RUN make: .*code: 2; no room for what it writes: 12M/)
})
