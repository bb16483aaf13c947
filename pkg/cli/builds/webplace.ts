/**
 * What a web address on the command line has: an archive, which the node fetches itself, or the text of a Dockerfile. As of
 * docker's client its content decides, and its name only where that does.
 */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { openingOf, wholeOf } from './opening.ts'
import { archiveEnding, isArchive, isText } from './place.ts'

/** Undefined: it is no Dockerfile, or cannot be had from here; the node will say. */
export async function dockerfileAt(url: string, { signal }: Pick<Io, 'signal'>): Promise<string | undefined> {
  const { pathname } = new URL(url)
  if (archiveEnding.test(pathname)) return undefined
  const mustBe = /(^|[./])dockerfile([.-][^/]*)?$/i.test(pathname)
  const found = await ask(url, signal)
  if (typeof found !== 'string' || !mustBe) return typeof found === 'string' ? undefined : found.text
  throw new CliError(`cannot read "${url}": ${found}`)
}

/** Else why not. */
async function ask(url: string, signal: AbortSignal): Promise<{ readonly text?: string } | string> {
  const done = new AbortController()
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, done.signal]) })
    if (!response.ok) return `the server answered ${response.status}`
    if (response.body === null) return 'the server answered nothing'
    const opening = await openingOf(response.body)
    if (isArchive(opening.first)) return {}
    const whole = await wholeOf(opening)
    return whole !== undefined && isText(whole) ? { text: whole.toString('utf8') } : {}
  } catch (error) {
    signal.throwIfAborted()
    // fetch says only "fetch failed"; its cause says why.
    return messageOf(error instanceof Error ? (error.cause ?? error) : error)
  } finally {
    done.abort()
  }
}
