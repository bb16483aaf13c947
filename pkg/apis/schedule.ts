/** Times written as cron expressions: minute, hour, day of month, month, day of week. The one file that knows the library. Pure. */
import { Cron } from 'croner'

/** Why it is no schedule; undefined: it is one. */
export function whyNoSchedule(expression: string): string | undefined {
  if (expression.trim().split(/\s+/).length !== 5)
    return 'needs five fields: minute, hour, day of month, month, day of week'
  try {
    new Cron(expression, { paused: true })
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message.replace(/^CronPattern: /, '') : String(error)
  }
}

/** The first time after `after`; ms since the epoch, of the clock of `timeZone` (absent: UTC). Undefined: there is none. */
export function nextTime(expression: string, after: number, timeZone = 'UTC'): number | undefined {
  const cron = new Cron(expression, { paused: true, timezone: timeZone })
  return cron.nextRun(new Date(after))?.getTime()
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
