/** Questions to whoever sits at the terminal. Nobody there: nobody agrees. */
import type { Io } from './io.ts'

/**
 * Asks on standard error and reads a line; only `y` and `yes` agree. The keys after that line are left in `input`, for
 * whoever reads on: it is standard input when none is given.
 */
export function asking(
  io: Io,
  input: AsyncIterator<Uint8Array> = io.terminal.input()[Symbol.asyncIterator](),
): (question: string) => Promise<boolean> {
  return async (question) => {
    if (!io.terminal.isTTY) return false
    await io.stderr.write(`${question} [y/N] `)
    let line = ''
    while (!line.includes('\n')) {
      const { value, done } = await input.next()
      if (done === true) break
      line += Buffer.from(value).toString()
    }
    return /^y(es)?$/i.test(line.trim())
  }
}

/** What an iterator still has, for a loop: leaving the loop leaves the iterator open. */
export async function* rest(input: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let next = await input.next(); next.done !== true; next = await input.next()) yield next.value
}
