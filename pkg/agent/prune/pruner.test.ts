import test from 'ava'
import { silentLogger, systemRandom } from '#pkg/apimachinery/ambient.ts'
import type { PrunePolicy, PrunePolicyStatus } from '#pkg/apis/prunepolicy.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import { PruneWorld } from '#test/helpers/pruneworld.ts'
import { imageObject, nodeName, now, prunePolicy, world } from '#test/helpers/world.ts'
import { Pruner } from './pruner.ts'

const signal = new AbortController().signal
const born = { creationTimestamp: new Date(now - 3_600_000).toISOString() }

function make(all: PruneWorld) {
  const notes: EventNote[] = []
  const reports: { policy: PrunePolicy; status: PrunePolicyStatus }[] = []
  const { onImage: _, ...parts } = all.parts()
  const pruner = new Pruner({
    ...parts,
    ambient: { clock: all.clock, random: systemRandom(), log: silentLogger },
    nodeName,
    record: (note) => notes.push(note),
    report: (policy, status) => reports.push({ policy, status }),
    onEnd: () => {},
  })
  const pass = async (more = {}) => {
    const seen = world({ objects: all.objects }, { now: all.clock.now(), ...more })
    pruner.consider(seen, signal)
    await pruner.idle()
    pruner.consider(world({ objects: all.objects }, { now: all.clock.now() }), signal)
    await pruner.idle()
  }
  return { pruner, notes, pass, own: () => reports.at(-1)?.status.nodes?.[nodeName] }
}

test('a policy tells what its last run did here and when the next one is, and each decision is an event', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'] })
  const spec = { schedule: '0 12 * * *', images: { unused: true } }
  all.objects = [prunePolicy('daily', spec, { metadata: born })]
  const { pass, own, notes } = make(all)
  await pass()
  const state = own()
  t.like(state, { because: 'Schedule', reclaimedBytes: 10, totalReclaimedBytes: 10, failed: 0 })
  t.is(state?.lastRun, '2026-01-01T12:00:00Z')
  t.is(state?.nextRun, '2026-01-02T12:00:00Z')
  t.deepEqual(
    notes.map(({ reason, message }) => [reason, message]),
    [['Pruned', 'removed image old:1, 10B: nothing uses it, since 30d']],
  )
})

test('a policy that only says what would go touches nothing', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'] })
  const spec = { schedule: '0 12 * * *', images: { unused: true }, dryRun: true }
  all.objects = [prunePolicy('daily', spec, { metadata: born })]
  const { pass, own, notes } = make(all)
  await pass()
  t.is(own()?.removed?.length, 1)
  t.is(own()?.totalReclaimedBytes, 0)
  t.regex(notes[0]?.message ?? '', /^would remove image old:1/)
  t.deepEqual(all.performed, [])
})

test('before all that must stay is known nothing goes', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'] })
  all.objects = [
    prunePolicy('daily', { schedule: '0 12 * * *', images: { unused: true } }, { metadata: born }),
  ]
  const { pruner } = make(all)
  const seen = world({ objects: all.objects })
  pruner.consider({ ...seen, desired: { ...seen.desired, isWhole: false } }, signal)
  await pruner.idle()
  t.deepEqual(all.performed, [])
})

test('an Image whose image was collected is known by its key until the image is back', async (t) => {
  const all = new PruneWorld()
  const id = all.image('app', { tags: ['app:1'] })
  const spec = { schedule: '0 12 * * *', images: { unused: true } }
  all.objects = [
    prunePolicy('daily', spec, { metadata: born }),
    imageObject('app', { reference: 'app:1', prunePolicy: 'Collect' }, { status: { id } }),
  ]
  const { pruner, pass } = make(all)
  await pass()
  t.deepEqual([...pruner.collected()], ['default/app'])
  pruner.forget((key) => key === 'default/app')
  t.deepEqual([...pruner.collected()], [])
})

test('an engine that fails is told of in the status and as an event', async (t) => {
  const all = new PruneWorld()
  all.objects = [prunePolicy('daily', { schedule: '0 12 * * *', images: {} }, { metadata: born })]
  all.engine.fail({ method: 'diskUsage', reason: 'EngineError', message: 'no answer' })
  const { pass, own, notes } = make(all)
  await pass()
  t.is(own()?.message, 'no answer')
  t.deepEqual(
    notes.map(({ type, reason }) => [type, reason]),
    [['Warning', 'FailedPrune']],
  )
})

test('a run in the time of a clock that was put back keeps no other from its time', async (t) => {
  const all = new PruneWorld()
  all.image('old', { tags: ['old:1'] })
  const spec = { schedule: '0 12 * * *', images: { unused: true } }
  const nodes = { [nodeName]: { lastRun: '2031-01-01T12:00:00Z', totalReclaimedBytes: 7 } }
  all.objects = [prunePolicy('daily', spec, { metadata: born, status: { nodes } })]
  const { pass, own } = make(all)
  await pass()
  t.like(own(), { lastRun: '2026-01-01T12:00:00Z', totalReclaimedBytes: 17 })
})
