/** From the field path of an error to a line of the file. Pure. */
import { type PositionNode, parsePositions } from './yaml.ts'

/** The line (from 1) of a field in document `document` (from 1) of one text. */
export type Locator = (document: number, fieldPath: string) => number

/**
 * Finds lines in a text that parses; positions are read once, when the first line is asked for. A field that is
 * not there, such as a missing required one, has the line of the nearest part of its path that is.
 */
export function makeLocator(text: string): Locator {
  let roots: readonly PositionNode[] | undefined
  const lineOf = makeLineFinder(text)
  return (document, fieldPath) => {
    roots ??= parsePositions(text)
    const root = roots[document - 1]
    return root === undefined ? 1 : lineOf(offsetOf(root, fieldSegments(fieldPath)))
  }
}

/** Lines (from 1) of offsets, by bisection of where lines begin. */
export function makeLineFinder(text: string): (offset: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  return (offset) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
}

function offsetOf(root: PositionNode, segments: readonly string[]): number {
  let node = root
  let { offset } = root
  for (const segment of segments) {
    const next = step(node, segment)
    if (next === undefined) break
    node = next.node
    offset = next.offset < 0 ? offset : next.offset
  }
  return offset
}

/** `spec.env[0].value` and `metadata.labels[a.b/c]` as their parts. */
export function fieldSegments(path: string): string[] {
  return [...path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)].map(
    ([, bracketed, plain]) => bracketed ?? plain ?? '',
  )
}

function step(node: PositionNode, segment: string): { node: PositionNode; offset: number } | undefined {
  if (node.kind === 'list') {
    const item = node.items[Number(segment)]
    return item === undefined ? undefined : { node: item, offset: item.offset }
  }
  if (node.kind !== 'map') return undefined
  const entry = node.entries.find(({ key }) => key === segment)
  if (entry !== undefined) return { node: entry.value, offset: entry.keyOffset }
  return merged(node.entries, segment)
}

/** A key that comes from `<<: *anchor` stands where the anchor is written. */
function merged(entries: readonly { key: string; value: PositionNode }[], segment: string) {
  const sources = entries
    .filter(({ key }) => key === '<<')
    .flatMap(({ value }) => (value.kind === 'list' ? value.items : [value]))
  for (const source of sources) {
    const found = step(source, segment)
    if (found !== undefined) return found
  }
  return undefined
}
