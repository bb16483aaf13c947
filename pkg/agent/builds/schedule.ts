/** The times of spec.triggers.schedule: which one was last, and which is next. Pure. */
import type { BuildSpec } from '#pkg/apis/build.ts'
import { nextTime } from '#pkg/apis/schedule.ts'

type Triggers = Pick<BuildSpec['triggers'], 'schedule' | 'timeZone'>

/** ms; of a leap year's day every one is found. */
const longestLook = 9 * 366 * 86_400_000

/** The last time of the schedule after `after` and not after `now`; undefined: there was none. ms since the epoch. */
export function lastDue({ schedule, timeZone }: Triggers, after: number, now: number): number | undefined {
  if (schedule === undefined || after >= now) return undefined
  for (let back = 60_000; ; back *= 4) {
    const from = Math.max(after, now - back)
    const last = lastBetween({ schedule, ...(timeZone !== undefined && { timeZone }) }, from, now)
    if (last !== undefined || from === after || back > longestLook) return last
  }
}

export function nextDue({ schedule, timeZone }: Triggers, now: number): number | undefined {
  return schedule === undefined ? undefined : nextTime(schedule, now, timeZone)
}

function lastBetween(
  { schedule, timeZone }: Required<Pick<Triggers, 'schedule'>> & Triggers,
  from: number,
  now: number,
): number | undefined {
  let last: number | undefined
  for (let time = nextTime(schedule, from, timeZone); time !== undefined && time <= now; ) {
    last = time
    time = nextTime(schedule, time, timeZone)
  }
  return last
}
