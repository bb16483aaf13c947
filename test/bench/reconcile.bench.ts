/**
 * What a pass of the agent over a full node costs when there is nothing to do: CPU of a whole look at 500 images and 200
 * containers, of the plan that comes of it, and of what is reported of all objects: 200 Images among them, which have found
 * what they are and follow their registry. On the simulated engine, whose own work is in it; no socket is.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportImage } from '#pkg/agent/images/imagestatus.plan.ts'
import { planUpdates, withUpdate } from '#pkg/agent/images/updates.ts'
import { type NodeDecision, planNode } from '#pkg/agent/node.plan.ts'
import { type ContainerReport, containerReports, infraReports } from '#pkg/agent/reports.ts'
import { groupOf, type World } from '#pkg/agent/world.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { byKey } from '#pkg/apimachinery/meta.ts'
import type { ImageStatus } from '#pkg/apis/image.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { look, type NodeHarness, plan, step } from '../helpers/nodeharness.ts'
import { container, imageObject, world } from '../helpers/world.ts'
import type { Report } from './report.ts'
import { median } from './running.ts'

const images = 500
const containers = 200
const rounds = 25
const goalMs = 50

export async function run(report: Report): Promise<void> {
  const projectionRoot = await mkdtemp(join(tmpdir(), 'cove-bench-'))
  try {
    const harness = await settled(projectionRoot)
    const whole = await measured(rounds, async () => passOver(await look(harness)))
    const seen = await look(harness)
    const planning = await measured(rounds, async () => planNode(seen))
    const hold = (name: string, value: number) =>
      report({ name, value, unit: 'ms of CPU', baseline: goalMs, ratio: value / goalMs })
    hold(
      `reconcile: ${images} images, ${containers} containers, a whole look, the plan and the reports`,
      whole,
    )
    hold(`reconcile: ${images} images, ${containers} containers, the plan alone`, planning)
  } finally {
    await rm(projectionRoot, { recursive: true, force: true })
  }
}

/** A node on which everything is as it should be. */
async function settled(projectionRoot: string): Promise<NodeHarness> {
  const clock = new ManualClock()
  const engine = new SimEngine({ clock })
  const references = Array.from({ length: images }, (_, index) => `registry.example.com/team/app-${index}:1`)
  for (const reference of references)
    engine.loadImage(reference, makeSimImage({ content: reference, cmd: ['serve'] }, reference))
  const objects = [
    ...Array.from({ length: containers }, (_, index) =>
      container(`web-${index}`, { image: references[index] }),
    ),
    ...references
      .slice(0, containers)
      .map((reference, index) =>
        imageObject(`app-${index}`, { reference, update: { policy: 'Digest', schedule: '0 * * * *' } }),
      ),
  ]
  const harness = { engine, world: world({ objects }, { now: clock.now() }), projectionRoot }
  for (let left = 10; left > 0; left--) {
    const planned = await plan(harness)
    if (planned.ops.length === 0) return await told(harness)
    await step(harness, planned)
  }
  throw new Error('the node does not come to rest')
}

/** What the agent does in a pass, but for the writes: what it would tell of Containers and Images, in their order. */
function passOver(seen: World): {
  readonly containers: readonly ContainerReport[]
  readonly images: readonly ImageStatus[]
} {
  const decision = planNode(seen)
  const input = { world: seen, decision, busy: seen.busy, lastAction: () => undefined }
  infraReports(input)
  return { containers: containerReports(input), images: imageStatuses(seen, decision) }
}

function imageStatuses(seen: World, { decisions }: NodeDecision): ImageStatus[] {
  const updates = planUpdates(seen)
  return [...seen.desired.images.values()].flatMap((image) => {
    const found = decisions.get(groupOf('Image', image.metadata))
    if (found === undefined) return []
    return [withUpdate(image, reportImage(image, found, seen), { updates, now: seen.now })]
  })
}

/** An hour later, with its statuses as the API has them when all is told: nobody is watched or waited for any more. */
async function told(harness: NodeHarness): Promise<NodeHarness> {
  harness.world = { ...harness.world, now: harness.world.now + 3_600_000 }
  for (let round = 0; round < 2; round++) {
    const { containers: reports, images: statuses } = passOver(await look(harness))
    const { desired } = harness.world
    const told = reports.map(({ container, status }) => ({ ...container, status }))
    const found = [...desired.images.values()].map((image, at) => ({ ...image, status: statuses[at] ?? {} }))
    harness.world = {
      ...harness.world,
      desired: { ...desired, containers: byKey(told), images: byKey(found) },
    }
  }
  const lacking = [...harness.world.desired.images.values()].filter(
    ({ status }) => status?.reference === undefined,
  )
  if (lacking.length > 0) throw new Error(`${lacking.length} Images have found nothing`)
  return harness
}

/** ms of CPU of one round, the median of so many. */
async function measured(times: number, work: () => Promise<unknown>): Promise<number> {
  const costs: number[] = []
  for (let round = 0; round < times; round++) {
    const before = process.cpuUsage()
    await work()
    const { user, system } = process.cpuUsage(before)
    costs.push((user + system) / 1000)
  }
  return median(costs)
}
