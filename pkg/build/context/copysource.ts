/**
 * Whether what COPY and ADD name is in the context, by the rules of the classic builder: paths count from its root,
 * patterns are Go's, links on the way are followed within it. Pure.
 */

import type { TreeEntry } from './entry.ts'
import { hasWildcards, matchesGoPattern } from './gopattern.ts'
import { cleaned } from './ignorefile.ts'

export type SourceVerdict = 'Found' | 'Missing' | 'OutsideContext' | 'BadPattern'

/** Asks again and again of one context. */
export interface ContextIndex {
  /** `source` as COPY has it, variables put in. */
  find(source: string): SourceVerdict
  has(path: string): boolean
}

const mostLinks = 40

export function indexContext(entries: Iterable<Pick<TreeEntry, 'path' | 'type' | 'linkname'>>): ContextIndex {
  // Undefined: no link.
  const links = new Map<string, string | undefined>([['', undefined]])
  for (const { path, linkname } of entries) {
    links.set(path, linkname)
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const above = path.slice(0, end)
      if (links.has(above)) break
      links.set(above, undefined)
    }
  }
  const has = (path: string) => resolve(links, path) !== undefined
  return { has, find: (source) => find({ links, has }, source) }
}

function find(
  { links, has }: Pick<ContextIndex, 'has'> & { links: ReadonlyMap<string, unknown> },
  source: string,
): SourceVerdict {
  const wanted = cleaned(source).replace(/^\/+/, '')
  if (wanted === '..' || wanted.startsWith('../')) return 'OutsideContext'
  const path = wanted === '.' ? '' : wanted
  if (!hasWildcards(path)) return has(path) ? 'Found' : 'Missing'
  if (matchesGoPattern(path, '') === undefined) return 'BadPattern'
  const doesMatch = [...links.keys()].some((known) => known !== '' && matchesGoPattern(path, known) === true)
  return doesMatch ? 'Found' : 'Missing'
}

/** The path with its links followed, the last one not; undefined: there is no such file. */
function resolve(links: ReadonlyMap<string, string | undefined>, path: string): string | undefined {
  let left = path.split('/').filter((part) => part !== '' && part !== '.')
  let at: string[] = []
  for (let followed = 0; ; ) {
    const [part, ...rest] = left
    if (part === undefined) return at.join('/')
    left = rest
    if (part === '..') {
      at = at.slice(0, -1)
      continue
    }
    const next = [...at, part].join('/')
    if (!links.has(next)) return undefined
    const link = links.get(next)
    if (link === undefined || rest.length === 0) at = [...at, part]
    else {
      if (++followed > mostLinks) return undefined
      if (link.startsWith('/')) at = []
      left = [...link.split('/').filter((step) => step !== '' && step !== '.'), ...left]
    }
  }
}
