/** One field in which a container differs from its wish, and how values are told in a line. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'

/** Of a field whose change makes a new container, or one that is mended as it runs. */
export interface Difference {
  /** Such as `spec.env.A`. */
  readonly field: string
  readonly want: string
  readonly found: string
  readonly change: 'in place' | 'recreate'
}

export type Draft = Omit<Difference, 'change'>

const longest = 80

/** `spec.env.A: want 2, found 1`. */
export function tell({ field, want, found }: Draft): string {
  return `${field}: want ${want}, found ${found}`
}

/** `none` for what is absent or empty; what is long is cut. */
export function shown(value: unknown): string {
  if (value === undefined || value === '') return 'none'
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text === '[]' || text === '{}') return 'none'
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > longest ? `${line.slice(0, longest - 3)}...` : line
}

/** Nothing when the two are the same in JSON. */
export function compare(field: string, want: unknown, found: unknown): Draft[] {
  const same = want === found || JSON.stringify(want) === JSON.stringify(found)
  return same ? [] : [{ field, want: shown(want), found: shown(found) }]
}

/** Lists whose order says nothing. */
export function compareSets(field: string, want: readonly unknown[], found: readonly unknown[]): Draft[] {
  const sorted = (list: readonly unknown[]) => list.map((item) => JSON.stringify(item)).sort()
  const [wanted, there] = [sorted(want), sorted(found)]
  return wanted.join() === there.join() ? [] : [{ field, want: shown(want), found: shown(found) }]
}

/** One for each key, named as `field.key`, or `field[key]` where the key has dots. */
export function compareMaps(
  field: string,
  want: Readonly<Record<string, unknown>>,
  found: Readonly<Record<string, unknown>>,
): Draft[] {
  const keys = [...new Set([...Object.keys(want), ...Object.keys(found)])].sort()
  return keys.flatMap((key) => compare(memberOf(field, key), ownValue(want, key), ownValue(found, key)))
}

export function memberOf(field: string, key: string): string {
  return /^[A-Za-z_][\w-]*$/.test(key) ? `${field}.${key}` : `${field}[${key}]`
}
