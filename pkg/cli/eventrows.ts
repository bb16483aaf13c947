/** Events as people read them: oldest first, repeated ones counted. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'

export interface EventView {
  readonly namespace: string
  readonly type: string
  readonly reason: string
  /** `Container/web` */
  readonly object: string
  readonly message: string
  readonly count: number
  readonly first: number
  readonly last: number
  readonly source: string
}

/** Oldest first. */
export function viewEvents(events: readonly KubeObject[]): EventView[] {
  return events.map(viewEvent).sort((a, b) => a.last - b.last || a.first - b.first)
}

/** `5m`, or `10s (x3 over 5m)`. */
export function ageText({ first, last, count }: EventView, now: number): string {
  const age = Number.isNaN(last) ? '<unknown>' : humanDuration(now - last)
  return count > 1 && !Number.isNaN(first) ? `${age} (x${count} over ${humanDuration(now - first)})` : age
}

function viewEvent(event: KubeObject): EventView {
  const fields: Record<string, unknown> = { ...event }
  const about = isPlainObject(fields['involvedObject']) ? fields['involvedObject'] : {}
  const source = isPlainObject(fields['source']) ? fields['source'] : {}
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  const last = text(fields['lastTimestamp']) || text(fields['eventTime']) || event.metadata.creationTimestamp
  return {
    namespace: event.metadata.namespace ?? '',
    type: text(fields['type']) || 'Normal',
    reason: text(fields['reason']),
    object: `${text(about['kind'])}/${text(about['name'])}`,
    message: text(fields['message']).trim(),
    count: typeof fields['count'] === 'number' ? fields['count'] : 1,
    first: Date.parse(text(fields['firstTimestamp']) || last || ''),
    last: Date.parse(last ?? ''),
    source: text(source['component']) || text(fields['reportingComponent']),
  }
}
