import test from 'ava'
import type { PruneNodeState } from '#pkg/apis/prunepolicy.ts'
import { now, prunePolicy } from '#test/helpers/world.ts'
import { duePrune, nextPrune, nextRunOf, policiesFor, type WhenInput } from './when.plan.ts'

const minute = 60_000
const at = (time: number) => new Date(time).toISOString()
const born = { creationTimestamp: at(now - 30 * minute) }
const daily = prunePolicy('daily', { schedule: '0 13 * * *' }, { metadata: born })
const full = prunePolicy('full', { disk: { high: 80, low: 70 } }, { metadata: born })
const disk = (usedPercent: number) => ({
  path: '/',
  totalBytes: 100,
  usedBytes: usedPercent,
  availableBytes: 100 - usedPercent,
  usedPercent,
})

function input(more: Partial<WhenInput> = {}): WhenInput {
  return { policies: [daily, full], states: new Map(), now, ...more }
}

function ran(state: PruneNodeState, policy = full): Map<string, PruneNodeState> {
  return new Map([[policy.metadata.uid ?? '', state]])
}

test('a policy runs when its time has come, and not before', (t) => {
  t.is(duePrune(input()), undefined)
  t.is(nextPrune(input()), now + 60 * minute)
  t.deepEqual(duePrune(input({ now: now + 60 * minute })), { policy: daily, because: 'Schedule' })
  const states = ran({ lastRun: at(now + 60 * minute) }, daily)
  t.is(duePrune(input({ now: now + 61 * minute, states })), undefined)
  t.is(nextRunOf(daily, { lastRun: at(now + 60 * minute) }), now + 25 * 60 * minute)
})

test('times that went by while the agent was down are made up for once', (t) => {
  const states = ran({ lastRun: at(now - 72 * 60 * minute) }, daily)
  t.is(duePrune(input({ states }))?.because, 'Schedule')
})

test('a disk that is too full is pruned at once, then each minute, and more seldom when that is in vain', (t) => {
  t.is(duePrune(input({ disk: disk(79) })), undefined)
  t.deepEqual(duePrune(input({ disk: disk(80) })), { policy: full, because: 'Disk' })
  const after = (ms: number, reclaimedBytes: number) =>
    duePrune(
      input({
        disk: disk(95),
        now: now + ms,
        states: ran({ lastRun: at(now), because: 'Disk', reclaimedBytes }),
      }),
    )?.because
  t.is(after(minute - 1, 10), undefined)
  t.is(after(minute, 10), 'Disk')
  t.is(after(minute, 0), undefined)
  t.is(after(10 * minute, 0), 'Disk')
})

test('when there is no room for something it is pruned, whatever the disk says; once for each time', (t) => {
  t.is(duePrune(input({ noSpaceAt: now }))?.because, 'Disk')
  const states = ran({ lastRun: at(now), because: 'Disk', reclaimedBytes: 0 })
  t.is(duePrune(input({ now: now + minute, noSpaceAt: now - 1, states })), undefined)
  t.is(duePrune(input({ now: now + 2 * minute, noSpaceAt: now + minute, states }))?.because, 'Disk')
  t.is(duePrune(input({ policies: [daily], noSpaceAt: now, disk: disk(99) })), undefined)
})

test('policies are for the nodes they select, and end with their deletion', (t) => {
  const some = prunePolicy('some', { nodeSelector: { disk: 'small' } })
  const gone = prunePolicy('gone', {}, { metadata: { deletionTimestamp: at(now) } })
  const prunePolicies = new Map([some, gone, full].map((policy) => [policy.metadata.name, policy]))
  t.deepEqual(policiesFor({ prunePolicies }), [full])
})
