/** What the engine says of the images that a build is made of, asked once for all who judge them before it begins. */
import type { Engine } from '#pkg/engine/port.ts'
import { basesIn } from './inputs.ts'
import type { BuildOrder } from './port.ts'

/** By reference, as the Dockerfile names them; the engine's own words. */
export type InspectedBases = ReadonlyMap<string, unknown>

export async function inspectBases(
  { inputs }: Pick<BuildOrder, 'inputs'>,
  engine: Pick<Engine, 'rawImage'>,
): Promise<InspectedBases> {
  const bases = [...basesIn(inputs)]
  return new Map(
    await Promise.all(bases.map(async ([reference, id]) => [reference, await engine.rawImage(id)] as const)),
  )
}
