/** What 100,000 stored Containers cost the server: memory, and the time from its start until it answers. */
import { setTimeout } from 'node:timers/promises'
import type { Report } from './report.ts'
import { atOnce, cpuMs, residentMB } from './running.ts'
import { type Serving, serveOn, withDataDir } from './serving.ts'
import { container } from './wire.bench.ts'

const objects = 100_000
const step = 10_000
const writers = 64
const namespaces = 100
const goals = { rssMB: 1024, readyMs: 10_000 } as const

export async function run(report: Report): Promise<void> {
  await withDataDir(async (dataDir) => {
    await serveOn(dataDir, (serving) => fill(report, serving))
    await serveOn(dataDir, async ({ pid, readyMs }) => {
      const hold = (name: string, value: number, unit: string, baseline: number) =>
        report({ name, value, unit, baseline, ratio: value / baseline })
      hold(`scale: restart with ${objects} Containers until ready`, readyMs, 'ms', goals.readyMs)
      hold(
        `scale: memory after a restart with ${objects} Containers`,
        await residentMB(pid),
        'MB',
        goals.rssMB,
      )
      await idle(pid)
      hold('scale: the same when the controllers have listed them', await residentMB(pid), 'MB', goals.rssMB)
    })
  })
}

/** Until the process has nothing to do for a second, a minute at most: what was left undone is written then. */
async function idle(pid: number): Promise<void> {
  for (let second = 0, used = Number.POSITIVE_INFINITY; used > 100 && second < 60; second++) {
    const before = await cpuMs(pid)
    await setTimeout(1_000)
    used = (await cpuMs(pid)) - before
  }
}

async function fill(report: Report, { pid, connect }: Serving): Promise<void> {
  const connections = await Promise.all(Array.from({ length: writers }, () => connect()))
  for (let index = 0; index < namespaces; index++) {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `ns-${index}` } }
    await connections[0]?.ask('POST', '/api/v1/namespaces', JSON.stringify(body))
  }
  const empty = await residentMB(pid)
  const numbers = Array.from({ length: objects }, (_, index) => index).values()
  await atOnce(connections, writers, async (connection) => {
    for (const index of numbers) {
      const path = `/apis/cove.run/v1/namespaces/ns-${index % namespaces}/containers`
      const { status, body } = await connection.ask('POST', path, container(`web-${index}`))
      if (status !== 201) throw new Error(`POST ${path} answered ${status}: ${body}`)
    }
  })
  const perStep = ((await residentMB(pid)) - empty) / (objects / step)
  report({ name: 'scale: memory per 10,000 Containers, while they were written', value: perStep, unit: 'MB' })
  for (const connection of connections) connection.close()
}
