import assert from 'node:assert/strict'
import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Disk } from '../disk.ts'
import type { AgentOp } from '../ops.ts'
import { mustFit, type PullRoomOptions } from './pullroom.ts'

const noSignal = new AbortController().signal
const a = `sha256:${'a'.repeat(64)}`
const b = `sha256:${'b'.repeat(64)}`

function pull(reference: string): AgentOp {
  return { type: 'pullImage', reference, secrets: [] }
}

function options(available: number, layers: readonly (readonly [string, number])[], images: string[] = []) {
  const asked: string[] = []
  const disk: Disk = {
    path: '/d',
    totalBytes: 100e9,
    usedBytes: 100e9 - available,
    availableBytes: available,
    usedPercent: 50,
  }
  const found = images.map((name) => ({ id: a, references: [name], digests: [], labels: {}, sizeBytes: 1 }))
  const room: PullRoomOptions = {
    disk,
    engine: { listImages: async () => found as never },
    credentials: { secretOf: () => undefined, registries: () => [] },
    registry: {
      layers: async ({ repository }, { platform }) => {
        asked.push(`${repository} ${platform}`)
        if (repository === 'broken') throw new StatusError('RegistryUnavailable', 'it is away')
        return layers.map(([digest, bytes]) => ({ digest, bytes }))
      },
    },
    platform: 'linux/amd64',
  }
  return { room, asked }
}

test('a pull that cannot fit is not begun, and the numbers are told', async (t) => {
  const { room, asked } = options(5e9, [[a, 2e9]])
  await assert.rejects(mustFit(pull('r.example/app:1'), room, noSignal), {
    reason: 'NoSpace',
    message: /^r\.example\/app:1: no room for an image that comes to about .* are free on \/d/,
  })
  t.deepEqual(asked, ['app linux/amd64'])
})

test('a layer that is in an image twice counts once', async (t) => {
  const { room } = options(5e9, [
    [a, 1e9],
    [a, 1e9],
    [b, 0.1e9],
  ])
  await mustFit(pull('r.example/app:1'), room, noSignal)
  t.pass()
})

test('registries are asked only when room is short, and never Docker Hub, where it would count as a pull', async (t) => {
  for (const [available, reference] of [
    [50e9, 'r.example/app:1'],
    [5e9, 'app:1'],
  ] as const) {
    const { room, asked } = options(available, [[a, 90e9]])
    await mustFit(pull(reference), room, noSignal)
    t.deepEqual(asked, [])
  }
})

test('of an image that is here in another version the registry is not asked: its layers may be here', async (t) => {
  const { room, asked } = options(5e9, [[a, 90e9]], ['r.example/app:0'])
  await mustFit(pull('r.example/app:1'), room, noSignal)
  t.deepEqual(asked, [])
})

test('a registry that does not tell keeps nobody from pulling', async (t) => {
  const { room, asked } = options(5e9, [])
  await mustFit(pull('r.example/broken:1'), room, noSignal)
  t.is(asked.length, 1)
})

test('next to no room stops loads and transfers too', async (t) => {
  const { room } = options(0.5e9, [])
  const load: AgentOp = {
    type: 'loadImage',
    reference: 'a:1',
    from: { url: 'http://x' },
    made: '',
  } as AgentOp
  for (const op of [load, pull('app:1')])
    await assert.rejects(mustFit(op, room, noSignal), { reason: 'NoSpace' })
  t.pass()
})
