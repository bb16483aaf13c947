/**
 * Memory for archives that are read at once. What is known of each file is kept until its archive has come to its end,
 * and one archive may have a million of them (readarchive.ts): many of those at once must not take what there is.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'

/** What reading keeps of an archive. `characters`: of names, and of what links say. */
export type Keep = (entries: number, characters: number) => void

/** Of one archive. */
export interface EntryShare {
  /** Throws TooManyRequests when all that are read now have taken the room. */
  readonly keep: Keep
  /** When nothing of it is kept any more; once. */
  readonly giveBack: () => void
}

/** A little more than was measured; bytes. */
const ofEntry = 300
const ofCharacter = 2
/** One archive of the largest kind, and many of the usual ones beside it. */
const usualBytes = 512 * 1024 ** 2
const retryAfterSeconds = 5

export class EntryRoom {
  readonly #most: number
  #taken = 0

  constructor(most = usualBytes) {
    this.#most = most
  }

  share(): EntryShare {
    let own = 0
    return {
      keep: (entries, characters) => {
        const bytes = entries * ofEntry + characters * ofCharacter
        if (this.#taken + bytes > this.#most) throw tooMany()
        this.#taken += bytes
        own += bytes
      },
      giveBack: () => {
        this.#taken -= own
        own = 0
      },
    }
  }
}

function tooMany(): StatusError {
  const message = 'archives with too many files are being read at once: try again when others are done'
  return new StatusError('TooManyRequests', message, { retryAfterSeconds })
}
