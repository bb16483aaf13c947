/** Makers of flags (args.ts), for commands that have many. */
import type { Flag } from './args.ts'

export function bool(name: string, help: string, short?: string): Flag {
  return { name, type: 'bool', help, ...(short !== undefined && { short }) }
}

/** `value`: what help calls it. */
export function text(name: string, value: string, help: string, short?: string): Flag {
  return { name, type: 'text', value, help, ...(short !== undefined && { short }) }
}

/** May be given more than once. */
export function list(name: string, value: string, help: string, short?: string): Flag {
  return { ...text(name, value, help, short), type: 'list' }
}
