/**
 * Changes of one kind as watches see them: the window of recent ones, and each change's bytes, made when the first
 * watcher needs them and shared by all that follow.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { datedText, type Entry } from './entry.ts'

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** Turns an object's text into the form a watcher asked for; equal names share the bytes. */
export interface Encoding {
  readonly name: string
  readonly encode: (text: string) => string
}

export const plainEncoding: Encoding = { name: '', encode: (text) => text }

export function eventText(type: string, objectText: string): string {
  return `{"type":"${type}","object":${objectText}}\n`
}

export class Change {
  readonly revision: number
  /** The state before; absent: created. */
  readonly before: Entry | undefined
  /** The state after; absent: deleted. */
  readonly after: Entry | undefined
  readonly #kind: Kind
  readonly #onEncode: () => void
  readonly #frames = new Map<string, Uint8Array>()

  constructor(
    kind: Kind,
    change: {
      readonly revision: number
      readonly before: Entry | undefined
      readonly after: Entry | undefined
    },
    onEncode: () => void,
  ) {
    this.#kind = kind
    this.revision = change.revision
    this.before = change.before
    this.after = change.after
    this.#onEncode = onEncode
  }

  /** Of its text. */
  get length(): number {
    return (this.after ?? this.before)?.text.length ?? 0
  }

  /** The line for a watcher, as UTF-8. */
  frame(type: EventType, encoding: Encoding): Uint8Array {
    const key = `${type}/${encoding.name}`
    const known = this.#frames.get(key)
    if (known !== undefined) return known
    const made = Buffer.from(eventText(type, encoding.encode(this.#text(type))))
    this.#onEncode()
    this.#frames.set(key, made)
    return made
  }

  /** What is gone, or has left a selection, is shown as it last was, with the revision of the change. */
  #text(type: EventType): string {
    const { before, after } = this
    const text = type !== 'DELETED' ? after?.text : before && datedText(this.#kind, before, this.revision)
    if (text === undefined) throw new StatusError('InternalError', `a change without the state for ${type}`)
    return text
  }
}

/** Of the texts that a window holds: changes of large objects are few, or they would fill the memory. */
export const defaultMaxLength = 32 * 1024 * 1024

/** The last changes of one kind, bounded by their number and by the length of their texts. */
export class Window {
  readonly #capacity: number
  readonly #maxLength: number
  #changes: Change[] = []
  /** Of the texts of all of them. */
  #length = 0
  /** Changes up to here are not in the window. */
  #floor = 0

  constructor(capacity: number, maxLength = defaultMaxLength) {
    this.#capacity = capacity
    this.#maxLength = maxLength
  }

  /** Forgets everything: what happened up to `floor` is unknown. */
  reset(floor: number): void {
    this.#changes = []
    this.#length = 0
    this.#floor = floor
  }

  push(change: Change): void {
    this.#changes.push(change)
    this.#length += change.length
    if (this.#changes.length <= this.#capacity && this.#length <= this.#maxLength) return
    // Dropping half at once costs a copy now and then instead of one per change.
    const dropped = this.#changes.splice(0, Math.ceil(this.#changes.length / 2))
    for (const { length } of dropped) this.#length -= length
    this.#floor = dropped.at(-1)?.revision ?? this.#floor
  }

  /** Changes after `revision`. Throws Expired when some of them are forgotten. */
  since(revision: number, current: number): readonly Change[] {
    if (revision < this.#floor) throw tooOld(revision, this.#floor)
    if (revision > current) throw ahead(revision, current)
    let low = 0
    let high = this.#changes.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#changes[middle]?.revision ?? 0) <= revision) low = middle + 1
      else high = middle
    }
    return this.#changes.slice(low)
  }
}

function tooOld(revision: number, floor: number): StatusError {
  return new StatusError('Expired', `too old resource version: ${revision} (${floor})`)
}

/** A store that was set back has lost changes that the watcher has seen: only a new list makes it right again. */
function ahead(revision: number, current: number): StatusError {
  return new StatusError('Expired', `resource version ${revision} is ahead of the store (${current})`)
}
