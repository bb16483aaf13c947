/** The kind Container: its schema joined with its rules, defaults and table. */
import { containerChange } from './container.changes.ts'
import { containerColumns } from './container.columns.ts'
import { containerStatus } from './container.status.ts'
import { type Container, containerRules, containerSpec } from './container.ts'
import { containerWarnings } from './container.warnings.ts'
import type { Kind } from './kind.ts'
import { objectSchema, withDefaultPullPolicy } from './object.ts'

export const containerKind: Kind<Container> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Container',
  plural: 'containers',
  singular: 'container',
  shortNames: ['ctr'],
  categories: ['all', 'cove'],
  namespaced: true,
  description:
    'Container is one container on one node. It can be changed; the agent replaces it where it must.',
  schema: objectSchema({ spec: containerSpec, status: containerStatus }, ['spec'], containerRules),
  statusSubresource: true,
  subresources: [
    { name: 'log', verbs: ['get'] },
    ...['exec', 'attach', 'portforward'].map((name) => ({ name, verbs: ['create', 'get'] })),
    ...['top', 'stats', 'changes', 'ports', 'inspect', 'export'].map((name) => ({ name, verbs: ['get'] })),
    ...['commit', 'kill'].map((name) => ({ name, verbs: ['create'] })),
  ],
  selectableFields: ['spec.nodeName', 'spec.image', 'status.phase', 'status.health.status'],
  selectableAliases: { 'status.health': 'status.health.status' },
  columns: containerColumns,
  prepare: withDefaultPullPolicy,
  rules: [],
  gracePeriod: ({ spec }) => spec.terminationGracePeriodSeconds,
  changeOf: containerChange,
  warn: containerWarnings,
}
