import test from 'ava'
import { container, observed, print, volume, world } from '#test/helpers/world.ts'
import { planContainer } from './container.ts'

const hex = 'a'.repeat(64)
const other = 'b'.repeat(64)
const deletionTimestamp = '2026-01-01T11:59:00Z'

test('a volume that nobody had named stays when a Volume names it, whatever becomes of its container', (t) => {
  const web = container('web', {}, { metadata: { deletionTimestamp } })
  const mounts = [hex, other].map((source, index) => ({
    type: 'volume' as const,
    source,
    target: `/data${index}`,
    readOnly: false,
  }))
  const current = observed(web, 'x', { mounts })
  const kept = volume('precious', { externalName: hex })
  const { plan } = planContainer(web, world({ objects: [web, kept], containers: [current] }))
  t.notRegex(print(plan), new RegExp(hex))
  t.deepEqual(
    plan.ops.map(({ op }) => op.type),
    ['stopContainer', 'removeContainer', 'removeVolume', 'releaseObject'],
  )
  const ids = new Set(plan.ops.map(({ id }) => id))
  t.true(plan.ops.every(({ after }) => after.every((id) => ids.has(id))))
})
