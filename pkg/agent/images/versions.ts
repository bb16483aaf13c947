/** Which tags of a repository are versions, and which of them is the newest. Pure. */
import { compareVersions, highest, isVersion } from '#pkg/apis/versions.ts'

export interface VersionRule {
  readonly range: string
  /** `*` stands for anything: `*-alpine`. Absent: tags that are versions. */
  readonly filter?: string | undefined
}

/** The version in a tag: what the first star stands for that is one. Undefined: the tag does not count. */
export function versionIn(tag: string, filter = '*'): string | undefined {
  return starsOf(tag, filter)?.find(isVersion)
}

/** What each star stands for, each for as little as will do; undefined: the tag is not like that. */
function starsOf(tag: string, filter: string): string[] | undefined {
  const [first = '', ...parts] = filter.split('*')
  const last = parts.pop()
  if (last === undefined) return tag === first ? [] : undefined
  const end = tag.length - last.length
  if (!tag.startsWith(first) || !tag.endsWith(last) || end < first.length) return undefined
  const stars: string[] = []
  let at = first.length
  for (const part of parts) {
    const found = tag.indexOf(part, at)
    if (found < 0 || found + part.length > end) return undefined
    stars.push(tag.slice(at, found))
    at = found + part.length
  }
  return [...stars, tag.slice(at, end)]
}

/** The tag with the highest version of the range; of several with that version the last by name. */
export function newestTag(tags: readonly string[], { range, filter }: VersionRule): string | undefined {
  const versions = new Map<string, string>()
  const inOrder = tags.toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  for (const tag of inOrder) {
    const version = versionIn(tag, filter)
    if (version !== undefined) versions.set(version, tag)
  }
  const best = highest([...versions.keys()], range)
  return best === undefined ? undefined : versions.get(best)
}

/** Whether the version in `tag` is below that of `current`; never when one of them has none. */
export function isOlder(tag: string, current: string | undefined, filter: string | undefined): boolean {
  const [left, right] = [
    versionIn(tag, filter),
    current === undefined ? undefined : versionIn(current, filter),
  ]
  return left !== undefined && right !== undefined && compareVersions(left, right) < 0
}
