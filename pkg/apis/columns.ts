/** Columns that more than one kind has. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import type { Column } from './kind.ts'

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  jsonPath: '.metadata.creationTimestamp',
  cell: ({ metadata }, now) => since(metadata.creationTimestamp, now),
}

export function since(time: string | undefined, now: number): string {
  return time === undefined ? '<unknown>' : humanDuration(now - Date.parse(time))
}
