/** Log lines on standard error: time, level, message, then fields as key=value, so that people and programs can read them. */
import type { LogFields, Logger } from '#pkg/apimachinery/ambient.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

export function isLevel(word: string): word is Level {
  return levels.some((level) => level === word)
}

/** Lines below `least` are not written. */
export function lineLogger(least: Level, write: (line: string) => void): Logger {
  const line =
    (level: Level) =>
    (message: string, fields: LogFields = {}) => {
      if (levels.indexOf(level) < levels.indexOf(least)) return
      const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${quote(value)}`)
      write(`${new Date().toISOString()} ${level.toUpperCase().padEnd(5)} ${message}${rest.join('')}\n`)
    }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

/** A line stays a line, whatever is in it. */
function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)
}
