/**
 * New containers on a network of their own: `cove apply` until all of them run, against the engine's own best, which
 * is the same creates and starts straight through its API at the concurrency that suits it.
 */
import { mustRequest } from '../helpers/engine.ts'
import { rawUp } from './engine.ts'
import type { Report } from './report.ts'
import { cpuMs, median, type Running, timed, withCove } from './running.ts'

export async function run(report: Report): Promise<void> {
  await withCove(async (running) => {
    await converge(running, report, { count: 10, rounds: 3 })
    await converge(running, report, { count: 50, rounds: 1 })
  })
}

async function converge(
  running: Running,
  report: Report,
  { count, rounds }: { count: number; rounds: number },
) {
  const ours: number[] = []
  const waited: number[] = []
  const cpu: number[] = []
  const raw: Record<4 | 8, number[]> = { 4: [], 8: [] }
  for (let round = 0; round < rounds; round++) {
    raw[4].push(await rawNetworkUp(running, count, 4))
    const up = await coveUp(running, count, round)
    ours.push(up.running)
    waited.push(up.told)
    cpu.push(up.cpu)
    raw[8].push(await rawNetworkUp(running, count, 8))
  }
  const baseline = Math.min(median(raw[4]), median(raw[8]))
  const row = (name: string, value: number) =>
    report({ name, value, unit: 'ms', baseline, ratio: value / baseline })
  report({ name: `converge: engine's own best, ${count} containers`, value: baseline, unit: 'ms' })
  row(`converge: apply until ${count} containers run`, median(ours))
  row(`converge: apply --wait of ${count} containers, whole process`, median(waited))
  report({ name: `converge: CPU of cove up for ${count} containers`, value: median(cpu), unit: 'ms' })
}

async function rawNetworkUp({ host, engine, image, namespace }: Running, count: number, concurrency: number) {
  const network = `${namespace}-raw`
  const creating = await timed(() => mustRequest(engine, 'POST', '/networks/create', { Name: network }))
  const up = await rawUp({ host, image, count, concurrency, network })
  await up.cleanup()
  await mustRequest(engine, 'DELETE', `/networks/${network}`)
  return creating + up.milliseconds
}

/** The last start is taken from the engine's own clock: it says when the containers ran, whoever noticed when. */
async function coveUp(running: Running, count: number, round: number) {
  const { engine, cove, manifest, namespace, pid } = running
  const prefix = `up${count}-${round}`
  const file = await manifest(prefix, count)
  const cpuBefore = await cpuMs(pid)
  const begin = Date.now()
  const told = await timed(() => cove('apply', '-f', file, '--wait'))
  const cpu = (await cpuMs(pid)) - cpuBefore
  const starts = Array.from({ length: count }, async (_, index) => {
    const path = `/containers/${namespace}.${prefix}-${index}/json`
    const found = (await mustRequest(engine, 'GET', path)) as {
      State: { Running: boolean; StartedAt: string }
    }
    if (!found.State.Running) throw new Error(`${path} does not run after apply --wait`)
    return Date.parse(found.State.StartedAt)
  })
  const last = Math.max(...(await Promise.all(starts)))
  await cove('delete', '-f', file, '--now')
  return { running: last - begin, told, cpu }
}
