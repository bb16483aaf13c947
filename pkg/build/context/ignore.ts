/**
 * Which files a .dockerignore leaves out of a context: exactly those that docker's own client (without BuildKit) leaves
 * out. The last pattern that matches a path, or a folder above it, decides; a folder that is left out is not looked into
 * unless an exception begins with its path. Pure.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { cleaned, parseIgnore, trimmed } from './ignorefile.ts'
import { compilePattern, type PathTest } from './ignorepattern.ts'

export interface Ignored {
  readonly isIgnored: boolean
  /** Of each pattern whether it matched; what is below begins with that. */
  readonly matched: readonly boolean[]
}

export interface Ignore {
  /** `above` is what was said of the folder that the path lies in; absent for what lies in the root. */
  judge(path: string, above?: Ignored): Ignored
  /** Whether anything below a folder that is left out may be in the context all the same. */
  mayHoldExceptions(directory: string): boolean
  /** Of a path alone, all folders above it looked at. */
  ignores(path: string): boolean
}

interface Pattern {
  readonly isException: boolean
  readonly text: string
  readonly matches: PathTest
}

/** What `text`, of a .dockerignore, leaves out, and what `more` does, lines of spec.ignore. Throws BadRequest as makeIgnore. */
export function contextIgnore(text: string | undefined, more: readonly string[]): Ignore {
  return makeIgnore([...parseIgnore(text ?? ''), ...parseIgnore(more.join('\n'))])
}

/** Patterns as parseIgnore returns them, or as somebody wrote them. Throws BadRequest for one that docker refuses. */
export function makeIgnore(patterns: readonly string[]): Ignore {
  const compiled = patterns
    .map(trimmed)
    .filter((pattern) => pattern !== '')
    .map(compile)
  const exceptions = compiled.filter(({ isException }) => isException).map(({ text }) => `${text}/`)
  const judge = (path: string, above?: Ignored) => judgeBy(compiled, path, above)
  const mayHoldExceptions = (directory: string) =>
    exceptions.some((exception) => exception.startsWith(`${directory}/`))
  return { judge, mayHoldExceptions, ignores: (path) => ignores({ judge, mayHoldExceptions }, path) }
}

function compile(written: string): Pattern {
  const pattern = cleaned(written)
  if (!pattern.startsWith('!')) return { isException: false, text: pattern, matches: compilePattern(pattern) }
  if (pattern === '!') throw badRequest('an exception of nothing: "!" alone on a line')
  const text = pattern.slice(1)
  return { isException: true, text, matches: compilePattern(text) }
}

function judgeBy(patterns: readonly Pattern[], path: string, above?: Ignored): Ignored {
  let isIgnored = false
  const matched = patterns.map(({ isException, matches }, index) => {
    const isBelow = above?.matched[index] === true
    // It could change nothing: then it is not asked, nor taken as matched for what is below.
    if (!isBelow && isException !== isIgnored) return false
    const doesMatch = isBelow || matches(path)
    if (doesMatch) isIgnored = !isException
    return doesMatch
  })
  return { isIgnored, matched }
}

function ignores({ judge, mayHoldExceptions }: Omit<Ignore, 'ignores'>, path: string): boolean {
  let above: Ignored | undefined
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
    const directory = path.slice(0, end)
    above = judge(directory, above)
    if (above.isIgnored && !mayHoldExceptions(directory)) return true
  }
  return judge(path, above).isIgnored
}
