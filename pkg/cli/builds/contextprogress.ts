/** How far the reading of a context is, only when it takes a while: drawn on a terminal, told once elsewhere. */
import { barText } from '../progress.ts'
import type { LocalWorld } from './buildwritten.ts'

const redrawEveryMs = 100
const quietForMs = 300
/** Where nobody draws. */
const silentForMs = 1000

export function readingProgress(path: string, { stderr, clock }: Pick<LocalWorld, 'stderr' | 'clock'>) {
  let drawn: number | undefined
  let next = clock.now() + (stderr.isTTY ? quietForMs : silentForMs)
  const draw = async (text: string) => {
    const line = [...text].slice(0, stderr.columns - 1).join('')
    await stderr.write(`\r\u001b[K${line}`)
  }
  return {
    onRead: async (currentBytes: number, totalBytes: number) => {
      if (clock.now() < next) return
      if (!stderr.isTTY) {
        next = Number.POSITIVE_INFINITY
        await stderr.write(`context ${path}: reading\n`)
        return
      }
      drawn = clock.now()
      next = drawn + redrawEveryMs
      await draw(`context ${path}: reading ${barText({ currentBytes, totalBytes })}`)
    },
    end: async () => {
      if (drawn !== undefined) await draw('')
    },
  }
}
