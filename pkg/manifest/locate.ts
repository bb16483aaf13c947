/** From the field path of an error to a line of the file. Pure. */
import type { PositionNode } from './yaml.ts'
import { parsePositions, positionOf } from './yaml.ts'

/**
 * The line (from 1) of the field in document `document` (from 1) of the text. A field that is not there, such as
 * a missing required one, gives the line of the nearest part of its path that is.
 */
export function locate(text: string, document: number, fieldPath: string): number {
  const root = parsePositions(text, document - 1)
  if (root === undefined) return 1
  let node: PositionNode = root
  let offset = root.offset
  for (const segment of fieldSegments(fieldPath)) {
    const next = step(node, segment)
    if (next === undefined) break
    node = next.node
    offset = next.offset < 0 ? offset : next.offset
  }
  return positionOf(text, offset).line
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
