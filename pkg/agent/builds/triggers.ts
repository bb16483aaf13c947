/**
 * Steps that images bring along (ONBUILD) are run with whatever is built on them, and stand in no Dockerfile that anybody
 * has judged: what an image of a stranger would have the engine fetch from where the node stands, is not fetched.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { fetchedByAdd } from '#pkg/build/dockerfile/reach.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { InspectedBases } from './inspectedbases.ts'

/** Throws BuildError. */
export function mustFetchNothing(bases: InspectedBases): void {
  for (const [reference, image] of bases) {
    const fetched = triggersIn(image).find((trigger) => fetchedByAdd(`FROM scratch\n${trigger}\n`).length > 0)
    if (fetched === undefined) continue
    const message = `base ${reference} has ONBUILD ${fetched}: what an image has fetched from an address is written into the Dockerfile itself`
    throw new BuildError(message, {})
  }
}

function triggersIn(image: unknown): string[] {
  const config = isPlainObject(image) ? image['Config'] : undefined
  const triggers = isPlainObject(config) ? config['OnBuild'] : undefined
  return Array.isArray(triggers) ? triggers.map(String) : []
}
