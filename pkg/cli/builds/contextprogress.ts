/** How far the reading of a context is, on a terminal and only when it takes a while. */
import { barText } from '../progress.ts'
import type { LocalWorld } from './buildwritten.ts'

const redrawEveryMs = 100
const quietForMs = 300

export function readingProgress(path: string, { stderr, clock }: LocalWorld) {
  let drawn: number | undefined
  let next = clock.now() + quietForMs
  const draw = async (text: string) => {
    const line = [...text].slice(0, stderr.columns - 1).join('')
    await stderr.write(`\r\u001b[K${line}`)
  }
  return {
    onRead: async (currentBytes: number, totalBytes: number) => {
      if (!stderr.isTTY || clock.now() < next) return
      drawn = clock.now()
      next = drawn + redrawEveryMs
      await draw(`context ${path}: reading ${barText({ currentBytes, totalBytes })}`)
    },
    end: async () => {
      if (drawn !== undefined) await draw('')
    },
  }
}
