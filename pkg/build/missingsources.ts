/** What COPY and ADD take out of a context that is not in it. Pure. */
import { indexContext } from './context/copysource.ts'
import type { TreeEntry } from './context/entry.ts'
import type { Dockerfile, Problem } from './dockerfile/dockerfile.ts'
import { type CopySource, copySources, leavesContext } from './dockerfile/sources.ts'
import type { Building } from './dockerfile/stages.ts'

export interface ContextFiles {
  readonly entries: Iterable<Pick<TreeEntry, 'path' | 'type' | 'linkname'>>
  /** Whether what is missing was left out by a rule. */
  readonly ignores: (path: string) => boolean
}

/** Sources that lie outside of every context are told of by checkDockerfile. */
export function missingSources(
  dockerfile: Dockerfile,
  building: Building,
  { entries, ignores }: ContextFiles,
): Problem[] {
  const index = indexContext(entries)
  return copySources(dockerfile, building)
    .filter((source) => !leavesContext(source))
    .flatMap((source) => {
      const { path, pattern, line, column } = source
      const verdict = pattern ? index.find(path) : index.has(path) ? 'Found' : 'Missing'
      if (verdict === 'BadPattern')
        return [{ line, column, message: `${source.keyword} ${source.written}: it is no pattern` }]
      return verdict === 'Found' ? [] : [{ line, column, message: missingText(source, ignores) }]
    })
}

function missingText(
  { keyword, written, path, pattern }: CopySource,
  ignores: ContextFiles['ignores'],
): string {
  if (pattern) return `${keyword} ${written}: no file of the context matches`
  const why = ignores(path) ? ': .dockerignore, or spec.ignore, leaves it out' : ''
  return `${keyword} ${written}: there is no such file in the context${why}`
}
