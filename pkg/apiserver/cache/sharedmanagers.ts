/**
 * metadata.managedFields in the memory of the cache. Its text is longer than the rest of most objects, and but for the
 * times, and the UIDs of owners, the same for all that came by the same way: so the texts between these are kept once and
 * shared.
 */

/** The text of an object's managers, taken apart: `parts[0] own[0] parts[1] own[1] ...`. */
export interface ManagersParts {
  /** Shared; behind the last of `own` there may be one more. */
  readonly parts: readonly string[]
  /** Times, and UIDs of owners, in the order of the text. */
  readonly own: readonly string[]
}

/**
 * What stands before, and the value. Quotes within JSON strings are escaped: no string looks like the member of a time,
 * and only a string, the key of a field, has the UID of an owner in it.
 */
const ownValue = /("time":")([^"]*)|(\\"uid\\":\\")([^\\]*)/g
const behindMark = /(?<="time":"|\\"uid\\":\\")/

/** Bounded: it forgets everything when it is full; what was shared stays shared by those who have it. */
export class SharedManagers {
  readonly #known = new Map<string, readonly string[]>()
  readonly #capacity: number

  constructor(capacity = 2000) {
    this.#capacity = capacity
  }

  /** What partsText makes of it is the text again, whatever it says. */
  share(text: string): ManagersParts {
    const own: string[] = []
    const common = text.replaceAll(ownValue, (_all, time, at, uid, owner) => {
      own.push(at ?? owner)
      return time ?? uid
    })
    // Written and read again, because a slice would keep all of the text it was cut from.
    const flat: readonly string[] = own.length === 0 ? none : JSON.parse(JSON.stringify(own))
    return { parts: this.#parts(common), own: flat }
  }

  /** Cut from the key, which is kept anyway. */
  #parts(common: string): readonly string[] {
    const known = this.#known.get(common)
    if (known !== undefined) return known
    const made = common.split(behindMark)
    if (this.#known.size >= this.#capacity) this.#known.clear()
    this.#known.set(common, made)
    return made
  }
}

const none: readonly string[] = []

export function partsText({ parts, own }: ManagersParts): string {
  let text = parts[0] ?? ''
  for (const [index, value] of own.entries()) text += value + (parts[index + 1] ?? '')
  return text
}
