/**
 * Versions and ranges of them, as npm writes them. The one file that knows the library, of which it loads what it needs:
 * every command that reads manifests waits for that. Pure.
 */
import compare from 'semver/functions/compare.js'
import satisfies from 'semver/functions/satisfies.js'
import valid from 'semver/functions/valid.js'
import maxSatisfying from 'semver/ranges/max-satisfying.js'
import validRange from 'semver/ranges/valid.js'

export function isRange(range: string): boolean {
  return validRange(range) !== null
}

/** Of versions in a range the highest; undefined: none of them is in it. What is no version is passed over. */
export function highest(versions: readonly string[], range: string): string | undefined {
  return maxSatisfying([...versions], range, { loose: true }) ?? undefined
}

/** `1.2.3`, `v1.2.3-rc.1`; `1.2` is none. */
export function isVersion(text: string): boolean {
  return valid(text, { loose: true }) !== null
}

/** Below 0 when `left` is the older one; both must be versions. */
export function compareVersions(left: string, right: string): number {
  return compare(left, right, { loose: true })
}

/** Whether one version is in the range. */
export function isInRange(version: string, range: string): boolean {
  return satisfies(version, range, { loose: true })
}
