import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import { container } from '#test/helpers/world.ts'
import { matters, trimmed } from './scheduler.ts'

const placed = container('web', {
  resources: { limits: { cpu: 2 }, requests: { cpu: 1 } },
  tolerations: [{ operator: 'Exists' }],
  networkMode: 'container:db',
})
const withPhase = (phase: NonNullable<Container['status']>['phase']): Container => ({
  ...placed,
  status: { phase: phase ?? 'Pending' },
})

test('what placement reads is kept of a Container, and what it does not is not', (t) => {
  const { spec, status } = trimmed(withPhase('Failed'))
  t.deepEqual(spec.resources, { requests: { cpu: 1 } })
  t.deepEqual(spec.tolerations, [{ operator: 'Exists' }])
  t.is(spec.networkMode, 'container:db')
  t.deepEqual(status, { phase: 'Failed' })
})

test('of a Container that is where it belongs, only its end for good matters to others', (t) => {
  t.false(matters(withPhase('Pending'), withPhase('Running')))
  t.true(matters(withPhase('Running'), withPhase('Succeeded')))
})
