/** Versions and ranges of them, as npm writes them. The one file that knows the library. Pure. */
import semver from 'semver'

export function isRange(range: string): boolean {
  return semver.validRange(range) !== null
}

/** Of versions in a range the highest; undefined: none of them is in it. What is no version is passed over. */
export function highest(versions: readonly string[], range: string): string | undefined {
  return semver.maxSatisfying([...versions], range, { loose: true }) ?? undefined
}
