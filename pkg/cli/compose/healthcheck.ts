/** The healthcheck of a Compose service. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { type At, bool, type Fields, integer, map, text, texts } from './reading.ts'

const durations: Readonly<Record<string, string>> = {
  interval: 'interval',
  timeout: 'timeout',
  start_period: 'startPeriod',
  start_interval: 'startInterval',
}

export function healthcheck(value: unknown, at: At): Fields {
  const { test, disable, retries, ...rest } = map(value, at)
  if (disable !== undefined && bool(disable, at)) return { healthcheck: { disabled: true } }
  const times = Object.entries(rest).flatMap(([key, duration]) => {
    const field = ownValue(durations, key)
    if (field === undefined) at.note(`${key} has no counterpart`)
    return field === undefined ? [] : [[field, text(duration, at)] as const]
  })
  const how = test === undefined ? {} : command(test, at)
  if (test === undefined) {
    at.note("changes only times of the image's own check, which has no counterpart: write its test too")
    return {}
  }
  return {
    healthcheck: {
      ...how,
      ...(how['disabled'] !== true && {
        ...Object.fromEntries(times),
        ...(retries !== undefined && { retries: integer(retries, at) }),
      }),
    },
  }
}

function command(test: unknown, at: At): Fields {
  if (!Array.isArray(test)) return { shell: text(test, at) }
  const [kind, ...rest] = texts(test, at)
  if (kind === 'NONE') return { disabled: true }
  if (kind === 'CMD-SHELL') return { shell: rest.join(' ') }
  if (kind === 'CMD') return { command: rest }
  at.note('test must begin with NONE, CMD or CMD-SHELL; it is taken as a command')
  return { command: [kind, ...rest] }
}
