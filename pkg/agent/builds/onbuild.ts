/**
 * Steps that images bring along (ONBUILD) are run with whatever is built on them, and stand in no Dockerfile that anybody
 * has judged: what an image of a stranger would have the engine fetch from where the node stands, is not fetched.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Stage } from '#pkg/build/dockerfile/dockerfile.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { fetchedByAdd } from '#pkg/build/dockerfile/reach.ts'
import { scopesOf } from '#pkg/build/dockerfile/scopes.ts'
import { classicSteps } from '#pkg/build/dockerfile/steplines.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { InspectedBases } from './inspectedbases.ts'
import type { BuildOrder } from './port.ts'

/** Throws BuildError. */
export function mustFetchNothing(bases: InspectedBases): void {
  for (const [reference, image] of bases) {
    const fetched = triggersIn(image).find((trigger) => fetchedByAdd(`FROM scratch\n${trigger}\n`).length > 0)
    if (fetched === undefined) continue
    const message = `base ${reference} has ONBUILD ${fetched}: what an image has fetched from an address is written into the Dockerfile itself`
    throw new BuildError(message, {})
  }
}

type Asked = Pick<BuildOrder, 'args' | 'builder' | 'dockerfile' | 'platform'>

/** What the classic builder runs along with a FROM, by the number of that step: it tells no steps of it, BuildKit does. */
export function triggersByStep(order: Asked, bases: InspectedBases): ReadonlyMap<number, readonly string[]> {
  if (order.builder === 'BuildKit') return new Map()
  const { dockerfile } = parseDockerfile(order.dockerfile)
  const steps = classicSteps(dockerfile)
  const found = scopesOf(dockerfile, order).stages.map(({ stage, base, parent }) => {
    const triggers = parent === undefined ? triggersIn(bases.get(base.text)) : keptBy(parent)
    return [steps.indexOf(stage.from) + 1, triggers] as const
  })
  return new Map(found.filter(([, triggers]) => triggers.length > 0))
}

function keptBy({ instructions }: Stage): readonly string[] {
  return instructions.flatMap(({ trigger }) =>
    trigger === undefined ? [] : [`${trigger.keyword} ${trigger.text}`],
  )
}

function triggersIn(image: unknown): string[] {
  const config = isPlainObject(image) ? image['Config'] : undefined
  const triggers = isPlainObject(config) ? config['OnBuild'] : undefined
  return Array.isArray(triggers) ? triggers.map(String) : []
}
