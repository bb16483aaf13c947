/**
 * Lists that come page by page, each naming the next: read to their end, which there must be. What is too long to be a name
 * is left out.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { nextPage } from './challenge.ts'
import type { Answer } from './exchange.ts'

const maxPages = 100
const maxItems = 100_000
/** Tags have 128 characters at most, repositories 255. */
const maxLength = 255

export interface Pages {
  readonly registry: string
  /** Path and query of the first page. */
  readonly first: string
  readonly ask: (target: string) => Promise<Answer>
  readonly parse: (body: Uint8Array) => readonly string[]
}

export async function readPages({ registry, first, ask, parse }: Pages): Promise<string[]> {
  const found = new Set<string>()
  const asked = new Set<string>()
  for (let target: string | undefined = first; target !== undefined; ) {
    if (asked.has(target)) throw endless(registry, 'names a page as the next that was read before')
    if (asked.size === maxPages) throw endless(registry, `has more than ${maxPages} pages`)
    asked.add(target)
    const { headers, body } = await ask(target)
    for (const item of parse(body)) if (item.length <= maxLength) found.add(item)
    if (found.size > maxItems) throw endless(registry, `has more than ${maxItems} entries`)
    target = nextPage(headers['link'], new URL(target, 'http://registry'))
  }
  return [...found]
}

function endless(registry: string, what: string): StatusError {
  return new StatusError('RegistryUnavailable', `the list of registry ${registry} has no end: it ${what}`)
}
