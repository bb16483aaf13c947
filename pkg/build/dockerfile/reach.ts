/**
 * What a builder itself would fetch or run for a Dockerfile, with the engine's own ways through the network and outside
 * of any step: addresses of ADD, and the image that reads the file. Pure, and stricter than builders are: what could
 * become an address once its variables are put in, is one.
 */
import type { Instruction, Place } from './dockerfile.ts'
import { parseDockerfile } from './parse.ts'

export interface Fetched extends Place {
  /** As it is written. */
  readonly source: string
}

/** `ADD https://...`, and any ADD whose source only the builder knows; those that it keeps for others, too. */
export function fetchedByAdd(text: string): readonly Fetched[] {
  const { stages } = parseDockerfile(text).dockerfile
  return stages.flatMap(({ instructions }) => instructions.flatMap(fetchedBy))
}

function fetchedBy(instruction: Instruction): Fetched[] {
  const { keyword, args } = instruction.trigger ?? instruction
  if (keyword !== 'ADD') return []
  return args
    .slice(0, -1)
    .filter(({ text }) => mayBeAddress(text))
    .map(({ text, line, column }) => ({ source: text, line, column }))
}

/** Also with what quotes, escapes and variables can make of it. */
function mayBeAddress(source: string): boolean {
  return !source.startsWith('<<') && /:\/\/|@.*:|[$'"`\\]/.test(source)
}

const syntaxLine = /^\s*(?:#|\/\/)\s*syntax\s*=\s*(\S+)/i
const headLine = /^\s*(?:#|\/\/|$)/

/** Which lines above the first instruction, and which argument, name an image that reads it: BuildKit runs that. */
export function readersOf(text: string, args: Readonly<Record<string, string>> = {}): readonly string[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  const end = lines.findIndex((line) => !headLine.test(line))
  const head = end < 0 ? lines : lines.slice(0, end)
  const named = head.flatMap((line) => syntaxLine.exec(line)?.[1] ?? [])
  const { BUILDKIT_SYNTAX: given } = args
  return given === undefined || given === '' ? named : [...named, given.trim()]
}
