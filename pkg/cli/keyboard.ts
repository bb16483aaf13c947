/** Lines that somebody types at the terminal, with or without showing them. */
import { exitCodes, Failed } from './errors.ts'
import type { Io } from './io.ts'

export interface Keyboard {
  /** Whether standard input is a terminal. */
  readonly isThere: boolean
  line(question: string): Promise<string>
  /** Nothing of what is typed is shown; Ctrl-C ends the command. */
  hidden(question: string): Promise<string>
  close(): void
}

const [enter, newline, interrupt, endOfInput, backspace, remove] = [
  '\r',
  '\n',
  '\u0003',
  '\u0004',
  '\u007f',
  '\b',
]

export function keyboard(io: Io): Keyboard {
  const input = io.terminal.isTTY ? io.terminal.input()[Symbol.asyncIterator]() : undefined
  let pending = ''
  const read = async (): Promise<string | undefined> => {
    if (pending === '') {
      const next = await input?.next()
      if (next === undefined || next.done === true) return undefined
      pending = Buffer.from(next.value).toString('utf8')
    }
    const [key = ''] = pending
    pending = pending.slice(key.length)
    return key
  }
  const typed = async (): Promise<string> => {
    const keys: string[] = []
    for (let key = await read(); key !== undefined; key = await read()) {
      if (key === interrupt) throw new Failed(exitCodes.interrupted)
      if (key === enter || key === newline || key === endOfInput) break
      if (key === backspace || key === remove) keys.pop()
      else keys.push(key)
    }
    return keys.join('')
  }
  return {
    isThere: input !== undefined,
    async line(question) {
      await io.stderr.write(question)
      return await typed()
    },
    async hidden(question) {
      const restore = io.terminal.raw()
      try {
        await io.stderr.write(question)
        return await typed()
      } finally {
        restore()
        await io.stderr.write('\n')
      }
    },
    close: () => void input?.return?.(),
  }
}
