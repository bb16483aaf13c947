/** What HEALTHCHECK asks for: a command or none, and how often. */
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import { flagOf, type Instruction, type Problem } from './dockerfile.ts'
import { type Arguments, command, complain, type Source } from './reading.ts'
import { splitCommand } from './words.ts'

export function healthcheck(rest: string, source: Source): Partial<Arguments> {
  const { keyword, rest: behind, restAt } = splitCommand(rest)
  const type = keyword.toUpperCase()
  if (type === 'NONE') {
    if (behind !== '') complain(source, restAt, 'HEALTHCHECK NONE takes no arguments')
    return { check: 'NONE' }
  }
  if (type !== 'CMD') {
    const message =
      type === '' ? 'HEALTHCHECK needs CMD or NONE' : `HEALTHCHECK ${keyword} is unknown: it is CMD or NONE`
    complain(source, 0, message)
    return {}
  }
  const read = command(behind, { ...source, offset: source.offset + restAt })
  if ((read.args ?? []).length === 0) complain(source, 0, 'HEALTHCHECK CMD needs a command')
  return { ...read, check: 'CMD' }
}

const checkFlags = ['interval', 'timeout', 'start-period', 'start-interval']

/** 0 means the default to newer builders and is an error to older ones: leaving the flag out means it to all. */
export function checkTimes(instruction: Instruction): Problem[] {
  const times = checkFlags.flatMap((name): Problem[] => {
    const flag = flagOf(instruction, name)
    if (flag?.value === undefined || flag.value === '') return []
    const ms = parseDuration(flag.value)
    if (ms !== undefined && ms >= 1) return []
    const what = ms === undefined ? 'is no duration, such as 30s' : 'is shorter than 1ms'
    return [{ line: flag.line, column: flag.column, message: `--${name} ${what}: ${flag.value}` }]
  })
  const retries = flagOf(instruction, 'retries')
  if (retries?.value === undefined || retries.value === '' || /^\+?0*[1-9]\d{0,8}$/.test(retries.value))
    return times
  const { line, column, value } = retries
  return [...times, { line, column, message: `--retries is no count from 1 on: ${value}` }]
}
