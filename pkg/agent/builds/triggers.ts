/**
 * Steps that images bring along (ONBUILD) are run with whatever is built on them, and stand in no Dockerfile that anybody
 * has judged: what an image of a stranger would have the engine fetch from where the node stands, is not fetched.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { fetchedByAdd } from '#pkg/build/dockerfile/reach.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { BuildOrder } from './port.ts'

/** Throws BuildError. */
export async function mustFetchNothing(
  { inputs }: Pick<BuildOrder, 'inputs'>,
  engine: Pick<Engine, 'rawImage'>,
): Promise<void> {
  const bases = Object.entries(inputs).filter(([name]) => name.startsWith('base '))
  for (const [name, id] of bases) {
    const fetched = triggersIn(await engine.rawImage(id)).find(
      (trigger) => fetchedByAdd(`FROM scratch\n${trigger}\n`).length > 0,
    )
    if (fetched === undefined) continue
    const message = `${name} has ONBUILD ${fetched}: what an image has fetched from an address is written into the Dockerfile itself`
    throw new BuildError(message, {})
  }
}

function triggersIn(image: unknown): string[] {
  const config = isPlainObject(image) ? image['Config'] : undefined
  const triggers = isPlainObject(config) ? config['OnBuild'] : undefined
  return Array.isArray(triggers) ? triggers.map(String) : []
}
