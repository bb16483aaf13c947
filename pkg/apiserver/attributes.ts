/** What a request wants to do, read off its method and path: what authorization decides on. Pure. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'

/** What a request wants to do: with a resource, or with a path that is none. */
export type Attributes =
  | {
      readonly verb: string
      readonly group: string
      /** The plural, with its subresource: `containers/status`. */
      readonly resource: string
      readonly namespace?: string
      readonly name?: string
    }
  | { readonly verb: string; readonly path: string }

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
  const [plural = '', name = '', ...subresource] = nested ? others : rooted
  return {
    verb: verbOf(request, name !== ''),
    group,
    resource: [plural, ...subresource].join('/'),
    ...(nested && { namespace: second }),
    ...(name !== '' && { name }),
  }
}

const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize'])

function decodeSegment(segment: string): string {
  const decoded = decodeEscapes(segment)
  if (decoded === '' || decoded === '.' || decoded === '..' || decoded.includes('/'))
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`)
  return decoded
}

function decodeEscapes(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`, {}, { cause: error })
  }
}

const writeVerbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

function verbOf({ method, query }: Pick<ApiRequest, 'method' | 'query'>, named: boolean): string {
  if (method === 'GET' || method === 'HEAD') {
    if (named) return 'get'
    const watch = query.get('watch')
    return watch !== null && watch !== 'false' && watch !== '0' ? 'watch' : 'list'
  }
  if (method === 'DELETE') return named ? 'delete' : 'deletecollection'
  return writeVerbs[method] ?? method.toLowerCase()
}
