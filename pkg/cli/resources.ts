/**
 * What a word of the command line names: `containers`, `container`, `ctr`, `Container`, `containers.cove.run`,
 * `containers.v1.cove.run`. The built-in kinds are known without asking the server and without loading their
 * schemas, because that is most of what a short command would cost. A test holds this list equal to the kinds.
 */
import { nearest } from '#pkg/apimachinery/nearest.ts'
import { CliError } from './errors.ts'

export interface Resource {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly namespaced: boolean
}

const cove = { group: 'cove.run', version: 'v1', categories: ['all', 'cove'], namespaced: true } as const
const whole = { ...cove, categories: ['cove'], namespaced: false } as const
const core = { group: '', version: 'v1', categories: [], namespaced: true } as const

const rbac = {
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  categories: [],
  shortNames: [],
  namespaced: true,
} as const

/** In the order of discovery. */
export const builtinResources: readonly Resource[] = [
  { ...cove, kind: 'Container', plural: 'containers', singular: 'container', shortNames: ['ctr'] },
  { ...cove, kind: 'Volume', plural: 'volumes', singular: 'volume', shortNames: ['vol'] },
  { ...cove, kind: 'Network', plural: 'networks', singular: 'network', shortNames: ['net'] },
  { ...cove, kind: 'Image', plural: 'images', singular: 'image', shortNames: ['img'] },
  { ...cove, kind: 'Build', plural: 'builds', singular: 'build', shortNames: ['bld'] },
  { ...whole, kind: 'Registry', plural: 'registries', singular: 'registry', shortNames: ['reg'] },
  { ...whole, kind: 'PrunePolicy', plural: 'prunepolicies', singular: 'prunepolicy', shortNames: ['prune'] },
  { ...whole, kind: 'Node', plural: 'nodes', singular: 'node', shortNames: ['no'] },
  {
    ...core,
    kind: 'Namespace',
    plural: 'namespaces',
    singular: 'namespace',
    shortNames: ['ns'],
    namespaced: false,
  },
  { ...core, kind: 'Secret', plural: 'secrets', singular: 'secret', shortNames: [] },
  { ...core, kind: 'ConfigMap', plural: 'configmaps', singular: 'configmap', shortNames: ['cm'] },
  { ...core, kind: 'Event', plural: 'events', singular: 'event', shortNames: ['ev'] },
  {
    ...core,
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    singular: 'serviceaccount',
    shortNames: ['sa'],
  },
  { ...rbac, kind: 'Role', plural: 'roles', singular: 'role' },
  { ...rbac, kind: 'ClusterRole', plural: 'clusterroles', singular: 'clusterrole', namespaced: false },
  { ...rbac, kind: 'RoleBinding', plural: 'rolebindings', singular: 'rolebinding' },
  {
    ...rbac,
    kind: 'ClusterRoleBinding',
    plural: 'clusterrolebindings',
    singular: 'clusterrolebinding',
    namespaced: false,
  },
  {
    ...core,
    group: 'coordination.k8s.io',
    kind: 'Lease',
    plural: 'leases',
    singular: 'lease',
    shortNames: [],
  },
  {
    ...core,
    group: 'apps',
    kind: 'ControllerRevision',
    plural: 'controllerrevisions',
    singular: 'controllerrevision',
    shortNames: [],
  },
]

/** The built-in resource of a kind that a command is about by itself. */
export function builtinResource(
  kind:
    | 'Container'
    | 'Volume'
    | 'Image'
    | 'Build'
    | 'Secret'
    | 'Event'
    | 'Node'
    | 'Lease'
    | 'ControllerRevision',
): Resource {
  const found = builtinResources.find((resource) => resource.kind === kind)
  if (found === undefined) throw new RangeError(`no built-in kind ${kind}`)
  return found
}

/** The resources that a word names: one, several for a category, none when it is unknown. */
export function findResources(word: string, known: readonly Resource[]): readonly Resource[] {
  const one = known.find((resource) => matches(resource, word))
  if (one !== undefined) return [one]
  return known.filter(({ categories }) => categories.includes(word))
}

export function unknownResource(word: string, known: readonly Resource[]): CliError {
  const words = known.flatMap(({ plural, singular, shortNames, categories }) => [
    plural,
    singular,
    ...shortNames,
    ...categories,
  ])
  const hint = nearest(word, words)
  const question = hint === undefined ? '' : ` (did you mean "${hint}"?)`
  return new CliError(`the server doesn't have a resource type "${word}"${question}`)
}

/** `container.cove.run`, as kubectl names a resource before a slash. */
export function qualifiedSingular({ group, singular }: Pick<Resource, 'group' | 'singular'>): string {
  return group === '' ? singular : `${singular}.${group}`
}

function matches({ group, version, kind, plural, singular, shortNames }: Resource, word: string): boolean {
  const lower = word.toLowerCase()
  const dot = lower.indexOf('.')
  const name = dot < 0 ? lower : lower.slice(0, dot)
  const qualifier = dot < 0 ? '' : lower.slice(dot + 1)
  const named = [plural, singular, kind.toLowerCase(), ...shortNames].includes(name)
  return named && ['', group, `${version}.${group}`].includes(qualifier)
}
