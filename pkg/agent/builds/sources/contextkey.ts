/** What a context on the disk is found by: where it comes from, at which revision, and what is taken of it. Pure. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import type { ContextSource } from '../port.ts'

export interface ContextWanted {
  readonly source: ContextSource
  /** Lines of spec.ignore. */
  readonly ignore: readonly string[]
  /** Path of the Dockerfile whose text is wanted; absent: the Build has the text itself. */
  readonly dockerfile?: string
}

/** The same for what has the same files; begins with the type, for whoever reads it. */
export function contextKey({ source, ignore, dockerfile }: ContextWanted): string {
  // What was uploaded was chosen by whoever uploaded it.
  const chosen = source.type === 'upload' || source.type === 'empty' ? [] : ignore
  return `${source.type}:${fingerprint([placeOf(source), chosen, dockerfile ?? ''])}`
}

/**
 * With whose right it was fetched: a digest or a commit that somebody has heard of is no right to the files of another
 * namespace that lie here.
 */
function placeOf(source: ContextSource): unknown {
  switch (source.type) {
    case 'upload':
      return [source.namespace, source.upload]
    case 'git':
      return [source.url, source.commit, folderOf(source.subdirectory), source.secret ?? '']
    case 'tar':
      return [source.url, source.revision]
    case 'inline':
      return source.files
    case 'hostPath':
      return [source.path, source.revision]
    case 'empty':
      return ''
  }
}

/** `a/b` of `./a//b/`; empty for the whole. */
export function folderOf(subdirectory: string | undefined): string {
  return (subdirectory ?? '')
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
}
