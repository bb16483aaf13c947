/**
 * The only door to the YAML library: text to values, values to text, and the offsets of every node, which is
 * what turns a field path into a line. YAML 1.2 core schema plus merge keys; duplicate keys are errors, and
 * aliases are bounded, so that no text of a few lines grows to millions of nodes.
 */
import {
  CORE_SCHEMA,
  constructFromEvents,
  DEFAULT_SCALAR_STYLE_RULES,
  dump,
  EVENT_ID,
  type Event,
  getScalarValue,
  mergeTag,
  parseEvents,
  SCALAR_STYLE,
  type ScalarLayout,
  YAMLException,
} from 'js-yaml'
import { StatusError } from '#pkg/apimachinery/errors.ts'

const schema = CORE_SCHEMA.withTags(mergeTag)
export const maxAliases = 1000
export const maxNodes = 500_000

/** Text that is no YAML. Lines and columns count from 1. */
export class YamlError extends StatusError {
  readonly line: number
  readonly column: number

  constructor(message: string, at: { line: number; column: number }, options?: ErrorOptions) {
    super('BadRequest', message, {}, options)
    this.name = 'YamlError'
    this.line = at.line
    this.column = at.column
  }
}

export interface YamlDocument {
  /** null for an empty document. */
  readonly value: unknown
  /** Of its first node, in the text; -1 when it is empty. */
  readonly offset: number
}

/** All documents of the text. Throws YamlError at the first thing that is no YAML. */
export function parseYamlStream(text: string): YamlDocument[] {
  const events = translate(() => parseEvents(text, {}))
  const values = translate(() => constructFromEvents(events, { source: text, schema, maxAliases }))
  const offsets = events.flatMap((event, index) =>
    event.type === EVENT_ID.DOCUMENT ? [offsetOf(events[index + 1])] : [],
  )
  return values.map((value, index) => {
    const offset = offsets[index] ?? -1
    if (countNodes(value, new Map()) > maxNodes) {
      throw new YamlError(`aliases expand to more than ${maxNodes} nodes`, positionOf(text, offset))
    }
    return { value, offset }
  })
}

/** The one document of the text; undefined when it is empty. Throws YamlError, for several documents too. */
export function parseYaml(text: string): unknown {
  const [first, second] = parseYamlStream(text)
  if (second !== undefined) throw new YamlError('has more than one document', positionOf(text, second.offset))
  return first?.value ?? undefined
}

/** A value as YAML in the layout that kubectl prints, readable by YAML 1.1 parsers too. Keys keep their order. */
export function writeYaml(value: unknown): string {
  return dump(value, {
    noRefs: true,
    lineWidth: -1,
    seqNoIndent: true,
    scalarStyleRules: [...Object.values(DEFAULT_SCALAR_STYLE_RULES), doubleQuoteLookalikes],
  })
}

/** Strings that would read as something else are quoted double, as kubectl does; others that need it single. */
function doubleQuoteLookalikes(layout: ScalarLayout): void {
  if (layout.style !== SCALAR_STYLE.SINGLE_QUOTED) return
  const text = layout.node.value
  const plainCharacters = /^[A-Za-z0-9_.+~-]*$/.test(text) || /^[0-9T: .Zz+-]+$/.test(text)
  if (plainCharacters) layout.style = SCALAR_STYLE.DOUBLE_QUOTED
}

/** A node of the text and where it begins. */
export type PositionNode =
  | { readonly kind: 'scalar'; readonly offset: number }
  | { readonly kind: 'list'; readonly offset: number; readonly items: readonly PositionNode[] }
  | { readonly kind: 'map'; readonly offset: number; readonly entries: readonly PositionEntry[] }

export interface PositionEntry {
  readonly key: string
  readonly keyOffset: number
  readonly value: PositionNode
}

/** The positions of each document of a text that parses. */
export function parsePositions(text: string): PositionNode[] {
  const events = parseEvents(text, {})
  return events.flatMap((event, at) =>
    event.type === EVENT_ID.DOCUMENT ? [new PositionReader(text, events, at + 1).read()] : [],
  )
}

/** Line and column from 1; an offset before the text is its beginning. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, Math.max(0, offset))
  const lineStart = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: before.length - lineStart + 1 }
}

/** Reads one node and all below it from the flat event list; aliases stand for the node they name. */
class PositionReader {
  readonly #text: string
  readonly #events: readonly Event[]
  #at: number
  readonly #anchors = new Map<string, PositionNode>()

  constructor(text: string, events: readonly Event[], at: number) {
    this.#text = text
    this.#events = events
    this.#at = at
  }

  read(): PositionNode {
    const event = this.#events[this.#at++]
    if (event === undefined) return { kind: 'scalar', offset: -1 }
    if (event.type === EVENT_ID.ALIAS) {
      const target = this.#anchors.get(this.#text.slice(event.anchorStart, event.anchorEnd))
      return target ?? { kind: 'scalar', offset: event.anchorStart }
    }
    const node = this.#open(event)
    if ('anchorStart' in event && event.anchorStart >= 0) {
      this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), node)
    }
    return node
  }

  #open(event: Event): PositionNode {
    const offset = offsetOf(event)
    if (event.type === EVENT_ID.SEQUENCE) {
      const items: PositionNode[] = []
      while (!this.#closes()) items.push(this.read())
      return { kind: 'list', offset, items }
    }
    if (event.type !== EVENT_ID.MAPPING) return { kind: 'scalar', offset }
    const entries: PositionEntry[] = []
    while (!this.#closes()) entries.push(this.#entry())
    return { kind: 'map', offset, entries }
  }

  #entry(): PositionEntry {
    const event = this.#events[this.#at]
    const key = event?.type === EVENT_ID.SCALAR ? getScalarValue(this.#text, event) : ''
    const { offset } = this.read()
    return { key, keyOffset: offset, value: this.read() }
  }

  #closes(): boolean {
    const event = this.#events[this.#at]
    if (event !== undefined && event.type !== EVENT_ID.POP) return false
    this.#at++
    return true
  }
}

function offsetOf(event: Event | undefined): number {
  if (event === undefined) return -1
  if ('valueStart' in event) return event.valueStart
  return 'start' in event ? event.start : -1
}

/** A node may be a long text, which aliases repeat as well: it counts as several. */
const textPerNode = 64

function weightOf(text: string): number {
  return Math.floor(text.length / textPerNode)
}

/** Nodes after expansion of aliases; shared nodes are counted once and then remembered. */
function countNodes(value: unknown, known: Map<object, number>): number {
  if (typeof value === 'string') return 1 + weightOf(value)
  if (typeof value !== 'object' || value === null) return 1
  const before = known.get(value)
  if (before !== undefined) return before
  // A node that holds itself counts as too many.
  known.set(value, Number.POSITIVE_INFINITY)
  let count = 1
  for (const [name, member] of Object.entries(value)) count += weightOf(name) + countNodes(member, known)
  known.set(value, count)
  return count
}

function translate<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error
    const at = { line: (error.mark?.line ?? 0) + 1, column: (error.mark?.column ?? 0) + 1 }
    throw new YamlError(error.reason, at, { cause: error })
  }
}
