/**
 * The roles and bindings that every server has, as Kubernetes has them: cluster-admin, admin, edit and view for
 * people, the few `system:` roles that everybody holds, and one that tells what nodes may do. What namespaced kinds
 * there are decides what is in admin, edit and view, so that a new kind need not be named here. Pure.
 */
import { bootstrappersGroup } from '#pkg/apis/bootstraptoken.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { rbacGroup } from '#pkg/apis/rbac.rules.ts'
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '#pkg/apis/rbac.ts'
import { adminGroup, anonymous, authenticatedGroup } from './authenticate.ts'
import { nodeRules } from './nodeauthorizer.ts'

export interface Defaults {
  readonly roles: readonly ClusterRole[]
  readonly bindings: readonly ClusterRoleBinding[]
}

export const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate'

const apiVersion = `${rbacGroup}/v1`
const read = ['get', 'list', 'watch']
const write = ['create', 'delete', 'deletecollection', 'patch', 'update']
const aggregateTo = (role: string) => ({ [`${rbacGroup}/aggregate-to-${role}`]: 'true' })
const healthPaths = ['/healthz', '/livez', '/readyz']
const monitoringPaths = [...healthPaths.flatMap((path) => [path, `${path}/*`]), '/metrics', '/metrics/*']
const publicPaths = [...healthPaths, '/version', '/version/']
const discoveryPaths = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*']

export function defaultRoles(kinds: readonly Kind[]): Defaults {
  const authenticated = [authenticatedGroup]
  const [view, edit, admin] = [viewRules(kinds), editRules(kinds), adminRules()]
  return {
    roles: [
      role('cluster-admin', [
        { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
        { verbs: ['*'], nonResourceURLs: ['*'] },
      ]),
      aggregated('admin', [...edit, ...view, ...admin], {}),
      aggregated('edit', [...edit, ...view], aggregateTo('admin')),
      aggregated('view', view, aggregateTo('edit')),
      role('system:aggregate-to-admin', admin, aggregateTo('admin')),
      role('system:aggregate-to-edit', edit, aggregateTo('edit')),
      role('system:aggregate-to-view', view, aggregateTo('view')),
      role('system:basic-user', [
        rule(['create'], 'authorization.k8s.io', ['selfsubjectaccessreviews', 'selfsubjectrulesreviews']),
        rule(['create'], 'authentication.k8s.io', ['selfsubjectreviews']),
      ]),
      role('system:discovery', [paths([...publicPaths, ...discoveryPaths])]),
      role('system:public-info-viewer', [paths(publicPaths)]),
      role('system:monitoring', [paths(monitoringPaths)]),
      role('system:auth-delegator', [
        rule(['create'], 'authentication.k8s.io', ['tokenreviews']),
        rule(['create'], 'authorization.k8s.io', ['subjectaccessreviews']),
      ]),
      role('cove:node-bootstrapper', [rule(['create'], 'cove.run', ['nodes/certificate'])]),
      role(
        'cove:node',
        nodeRules.map(({ verbs, group, resources }) => rule(verbs, group, resources)),
      ),
    ],
    bindings: [
      binding('cluster-admin', [adminGroup]),
      binding('system:basic-user', authenticated),
      binding('system:discovery', authenticated),
      binding('system:public-info-viewer', [...authenticated, ...anonymous.groups]),
      binding('system:monitoring', ['system:monitoring']),
      binding('cove:node-bootstrapper', [bootstrappersGroup]),
    ],
  }
}

/** Secrets are not to be seen by whoever may look, nor who may do what: both would be a way to more. */
function viewRules(kinds: readonly Kind[]): PolicyRule[] {
  const seen = kinds.filter((kind) => kind.namespaced && kind.group !== rbacGroup && !isSecret(kind))
  const seenByGroup = byGroup(seen).map(([group, members]) => {
    const more = group === '' ? ['namespaces', 'pods', 'pods/log', 'pods/status', 'services'] : []
    return rule(read, group, [...new Set([...members.flatMap(readable), ...more])].toSorted())
  })
  const plurals = kinds.filter(isToldToAll).map(({ plural }) => plural)
  const told = plurals.length === 0 ? [] : [rule(read, 'cove.run', plurals)]
  // As Kubernetes' system:aggregated-metrics-reader.
  return [...seenByGroup, ...told, rule(read, 'metrics.k8s.io', ['nodes', 'pods'])]
}

/** Who may run anything may read every Secret, by mounting it. */
function editRules(kinds: readonly Kind[]): PolicyRule[] {
  const writable = kinds.filter(
    (kind) =>
      kind.namespaced && kind.group !== rbacGroup && kind.viewOf === undefined && !isWrittenForThem(kind),
  )
  const streams = kinds
    .filter((kind) => kind.namespaced)
    .flatMap((kind) => deepOf(kind).map((resource) => [kind.group, resource] as const))
  const streamed = Map.groupBy([...streams, ...podStreams], ([group]) => group)
  return [
    ...byGroup(writable).map(([group, members]) =>
      rule(
        write,
        group,
        members.map(({ plural }) => plural),
      ),
    ),
    ...[...streamed].map(([group, entries]) =>
      rule(['create', 'get'], group, [...new Set(entries.map(([, resource]) => resource))].toSorted()),
    ),
    rule(read, '', ['secrets']),
    // Files that their Images are made of, and no others: an upload belongs to its namespace.
    rule(['get', 'update'], 'cove.run', ['uploads']),
    rule(['impersonate'], '', ['serviceaccounts']),
    rule(['create'], '', ['pods/eviction', 'serviceaccounts/token']),
  ]
}

const podStreams = (['attach', 'exec', 'portforward'] as const).map((name) => ['', `pods/${name}`] as const)

function adminRules(): PolicyRule[] {
  return [
    rule([...read, ...write], rbacGroup, ['roles', 'rolebindings']),
    rule(['create'], 'authorization.k8s.io', ['localsubjectaccessreviews']),
  ]
}

/** The kind and what can only be read below it. */
function readable({ plural, statusSubresource, subresources = [] }: Kind): string[] {
  const below = subresources
    .filter(({ name }) => !isStream(name) && !isDeep(name))
    .filter(({ verbs }) => verbs.every((verb) => verb === 'get'))
  const names = [...(statusSubresource ? ['status'] : []), ...below.map(({ name }) => name)]
  return [plural, ...names.map((name) => `${plural}/${name}`)]
}

function deepOf({ plural, subresources = [] }: Kind): string[] {
  return subresources
    .filter(({ name }) => isStream(name) || isDeep(name))
    .map(({ name }) => `${plural}/${name}`)
}

/**
 * What shows more of a container than its object does, such as values of Secrets in its environment, in the words of its
 * commands and in its files; and what is done to its processes. Whoever may run something in it can see and do that
 * anyway. `commit` is in no role: an image belongs to its node, and is there for all namespaces.
 */
function isDeep(name: string): boolean {
  return ['export', 'inspect', 'kill', 'top'].includes(name)
}

/** What reaches into a running process is no reading, whatever method it is asked with. */
function isStream(name: string): boolean {
  return ['attach', 'exec', 'portforward', 'proxy'].includes(name)
}

function isSecret({ group, kind }: Kind): boolean {
  return group === '' && kind === 'Secret'
}

/** Of the cluster, and what whoever uses its nodes has to know: which registries there are, and what is pruned when. */
function isToldToAll({ group, kind }: Kind): boolean {
  return group === 'cove.run' && (kind === 'Registry' || kind === 'PrunePolicy')
}

/** Events and revisions are for people to read: the parts of Cove write them. */
function isWrittenForThem({ group, kind }: Kind): boolean {
  return (group === '' && kind === 'Event') || (group === 'apps' && kind === 'ControllerRevision')
}

function byGroup(kinds: readonly Kind[]): [string, Kind[]][] {
  return [...Map.groupBy(kinds, ({ group }) => group)]
}

function rule(verbs: readonly string[], group: string, resources: readonly string[]): PolicyRule {
  return { verbs: [...verbs], apiGroups: [group], resources: [...resources] }
}

/** Some probes ask with HEAD. */
function paths(nonResourceURLs: readonly string[]): PolicyRule {
  return { verbs: ['get', 'head'], nonResourceURLs: [...nonResourceURLs] }
}

function metadataOf(name: string, labels: Readonly<Record<string, string>> = {}) {
  return {
    name,
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { [autoUpdate]: 'true' },
  }
}

function role(name: string, rules: PolicyRule[], labels: Readonly<Record<string, string>> = {}): ClusterRole {
  return { apiVersion, kind: 'ClusterRole', metadata: metadataOf(name, labels), rules }
}

/** The rules are those that will be collected, so that the role is good before the first collection. */
function aggregated(
  name: string,
  rules: PolicyRule[],
  labels: Readonly<Record<string, string>>,
): ClusterRole {
  const clusterRoleSelectors = [{ matchLabels: aggregateTo(name) }]
  return { ...role(name, rules, labels), aggregationRule: { clusterRoleSelectors } }
}

function binding(name: string, groups: readonly string[]): ClusterRoleBinding {
  return {
    apiVersion,
    kind: 'ClusterRoleBinding',
    metadata: metadataOf(name),
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name },
    subjects: groups.map((group) => ({ kind: 'Group', apiGroup: rbacGroup, name: group })),
  }
}
