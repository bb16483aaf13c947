import test from 'ava'
import type { PrunePolicy } from '#pkg/apis/prunepolicy.ts'
import { type Disk, diskCondition, highMark, roomFor, statfsDisk } from './disk.ts'

const GB = 1e9

function disk(parts: { total: number; available: number }): Disk {
  const usedBytes = parts.total - parts.available
  const usedPercent = Math.ceil((usedBytes * 100) / parts.total)
  return { path: '/d', totalBytes: parts.total, usedBytes, availableBytes: parts.available, usedPercent }
}

function policy(high: number | undefined, nodeSelector: Record<string, string> = {}): PrunePolicy {
  const spec = { nodeSelector, ...(high !== undefined && { disk: { high, low: 50 } }) }
  return { apiVersion: 'cove.run/v1', kind: 'PrunePolicy', metadata: { name: 'p' }, spec } as PrunePolicy
}

test('a disk is under pressure from the mark on, and the message has the numbers', (t) => {
  t.like(diskCondition(disk({ total: 100 * GB, available: 11 * GB }), 90), {
    status: 'False',
    reason: 'DiskHasRoom',
  })
  const full = diskCondition(disk({ total: 100 * GB, available: 10 * GB }), 90)
  t.like(full, { type: 'DiskPressure', status: 'True', reason: 'DiskIsFilling' })
  t.regex(full.message, /^90% of \/d is used, .* of .* are free; pressure begins at 90%$/)
})

test('below 5% free there is pressure, whatever the mark', (t) => {
  t.is(diskCondition(disk({ total: 100 * GB, available: 4.9 * GB }), 99).status, 'True')
  t.is(diskCondition(disk({ total: 100 * GB, available: 5 * GB }), 99).status, 'False')
})

test('the mark is the smallest of the policies for the node', (t) => {
  const node = { metadata: { name: 'n1', labels: { tier: 'edge' } } }
  const policies = [policy(80), policy(70, { tier: 'edge' }), policy(60, { tier: 'core' }), policy(undefined)]
  t.is(highMark(policies, node), 70)
  t.is(highMark([policy(undefined)], node), 90)
  t.is(highMark(policies, undefined), 80)
})

test('an image that is known to come to more than there is room for waits, with the numbers', (t) => {
  const small = disk({ total: 10 * GB, available: 3 * GB })
  t.is(roomFor(1 * GB, small), undefined)
  t.regex(roomFor(1.2 * GB, small) ?? '', /about .* are free on \/d, of which/)
})

test('no image is begun while next to nothing is free', (t) => {
  t.is(roomFor(undefined, disk({ total: 10 * GB, available: 0.21 * GB })), undefined)
  t.regex(roomFor(undefined, disk({ total: 10 * GB, available: 0.19 * GB })) ?? '', /no room/)
  t.regex(roomFor(undefined, disk({ total: 1 * GB, available: 0.09 * GB })) ?? '', /no room/)
  // A large disk keeps back only so much.
  t.is(roomFor(undefined, disk({ total: 10_000 * GB, available: 6 * GB })), undefined)
})

test('where the disk is not known, nothing waits for it', (t) => {
  t.is(roomFor(1e15, undefined), undefined)
})

test('a real disk has numbers that go together', async (t) => {
  const found = await statfsDisk('/')
  t.true(found !== undefined && found.totalBytes > 0 && found.usedPercent >= 0 && found.usedPercent <= 100)
  t.is(await statfsDisk('/no/such/place'), undefined)
})
