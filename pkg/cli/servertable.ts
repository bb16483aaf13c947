/** The Table that the server makes of objects, and the rows that are printed of it. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { CliError } from './errors.ts'
import { qualifiedSingular, type Resource } from './resources.ts'
import type { Row } from './table.ts'

export const tableAccept =
  'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'

interface ColumnDefinition {
  readonly name: string
  readonly priority: number
}

export interface ServerTable {
  readonly columns: readonly ColumnDefinition[]
  readonly rows: readonly { readonly cells: readonly unknown[]; readonly metadata: Record<string, unknown> }[]
  readonly resourceVersion: string
}

export interface RowOptions {
  readonly wide: boolean
  readonly withNamespace: boolean
  readonly showLabels: boolean
  /** Set when tables of several kinds are printed: names carry their kind then. */
  readonly showKind?: Resource
}

/** Decodes a Table. `before` gives the columns of a watch's first event to the later ones. */
export function decodeTable(value: unknown, before?: ServerTable): ServerTable {
  if (!isPlainObject(value) || value['kind'] !== 'Table') throw new CliError('the server answered no table')
  const definitions = objectsOf(value['columnDefinitions'])
  const metadata = isPlainObject(value['metadata']) ? value['metadata'] : {}
  const columns = definitions.map((column) => ({
    name: String(column['name']),
    priority: Number(column['priority'] ?? 0),
  }))
  return {
    columns: columns.length > 0 ? columns : (before?.columns ?? []),
    rows: objectsOf(value['rows']).map(decodeRow),
    resourceVersion: String(metadata['resourceVersion'] ?? ''),
  }
}

export function headerRow(table: ServerTable, options: RowOptions): Row {
  return [
    ...(options.withNamespace ? ['NAMESPACE'] : []),
    ...visibleColumns(table, options).map(([, { name }]) => name.toUpperCase()),
    ...(options.showLabels ? ['LABELS'] : []),
  ]
}

export function dataRows(table: ServerTable, options: RowOptions): Row[] {
  const columns = visibleColumns(table, options)
  return table.rows.map(({ cells, metadata }) => [
    ...(options.withNamespace ? [String(metadata['namespace'] ?? '')] : []),
    ...columns.map(([index, { name }]) => {
      const cell = cellText(cells[index])
      const kind = name.toLowerCase() === 'name' ? options.showKind : undefined
      return kind === undefined ? cell : `${qualifiedSingular(kind)}/${cell}`
    }),
    ...(options.showLabels ? [labelsText(metadata['labels'])] : []),
  ])
}

export function labelsText(labels: unknown): string {
  if (!isPlainObject(labels) || Object.keys(labels).length === 0) return '<none>'
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${String(value)}`)
    .sort()
    .join(',')
}

function decodeRow(row: Record<string, unknown>): ServerTable['rows'][number] {
  const object = isPlainObject(row['object']) ? row['object'] : {}
  return {
    cells: Array.isArray(row['cells']) ? row['cells'] : [],
    metadata: isPlainObject(object['metadata']) ? object['metadata'] : {},
  }
}

function visibleColumns(table: ServerTable, { wide }: RowOptions): [number, ColumnDefinition][] {
  return [...table.columns.entries()].filter(([, { priority }]) => wide || priority === 0)
}

/** Only the first line of a cell is shown. */
function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  const text = Array.isArray(cell) ? `[${cell.map(String).join(' ')}]` : String(cell)
  const newline = text.search(/[\n\r\f]/)
  return newline < 0 ? text : `${text.slice(0, newline)}...`
}

function objectsOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isPlainObject) : []
}
