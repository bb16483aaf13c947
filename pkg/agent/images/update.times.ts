/** When an Image that follows its registry asks, and when it may take what it has found. Times in ms since the epoch. Pure. */
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import type { ImageSpec } from '#pkg/apis/image.ts'
import { nextTime } from '#pkg/apis/schedule.ts'
import { numberOf } from '../image.ts'

export type Update = NonNullable<ImageSpec['update']>

/** Images of one schedule spread over so many seconds. */
const spread = 60
/** Statuses tell whole seconds, and so is asked. */
const second = 1000
/** After a registry failed to answer: sooner than a schedule of days, later each time; soon while there is no image at all. */
const retries = { first: 300_000, most: 3_600_000 } as const
const firstRetries = { first: 10_000, most: 300_000 } as const

/** The Image's own, less than a minute; always the same one. */
export function offsetOf(uid: string): number {
  return (numberOf(uid, 8) % spread) * second
}

/** The first time of the schedule after `asked`, with the Image's own offset; undefined: there is none. */
export function nextCheck(schedule: string, asked: number, offset: number): number | undefined {
  const time = nextTime(schedule, asked - offset)
  return time === undefined ? undefined : time + offset
}

interface Failed {
  readonly at: number
  readonly failures: number
  readonly retryAfterSeconds?: number
  readonly offset: number
  /** There is no image yet. */
  readonly isFirst: boolean
}

/** After that many failures in a row; never before the registry wants to be asked again. */
export function nextTry(
  scheduled: number | undefined,
  { at, failures, retryAfterSeconds, offset, isFirst }: Failed,
): number {
  const { first, most } = isFirst ? firstRetries : retries
  const rest = Math.min(most, first * 2 ** Math.max(0, failures - 1))
  // Everybody who was sent away would be back at once.
  const retryAfter = retryAfterSeconds === undefined ? 0 : retryAfterSeconds * second + offset
  const due = Math.max(Math.min(scheduled ?? Number.POSITIVE_INFINITY, at + rest), at + retryAfter)
  return Math.ceil(due / second) * second
}

export function minimumAge({ minimumAge: age }: Update): number {
  return parseDuration(age ?? '0s') ?? 0
}

/** The first time from `from` on at which the window is open; undefined: it never opens. */
export function openFrom({ window }: Update, from: number): number | undefined {
  if (window === undefined) return from
  const lasts = parseDuration(window.duration) ?? 0
  const opens = lasts > 0 ? nextTime(window.schedule, from - lasts, window.timeZone) : undefined
  return opens === undefined ? undefined : Math.max(opens, from)
}
