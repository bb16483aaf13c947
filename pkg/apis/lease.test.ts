import test from 'ava'
import { leaseKind } from './lease.ts'
import { validate } from './validate.ts'

const lease = (spec: object) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'lead', namespace: 'default' },
  spec,
})

test('a Lease takes times to the microsecond', (t) => {
  const spec = {
    holderIdentity: 'n1',
    leaseDurationSeconds: 15,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    renewTime: '2026-01-01T00:00:10.123456Z',
    leaseTransitions: 0,
  }
  t.deepEqual(validate(leaseKind.schema, lease(spec)), [])
})

test('a Lease of no duration is refused', (t) => {
  const causes = validate(leaseKind.schema, lease({ leaseDurationSeconds: 0 }))
  t.deepEqual(
    causes.map(({ field }) => field),
    ['spec.leaseDurationSeconds'],
  )
})
