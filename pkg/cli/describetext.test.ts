import test from 'ava'
import { describeObject } from './describetext.ts'

const apiVersion = 'rbac.authorization.k8s.io/v1'
const now = Date.parse('2026-01-01T00:00:00Z')

test('a role is told with its rules, a binding with its role and its subjects', (t) => {
  const role = {
    apiVersion,
    kind: 'ClusterRole',
    metadata: { name: 'r' },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods', 'pods/log'] }],
  }
  t.true(
    describeObject(role, [], now).includes(
      'Rules:\n  - verbs: ["get"]\n    apiGroups: [""]\n    resources: ["pods","pods/log"]\n',
    ),
  )
  const binding = {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name: 'b' },
    roleRef: { kind: 'ClusterRole', name: 'r' },
    subjects: [{ kind: 'User', name: 'ann' }],
  }
  t.true(
    describeObject(binding, [], now).includes(
      'Role:\n  kind: ClusterRole\n  name: r\nSubjects:\n  - kind: User\n    name: ann\n',
    ),
  )
})

test('of a Container is told what comes next, what differs, how its change goes and what healing was tried', (t) => {
  const failed = {
    fingerprint: 'f2',
    reason: 'Exited',
    message: 'it ended with exit code 3',
    time: '2025-12-31T23:59:00Z',
    log: ['no such table'],
  }
  const container = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web', namespace: 'default' },
    status: {
      phase: 'Running',
      lastAction: { time: '2025-12-31T23:59:00Z', action: 'start container web', cause: 'it ended' },
      next: { action: 'heal the container', cause: 'its healthcheck fails', time: '2026-01-01T00:00:10Z' },
      differences: [{ field: 'spec.env.A', want: '2', found: '1', change: 'recreate' }],
      rollout: { phase: 'RolledBack', since: '2025-12-31T23:59:00Z', failed },
      healing: {
        attempts: [
          { time: '2025-12-31T23:58:00Z', action: 'Restart' },
          { time: '2025-12-31T23:59:30Z', action: 'Recreate' },
        ],
        nextAt: '2026-01-01T00:00:10Z',
      },
    },
  }
  t.is(
    describeObject(container, [], now, ['Node n1 is ready.', 'Its last sign of life was just now.']),
    `Name:          web
Namespace:     default
Kind:          Container (cove.run/v1)
Labels:        <none>
Annotations:   <none>
Created:       <unknown>
Last action:   start container web (2025-12-31T23:59:00Z (60s ago))
  because:     it ended
Next:          heal the container at 2026-01-01T00:00:10Z (in 10s)
  because:     its healthcheck fails
Differences:
  FIELD        WANT   FOUND   CHANGE
  spec.env.A   2      1       recreate
Node:          Node n1 is ready. Its last sign of life was just now.
Rollout:       RolledBack since 2025-12-31T23:59:00Z (60s ago)
  failed:      2025-12-31T23:59:00Z (60s ago): Exited: it ended with exit code 3
  The last it wrote:
    no such table
Healing:       Restart 2025-12-31T23:58:00Z (2m ago)
               Recreate 2025-12-31T23:59:30Z (30s ago)
  next:        2026-01-01T00:00:10Z (in 10s)
Status:
  phase: Running
Events:        <none>
`,
  )
})

test('of a Build is told when it is asked whether it has moved, and a time that has passed is no next one', (t) => {
  const build = (status: object) => ({
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata: { name: 'web' },
    spec: { context: { git: { url: 'https://x/y.git' } }, triggers: { interval: '1m' }, tags: [] },
    status,
  })
  const told = describeObject(
    build({ checkedAt: '2025-12-31T23:59:00Z', nextCheckAt: '2026-01-01T00:00:10Z' }),
    [],
    now,
  )
  t.true(
    told.includes(
      'Checks:\n  Where its context comes from was asked at 2025-12-31T23:59:00Z (60s ago).\n' +
        '  Whether its context or base images have moved is asked at 2026-01-01T00:00:10Z (in 10s).\n',
    ),
  )
  t.notRegex(told, /checkedAt|nextCheckAt/)
  t.regex(
    describeObject(build({ nextCheckAt: '2025-12-31T23:58:00Z' }), [], now),
    /have moved is asked every 1m \(spec\.triggers\.interval\)\.\n/,
  )
  t.notRegex(describeObject(build({}), [], now), /Checks:/)
})
