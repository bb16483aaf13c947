/** What every benchmark in this folder exports is `run: Bench`; whoever runs it decides how rows are shown. */

export interface Row {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** What the value is held against, in the same unit, measured in the same run. */
  readonly baseline?: number
  /** value / baseline. */
  readonly ratio?: number
}

export type Report = (row: Row) => void

export type Bench = (report: Report) => Promise<void>
