/** Makes a Container from an image on an engine, as an agent does, and says what is then found wrong with it. */

import { differences } from '#pkg/agent/container.differences.ts'
import { containersOf } from '#pkg/agent/container.look.ts'
import { tell } from '#pkg/agent/difference.ts'
import { resolve } from '#pkg/agent/resolve.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Engine, ObservedContainer } from '#pkg/engine/port.ts'
import { failures, look, type NodeHarness, plan } from './nodeharness.ts'
import { print } from './world.ts'

export interface Found {
  /** What is planned for a container that was just made. */
  readonly plan: string
  readonly differences: readonly string[]
  readonly observed: ObservedContainer
}

/** Throws when an op fails, or when it was not made within three passes. */
export async function makeAndLook(harness: NodeHarness<Engine>, container: Container): Promise<Found> {
  for (let pass = 0; pass < 3; pass++) {
    const planned = await plan(harness)
    const [cause] = await failures(harness, planned)
    if (cause !== undefined) throw new Error(`${messageOf(cause)}, after\n${print(planned)}`, { cause })
    const world = await look(harness)
    const observed = containersOf(container, world).find(({ state }) => state === 'running')
    const resolved = resolve({ container, ...world })
    if ('missing' in resolved) throw new Error(resolved.missing.message)
    if (observed === undefined) continue
    return {
      plan: print(await plan(harness)),
      differences: differences(resolved, observed).map(tell),
      observed,
    }
  }
  throw new Error(`it does not run; next would be\n${print(await plan(harness))}`)
}
