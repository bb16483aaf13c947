/**
 * Go's filepath.Match, which COPY and .dockerignore are defined by: `*` and `?` stay within one part of a path. It looks
 * at a pattern only as far as the name takes it, so that a mistake behind that is none; which is a rule as well. Pure.
 */

/** Whether the whole name matches. Undefined: the pattern is broken, as far as the name took it. */
export function matchesGoPattern(pattern: string, name: string): boolean | undefined {
  try {
    return matches(chunksOf([...pattern]), [...name])
  } catch (error) {
    if (error instanceof BrokenPattern) return undefined
    throw error
  }
}

/** Whether there is anything in it that stands for more than itself. */
export function hasWildcards(path: string): boolean {
  return /[*?[\\]/.test(path)
}

class BrokenPattern extends Error {}

type Chars = readonly string[]

/** Text and sets between stars. */
interface Chunk {
  readonly isAfterStar: boolean
  readonly chars: Chars
}

function chunksOf(pattern: Chars): Chunk[] {
  const chunks: Chunk[] = []
  for (let start = 0; start < pattern.length; ) {
    let from = start
    while (pattern[from] === '*') from++
    const end = endOfChunk(pattern, from)
    chunks.push({ isAfterStar: from > start, chars: pattern.slice(from, end) })
    start = end
  }
  return chunks
}

function endOfChunk(pattern: Chars, start: number): number {
  let isInSet = false
  for (let at = start; at < pattern.length; at++) {
    const char = pattern[at]
    if (char === '\\') at++
    else if (char === '[') isInSet = true
    else if (char === ']') isInSet = false
    else if (char === '*' && !isInSet) return at
  }
  return pattern.length
}

function matches(chunks: readonly Chunk[], name: Chars): boolean {
  let rest = name
  for (const [index, chunk] of chunks.entries()) {
    const isLast = index === chunks.length - 1
    if (chunk.isAfterStar && chunk.chars.length === 0) return !rest.includes('/')
    const next = afterChunk(chunk, rest, isLast)
    if (next === undefined) return false
    rest = next
  }
  return rest.length === 0
}

/** What is left of the name; the last chunk leaves nothing. */
function afterChunk({ isAfterStar, chars }: Chunk, name: Chars, isLast: boolean): Chars | undefined {
  for (let skipped = 0; ; skipped++) {
    const rest = matchChunk(chars, name.slice(skipped))
    if (rest !== undefined && !(isLast && rest.length > 0)) return rest
    if (!isAfterStar || skipped >= name.length || name[skipped] === '/') return undefined
  }
}

/** Goes on after a difference, to see whether the chunk is a pattern at all. */
function matchChunk(chunk: Chars, name: Chars): Chars | undefined {
  let position = 0
  let isSame = true
  for (let at = 0; at < chunk.length; ) {
    const { has, end } = elementAt(chunk, at)
    const char = name[position]
    isSame = isSame && char !== undefined && has(char)
    if (isSame) position++
    at = end
  }
  return isSame ? name.slice(position) : undefined
}

interface Element {
  readonly has: (char: string) => boolean
  /** Where the next one begins. */
  readonly end: number
}

function elementAt(chars: Chars, at: number): Element {
  const char = chars[at] ?? ''
  if (char === '[') return setAt(chars, at + 1)
  if (char === '?') return { has: (given) => given !== '/', end: at + 1 }
  const isEscaped = char === '\\'
  const text = isEscaped ? chars[at + 1] : char
  if (text === undefined) throw new BrokenPattern()
  return { has: (given) => given === text, end: at + (isEscaped ? 2 : 1) }
}

function setAt(chars: Chars, start: number): Element {
  const isNegated = chars[start] === '^'
  const ranges: (readonly [number, number])[] = []
  let at = isNegated ? start + 1 : start
  while (chars[at] !== ']' || ranges.length === 0) {
    const low = memberAt(chars, at)
    const high = chars[low.end] === '-' ? memberAt(chars, low.end + 1) : low
    at = high.end
    ranges.push([low.code, high.code])
  }
  const has = (char: string) => {
    const code = char.codePointAt(0) ?? 0
    return ranges.some(([from, to]) => from <= code && code <= to) !== isNegated
  }
  return { has, end: at + 1 }
}

/** One character of a set; something has to follow it, and be it the end of the set. */
function memberAt(chars: Chars, start: number): { readonly code: number; readonly end: number } {
  const isEscaped = chars[start] === '\\'
  const at = isEscaped ? start + 1 : start
  const char = chars[at]
  if (char === undefined || (!isEscaped && (char === '-' || char === ']'))) throw new BrokenPattern()
  if (at + 1 >= chars.length) throw new BrokenPattern()
  return { code: char.codePointAt(0) ?? 0, end: at + 1 }
}
