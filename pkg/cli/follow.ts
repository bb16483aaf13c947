/** A collection as it is and as it changes: list, watch, and again when the server ends the watch or comes back. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { fromStatus, isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { collectionPath } from '#pkg/apis/paths.ts'
import { readLines } from '#pkg/client/lines.ts'
import { CliError } from './errors.ts'
import type { Resource } from './resources.ts'
import type { Session } from './session.ts'

export interface Scope {
  readonly resource: Resource
  /** Absent: all namespaces. */
  readonly namespace?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
}

export interface RawEvent {
  readonly type: string
  /** An object, or a Table with one row when tables were asked for. */
  readonly object: Record<string, unknown>
}

export type Snapshot =
  | { readonly type: 'SYNC'; readonly objects: readonly KubeObject[] }
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }

const pauseMs = 500

export function scopeRequest({ resource, namespace, labelSelector, fieldSelector }: Scope) {
  return {
    method: 'GET',
    path: collectionPath(resource, namespace),
    query: {
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    },
  }
}

export async function listObjects(
  scope: Scope,
  { client, signal }: Pick<Session, 'client' | 'signal'>,
): Promise<{ objects: KubeObject[]; resourceVersion: string }> {
  const list = await client.json(scopeRequest(scope), signal)
  if (!isPlainObject(list) || !Array.isArray(list['items'])) throw new CliError('the server answered no list')
  const metadata = isPlainObject(list['metadata']) ? list['metadata'] : {}
  const { kind } = scope.resource
  const apiVersion = scope.resource.group
    ? `${scope.resource.group}/${scope.resource.version}`
    : scope.resource.version
  // The items of a list may leave out what the list says for all of them.
  const objects = list['items']
    .filter(isPlainObject)
    .map((item) => ({ apiVersion, kind, ...item }) as KubeObject)
  return { objects, resourceVersion: String(metadata['resourceVersion'] ?? '') }
}

/** A watch that names no time is ended within the hour; whoever watches here ends it themselves. */
const aYear = String(365 * 86_400)

/** Raw watch events after `resourceVersion`, until the server ends the watch. An ERROR event is thrown. */
export async function* watchRaw(
  scope: Scope,
  options: { readonly resourceVersion?: string; readonly accept?: string },
  { client, signal }: Pick<Session, 'client' | 'signal'>,
): AsyncGenerator<RawEvent> {
  const request = scopeRequest(scope)
  const response = await client.stream(
    {
      ...request,
      query: {
        ...request.query,
        watch: 'true',
        timeoutSeconds: aYear,
        ...(options.resourceVersion !== undefined && { resourceVersion: options.resourceVersion }),
      },
      ...(options.accept !== undefined && { headers: { accept: options.accept } }),
    },
    signal,
  )
  for await (const line of readLines(response.body)) {
    if (line !== '') yield decodeRawEvent(line)
  }
}

/**
 * First a SYNC with all objects, then each change; a new SYNC after every break. Never ends by itself: it ends
 * with its signal, or with an error that a retry does not mend.
 */
export async function* followObjects(scope: Scope, session: Session): AsyncGenerator<Snapshot> {
  let synced = false
  for (;;) {
    try {
      const { objects, resourceVersion } = await listObjects(scope, session)
      synced = true
      yield { type: 'SYNC', objects }
      for await (const { type, object } of watchRaw(scope, { resourceVersion }, session)) {
        if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') {
          yield { type, object: object as unknown as KubeObject }
        }
      }
    } catch (error) {
      // A server that was there may restart; one that never answered is reported at once.
      const passing = isReason(error, 'Expired') || (synced && isReason(error, 'ServiceUnavailable'))
      if (!passing) throw error
    }
    await sleep(session.clock, pauseMs, session.signal)
  }
}

function decodeRawEvent(line: string): RawEvent {
  const event: unknown = JSON.parse(line)
  if (!isPlainObject(event) || !isPlainObject(event['object']))
    throw new CliError('a watch event is no event')
  if (event['type'] === 'ERROR') throw fromStatus({ code: 500, ...event['object'] })
  return { type: String(event['type']), object: event['object'] }
}
