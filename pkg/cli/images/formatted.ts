/** Rows of texts in the forms that Docker's `--format` knows: `table ...`, a template for each row, `json`. */
import { UsageError } from '../errors.ts'
import { compileTemplate } from '../gotemplate.ts'
import { formatTable } from '../table.ts'

export interface FormatSubject<F extends string> {
  readonly command: string
  readonly fields: readonly F[]
  /** Titles of columns that are not just the field's name. */
  readonly titles: Readonly<Partial<Record<F, string>>>
}

type Row<F extends string> = Readonly<Record<F, string>>

/** Throws UsageError for a template that does not parse or asks for a field that is not there. */
export function compileRows<F extends string>(
  format: string,
  subject: FormatSubject<F>,
): (rows: readonly Row<F>[]) => string {
  const { command, fields } = subject
  if (format === '') throw new UsageError('--format: a template is expected', command)
  if (format === 'json') return (rows) => rows.map((row) => `${JSON.stringify(sorted(row))}\n`).join('')
  const isTable = /^table(\s|$)/.test(format)
  const template = isTable ? format.slice('table'.length).trimStart() : format
  const print = compileTemplate(template, { command, fields })
  // Asked for once, so that a field that is not there is told of also when there are no rows.
  const header = print(titlesOf(subject))
  if (!isTable) return (rows) => rows.map((row) => `${print(row)}\n`).join('')
  return (rows) => formatTable([header, ...rows.map(print)].map((line) => line.split('\t')))
}

function titlesOf<F extends string>({ fields, titles }: FormatSubject<F>): Row<F> {
  const named: Partial<Record<F, string>> = {}
  for (const field of fields) named[field] = titles[field] ?? titleOf(field)
  return named as Row<F>
}

/** `CreatedSince`: CREATED SINCE. */
function titleOf(field: string): string {
  return field.replace(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase()
}

function sorted<F extends string>(row: Row<F>): object {
  return Object.fromEntries(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))
}
