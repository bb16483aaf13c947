/**
 * The command line by kubectl's conventions: `-o json`, `-ojson`, `-o=json`, `--output=json`, `--output json`,
 * `-wA`, `--watch=false`, `--`, and flags anywhere between the arguments. Pure.
 */
import { nearest } from '#pkg/apimachinery/nearest.ts'
import { UsageError } from './errors.ts'

export interface Flag {
  readonly name: string
  readonly short?: string
  /** A `list` may be repeated. */
  readonly type: 'text' | 'bool' | 'list'
  /** How the help calls the value. */
  readonly value?: string
  readonly help: string
  /** Value of a flag that is given without one; a text flag that has it takes a value only after "=". */
  readonly bare?: string
  /** What it must be one of. */
  readonly oneOf?: readonly string[]
  /** Known elsewhere but not here: what to do instead. The help leaves it out. */
  readonly refused?: string
}

export interface Parsing {
  /** For messages. */
  readonly command?: string
  /** Flags end with the first argument: what follows it is somebody else's command line. */
  readonly firstEnds?: boolean
}

export interface Args {
  readonly positionals: readonly string[]
  text(name: string): string | undefined
  bool(name: string): boolean
  list(name: string): readonly string[]
  has(name: string): boolean
}

/** Throws UsageError for an unknown flag or a wrong value. */
export function parseArgs(
  words: readonly string[],
  flags: readonly Flag[],
  { command, firstEnds = false }: Parsing = {},
): Args {
  const values = new Map<string, string[]>()
  const positionals: string[] = []
  const queue = [...words]
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      positionals.push(...queue.splice(0))
    } else if (word === '-' || !word.startsWith('-')) {
      positionals.push(word, ...(firstEnds ? queue.splice(0) : []))
    } else {
      const found = readFlag(word, flags, command)
      if (found.rest !== undefined) queue.unshift(found.rest)
      const value = found.value ?? found.flag.bare ?? takeNext(found.flag, queue, command)
      addValue(values, found.flag, value, command)
    }
  }
  return makeArgs(positionals, values)
}

export interface FlagsInFront {
  /** In their long form, which no command takes for another flag: `--namespace=shop`. */
  readonly front: readonly string[]
  /** The command, and what follows it. */
  readonly rest: readonly string[]
}

/** What stands in front of the command, as kubectl takes it. Throws UsageError for what is none of `flags`. */
export function flagsInFront(words: readonly string[], flags: readonly Flag[]): FlagsInFront {
  const front: string[] = []
  const queue = [...words]
  while (queue[0]?.startsWith('-') === true) {
    const [word = ''] = queue.splice(0, 1)
    const { flag, value, rest } = readFlag(word, flags, undefined)
    if (rest !== undefined) queue.unshift(rest)
    front.push(`--${flag.name}=${value ?? flag.bare ?? takeNext(flag, queue, undefined)}`)
  }
  return { front, rest: queue }
}

function readFlag(word: string, flags: readonly Flag[], command: string | undefined): Found {
  const found = word.startsWith('--') ? readLong(word, flags, command) : readShort(word, flags, command)
  const { name, refused } = found.flag
  if (refused !== undefined) throw new UsageError(`there is no --${name} here: ${refused}`, command)
  return found
}

function makeArgs(positionals: readonly string[], values: ReadonlyMap<string, readonly string[]>): Args {
  return {
    positionals,
    text: (name) => values.get(name)?.at(-1),
    bool: (name) => values.get(name)?.at(-1) === 'true',
    list: (name) => values.get(name) ?? [],
    has: (name) => values.has(name),
  }
}

interface Found {
  readonly flag: Flag
  readonly value?: string
  /** Further short flags of the same word. */
  readonly rest?: string
}

function readLong(word: string, flags: readonly Flag[], command: string | undefined): Found {
  const equals = word.indexOf('=')
  const name = equals < 0 ? word.slice(2) : word.slice(2, equals)
  const flag = flags.find((candidate) => candidate.name === name)
  if (flag === undefined) {
    const hint = nearest(
      name,
      flags.map((candidate) => candidate.name),
    )
    throw new UsageError(
      `unknown flag: --${name}${hint === undefined ? '' : ` (did you mean --${hint}?)`}`,
      command,
    )
  }
  return equals < 0 ? withBare(flag) : { flag, value: word.slice(equals + 1) }
}

function readShort(word: string, flags: readonly Flag[], command: string | undefined): Found {
  const letter = word.slice(1, 2)
  const flag = flags.find((candidate) => candidate.short === letter)
  if (flag === undefined) throw new UsageError(`unknown shorthand flag: "${letter}" in ${word}`, command)
  const tail = word.slice(2)
  if (tail.startsWith('=')) return { flag, value: tail.slice(1) }
  if (tail === '') return withBare(flag)
  return flag.type === 'bool' ? { ...withBare(flag), rest: `-${tail}` } : { flag, value: tail }
}

function withBare(flag: Flag): Found {
  return flag.type === 'bool' ? { flag, value: 'true' } : { flag }
}

function takeNext(flag: Flag, queue: string[], command: string | undefined): string {
  const next = queue.shift()
  if (next === undefined) throw new UsageError(`flag needs an argument: --${flag.name}`, command)
  return next
}

function addValue(
  values: Map<string, string[]>,
  flag: Flag,
  value: string,
  command: string | undefined,
): void {
  const allowed = flag.type === 'bool' ? ['true', 'false'] : flag.oneOf
  if (allowed !== undefined && !allowed.includes(value)) {
    throw new UsageError(
      `invalid value "${value}" for --${flag.name}: must be one of ${allowed.join(', ')}`,
      command,
    )
  }
  values.set(flag.name, [...(values.get(flag.name) ?? []), value])
}
