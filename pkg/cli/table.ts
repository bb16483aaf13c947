/** Tables as kubectl aligns them: three spaces between columns, none after the last. Pure. */

const padding = 3
const minimum = 6

export type Row = readonly string[]

/** Keeps the widths of what it has printed, so that rows of a watch stay in their columns. */
export class TableWriter {
  readonly #widths: number[] = []

  /** The rows as lines, each with its newline. */
  format(written: readonly Row[]): string {
    const rows = written.map((row) => row.map(plainText))
    for (const row of rows) {
      for (const [column, cell] of row.slice(0, -1).entries()) {
        const needed = Math.max(minimum, textWidth(cell) + padding)
        this.#widths[column] = Math.max(this.#widths[column] ?? 0, needed)
      }
    }
    return rows.map((row) => `${this.#line(row)}\n`).join('')
  }

  #line(row: Row): string {
    const last = row.length - 1
    return row
      .map((cell, column) =>
        column === last ? cell : cell + ' '.repeat((this.#widths[column] ?? 0) - textWidth(cell)),
      )
      .join('')
  }
}

export function formatTable(rows: readonly Row[]): string {
  return new TableWriter().format(rows)
}

/** As kubectl does it: what strangers wrote, of an image say, gives no orders to a terminal. */
export function plainText(text: string): string {
  const orders = /(?![\t\n])\p{Cc}/gu
  return text.replace(orders, (order) =>
    order === '\r' ? '\\r' : `^${String.fromCharCode((order.charCodeAt(0) & 0x1f) | 0x40)}`,
  )
}

/** In characters, as kubectl counts them. */
function textWidth(text: string): number {
  return [...text].length
}
