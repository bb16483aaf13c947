/** How this node's engine reaches registries, as it says itself: asked once in a while, for settings change under way. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { type AccessLookups, accessOf } from '#pkg/registry/access.ts'
import type { RegistryAccess } from '#pkg/registry/port.ts'

/** ms. */
const goodFor = 15_000

export interface NodeAccessOptions {
  readonly engine: Pick<Engine, 'info'>
  readonly clock: Clock
  readonly lookups: AccessLookups
}

interface Known {
  readonly access: Promise<RegistryAccess>
  readonly until: number
}

/** Throws EngineUnavailable while the engine does not say. */
export function nodeAccess({
  engine,
  clock,
  lookups,
}: NodeAccessOptions): (registry: string) => Promise<RegistryAccess> {
  const known = new Map<string, Known>()
  return async (registry) => {
    const now = clock.now()
    const found = known.get(registry)
    if (found !== undefined && found.until > now && found.until - now <= goodFor) return await found.access
    for (const [host, { until }] of known) if (until <= now) known.delete(host)
    const access = engine.info().then(({ registries }) => accessOf(registry, registries, lookups))
    known.set(registry, { access, until: now + goodFor })
    // What failed is asked again by the next.
    access.catch(() => known.delete(registry))
    return await access
  }
}
