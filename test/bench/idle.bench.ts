/** What `cove up` costs a host while nothing changes: CPU of one core, and memory, beside 50 running containers. */
import type { Report } from './report.ts'
import { cpuMs, residentMB, withCove } from './running.ts'

const count = 50
/** Longer than new containers are monitored, the end of which is told. */
const settleMs = 10_000
/** Longer than a resync, so that at least one is in it. */
const watchMs = 32_000

export async function run(report: Report): Promise<void> {
  await withCove(async ({ cove, manifest, pid }) => {
    await cove('apply', '-f', await manifest('idle', count), '--wait')
    await pause(settleMs)
    const before = await cpuMs(pid)
    const start = performance.now()
    await pause(watchMs)
    const cpu = (100 * ((await cpuMs(pid)) - before)) / (performance.now() - start)
    const hold = (name: string, value: number, unit: string, baseline: number) =>
      report({ name, value, unit, baseline, ratio: value / baseline })
    hold(`idle: CPU with ${count} containers, of the 1 % it may cost`, cpu, '% of a core', 1)
    hold(`idle: memory with ${count} containers, of the 150 MB it may cost`, await residentMB(pid), 'MB', 150)
  })
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
