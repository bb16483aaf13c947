/** Versions of Docker Engines in their order: `20.10.24+dfsg1` is before `23.0`. */

/** Negative, 0 or positive; undefined when one of them is none. Parts that one of them leaves out do not count. */
export function compareEngineVersions(left: string, right: string): number | undefined {
  const [first, second] = [partsOf(left), partsOf(right)]
  if (first === undefined || second === undefined) return undefined
  for (const [index, part] of first.entries()) {
    const difference = part - (second[index] ?? part)
    if (difference !== 0) return difference
  }
  return 0
}

function partsOf(version: string): number[] | undefined {
  const [, numbers] = /^v?(\d{1,6}(?:\.\d{1,6}){0,3})/.exec(version) ?? []
  return numbers?.split('.').map(Number)
}
