/**
 * What a pass of the agent over a full node costs when there is nothing to do: CPU of a whole look at 500 images and 200
 * containers and of the plan that comes of it. On the simulated engine, whose own work is in it; no socket is.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planNode } from '#pkg/agent/node.plan.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
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
    const whole = await measured(rounds, () => plan(harness))
    const seen = await look(harness)
    const planning = await measured(rounds, async () => planNode(seen))
    const hold = (name: string, value: number) =>
      report({ name, value, unit: 'ms of CPU', baseline: goalMs, ratio: value / goalMs })
    hold(`reconcile: ${images} images, ${containers} containers, a whole look and the plan`, whole)
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
    ...references.slice(0, containers).map((reference, index) => imageObject(`app-${index}`, { reference })),
  ]
  const harness = { engine, world: world({ objects }, { now: clock.now() }), projectionRoot }
  for (let left = 10; left > 0; left--) {
    const planned = await plan(harness)
    if (planned.ops.length === 0) return harness
    await step(harness, planned)
  }
  throw new Error('the node does not come to rest')
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
