/**
 * Discovery: which groups, versions and resources there are. Both forms that clients read: the aggregated one
 * (one request for everything) and the older lists per group version. Made once from the kinds; the order of the
 * kinds is the order of groups, which decides what a plural means that two groups share.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { hasStatus, type Kind, type Subresource } from '#pkg/apis/kind.ts'
import { groupVersionPath } from '#pkg/apis/paths.ts'
import { cachedAnswer, onlyReads, type Surface } from '../http/answer.ts'

export const resourceVerbs = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const
/** Of kinds that only show others. */
const viewVerbs = ['get', 'list', 'watch'] as const
const statusVerbs = ['get', 'patch', 'update'] as const

interface Document {
  readonly body: string
  readonly etag: string
  readonly headers: Readonly<Record<string, string>>
}

type Named = Pick<
  Kind,
  'group' | 'version' | 'kind' | 'plural' | 'singular' | 'namespaced' | 'shortNames' | 'categories'
>

/** A resource whose objects are not stored: it answers some verbs, and others than kinds do. */
export interface ExtraResource extends Named, Pick<Kind, 'description' | 'schema'> {
  readonly verbs: readonly string[]
}

type Listed = ExtraResource | Kind

interface GroupVersion<T extends Listed = Listed> {
  readonly group: string
  readonly version: string
  readonly kinds: readonly T[]
}

/** Answers `/api`, `/apis`, `/api/v1`, `/apis/GROUP` and `/apis/GROUP/VERSION` for these kinds and resources. */
export function discovery(kinds: readonly Listed[]): Surface {
  const versions = groupVersions(kinds)
  const aggregated = new Map(
    ['v2', 'v2beta1'].flatMap((version) => [
      [`/api ${version}`, aggregatedList(versions, version, true)],
      [`/apis ${version}`, aggregatedList(versions, version, false)],
    ]),
  )
  const legacy = legacyDocuments(versions)
  return (request) => {
    const path = request.path.length > 1 ? request.path.replace(/\/$/, '') : request.path
    const document = aggregated.get(`${path} ${aggregatedVersion(request)}`) ?? legacy.get(path)
    if (document === undefined) return undefined
    onlyReads(request)
    return cachedAnswer(request, document)
  }
}

/** The kinds of each group version, in order of first appearance. */
export function groupVersions<T extends Listed>(kinds: readonly T[]): readonly GroupVersion<T>[] {
  const found = new Map<string, { group: string; version: string; kinds: T[] }>()
  for (const kind of kinds) {
    const key = apiVersionOf(kind)
    const entry = found.get(key) ?? { group: kind.group, version: kind.version, kinds: [] }
    entry.kinds.push(kind)
    found.set(key, entry)
  }
  return [...found.values()]
}

/** The first aggregated version that the client accepts, in its own order; "" when it accepts none. */
function aggregatedVersion(request: ApiRequest): string {
  for (const range of (request.headers['accept'] ?? '').split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim())
    const values = new Map(parameters.map((parameter) => splitParameter(parameter)))
    const version = values.get('v')
    const fits = values.get('g') === 'apidiscovery.k8s.io' && values.get('as') === 'APIGroupDiscoveryList'
    if (type === 'application/json' && fits && (version === 'v2' || version === 'v2beta1')) return version
  }
  return ''
}

function splitParameter(parameter: string): [string, string] {
  const equals = parameter.indexOf('=')
  return equals < 0 ? [parameter, ''] : [parameter.slice(0, equals), parameter.slice(equals + 1)]
}

function makeDocument(value: unknown, contentType: string): Document {
  const headers = { 'content-type': contentType, vary: 'Accept', 'cache-control': 'public' }
  return { body: JSON.stringify(value), etag: `"${fingerprint(value)}"`, headers }
}

function aggregatedList(versions: readonly GroupVersion[], version: string, core: boolean): Document {
  const groups = groupNames(versions).filter((group) => (group === '') === core)
  const value = {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: group === '' ? {} : { name: group },
      versions: versions.filter((entry) => entry.group === group).map((entry) => aggregatedEntry(entry)),
    })),
  }
  return makeDocument(value, `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
}

function groupNames(versions: readonly GroupVersion[]): string[] {
  return [...new Set(versions.map((entry) => entry.group))]
}

function aggregatedEntry(entry: GroupVersion) {
  return {
    version: entry.version,
    freshness: 'Current',
    resources: entry.kinds.map((kind) => ({
      resource: kind.plural,
      responseKind: responseKind(kind),
      scope: kind.namespaced ? 'Namespaced' : 'Cluster',
      singularResource: kind.singular,
      verbs: verbsOf(kind),
      shortNames: kind.shortNames,
      categories: kind.categories,
      subresources: subresourcesOf(kind).map(({ name, verbs, kind: own = kind }) => ({
        subresource: name,
        responseKind: responseKind(own),
        verbs,
      })),
    })),
  }
}

function verbsOf(listed: Listed): readonly string[] {
  if ('verbs' in listed) return listed.verbs
  return listed.viewOf === undefined ? resourceVerbs : viewVerbs
}

function responseKind({ group, version, kind }: Pick<Kind, 'group' | 'version' | 'kind'>) {
  return { group, version, kind }
}

function subresourcesOf(kind: Listed): readonly Subresource[] {
  if ('verbs' in kind) return []
  const own = kind.subresources ?? []
  const verbs = kind.viewOf === undefined ? statusVerbs : (['get'] as const)
  return hasStatus(kind) ? [{ name: 'status', verbs }, ...own] : own
}

function legacyDocuments(versions: readonly GroupVersion[]): Map<string, Document> {
  const groups = groupNames(versions).filter((group) => group !== '')
  const values: [string, unknown][] = [
    ['/api', coreVersions(versions)],
    [
      '/apis',
      { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map((name) => group(name, versions)) },
    ],
    ...groups.map((name): [string, unknown] => [
      `/apis/${name}`,
      { kind: 'APIGroup', apiVersion: 'v1', ...group(name, versions) },
    ]),
    ...versions.map((entry): [string, unknown] => [groupVersionPath(entry), resourceList(entry)]),
  ]
  return new Map(values.map(([path, value]) => [path, makeDocument(value, 'application/json')]))
}

/** Clients use the address they already have: no other is told. */
function coreVersions(versions: readonly GroupVersion[]) {
  return {
    kind: 'APIVersions',
    versions: versions.filter(({ group }) => group === '').map(({ version }) => version),
    serverAddressByClientCIDRs: [],
  }
}

function group(name: string, versions: readonly GroupVersion[]) {
  const own = versions
    .filter((entry) => entry.group === name)
    .map((entry) => ({ groupVersion: apiVersionOf(entry), version: entry.version }))
  return { name, versions: own, preferredVersion: own[0] }
}

function resourceList(entry: GroupVersion) {
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(entry),
    resources: entry.kinds.flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.namespaced,
        kind: kind.kind,
        verbs: verbsOf(kind),
        shortNames: kind.shortNames,
        categories: kind.categories,
      },
      ...subresourcesOf(kind).map(({ name, verbs, kind: own }) => ({
        name: `${kind.plural}/${name}`,
        singularName: '',
        namespaced: kind.namespaced,
        ...(own === undefined ? { kind: kind.kind } : responseKind(own)),
        verbs,
      })),
    ]),
  }
}
