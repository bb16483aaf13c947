/**
 * metadata.managedFields in the memory of the cache. Its text is longer than the rest of most objects, and but for the
 * times the same for all that came by the same way: so the texts between the times are kept once and shared.
 */

/** The text of an object's managers, taken apart: `parts[0] times[0] parts[1] times[1] ...`. */
export interface ManagersParts {
  /** Shared: one more than there are times. */
  readonly parts: readonly string[]
  readonly times: readonly string[]
}

const timeMember = '"time":"'

/** Bounded: it forgets everything when it is full; what was shared stays shared by those who have it. */
export class SharedManagers {
  readonly #known = new Map<string, readonly string[]>()
  readonly #capacity: number

  constructor(capacity = 2000) {
    this.#capacity = capacity
  }

  /** What partsText makes of it is the text again, whatever it says. */
  share(text: string): ManagersParts {
    const cuts = cutsOf(text)
    const between = cuts.map(([, end], index) => text.slice(end, cuts[index + 1]?.[0]))
    const timeless = [text.slice(0, cuts[0]?.[0]), ...between].join('')
    // Parsed, because a slice would keep all of the text it was cut from.
    const times: readonly string[] = JSON.parse(
      `["${cuts.map(([start, end]) => text.slice(start, end)).join('","')}"]`,
    )
    return { parts: this.#parts(timeless), times: cuts.length === 0 ? none : times }
  }

  /** Cut from the key, which is kept anyway. */
  #parts(timeless: string): readonly string[] {
    const known = this.#known.get(timeless)
    if (known !== undefined) return known
    const parts = timeless.split(timeMember)
    const made = parts.map((part, index) => (index < parts.length - 1 ? part + timeMember : part))
    if (this.#known.size >= this.#capacity) this.#known.clear()
    this.#known.set(timeless, made)
    return made
  }
}

const none: readonly string[] = []

/** Where the times stand, quotes excluded. Quotes within JSON strings are escaped: no string looks like the member. */
function cutsOf(text: string): [start: number, end: number][] {
  const cuts: [number, number][] = []
  for (let at = text.indexOf(timeMember); at >= 0; at = text.indexOf(timeMember, at)) {
    const start = at + timeMember.length
    at = text.indexOf('"', start)
    cuts.push([start, at])
  }
  return cuts
}

export function partsText({ parts, times }: ManagersParts): string {
  let text = parts[0] ?? ''
  for (const [index, time] of times.entries()) text += time + (parts[index + 1] ?? '')
  return text
}
