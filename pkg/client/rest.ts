/**
 * The API as typed verbs, over any Transport: in process, or HTTPS. Failed answers become StatusErrors.
 * Objects that come back are what the server's schema has accepted, so the kind vouches for their type.
 */
import { badRequest, fromStatus, type StatusDetails, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { type ApiResponse, readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import { readLines } from './lines.ts'

export interface ListOptions {
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  /** Objects come without spec, status and data, as kind PartialObjectMetadata. */
  readonly metadataOnly?: true
}

export interface WatchOptions extends ListOptions {
  readonly resourceVersion: string
  readonly timeoutSeconds?: number
}

export interface ObjectList<T> {
  readonly resourceVersion: string
  readonly items: readonly T[]
  /** Of a page that others follow. */
  readonly continue?: string
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  /** Nothing changed up to this revision: where to watch from after a break. */
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string }

export interface Request {
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string>> | URLSearchParams
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** In its place what is sent as it comes, such as a file. */
  readonly input?: AsyncIterable<Uint8Array>
}

interface Name {
  readonly namespace?: string
  readonly name: string
}

interface Deletion {
  readonly uid?: string
  readonly resourceVersion?: string
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
}

export type PatchType = 'merge' | 'json' | 'strategic' | 'apply'

const patchMediaTypes: Readonly<Record<PatchType, string>> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

export class Client {
  readonly #transport: Transport
  readonly #fieldManager: string

  constructor(transport: Transport, fieldManager: string) {
    this.#transport = transport
    this.#fieldManager = fieldManager
  }

  async get<T extends KubeObject>(kind: Kind<T>, name: Name, signal: AbortSignal): Promise<T> {
    return object(await this.json({ method: 'GET', path: objectPath(kind, name) }, signal))
  }

  async list<T extends KubeObject>(
    kind: Kind<T>,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<ObjectList<T>> {
    return await this.#page<T>(kind, options, {}, signal)
  }

  /** The same list in pages of at most `limit`, as of one revision. Throws Expired when that is gone half-way. */
  async *pages<T extends KubeObject>(
    kind: Kind<T>,
    options: ListOptions,
    limit: number,
    signal: AbortSignal,
  ): AsyncGenerator<ObjectList<T>> {
    let next: string | undefined
    do {
      const query = { limit: String(limit), ...(next !== undefined && { continue: next }) }
      const page = await this.#page<T>(kind, options, query, signal)
      yield page
      next = page.continue
    } while (next !== undefined)
  }

  async #page<T extends KubeObject>(
    kind: Kind<T>,
    options: ListOptions,
    page: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<ObjectList<T>> {
    const path = collectionPath(kind, options.namespace)
    const headers = acceptOf(options, 'PartialObjectMetadataList')
    const query = { ...selectors(options), ...page }
    const body = await this.json({ method: 'GET', path, query, headers }, signal)
    if (!isPlainObject(body) || !Array.isArray(body['items']))
      throw badRequest(`GET ${path} did not answer a list`)
    const { resourceVersion = '', continue: next = '' } = isPlainObject(body['metadata'])
      ? body['metadata']
      : {}
    return {
      resourceVersion: String(resourceVersion),
      items: body['items'].map(object<T>),
      ...(next !== '' && { continue: String(next) }),
    }
  }

  async create<T extends KubeObject>(kind: Kind<T>, value: T, signal: AbortSignal): Promise<T> {
    const path = collectionPath(kind, value.metadata.namespace)
    return object(await this.json(this.#write('POST', path, value), signal))
  }

  async update<T extends KubeObject>(kind: Kind<T>, value: T, signal: AbortSignal): Promise<T> {
    return object(await this.json(this.#write('PUT', objectPath(kind, value.metadata), value), signal))
  }

  /** A merge patch; `subresource` "status" changes status only. Put metadata.resourceVersion in it for a locked write. */
  async patch<T extends KubeObject>(
    kind: Kind<T>,
    name: Name & { readonly subresource?: 'status' },
    patch: unknown,
    signal: AbortSignal,
  ): Promise<T> {
    const suffix = name.subresource === undefined ? '' : `/${name.subresource}`
    const request = this.#write('PATCH', `${objectPath(kind, name)}${suffix}`, patch, patchMediaTypes.merge)
    return object(await this.json(request, signal))
  }

  /** With `uid` or `resourceVersion` only the object that has them; absent, `propagationPolicy` is the server's choice. */
  async delete<T extends KubeObject>(
    kind: Kind<T>,
    name: Name & Deletion,
    signal: AbortSignal,
  ): Promise<void> {
    const { uid, resourceVersion, propagationPolicy } = name
    const preconditions = {
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    }
    const options = { preconditions, ...(propagationPolicy !== undefined && { propagationPolicy }) }
    await this.json(this.#write('DELETE', objectPath(kind, name), options), signal)
  }

  /** Changes after `resourceVersion`. Ends when the server ends it; throws Expired when that revision is gone. */
  async *watch<T extends KubeObject>(
    kind: Kind<T>,
    options: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const { resourceVersion, timeoutSeconds } = options
    const query = {
      ...selectors(options),
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      ...(timeoutSeconds !== undefined && { timeoutSeconds: String(timeoutSeconds) }),
    }
    const response = await this.stream(
      {
        method: 'GET',
        path: collectionPath(kind, options.namespace),
        query,
        headers: acceptOf(options, 'PartialObjectMetadata'),
      },
      signal,
    )
    for await (const line of readLines(response.body)) {
      if (line !== '') yield decodeEvent<T>(line)
    }
  }

  /** The decoded body of a successful answer. */
  async json(request: Request, signal: AbortSignal): Promise<unknown> {
    const response = await this.stream(request, signal)
    return parseJson(await readAll(response.body), request)
  }

  /** A successful answer with its body unread. Throws the StatusError of any other. */
  async stream(request: Request, signal: AbortSignal): Promise<ApiResponse> {
    const response = await this.#transport({
      method: request.method,
      path: request.path,
      query: new URLSearchParams(request.query),
      headers: { accept: 'application/json', ...request.headers },
      ...(request.body !== undefined && { body: request.body }),
      ...(request.input !== undefined && { input: request.input }),
      signal,
    })
    if (response.status >= 400) throw decodeFailure(response.status, await readAll(response.body))
    return response
  }

  #write(method: string, path: string, body: unknown, mediaType = 'application/json'): Request {
    return {
      method,
      path,
      query: { fieldManager: this.#fieldManager },
      headers: { 'content-type': mediaType },
      body: JSON.stringify(body),
    }
  }
}

function selectors({ labelSelector, fieldSelector }: ListOptions): Record<string, string> {
  return {
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  }
}

function acceptOf({ metadataOnly }: ListOptions, as: string): Record<string, string> {
  return metadataOnly === undefined ? {} : { accept: `application/json;as=${as};g=meta.k8s.io;v=v1` }
}

function decodeEvent<T extends KubeObject>(line: string): WatchEvent<T> {
  const event = parseJson(line, { method: 'WATCH', path: '' })
  if (!isPlainObject(event)) throw badRequest('a watch event is not an object')
  const { type, object: value } = event
  if (type === 'ERROR') throw decodeFailure(500, JSON.stringify(value))
  if (type === 'BOOKMARK') return { type, resourceVersion: object(value).metadata.resourceVersion ?? '' }
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') return { type, object: object<T>(value) }
  throw badRequest(`unknown watch event "${String(type)}"`)
}

/** The server has validated what it sends; only the frame is checked again. */
function object<T extends KubeObject>(value: unknown): T {
  if (!isPlainObject(value) || !isPlainObject(value['metadata']))
    throw badRequest('the answer is not an object')
  return value as unknown as T
}

/** The StatusError in the body of a failed answer; of any other body, one that quotes it. */
export function decodeFailure(code: number, body: string): StatusError {
  // As to every HEAD.
  if (body === '') return fromStatus({ code, message: `the server answered ${code}` })
  try {
    const status: unknown = JSON.parse(body)
    if (isPlainObject(status) && status['kind'] === 'Status') {
      return fromStatus(
        status as { code: number; reason?: string; message?: string; details?: StatusDetails },
      )
    }
  } catch (error) {
    return new StatusError(
      'InternalError',
      `the server answered ${code}: ${body.slice(0, 200)}`,
      {},
      { cause: error },
    )
  }
  return fromStatus({ code, message: `the server answered ${code}: ${body.slice(0, 200)}` })
}

function parseJson(text: string, request: Request): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const message = `${request.method} ${request.path} did not answer JSON: ${text.slice(0, 200)}`
    throw new StatusError('InternalError', message, {}, { cause: error })
  }
}
