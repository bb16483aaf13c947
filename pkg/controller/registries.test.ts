import test from 'ava'
import type { Registry } from '#pkg/apis/registry.ts'
import { planRegistry } from './registries.plan.ts'

const now = Date.parse('2026-01-01T00:00:00Z')
const nodes = new Set(['n1', 'n2'])

function registry(status: Registry['status']): Registry {
  const metadata = { name: 'r', generation: 3 }
  const base = { apiVersion: 'cove.run/v1', kind: 'Registry', metadata, spec: { server: 'r.io' } } as const
  return { ...base, ...(status !== undefined && { status }) }
}

const ready = (status: Registry['status']) => planRegistry(registry(status), { nodes, now })?.conditions[0]

test('a Registry is ready when no node differs, and unknown before one has looked', (t) => {
  t.like(ready({}), { status: 'Unknown', reason: 'NotLookedAt' })
  t.like(ready({ nodes: { n1: { state: 'Ready' } } }), { status: 'True', observedGeneration: 3 })
  const differing = { n2: { state: 'Differs', message: 'no' }, n1: { state: 'Differs' } } as const
  t.like(ready({ nodes: differing }), { status: 'False', message: 'node n1: it differs; node n2: no' })
})

test('what was said is not said again, and a node that is no more does not count', (t) => {
  const gone = { n1: { state: 'Ready' }, old: { state: 'Differs' } } as const
  const change = planRegistry(registry({ nodes: gone }), { nodes, now })
  t.deepEqual(change?.nodes, { old: null })
  t.is(change?.conditions[0]?.status, 'True')
  const after = registry({ nodes: { n1: { state: 'Ready' } }, conditions: change?.conditions ?? [] })
  t.is(planRegistry(after, { nodes, now: now + 1000 }), undefined)
})
