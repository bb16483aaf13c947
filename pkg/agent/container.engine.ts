/** What the engine of this node is too old for, said before anything is made: engines leave out silently what they do not know. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import { hasStartInterval, startIntervalSince } from '#pkg/engine/settings.ts'
import type { Waiting, World } from './world.ts'

export function whyEngineCannot(
  { spec }: Container,
  { engineApi }: Pick<World, 'engineApi'>,
): Waiting | undefined {
  const { healthcheck } = spec
  const isEngines = healthcheck?.command !== undefined || healthcheck?.shell !== undefined
  if (!isEngines || healthcheck.startInterval === undefined || hasStartInterval(engineApi)) return undefined
  const message = `spec.healthcheck.startInterval needs an engine with API ${startIntervalSince} (Docker 25), this node's has ${engineApi}; leave it out, or run the Container on another node`
  return { reason: 'EngineTooOld', message }
}
