/** Go's filepath.Match, which COPY and .dockerignore are defined by: `*` and `?` stay within one part of a path. Pure. */

/** Whether Go takes it for a pattern: brackets that close, ranges with both ends, something after a backslash. */
export function isGoPattern(pattern: string): boolean {
  return elementsOf(pattern) !== undefined
}

/** Whether the whole name matches. Undefined: it is no pattern. */
export function matchesGoPattern(pattern: string, name: string): boolean | undefined {
  const elements = elementsOf(pattern)
  return elements === undefined ? undefined : matches(elements, [...name])
}

/** Whether there is anything in it that stands for more than itself. */
export function hasWildcards(path: string): boolean {
  return /[*?[\\]/.test(path)
}

type Element = '*' | ((char: string) => boolean)

function elementsOf(pattern: string): readonly Element[] | undefined {
  const chars = [...pattern]
  const found: Element[] = []
  for (let at = 0; at < chars.length; ) {
    const char = chars[at] ?? ''
    if (char === '[') {
      const set = setAt(chars, at + 1)
      if (set === undefined) return undefined
      found.push(set.has)
      at = set.end
      continue
    }
    if (char === '\\' && at + 1 === chars.length) return undefined
    found.push(elementOf(char, chars[at + 1] ?? ''))
    at += char === '\\' ? 2 : 1
  }
  return found
}

function elementOf(char: string, next: string): Element {
  if (char === '*') return '*'
  if (char === '?') return (given) => given !== '/'
  const text = char === '\\' ? next : char
  return (given) => given === text
}

interface Set {
  readonly has: (char: string) => boolean
  /** Where it goes on after the closing bracket. */
  readonly end: number
}

function setAt(chars: readonly string[], start: number): Set | undefined {
  let at = start
  const isNegated = chars[at] === '^'
  if (isNegated) at++
  const ranges: (readonly [number, number])[] = []
  while (chars[at] !== ']' || ranges.length === 0) {
    const low = memberAt(chars, at)
    if (low === undefined) return undefined
    at = low.end
    const high = chars[at] === '-' ? memberAt(chars, at + 1) : low
    if (high === undefined) return undefined
    at = high.end
    ranges.push([low.code, high.code])
  }
  const has = (char: string) => {
    const code = char.codePointAt(0) ?? 0
    return ranges.some(([from, to]) => from <= code && code <= to) !== isNegated
  }
  return { has, end: at + 1 }
}

/** One character of a set; one that is missing, or that closes the set or makes a range, is none. */
function memberAt(chars: readonly string[], start: number) {
  const isEscaped = chars[start] === '\\'
  const at = isEscaped ? start + 1 : start
  const char = chars[at]
  if (char === undefined || (!isEscaped && (char === '-' || char === ']'))) return undefined
  // A set ends somewhere after it.
  if (at + 1 >= chars.length) return undefined
  return { code: char.codePointAt(0) ?? 0, end: at + 1 }
}

/** Goes back to the last star only: every earlier one has taken as little as it could. */
function matches(elements: readonly Element[], chars: readonly string[]): boolean {
  let at = 0
  let position = 0
  let star: { readonly element: number; taken: number } | undefined
  while (position < chars.length || at < elements.length) {
    const element = elements[at]
    const char = chars[position]
    if (element === '*') {
      star = { element: at++, taken: position }
    } else if (element !== undefined && char !== undefined && element(char)) {
      at++
      position++
    } else {
      const taken = star === undefined ? undefined : chars[star.taken]
      if (star === undefined || taken === undefined || taken === '/') return false
      position = ++star.taken
      at = star.element + 1
    }
  }
  return true
}
