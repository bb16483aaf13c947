/** Times of the past that are ahead, since the clock was put back: whoever waited for them would wait that long. Pure. */

/** Clocks of nodes differ by less; ms. */
const tolerated = 3_600_000

/** Of a time at which something has happened; ms since the epoch. */
export function isAhead(at: number, now: number): boolean {
  return at - now > tolerated
}
