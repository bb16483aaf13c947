/** How the flags of `cove run` write sizes, pairs and lists. Pure; what cannot be read is a UsageError. */
import { UsageError } from '../errors.ts'

export function wrong(flag: string, value: string, expected: string): UsageError {
  return new UsageError(`invalid value "${value}" for --${flag}: ${expected}`, 'run')
}

/** `KEY=VALUE`, cut at the first sign; without one, the value is undefined. */
export function pair(text: string, separator = '='): readonly [string, string | undefined] {
  const at = text.indexOf(separator)
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)]
}

export function pairs(flag: string, texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [key, value] = pair(text)
      if (key === '') throw wrong(flag, text, 'KEY=VALUE is expected')
      return [key, value ?? ''] as const
    }),
  )
}

const units: Readonly<Record<string, string>> = { k: 'Ki', m: 'Mi', g: 'Gi', t: 'Ti', p: 'Pi' }
const unitBytes: Readonly<Record<string, number>> = {
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
  t: 1024 ** 4,
  p: 1024 ** 5,
}

/** Docker's size, whose units are powers of 1024, as a quantity: `64m` is 64Mi, a bare number is bytes. */
export function size(flag: string, text: string): string {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([bkmgtp]?)(?:i?b)?$/i.exec(text) ?? []
  if (number === '') throw wrong(flag, text, 'such as 64m or 1g')
  const letter = unit.toLowerCase()
  if (letter === '' || letter === 'b') return String(Math.floor(Number(number)))
  if (Number.isInteger(Number(number))) return `${Number(number)}${units[letter]}`
  return String(Math.floor(Number(number) * (unitBytes[letter] ?? 1)))
}

export function wholeNumber(flag: string, text: string): number {
  if (!/^-?\d+$/.test(text)) throw wrong(flag, text, 'a whole number is expected')
  return Number(text)
}

/** The entries of a record that are there, and not empty. */
export function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => isPresent(value)))
}

function isPresent(value: unknown): boolean {
  if (value === undefined || value === false) return false
  return typeof value !== 'object' || value === null || Object.keys(value).length > 0
}
