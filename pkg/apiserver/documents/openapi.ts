/**
 * OpenAPI v3, from which kubectl explains, validates and computes patches: an index, and one self-contained
 * document per group version. The index names each document by its content, so a client keeps what it has until
 * the content changes. Documents are made when first asked for. Of version 2 there is only what clients cannot do without
 * (openapi.v2.ts).
 */
import { createHash } from 'node:crypto'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalJson } from '#pkg/apimachinery/hash.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { groupVersionPath } from '#pkg/apis/paths.ts'
import { cachedAnswer, onlyReads, type Surface } from '../http/answer.ts'
import { type ExtraResource, groupVersions } from './discovery.ts'
import { extraPaths, kindPaths } from './openapi.paths.ts'
import { componentSchemas } from './openapi.schemas.ts'
import { operationsV2, takesProtobuf, v2Path } from './openapi.v2.ts'

interface Document {
  readonly body: string
  readonly hash: string
}

const root = '/openapi/v3'
const contentType = { 'content-type': 'application/json', vary: 'Accept' } as const
const yearSeconds = 31_536_000

export interface OpenapiOptions {
  readonly kinds: readonly Kind[]
  /** What is served beside them, of the same groups or of others. */
  readonly extras?: readonly ExtraResource[]
  /** Of this program. */
  readonly version: string
}

/** Answers `/openapi/v3` and `/openapi/v3/...`, and `/openapi/v2` to those who take protobuf; else that is NotFound. */
export function openapi(options: OpenapiOptions): Surface {
  let built: ReadonlyMap<string, Document> | undefined
  const documents = () => {
    built ??= build(options)
    return built
  }
  return (request) => {
    if (request.path !== '/openapi' && !request.path.startsWith('/openapi/')) return undefined
    onlyReads(request)
    if (request.path === root) return index(request, documents())
    if (request.path === v2Path && takesProtobuf(request)) return cachedAnswer(request, operationsV2(options))
    const document = documents().get(request.path)
    if (document !== undefined) return one(request, document)
    throw new StatusError('NotFound', 'the server could not find the requested resource')
  }
}

function index(request: ApiRequest, documents: ReadonlyMap<string, Document>): ApiResponse {
  const paths = [...documents].map(([path, { hash }]) => [
    path.slice(root.length + 1),
    { serverRelativeURL: `${path}?hash=${hash}` },
  ])
  const { body, hash } = makeDocument({ paths: Object.fromEntries(paths) })
  const headers = { ...contentType, 'cache-control': 'no-cache, private' }
  return cachedAnswer(request, { body, etag: `"${hash}"`, headers })
}

/** Under its hash a document never changes; under another hash the client is sent to the right one. */
function one(request: ApiRequest, document: Document): ApiResponse {
  const asked = request.query.get('hash')
  if (asked !== null && asked !== document.hash) {
    const location = `${request.path}?hash=${document.hash}`
    return { status: 301, headers: { location, 'cache-control': 'no-cache' }, body: '' }
  }
  const caching = asked === null ? 'no-cache, private' : `public, max-age=${yearSeconds}, immutable`
  const headers = { ...contentType, 'cache-control': caching }
  return cachedAnswer(request, { body: document.body, etag: `"${document.hash}"`, headers })
}

/** By request path. */
function build({ kinds, extras = [], version }: OpenapiOptions): ReadonlyMap<string, Document> {
  return new Map(
    groupVersions<Kind | ExtraResource>([...kinds, ...extras]).map((entry) => {
      const document = makeDocument({
        openapi: '3.0.0',
        info: { title: 'Cove', version },
        paths: Object.assign({}, ...entry.kinds.map(pathsOf)),
        components: { schemas: componentSchemas(entry.kinds) },
      })
      return [`${root}${groupVersionPath(entry)}`, document]
    }),
  )
}

function pathsOf(listed: Kind | ExtraResource) {
  return 'verbs' in listed ? extraPaths(listed) : kindPaths(listed)
}

function makeDocument(value: unknown): Document {
  const body = canonicalJson(value)
  return { body, hash: createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase() }
}
