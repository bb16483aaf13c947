/**
 * GET of one object and of lists. Both come from the cache; the further pages of a list come from the storage as it
 * was at the first page's revision, so that the pages fit together however much is written meanwhile.
 */
import { isReason, messageOf, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import { type Entry, type Filter, matchesEntry } from '../cache/entry.ts'
import type { KindReader } from '../cache/kindcache.ts'
import { listMode } from '../http/listrules.ts'
import { jsonResponse, listText, objectText } from '../http/present.ts'
import type { RequestInfo } from '../http/request.ts'
import type { ListMeta } from '../http/table.ts'
import type { Context } from './context.ts'
import { requireName } from './mutate.ts'

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
  switch (listMode(info.options)) {
    case 'goOn':
      return nextPage(context, info, decodeToken(info.options.continue))
    case 'exactly':
      return exactPage(context, info, info.options.resourceVersion ?? 0)
    case 'atLeast':
      return firstPage(context, info, signal)
  }
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
  const position = { revision, after: reader.prefix + keyOf(last), left: remaining }
  return { texts, metadata: moreToCome(info, position) }
}

/** The later pages of a list show the revision of its first one, for as long as that can be read. */
async function nextPage(context: Context, info: RequestInfo, position: Position): Promise<Page> {
  try {
    return await storedPage(context, info, position)
  } catch (error) {
    if (!isReason(error, 'Expired')) throw error
    const options = { cause: error, continue: encodeToken({ ...position, revision: latest }) }
    throw new StatusError('Expired', brokenOff, {}, options)
  }
}

const brokenOff =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

async function exactPage(context: Context, info: RequestInfo, revision: number): Promise<Page> {
  try {
    return await storedPage(context, info, { revision, after: '' })
  } catch (error) {
    if (!isReason(error, 'Expired')) throw error
    const message = 'The resourceVersion for the provided list is too old.'
    throw new StatusError('Expired', message, {}, { cause: error })
  }
}

/** A page may have more texts than a call takes arguments. */
function append(texts: string[], more: readonly string[]): void {
  for (const text of more) texts.push(text)
}

async function storedPage(context: Context, info: RequestInfo, from: Position): Promise<Page> {
  const { limit } = info.options
  const scope = info.namespace === undefined ? '' : `${info.namespace}/`
  const reader = context.cache.of(info.kind)
  const prefix = reader.prefix + scope
  const texts: string[] = []
  let { revision, after, left } = from
  for (;;) {
    const page = await context.storage.list(prefix, {
      ...(revision !== latest && { revision }),
      ...(after !== '' && { after }),
      ...(limit > 0 && { limit: limit - texts.length }),
      // The first page has counted already, and with a selector nobody is told.
      ...((left !== undefined || isFiltered(info)) && { uncounted: true }),
    })
    revision = page.revision
    append(texts, matchingTexts(context, reader, info, page.records))
    after = page.records.at(-1)?.key ?? after
    left = left === undefined ? page.remaining : left - page.records.length
    if (page.remaining === 0) return { texts, metadata: { resourceVersion: String(revision) } }
    if (texts.length >= limit) return { texts, metadata: moreToCome(info, { revision, after, left }) }
  }
}

/** In a token: as of whatever there is by then, for a list whose own revision can be read no more. */
const latest = -1

/** Where a list goes on: after this key, as of this revision. */
interface Position {
  readonly revision: number
  readonly after: string
  /** How many follow. */
  readonly left?: number
}

/** How many are left is only known without selectors. */
function moreToCome(info: RequestInfo, position: Required<Position>): ListMeta {
  return {
    resourceVersion: String(position.revision),
    continue: encodeToken(position),
    ...(!isFiltered(info) && { remainingItemCount: position.left }),
  }
}

function encodeToken({ revision, after, left }: Position): string {
  return Buffer.from(JSON.stringify({ rv: revision, after, left })).toString('base64url')
}

function decodeToken(token: string): Position {
  const invalid = (options?: ErrorOptions) =>
    new StatusError('BadRequest', 'invalid continue token: continue key is not valid', {}, options)
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString())
  } catch (error) {
    throw invalid({ cause: error })
  }
  if (!isPlainObject(value)) throw invalid()
  const { rv, after, left } = value
  if (!Number.isSafeInteger(rv) || Number(rv) < latest || typeof after !== 'string' || !after.isWellFormed())
    throw invalid()
  // Of a revision that nobody can read any more another number may follow: then it is counted again.
  return {
    revision: Number(rv),
    after,
    ...(Number.isSafeInteger(left) && rv !== latest && { left: Number(left) }),
  }
}

/** Only a selector needs to look inside. A record that cannot be read is left out, as in the cache. */
function matchingTexts(
  { ambient }: Context,
  reader: KindReader,
  info: RequestInfo,
  records: readonly StoredRecord[],
): string[] {
  const filter = isFiltered(info) ? filterOf(info) : undefined
  return records.flatMap((record) => {
    try {
      if (filter === undefined) return [reader.textOf(record)]
      const entry = reader.entryOf(record)
      return matchesEntry(filter, entry) ? [entry.text] : []
    } catch (error) {
      ambient.log.error('a stored object cannot be read', { key: record.key, error: messageOf(error) })
      return []
    }
  })
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
