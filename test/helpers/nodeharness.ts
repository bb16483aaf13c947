/**
 * A node without an API: planner, ops and simulated engine joined by hand, for properties over many states.
 * `step` is one pass: observe, plan, perform one op after the other.
 */
import { imagesInQuestion } from '#pkg/agent/container.security.ts'
import { Host } from '#pkg/agent/host.ts'
import { LentNames } from '#pkg/agent/images/lentnames.ts'
import { planNode } from '#pkg/agent/node.plan.ts'
import { Observer } from '#pkg/agent/observe.ts'
import type { AgentOp, OpOf } from '#pkg/agent/ops.ts'
import { perform } from '#pkg/agent/perform.ts'
import { diskFiles } from '#pkg/agent/projection.ts'
import type { World } from '#pkg/agent/world.ts'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { Client } from '#pkg/client/rest.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { SimEngine } from '#pkg/engine/sim.ts'
import { execute, makeSlots } from '#pkg/plan/execute.ts'
import type { Plan } from '#pkg/plan/plan.ts'

export interface NodeHarness<E extends Engine = SimEngine> {
  readonly engine: E
  /** The objects, changed by releases and by the test. */
  world: World
  readonly projectionRoot: string
}

export async function look(harness: NodeHarness<Engine>): Promise<World> {
  const observed = await new Observer(harness.engine).observe({
    imagesOf: (images, containers) => imagesInQuestion(harness.world.desired, images, containers),
  })
  return { ...harness.world, observed, projectionRoot: harness.projectionRoot }
}

export async function plan(harness: NodeHarness<Engine>): Promise<Plan<AgentOp>> {
  return planNode(await look(harness)).plan
}

/** Performs the plan; resolves to how many ops failed. */
export async function step(harness: NodeHarness<Engine>, planned: Plan<AgentOp>): Promise<number> {
  return (await failures(harness, planned)).length
}

/** Performs the plan; resolves to what went wrong. */
export async function failures(harness: NodeHarness<Engine>, planned: Plan<AgentOp>): Promise<unknown[]> {
  const results = await execute(planned, {
    run: (op, signal) => performOne(harness, op, signal),
    slots: makeSlots(1),
    signal: new AbortController().signal,
  })
  return results.flatMap((result) => (result.outcome === 'failed' ? [result.error] : []))
}

async function performOne(harness: NodeHarness<Engine>, op: AgentOp, signal: AbortSignal): Promise<void> {
  if (op.type === 'releaseObject') {
    forget(harness, op.kind, `${op.object.namespace}/${op.object.name}`)
    return
  }
  const { engine, world, projectionRoot } = harness
  const client = new Client(
    inProcess(() => Promise.reject(new Error('no API here')), { name: 'test', groups: [] }),
    'test',
  )
  await perform(
    op,
    {
      engine,
      client,
      nodeName: world.nodeName,
      files: diskFiles(projectionRoot),
      host: new Host(undefined, { clock: systemClock(), random: systemRandom(), log: silentLogger }),
      clock: systemClock(),
      lent: new LentNames({ engine, log: silentLogger }),
      onProgress: () => {},
      onAnswer: () => {},
      credentials: {
        secretOf: (key) => world.desired.secrets.get(key),
        registries: () => world.desired.registries.values(),
      },
    },
    signal,
  )
}

function forget(harness: NodeHarness<Engine>, kind: OpOf<'releaseObject'>['kind'], key: string): void {
  const { desired } = harness.world
  const without = <T>(objects: ReadonlyMap<string, T>) =>
    new Map([...objects].filter(([name]) => name !== key))
  const next = {
    Container: { ...desired, containers: without(desired.containers) },
    Volume: { ...desired, volumes: without(desired.volumes) },
    Network: { ...desired, networks: without(desired.networks) },
    Image: { ...desired, images: without(desired.images) },
    Build: { ...desired, builds: without(desired.builds) },
  }[kind]
  harness.world = { ...harness.world, desired: next }
}
