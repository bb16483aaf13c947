/** Objects or tables for `get`: all pages of a list, or single objects by name. */
import { isReason, type StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { scopeRequest } from './follow.ts'
import type { Format, Json } from './format.ts'
import type { Io } from './io.ts'
import { decodeTable, type RowOptions, type ServerTable } from './servertable.ts'
import type { Session } from './session.ts'
import type { Target } from './targets.ts'

export interface GetScope {
  readonly session: Session
  /** Absent: all. */
  readonly namespace?: string
  readonly query: Readonly<Record<string, string>>
}

export interface Getting {
  readonly io: Io
  readonly scope: GetScope
  readonly format: Format
  readonly options: RowOptions
  readonly headers: boolean
}

interface Fetched {
  readonly target: Target
  readonly bodies: readonly Json[]
  readonly failures: readonly StatusError[]
}

const pageSize = '500'

/** All pages of a list, or each name on its own. `accept` asks for tables. */
export async function fetchTarget(target: Target, scope: GetScope, accept?: string): Promise<Fetched> {
  if (target.names === undefined)
    return { target, bodies: await fetchPages(target, scope, accept), failures: [] }
  const results = await Promise.all(target.names.map((name) => fetchOne(target, name, scope, accept)))
  return {
    target,
    bodies: results.flatMap((result) => ('body' in result ? [result.body] : [])),
    failures: results.flatMap((result) => ('failure' in result ? [result.failure] : [])),
  }
}

async function fetchPages(target: Target, scope: GetScope, accept: string | undefined): Promise<Json[]> {
  const { client, signal } = scope.session
  const { path } = scopeRequest({ resource: target.resource, ...namespaceOf(scope) })
  const pages: Json[] = []
  let next: string | undefined
  do {
    const query = { ...scope.query, limit: pageSize, ...(next !== undefined && { continue: next }) }
    const page = asJson(await client.json({ method: 'GET', path, query, ...acceptHeader(accept) }, signal))
    pages.push(page)
    const token = isPlainObject(page['metadata']) ? page['metadata']['continue'] : undefined
    next = typeof token === 'string' && token !== '' ? token : undefined
  } while (next !== undefined)
  return pages
}

async function fetchOne(
  { resource }: Target,
  name: string,
  scope: GetScope,
  accept: string | undefined,
): Promise<{ body: Json } | { failure: StatusError }> {
  const { client, signal } = scope.session
  const path = objectPath(resource, { name, namespace: scope.namespace ?? scope.session.namespace })
  try {
    return { body: asJson(await client.json({ method: 'GET', path, ...acceptHeader(accept) }, signal)) }
  } catch (error) {
    if (isReason(error, 'NotFound')) return { failure: error }
    throw error
  }
}

/** The pages of one list as one table; undefined when there are none. */
export function joinTables(bodies: readonly Json[]): ServerTable | undefined {
  return bodies.reduce<ServerTable | undefined>((joined, body) => {
    const table = decodeTable(body, joined)
    return joined === undefined ? table : { ...table, rows: [...joined.rows, ...table.rows] }
  }, undefined)
}

export function namespaceOf({ namespace }: GetScope): { namespace?: string } {
  return namespace === undefined ? {} : { namespace }
}

function acceptHeader(accept: string | undefined): { headers?: Record<string, string> } {
  return accept === undefined ? {} : { headers: { accept } }
}

function asJson(value: unknown): Json {
  return isPlainObject(value) ? value : {}
}
