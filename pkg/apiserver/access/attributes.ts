/** What a request wants to do, read off its method and path: what authorization decides on. Pure. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  type FieldRequirement,
  type LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '#pkg/apimachinery/selector.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { isNamespaceKind, type RequestInfo } from '../http/request.ts'

export interface ResourceAttributes {
  readonly verb: string
  readonly group: string
  /** The plural, with its subresource: `containers/status`. */
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
  /** Of collections: what narrows them down; absent: nothing, or it is not known. */
  readonly fieldSelector?: readonly FieldRequirement[]
  readonly labelSelector?: LabelSelector
  /** Of a subresource that has parts of its own: which one, such as `layers`, and what is asked of it. */
  readonly below?: { readonly path: string; readonly query: URLSearchParams }
}

/** What a request wants to do: with a resource, or with a path that is none. */
export type Attributes = ResourceAttributes | { readonly verb: string; readonly path: string }

/**
 * Reads them off the method and the path, as Kubernetes lays out paths. Throws BadRequest for a malformed escape, and
 * for empty or dotted segments: a path that two readers could take apart differently is no path.
 */
export function attributesOf(request: Pick<ApiRequest, 'method' | 'path' | 'query'>): Attributes {
  const segments = request.path.replace(/\/$/, '').split('/').slice(1).map(decodeSegment)
  const rooted = segments[0] === 'api' ? segments.slice(2) : segments[0] === 'apis' ? segments.slice(3) : []
  const [first = '', second = '', ...others] = rooted
  if (first === '') return { verb: request.method.toLowerCase(), path: request.path }
  const group = segments[0] === 'api' ? '' : (segments[1] ?? '')
  const nested = first === 'namespaces' && others.length > 0 && !namespaceSubresources.has(others[0] ?? '')
  // As with Kubernetes, a right to a subresource is one to all that is below it.
  const [plural = '', inPath = '', subresource = '', ...below] = nested ? others : rooted
  const verb = verbOf(request, inPath !== '')
  const selectors = selectorsIn(verb, request.query)
  const name = inPath === '' ? selectedOf(selectors.fieldSelector) : inPath
  // Kubernetes takes a Namespace to be inside itself, so that a right within it is enough to read it.
  const namespaced = nested || (first === 'namespaces' && second !== '')
  return {
    verb,
    group,
    resource: subresource === '' ? plural : `${plural}/${subresource}`,
    ...(namespaced && { namespace: second }),
    ...(name !== '' && { name }),
    ...selectors,
    ...belowOf(below, request.query),
  }
}

function belowOf(segments: readonly string[], query: URLSearchParams): Pick<ResourceAttributes, 'below'> {
  return segments.length === 0 ? {} : { below: { path: segments.join('/'), query } }
}

/** The same of a request that has been parsed already. */
export function attributesOfInfo(info: RequestInfo): ResourceAttributes {
  const { kind, verb, subresource, options } = info
  const { fieldSelector, labelSelector } = options
  const collection = collectionVerbs.has(verb)
  const { name = collection ? selectedOf(fieldSelector) : '' } = info
  const namespace = info.namespace ?? (isNamespaceKind(kind) ? info.name : undefined)
  return {
    verb,
    group: kind.group,
    resource: subresource === undefined ? kind.plural : `${kind.plural}/${subresource}`,
    ...(namespace !== undefined && { namespace }),
    ...(name !== '' && { name }),
    ...(collection && { fieldSelector, labelSelector }),
  }
}

const collectionVerbs: ReadonlySet<string> = new Set(['list', 'watch', 'deletecollection'])

type Selectors = Pick<ResourceAttributes, 'fieldSelector' | 'labelSelector'>

/** Throws BadRequest for malformed ones. */
function selectorsIn(verb: string, query: URLSearchParams): Selectors {
  if (!collectionVerbs.has(verb)) return {}
  const [fields, labels] = [query.get('fieldSelector'), query.get('labelSelector')]
  return {
    ...(fields !== null && { fieldSelector: parseFieldSelector(fields) }),
    ...(labels !== null && { labelSelector: parseLabelSelector(labels) }),
  }
}

/** A collection of which only one object is asked for is that object: `resourceNames` of a Role then counts. */
function selectedOf(requirements: readonly FieldRequirement[] = []): string {
  return requirements.find(({ field, equal }) => field === 'metadata.name' && equal)?.value ?? ''
}

const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize'])

function decodeSegment(segment: string): string {
  const decoded = decodeEscapes(segment)
  if (decoded === '' || decoded === '.' || decoded === '..' || decoded.includes('/'))
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`)
  return decoded
}

function decodeEscapes(segment: string): string {
  if (!segment.includes('%')) return segment
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`, {}, { cause: error })
  }
}

const writeVerbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

/** How the query says that it is a list after all. */
const noWatch: ReadonlySet<string> = new Set(['', 'false', '0'])

function verbOf({ method, query }: Pick<ApiRequest, 'method' | 'query'>, named: boolean): string {
  if (method === 'GET' || method === 'HEAD') {
    if (named) return 'get'
    const watch = query.get('watch')
    return watch !== null && !noWatch.has(watch) ? 'watch' : 'list'
  }
  if (method === 'DELETE') return named ? 'delete' : 'deletecollection'
  return writeVerbs[method] ?? method.toLowerCase()
}
