/**
 * GET of one object and of lists. Both come from the cache; the further pages of a list come from the storage as it
 * was at the first page's revision, so that the pages fit together however much is written meanwhile.
 */
import { badRequest, isReason, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import type { Context } from './context.ts'
import { type Entry, type Filter, matchesEntry } from './entry.ts'
import type { KindReader } from './kindcache.ts'
import { requireName } from './mutate.ts'
import { jsonResponse, listText, objectText } from './present.ts'
import type { RequestInfo } from './request.ts'
import type { ListMeta } from './table.ts'

export async function get(context: Context, info: RequestInfo, request: ApiRequest): Promise<ApiResponse> {
  const target = requireName(info)
  await context.cache.atLeast(info.options.resourceVersion ?? 0, request.signal)
  const reader = context.cache.of(info.kind)
  const entry = reader.get(objectKey(target))
  if (entry === undefined) reader.mustBeReadable?.(objectKey(target))
  if (entry === undefined) throw notFound(info.kind, target.name)
  return jsonResponse(200, objectText(info, entry.text, context.ambient.clock.now()))
}

export async function list(context: Context, info: RequestInfo, request: ApiRequest): Promise<ApiResponse> {
  const { texts, metadata } = await selectPage(context, info, request.signal)
  return jsonResponse(200, listText(info, texts, metadata, context.ambient.clock.now()))
}

export interface Page {
  readonly texts: readonly string[]
  readonly metadata: ListMeta
}

/** The page that the options ask for. */
export function selectPage(context: Context, info: RequestInfo, signal: AbortSignal): Page | Promise<Page> {
  const { continue: token, resourceVersion, resourceVersionMatch, sendInitialEvents } = info.options
  if (sendInitialEvents !== undefined) throw badRequest('sendInitialEvents is only for watches')
  if (resourceVersionMatch !== undefined && resourceVersion === undefined) {
    throw badRequest('resourceVersionMatch is forbidden unless resourceVersion is provided')
  }
  if (token !== '') {
    if (resourceVersion !== undefined && resourceVersion !== 0) {
      throw badRequest('specifying resource version is not allowed when using continue')
    }
    return nextPage(context, info, decodeToken(token))
  }
  if (resourceVersionMatch === 'Exact') {
    if (resourceVersion === 0)
      throw badRequest('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
    return storedPage(context, info, { revision: resourceVersion ?? 0, after: '' })
  }
  return firstPage(context, info, signal)
}

async function firstPage({ cache }: Context, info: RequestInfo, signal: AbortSignal): Promise<Page> {
  const { limit, resourceVersion } = info.options
  await cache.atLeast(resourceVersion ?? 0, signal)
  const reader = cache.of(info.kind)
  const entries = reader.select(filterOf(info))
  const { revision } = cache
  const page = limit === 0 || entries.length <= limit ? entries : entries.slice(0, limit)
  const texts = page.map((entry) => entry.text)
  const last = page.at(-1)
  const remaining = entries.length - page.length
  if (remaining === 0 || last === undefined) return { texts, metadata: { resourceVersion: String(revision) } }
  const position = { revision, after: reader.prefix + keyOf(last) }
  return { texts, metadata: moreToCome(info, position, remaining) }
}

async function nextPage(context: Context, info: RequestInfo, position: Position): Promise<Page> {
  try {
    return await storedPage(context, info, position)
  } catch (error) {
    if (!isReason(error, 'Expired')) throw error
    const message =
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'
    throw new StatusError('Expired', message, {}, { cause: error })
  }
}

async function storedPage(context: Context, info: RequestInfo, { revision, after }: Position): Promise<Page> {
  const { limit } = info.options
  const scope = info.namespace === undefined ? '' : `${info.namespace}/`
  const reader = context.cache.of(info.kind)
  const prefix = reader.prefix + scope
  const texts: string[] = []
  for (let last = after; ; ) {
    const options = {
      revision,
      ...(last !== '' && { after: last }),
      ...(limit > 0 && { limit: limit - texts.length }),
    }
    const { records, remaining } = await context.storage.list(prefix, options)
    texts.push(...matchingTexts(reader, info, records))
    last = records.at(-1)?.key ?? last
    if (remaining === 0) return { texts, metadata: { resourceVersion: String(revision) } }
    if (texts.length >= limit)
      return { texts, metadata: moreToCome(info, { revision, after: last }, remaining) }
  }
}

/** Where a list goes on: after this key, as of this revision. */
interface Position {
  readonly revision: number
  readonly after: string
}

/** How many are left is only known without selectors. */
function moreToCome(info: RequestInfo, position: Position, remaining: number): ListMeta {
  return {
    resourceVersion: String(position.revision),
    continue: Buffer.from(JSON.stringify({ rv: position.revision, after: position.after })).toString(
      'base64url',
    ),
    ...(!isFiltered(info) && { remainingItemCount: remaining }),
  }
}

function decodeToken(token: string): Position {
  const invalid = (options?: ErrorOptions) =>
    new StatusError('BadRequest', 'continue key is not valid', {}, options)
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch (error) {
    throw invalid({ cause: error })
  }
  if (!isPlainObject(value)) throw invalid()
  const { rv, after } = value
  if (!Number.isSafeInteger(rv) || Number(rv) < 0 || typeof after !== 'string' || !after.isWellFormed())
    throw invalid()
  return { revision: Number(rv), after }
}

/** Only a selector needs to look inside. */
function matchingTexts(reader: KindReader, info: RequestInfo, records: readonly StoredRecord[]): string[] {
  if (!isFiltered(info)) return records.map((record) => reader.textOf(record))
  const filter = filterOf(info)
  const entries = records.map((record) => reader.entryOf(record))
  return entries.filter((entry) => matchesEntry(filter, entry)).map(({ text }) => text)
}

function isFiltered({ options }: RequestInfo): boolean {
  return options.labelSelector.length + options.fieldSelector.length > 0
}

export function filterOf({ namespace, options }: RequestInfo): Filter {
  const { labelSelector, fieldSelector } = options
  return { ...(namespace !== undefined && { namespace }), labelSelector, fieldSelector }
}

function keyOf({ namespace, name }: Entry): string {
  return objectKey(namespace === undefined ? { name } : { namespace, name })
}
