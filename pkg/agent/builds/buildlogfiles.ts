/** The files of a build's log: what they are called, which there are, and what is in them, read as they grow. */
import { unlinkSync } from 'node:fs'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '#pkg/apimachinery/files.ts'

export function segmentPath(directory: string, attempt: number, segment: number): string {
  return join(directory, `${attempt}.log${segment === 0 ? '' : `.${segment}`}`)
}

export function endPath(directory: string, attempt: number): string {
  return join(directory, `${attempt}.end`)
}

/** Names in a directory; of one that is not there, none. */
export async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

/** Numbers, the oldest first. */
export async function attemptsIn(directory: string): Promise<number[]> {
  const names = await namesIn(directory)
  return names.flatMap((name) => numberIn(/^(\d{1,9})\.log$/, name)).sort((a, b) => a - b)
}

/** Numbers of the files of one log, in order. */
export async function segmentsOf(directory: string, attempt: number): Promise<number[]> {
  const names = await namesIn(directory)
  const further = names
    .filter((name) => name.startsWith(`${attempt}.log.`))
    .flatMap((name) => numberIn(/\.log\.(\d{1,9})$/, name))
  const first = names.includes(`${attempt}.log`) ? [0] : []
  return [...first, ...further].sort((a, b) => a - b)
}

export async function removeLog(directory: string, attempt: number): Promise<void> {
  // The first file goes last: as long as it is there, the others are found.
  for (const segment of (await segmentsOf(directory, attempt)).reverse())
    await rm(segmentPath(directory, attempt, segment), { force: true })
  await rm(endPath(directory, attempt), { force: true })
}

export function removeNow(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

function numberIn(pattern: RegExp, name: string): number[] {
  const [, digits] = pattern.exec(name) ?? []
  return digits === undefined ? [] : [Number(digits)]
}

/** Who writes it still; absent: nobody. */
export interface Growing {
  readonly ended: boolean
  listen(listener: () => void): () => void
}

export interface LogSource {
  readonly directory: string
  readonly attempt: number
  readonly growing: Growing | undefined
  readonly follow: boolean
  readonly signal: AbortSignal
}

/** Where a reader is: all that is there has been read. */
export const caughtUp = Symbol('caught up')

const readBytes = 65_536

/** What is in it, and once or more often that all has been read; with `follow` until it has ended. */
export async function* readSegments(source: LogSource): AsyncGenerator<Buffer | typeof caughtUp> {
  const { directory, attempt, growing, follow, signal } = source
  const news = newsOf(growing, signal)
  let at = { segment: 0, offset: 0 }
  // What follows on the file that is read, once it is there: then nothing more is written to this one.
  let next: number | undefined
  try {
    while (!signal.aborted) {
      const isWhole = growing === undefined || growing.ended
      news.clear()
      const chunk = await readAt(segmentPath(directory, attempt, at.segment), at.offset)
      if (chunk.length > 0) {
        at = { ...at, offset: at.offset + chunk.length }
        yield chunk
        continue
      }
      if (next !== undefined) {
        if (next > at.segment + 1) yield Buffer.from(leftOut)
        at = { segment: next, offset: 0 }
        next = undefined
        continue
      }
      next = await segmentAfter(at.segment, directory, attempt)
      if (next !== undefined) continue
      yield caughtUp
      if (isWhole || !follow) return
      await news.next()
    }
  } finally {
    news.end()
  }
}

async function segmentAfter(
  segment: number,
  directory: string,
  attempt: number,
): Promise<number | undefined> {
  return (await segmentsOf(directory, attempt)).find((each) => each > segment)
}

/** Where lines are missing; as all lines, with a time in front: that of nothing. */
const leftOut = '1970-01-01T00:00:00.000Z ... what was written here is not kept ...\n'

/** Nothing of a file that is not there, or not any more. */
async function readAt(path: string, offset: number): Promise<Buffer> {
  try {
    const file = await open(path, 'r')
    try {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(readBytes), 0, readBytes, offset)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (error) {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  }
}

interface News {
  /** Resolves when something was written since `clear`, or it is over. */
  next(): Promise<void>
  clear(): void
  end(): void
}

function newsOf(growing: Growing | undefined, signal: AbortSignal): News {
  let isNew = false
  let wake: () => void = () => {}
  const listener = () => {
    isNew = true
    wake()
  }
  const stop = growing?.listen(listener)
  signal.addEventListener('abort', listener, { once: true })
  return {
    next: () =>
      new Promise((resolve) => {
        if (isNew || signal.aborted) resolve()
        else wake = resolve
      }),
    clear: () => {
      isNew = false
    },
    end: () => {
      stop?.()
      signal.removeEventListener('abort', listener)
    },
  }
}
