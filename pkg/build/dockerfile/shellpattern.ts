/**
 * Patterns of `${NAME#pattern}` and `${NAME/pattern/text}`: `*` and `?`, a backslash in front of what is meant itself. Those of
 * the first are looked for in one go, however many stars they have: a Dockerfile may be anybody's. Pure.
 */

/** A character; undefined is any; `*` is any number of them. */
type Element = { readonly star: true } | { readonly star: false; readonly char?: string }

const longestPattern = 256

function elementsOf(pattern: string): readonly Element[] {
  return [...pattern.slice(0, longestPattern).matchAll(/\\(.)|([*]+)|(\?)|(.)/gs)].map(
    ([, escaped, star, question, plain]): Element => {
      if (star !== undefined) return { star: true }
      if (question !== undefined) return { star: false }
      return { star: false, char: escaped ?? plain ?? '' }
    },
  )
}

/** The pattern as a regular expression, with the flag `s`; it goes back and tries again: for short values only. */
export function expressionOf(pattern: string): string {
  return elementsOf(pattern)
    .map((element) => (element.star ? '.*' : element.char === undefined ? '.' : RegExp.escape(element.char)))
    .join('')
}

/** Without what of its beginning (`#`) or end (`%`) matches: the shortest such part, or with two of them the longest. */
export function trimmed(value: string, pattern: string, operator: string): string {
  const isFront = operator.startsWith('#')
  const elements = elementsOf(pattern)
  const chars = value.split('')
  const lengths = isFront
    ? matchingLengths(elements, chars)
    : matchingLengths(elements.toReversed(), chars.toReversed())
  const length = (operator.length === 2 ? lengths.at(-1) : lengths[0]) ?? 0
  return isFront ? value.slice(length) : value.slice(0, value.length - length)
}

/** Lengths of the beginnings that match, the shortest first. */
function matchingLengths(elements: readonly Element[], chars: readonly string[]): number[] {
  const found: number[] = []
  let at: ReadonlySet<number> = withEmptyStars(elements, [0])
  for (let length = 0; at.size > 0; length++) {
    if (at.has(elements.length)) found.push(length)
    const char = chars[length]
    if (char === undefined) break
    at = withEmptyStars(
      elements,
      [...at].flatMap((place) => after(elements[place], place, char)),
    )
  }
  return found
}

function after(element: Element | undefined, place: number, char: string): number[] {
  if (element === undefined) return []
  if (element.star) return [place]
  return element.char === undefined || element.char === char ? [place + 1] : []
}

/** A star may stand for nothing. */
function withEmptyStars(elements: readonly Element[], places: readonly number[]): ReadonlySet<number> {
  const all = new Set<number>()
  for (let place of places) {
    all.add(place)
    while (elements[place]?.star === true) all.add(++place)
  }
  return all
}
