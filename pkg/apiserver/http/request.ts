/** From an HTTP request to what is asked of the API: kind, verb, object and options. Pure. */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { hasStatus, type Kind } from '#pkg/apis/kind.ts'
import { negotiate, type Representation } from './accept.ts'
import { parseOptions, type RequestOptions, type WriteOptions } from './options.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** `status` for kinds that have one, `finalize` for namespaces. */
export type Subresource = 'status' | 'finalize'

/** One object, or all objects of the kind, in one namespace or in all. */
export interface Resource {
  readonly kind: Kind
  /** Absent: all namespaces, or an object of the cluster. */
  readonly namespace?: string
  /** Absent: the collection. */
  readonly name?: string
  readonly subresource?: Subresource
}

export interface RequestInfo extends Resource {
  readonly verb: Verb
  readonly options: RequestOptions
  readonly accept: Representation
}

/** Kinds by `group/version/plural`. */
export type Routes = ReadonlyMap<string, Kind>

export function makeRoutes(kinds: readonly Kind[]): Routes {
  return new Map(kinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]))
}

/** Throws NotFound for a path that is none of the API's, MethodNotAllowed, or BadRequest for a bad option. */
export function parseRequest(
  routes: Routes,
  request: Pick<ApiRequest, 'method' | 'path' | 'query' | 'headers'>,
): RequestInfo {
  const resource = findResource(routes, request.path)
  const options = parseOptions(request.query, resource.kind, writeOptions[request.method])
  const verb = verbOf(resource, request.method, options.watch)
  if (verb === undefined) throw methodNotAllowed(methodsOf(resource))
  if (resource.kind.viewOf !== undefined && !isReading(verb)) throw onlyShown(resource, verb)
  return { ...resource, verb, options, accept: negotiate(request.headers['accept']) }
}

const writeOptions: Readonly<Record<string, WriteOptions | undefined>> = {
  POST: 'CreateOptions',
  PUT: 'UpdateOptions',
  PATCH: 'PatchOptions',
  DELETE: 'DeleteOptions',
}

/** What the path names. Throws NotFound, worded as Kubernetes does, when it names nothing. */
export function findResource(routes: Routes, path: string): Resource {
  const [root, ...rest] = splitPath(path)
  if (root === 'api') {
    const [version = '', ...inside] = rest
    return resourceIn(routes, `/${version}`, inside)
  }
  if (root === 'apis') {
    const [group = '', version = '', ...inside] = rest
    return resourceIn(routes, `${group}/${version}`, inside)
  }
  throw unknownPath()
}

export function unknownPath(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource')
}

/** `allow`: the methods that it would have been. */
export function methodNotAllowed(allow: readonly string[]): StatusError {
  const message = 'the server does not allow this method on the requested resource'
  return new StatusError('MethodNotAllowed', message, {}, { allow })
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function methodsOf(resource: Resource): readonly string[] {
  return methods.filter((method) => {
    const verb = verbOf(resource, method, false)
    return verb !== undefined && (resource.kind.viewOf === undefined || isReading(verb))
  })
}

const commands: Readonly<Partial<Record<Verb, string>>> = {
  create: 'create',
  update: 'replace',
  patch: 'edit',
  delete: 'delete',
  deletecollection: 'delete',
}

function isReading(verb: Verb): boolean {
  return commands[verb] === undefined
}

/** What is only shown cannot be written; what it shows can. */
function onlyShown({ kind, name }: Resource, verb: Verb): StatusError {
  const { group, plural } = kind.viewOf?.source ?? kind
  const source = qualifiedResource({ group, plural })
  const which = name === undefined ? '' : ` ${name}`
  const message = `${kind.plural} only show ${source}: write those instead, as with "kubectl ${commands[verb]} ${source}${which}"`
  const details = { group: kind.group, kind: kind.plural, ...(name !== undefined && { name }) }
  return new StatusError('MethodNotAllowed', message, details, { allow: ['GET', 'HEAD'] })
}

function splitPath(path: string): string[] {
  try {
    return path
      .split('/')
      .filter((segment) => segment !== '')
      .map((segment) => (segment.includes('%') ? decodeURIComponent(segment) : segment))
  } catch (error) {
    throw new StatusError('BadRequest', `the path is not properly encoded: ${path}`, {}, { cause: error })
  }
}

function resourceIn(routes: Routes, groupVersion: string, segments: readonly string[]): Resource {
  const [first = '', namespace, plural] = segments
  const inner = plural === undefined ? undefined : routes.get(`${groupVersion}/${plural}`)
  if (first === 'namespaces' && namespace !== undefined && inner?.namespaced === true) {
    return { namespace, ...named(inner, segments.slice(3)) }
  }
  const outer = routes.get(`${groupVersion}/${first}`)
  // Objects of a namespaced kind are only found inside their namespace; all of them can be listed outside.
  if (outer === undefined || (outer.namespaced && segments.length > 1)) throw unknownPath()
  return named(outer, segments.slice(1))
}

function named(kind: Kind, [name, subresource, ...rest]: readonly string[]): Resource {
  if (name === undefined) return { kind }
  if (subresource === undefined) return { kind, name }
  const known =
    (subresource === 'status' && hasStatus(kind)) || (subresource === 'finalize' && isNamespaceKind(kind))
  if (!known || rest.length > 0) throw unknownPath()
  return { kind, name, subresource }
}

export function isNamespaceKind(kind: Kind): boolean {
  return kind.group === '' && kind.kind === 'Namespace'
}

function verbOf(resource: Resource, method: string, watch: boolean): Verb | undefined {
  if (resource.subresource === 'finalize') return method === 'PUT' ? 'update' : undefined
  if (resource.name === undefined) return collectionVerb(resource, method, watch)
  if (resource.subresource !== undefined && method === 'DELETE') return undefined
  return objectVerbs[method]
}

const objectVerbs: Readonly<Record<string, Verb | undefined>> = {
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

function collectionVerb(resource: Resource, method: string, watch: boolean): Verb | undefined {
  if (method === 'GET') return watch ? 'watch' : 'list'
  if (method === 'HEAD') return 'list'
  if (resource.kind.namespaced && resource.namespace === undefined) return undefined
  if (method === 'POST') return 'create'
  return method === 'DELETE' ? 'deletecollection' : undefined
}
