/** Objects as rows for people: meta.k8s.io/v1 Table. Pure; `now` is for ages. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { IncludeObject } from './options.ts'

/** metav1.ListMeta, as far as lists have it. */
export interface ListMeta {
  readonly resourceVersion: string
  readonly continue?: string
  readonly remainingItemCount?: number
}

export interface TableOptions {
  readonly includeObject: IncludeObject
  readonly now: number
}

const nameColumn = (priority: 0 | 1) => ({
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Unique within its namespace.',
  priority,
})

/** The texts are of objects of the kind; a cell that cannot be computed says so and breaks nothing else. */
export function tableText(
  kind: Kind,
  texts: readonly string[],
  metadata: ListMeta,
  options: TableOptions,
): string {
  const own = kind.columns.map(columnDefinition)
  const columnDefinitions = kind.nameColumn === 'wide' ? [...own, nameColumn(1)] : [nameColumn(0), ...own]
  const rows = texts.map((text) => row(kind, text, options))
  const head = JSON.stringify({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions })
  return `${head.slice(0, -1)},"rows":[${rows.join(',')}]}`
}

/** The object without spec, status and data. */
export function partialText(object: ApiObject): string {
  const { metadata } = object
  return JSON.stringify({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata })
}

function columnDefinition({ name, type, description, wide }: Kind['columns'][number]) {
  return { name, type, format: '', description, priority: wide === true ? 1 : 0 }
}

function row(kind: Kind, text: string, { includeObject, now }: TableOptions): string {
  const object = decodeObject(text)
  const { name } = object.metadata
  const own = kind.columns.map((column) => cell(column, object, now))
  const cells = JSON.stringify(kind.nameColumn === 'wide' ? [...own, name] : [name, ...own])
  if (includeObject === 'None') return `{"cells":${cells}}`
  return `{"cells":${cells},"object":${includeObject === 'Object' ? text : partialText(object)}}`
}

function cell(column: Kind['columns'][number], object: ApiObject, now: number): string | number {
  try {
    return column.cell(object, now)
  } catch (error) {
    return `<${messageOf(error)}>`
  }
}
