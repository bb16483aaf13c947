/**
 * How many layers a base has, only its node knows: what comes to more than an engine can mount is refused before its first
 * step, rather than failed at its last one. Pure.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { layersOf, mostLayers } from '#pkg/build/dockerfile/layers.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { scopesOf } from '#pkg/build/dockerfile/scopes.ts'
import { targetStage } from '#pkg/build/dockerfile/stages.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { InspectedBases } from './inspectedbases.ts'
import type { BuildOrder } from './port.ts'

type Asked = Pick<BuildOrder, 'args' | 'builder' | 'dockerfile' | 'dockerfileName' | 'platform' | 'target'>

/** Throws BuildError. */
export function mustFit(order: Asked, bases: InspectedBases): void {
  const { dockerfile } = parseDockerfile(order.dockerfile)
  const stage = targetStage(dockerfile, order)
  if (stage === undefined) return
  const { own, base, excess } = layersOf(scopesOf(dockerfile, order), stage)
  const below = base === undefined ? 0 : layersIn(bases.get(base))
  if (own + below <= mostLayers || excess === undefined) return
  const { dockerfileName: name } = order
  const message = `${name}: the image would have ${own + below} layers, ${own} of its own and ${below} of ${base}, and may have ${mostLayers}: join RUNs by &&`
  throw new BuildError(message, { line: excess.line })
}

function layersIn(image: unknown): number {
  const rootFs = isPlainObject(image) ? image['RootFS'] : undefined
  const layers = isPlainObject(rootFs) ? rootFs['Layers'] : undefined
  return Array.isArray(layers) ? layers.length : 0
}
