/** Columns that more than one kind has. */
import { type Condition, findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import type { Column } from './kind.ts'

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
  cell: ({ metadata }, now) => since(metadata.creationTimestamp, now),
}

/** Of kinds that have a condition Ready; for the wide table. */
export const reasonColumn: Column<KubeObject<unknown, { conditions?: Condition[] }>> = {
  name: 'Reason',
  type: 'string',
  description: 'Why it is not ready.',
  wide: true,
  cell: ({ status }) => {
    const ready = findCondition(status?.conditions, 'Ready')
    return ready?.status === 'False' ? ready.reason : ''
  },
}

export function since(time: string | undefined, now: number): string {
  return time === undefined ? '<unknown>' : humanDuration(now - Date.parse(time))
}
