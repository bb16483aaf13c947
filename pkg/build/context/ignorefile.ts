/** The text of a .dockerignore as its patterns, read as docker's own client reads it. Pure. */
import { posix } from 'node:path'

/** Of a whole context. */
export const ignoreFileName = '.dockerignore'

/** That of one Dockerfile alone, beside it; none where the text has no file. */
export function ownIgnoreFile(dockerfile: string | undefined): string[] {
  return dockerfile === undefined ? [] : [`${dockerfile}${ignoreFileName}`]
}

/** The first one that is there counts, and no other. */
export function ignoreFilesOf(dockerfile: string | undefined): string[] {
  return [...ownIgnoreFile(dockerfile), ignoreFileName]
}

/** Comments and empty lines left out, paths cleaned, exceptions with `!` in front. */
export function parseIgnore(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => patternOf(trimmed(line)))
}

function patternOf(line: string): string[] {
  if (line === '') return []
  const isException = line.startsWith('!')
  const pattern = isException ? trimmed(line.slice(1)) : line
  return [`${isException ? '!' : ''}${pattern === '' ? '' : rooted(cleaned(pattern))}`]
}

/** Go's filepath.Clean: as Node's, but that it drops a slash at the end. */
export function cleaned(path: string): string {
  const found = posix.normalize(path)
  return found.length > 1 && found.endsWith('/') ? found.slice(0, -1) : found
}

function rooted(pattern: string): string {
  return pattern.length > 1 && pattern.startsWith('/') ? pattern.slice(1) : pattern
}

/** Go's strings.TrimSpace: Unicode's White_Space, which is not quite what JavaScript trims. */
export function trimmed(text: string): string {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '')
}
