import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { EngineInfo } from '#pkg/engine/port.ts'
import type { Disk } from './disk.ts'
import { nodeNotes, nodeStatus } from './node.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const engine: EngineInfo = {
  id: 'e',
  hostname: 'h',
  version: '20.10.24',
  apiVersion: '1.41',
  builder: 'Classic',
  kernel: 'k',
  operatingSystem: 'o',
  architecture: 'x86_64',
  cpus: 2,
  memoryBytes: 1e9,
  storageDriver: 'overlay2',
  rootDirectory: '/d',
  registries: { mirrors: ['http://m/'], insecure: ['127.0.0.0/8'] },
  containers: 3,
  images: 4,
}
const node = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} } as Node

function disk(availableBytes: number): Disk {
  const usedBytes = 100e9 - availableBytes
  return { path: '/d', totalBytes: 100e9, usedBytes, availableBytes, usedPercent: Math.ceil(usedBytes / 1e9) }
}

const facts = { engine, agentVersion: 'v', now, disk: disk(50e9), high: 90 }

test('status tells registries, counts and the disk of the engine', (t) => {
  const status = nodeStatus(undefined, facts)
  t.deepEqual(status.registries, { insecure: ['127.0.0.0/8'], mirrors: ['http://m/'] })
  t.like(status.engine, { containers: 3, images: 4 })
  t.like(status.disk, { path: '/d', usedPercent: 50 })
  t.is(findCondition(status.conditions, 'DiskPressure')?.status, 'False')
  t.is(findCondition(status.conditions, 'EngineConfigured'), undefined)
})

test('small changes of the disk change nothing before the next sign of life, a change of pressure does at once', (t) => {
  const first = nodeStatus(undefined, facts)
  const soon = { ...facts, now: now + 1000 }
  t.deepEqual(nodeStatus(first, { ...soon, disk: disk(50e9 - 10e6) }), first)
  t.is(nodeStatus(first, { ...soon, disk: disk(49e9) }).disk?.availableBytes, 49e9)
  t.is(
    nodeStatus(first, { ...facts, now: now + 300_000, disk: disk(50e9 - 10e6) }).disk?.availableBytes,
    50e9 - 10e6,
  )
  const pressed = nodeStatus(first, { ...soon, high: 50 })
  t.is(findCondition(pressed.conditions, 'DiskPressure')?.status, 'True')
})

test('an engine that is away leaves what is known of its disk and settings; what nobody asks for any more goes', (t) => {
  const engineConfig = { status: 'True', reason: 'EngineConfigured', message: 'm' } as const
  const first = nodeStatus(undefined, { ...facts, engineConfig })
  const away = nodeStatus(first, { engine: undefined, engineError: 'gone', agentVersion: 'v', now })
  t.deepEqual(away.disk, first.disk)
  t.is(findCondition(away.conditions, 'EngineConfigured')?.status, 'True')
  t.is(findCondition(away.conditions, 'DiskPressure')?.status, 'False')
  const back = nodeStatus(away, { ...facts, disk: undefined })
  t.is(back.disk, undefined)
  t.is(findCondition(back.conditions, 'EngineConfigured'), undefined)
  t.is(findCondition(back.conditions, 'DiskPressure'), undefined)
})

test('pressure and its end are events, and so is a refusal of the engine; what stays is told once', (t) => {
  const calm = nodeStatus(undefined, facts)
  const pressed = nodeStatus(calm, { ...facts, disk: disk(1e9) })
  const refused = { status: 'False', reason: 'EngineRefused', message: 'no' } as const
  const reasons = (before: typeof calm | undefined, after: typeof calm) =>
    nodeNotes(node, before, after).map(({ reason }) => reason)
  t.deepEqual(reasons(undefined, calm), [])
  t.deepEqual(reasons(calm, pressed), ['DiskPressure'])
  t.deepEqual(reasons(pressed, pressed), [])
  t.deepEqual(reasons(pressed, calm), ['DiskPressureOver'])
  const told = nodeStatus(calm, { ...facts, engineConfig: refused })
  t.deepEqual(reasons(calm, told), ['EngineConfigRefused'])
  t.deepEqual(reasons(told, told), [])
  const working = { status: 'False', reason: 'Reloading', message: '' } as const
  t.deepEqual(reasons(calm, nodeStatus(calm, { ...facts, engineConfig: working })), [])
})
