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
