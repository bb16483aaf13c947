/** Kubernetes quantities ("500m", "64Mi") and Go durations ("1m30s") as numbers. */

const binary: Readonly<Record<string, number>> = {
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}
/** As exponents: "1100m" is read as 1100e-3, which is exactly 1.1. */
const decimal: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
}
/** What parseQuantity reads, for those who can only match; it refuses what is beyond all numbers besides. */
export const quantityPattern =
  /^([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([+-]?[0-9]+)|(Ki|Mi|Gi|Ti|Pi|Ei|n|u|m|k|M|G|T|P|E))?$/

/** The number a quantity stands for, or undefined when it is none. A plain number is a quantity too; less than nothing is none. */
export function parseQuantity(text: string | number): number | undefined {
  const match = quantityPattern.exec(String(text))
  if (match === null) return undefined
  const [, digits = '', exponent, suffix = ''] = match
  const amount = Number(`${digits}e${exponent ?? decimal[suffix] ?? 0}`) * (binary[suffix] ?? 1)
  return Number.isFinite(amount) ? amount : undefined
}

const durationUnits: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const durationPart = /([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)/g
/**
 * What parseDuration reads, for those who can only match; it refuses durations beyond what Go can count besides. Digits
 * can be read in one way only: with two, a long number without a unit would be tried in all of them.
 */
export const durationPattern = /^\+?(?:0|(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+)$/
/** Go counts nanoseconds in 64 bits: about 292 years. */
const longestDuration = 2 ** 63 / 1e6

/** Milliseconds of a Go duration, or undefined when the text is none. Negative durations are refused: nothing here waits backwards. */
export function parseDuration(text: string): number | undefined {
  if (!durationPattern.test(text)) return undefined
  let total = 0
  for (const [, amount = '0', unit = 's'] of text.matchAll(durationPart)) {
    total += Number(amount) * (durationUnits[unit] ?? 0)
  }
  return total < longestDuration ? total : undefined
}

/** "2h5m", "45s", "3d": how kubectl shows an age, two units where the larger one is small. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 120) return `${seconds}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 10) return withRest(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  const hours = Math.floor(minutes / 60)
  if (hours < 8) return withRest(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  const days = Math.floor(hours / 24)
  if (days < 8) return withRest(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  const years = Math.floor(days / 365)
  return years < 8 ? withRest(years, 'y', days % 365, 'd') : `${years}y`
}

/** "1.5Gi": the largest binary unit that keeps the number at or above one. */
export function humanBytes(bytes: number): string {
  const unit = Object.entries(binary).findLast(([, size]) => bytes >= size)
  if (unit === undefined) return `${bytes}`
  const amount = bytes / unit[1]
  return `${Number.isInteger(amount) ? amount : amount.toFixed(1)}${unit[0]}`
}

function withRest(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}
