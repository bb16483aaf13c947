/** What is told of a build that rests before it is tried again. */
import test from 'ava'
import { buildScene, decide, worldOf } from '#test/helpers/buildworld.ts'
import { buildObject } from '#test/helpers/world.ts'
import { groupOf, type Hold } from '../world.ts'
import { generationOfBuild } from './build.plan.ts'
import { reportBuild } from './buildstatus.plan.ts'

const full = "the command 'make' returned a non-zero code: 2; no room for what it writes"

function reported(before: { readonly reason: string; readonly message: string; readonly step: number }) {
  const build = buildObject('web')
  const scene = buildScene(build, { status: { attempt: 1, failure: before } })
  const generation = generationOfBuild(build, worldOf(scene))
  const hold: Hold = {
    until: scene.now + 1000,
    failures: 1,
    reason: 'NoSpace',
    message: full,
    action: 'build default/web',
    generation,
  }
  const holds = new Map([[groupOf('Build', build.metadata), hold]])
  return reportBuild(build, decide(scene, { holds }), worldOf(scene, { holds }))
}

test('what is known of the step that failed stays while the build rests', (t) => {
  const record = { reason: 'NoSpace', message: `step 2: RUN make: ${full}`, step: 2 }
  const { failure, phase } = reported(record)
  t.deepEqual(failure, record)
  t.is(phase, 'Failed')
})

test('of another failure than that which rests nothing is told', (t) => {
  const { failure } = reported({ reason: 'SourceUnavailable', message: 'it is away', step: 1 })
  t.deepEqual(failure, { reason: 'NoSpace', message: `build default/web: ${full}` })
})
