/**
 * Whether what COPY and ADD name is in the context, by the rules of the classic builder: paths count from its root,
 * patterns are Go's, links are followed within it. Pure.
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

/** The path with its links followed; undefined: there is no such file. */
function resolve(links: ReadonlyMap<string, string | undefined>, path: string): string | undefined {
  let left = stepsOf(path)
  let at = ''
  for (let followed = 0; left.length > 0 && followed <= mostLinks; ) {
    const [step = '', ...rest] = left
    const next = below(at, step)
    if (!links.has(next)) return undefined
    const link = links.get(next)
    if (link !== undefined) followed++
    at = link === undefined ? next : link.startsWith('/') ? '' : at
    left = [...stepsOf(link ?? ''), ...rest]
  }
  return left.length === 0 ? at : undefined
}

function stepsOf(path: string): string[] {
  return path.split('/').filter((step) => step !== '' && step !== '.')
}

function below(path: string, step: string): string {
  if (step === '..') return path.slice(0, Math.max(0, path.lastIndexOf('/')))
  return path === '' ? step : `${path}/${step}`
}
