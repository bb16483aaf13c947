/** Times for people: absolute, so that they can be told to others, and as seen from now. Pure. */
import { humanDuration } from '#pkg/apimachinery/quantity.ts'

/** To the second: `2026-01-01T12:00:10Z (in 6s)`, or `(4m ago)`. */
export function whenText(time: string | undefined, now: number): string {
  if (time === undefined) return 'an unknown time'
  return `${time.replace(/\.\d+Z$/, 'Z')} (${agoText(Date.parse(time), now)})`
}

export function agoText(time: number, now: number): string {
  if (Number.isNaN(time)) return 'at an unknown time'
  const ahead = time - now
  return ahead > 0 ? `in ${humanDuration(ahead)}` : `${humanDuration(-ahead)} ago`
}
