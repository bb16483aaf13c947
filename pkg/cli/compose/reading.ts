/** Reading values of a Compose file, which allows several ways to write most of them. Pure. */
import { isPlainObject, ownValue } from '#pkg/apimachinery/hash.ts'
import { CliError } from '../errors.ts'

/** Something that is not carried over as it stands. */
export interface Note {
  /** Path in the Compose file, such as `services.web.build`. */
  readonly where: string
  readonly text: string
}

/** A value's place in the file, and where notes on it go. */
export interface At {
  readonly where: string
  readonly note: (text: string) => void
}

/** Fields of a manifest. */
export type Fields = Readonly<Record<string, unknown>>

/** What the value of one key becomes. */
export type Turn = (value: unknown, at: At) => Fields

export function below(at: At, key: string | number, notes: Note[]): At {
  const where = typeof key === 'number' ? `${at.where}[${key}]` : at.where === '' ? key : `${at.where}.${key}`
  return { where, note: (text) => notes.push({ where, text }) }
}

function fail(at: At, want: string, value: unknown): never {
  throw new CliError(`${at.where}: want ${want}, found ${JSON.stringify(value) ?? 'nothing'}`)
}

/** A scalar as text. */
export function text(value: unknown, at: At): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return fail(at, 'text', value)
}

export function bool(value: unknown, at: At): boolean {
  if (typeof value === 'boolean') return value
  if (value === 'true' || value === 'false') return value === 'true'
  return fail(at, 'true or false', value)
}

export function integer(value: unknown, at: At): number {
  const number = typeof value === 'string' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) ? number : fail(at, 'a whole number', value)
}

export function map(value: unknown, at: At): Record<string, unknown> {
  if (value === null || value === undefined) return {}
  return isPlainObject(value) ? value : fail(at, 'a map', value)
}

export function list(value: unknown, at: At): readonly unknown[] {
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : fail(at, 'a list', value)
}

/** A list of texts, or one text that stands for a list of one. */
export function texts(value: unknown, at: At): string[] {
  if (!Array.isArray(value)) return [text(value, at)]
  return value.map((member) => text(member, at))
}

/** A command: a list of words, or a line cut as a shell would, without any other work of a shell. */
export function words(value: unknown, at: At): string[] {
  return typeof value === 'string' ? shellWords(value, at) : texts(value, at)
}

/** `NAME=VALUE` in a list, or a map; undefined for a name without a value. */
export function pairs(value: unknown, at: At): ReadonlyMap<string, string | undefined> {
  if (!Array.isArray(value)) {
    const entries = Object.entries(map(value, at))
    return new Map(entries.map(([name, member]) => [name, member === null ? undefined : text(member, at)]))
  }
  return new Map(
    value.map((member) => {
      const line = text(member, at)
      const equals = line.indexOf('=')
      return equals < 0 ? [line, undefined] : [line.slice(0, equals), line.slice(equals + 1)]
    }),
  )
}

/** `512m` of Docker as a quantity of Kubernetes, `512Mi`. */
export function bytes(value: unknown, at: At): string {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text(value, at).trim())
  if (match === null) return fail(at, 'a size such as 512m', value)
  const unit = (match[2] ?? '').toUpperCase()
  return unit === '' ? (match[1] ?? '') : `${match[1]}${unit}i`
}

const wordPiece = /\s+|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)/gsy

function shellWords(line: string, at: At): string[] {
  const found: string[] = []
  let open = false
  let covered = 0
  for (const match of line.matchAll(wordPiece)) {
    covered += match[0].length
    const [whole, single, double, escaped, plain] = match
    const piece = single ?? double?.replace(/\\(["\\$`])/g, '$1') ?? escaped ?? plain
    if (piece === undefined) {
      open = false
      continue
    }
    if (open) found.push(`${found.pop() ?? ''}${piece}`)
    else found.push(piece)
    open = whole.length > 0
  }
  return covered === line.length ? found : fail(at, 'a command with closed quotes', line)
}

/** Adds fields to fields, maps inside of them member by member. */
export function merge(into: Fields, more: Fields): Fields {
  const entries = Object.entries(more).map(([key, value]) => {
    const before = ownValue(into, key)
    return [key, isPlainObject(before) && isPlainObject(value) ? merge(before, value) : value] as const
  })
  return { ...into, ...Object.fromEntries(entries) }
}
