/**
 * A container dies: how long until it runs again. Against one raw start of the engine, which is all the work there is
 * to do, and beside the engine's own restart policy with the process ended from inside. Times are those of the
 * engine's events. Every round takes a container that never died before: later deaths wait on purpose.
 */
import { mustRequest, type RawEngine } from '../helpers/engine.ts'
import { told, withEvents } from './events.ts'
import type { Report } from './report.ts'
import { median, type Running, timed, withCove } from './running.ts'

const rounds = 9

export async function run(report: Report): Promise<void> {
  await withCove(async (running) => {
    const { engine, namespace } = running
    await running.cove('apply', '-f', await running.manifest('heal', rounds), '--wait')
    const times: { raw: number[]; killed: Healed[]; policy: Healed[] } = { raw: [], killed: [], policy: [] }
    for (let round = 0; round < rounds; round++) {
      times.raw.push(await rawStart(running))
      const name = `${namespace}.heal-${round}`
      const kill = () => mustRequest(engine, 'POST', `/containers/${name}/kill`)
      times.killed.push(await heal(engine, name, kill))
      times.policy.push(await healByPolicy(running))
    }
    const baseline = median(times.raw)
    const row = (name: string, values: readonly number[]) =>
      report({ name, value: median(values), unit: 'ms', baseline, ratio: median(values) / baseline })
    report({ name: 'heal: one raw start of the engine', value: baseline, unit: 'ms' })
    row(
      'heal: from the kill until it runs again',
      times.killed.map(({ all }) => all),
    )
    row(
      'heal: from the end of it until it runs again',
      times.killed.map(({ down }) => down),
    )
    row(
      "heal: from a kill, the engine's own restart policy",
      times.policy.map(({ all }) => all),
    )
    row(
      "heal: from the end, the engine's own restart policy",
      times.policy.map(({ down }) => down),
    )
  })
}

async function rawStart(running: Running): Promise<number> {
  return await beside(running, { Cmd: ['sleep', '86400'] }, {}, async (name) =>
    timed(() => mustRequest(running.engine, 'POST', `/containers/${name}/start`)),
  )
}

async function healByPolicy(running: Running): Promise<Healed> {
  const { engine } = running
  const Cmd = ['sh', '-c', 'trap "exit 1" TERM; sleep 86400 & wait']
  const policy = { RestartPolicy: { Name: 'always' } }
  return await beside(running, { Cmd }, policy, async (name) => {
    await mustRequest(engine, 'POST', `/containers/${name}/start`)
    const exec = await mustRequest(engine, 'POST', `/containers/${name}/exec`, {
      Cmd: ['kill', '-TERM', '1'],
    })
    const { Id } = exec as { Id: string }
    return await heal(engine, name, () => mustRequest(engine, 'POST', `/exec/${Id}/start`, { Detach: true }))
  })
}

/** A container on the same network, gone again when `work` has ended. */
async function beside<T>(
  { engine, image, namespace }: Running,
  body: object,
  host: object,
  work: (name: string) => Promise<T>,
): Promise<T> {
  const name = `${namespace}-beside`
  const HostConfig = { NetworkMode: `${namespace}.heal`, ...host }
  await mustRequest(engine, 'POST', `/containers/create?name=${name}`, { Image: image, ...body, HostConfig })
  try {
    return await work(name)
  } finally {
    await mustRequest(engine, 'DELETE', `/containers/${name}?force=true`)
  }
}

/** In ms. */
interface Healed {
  /** From the call that ended it. */
  readonly all: number
  /** From its end. */
  readonly down: number
}

async function heal(engine: RawEngine, name: string, end: () => Promise<unknown>): Promise<Healed> {
  return await withEvents(engine, { container: [name], event: ['die', 'start'] }, async (seen) => {
    const begin = Date.now()
    await end()
    const died = await told(() => seen.find(({ action }) => action === 'die'), `the end of ${name}`)
    const again = () => seen.find(({ action, ms }) => action === 'start' && ms > died.ms)
    const started = await told(again, `the healing of ${name}`)
    return { all: started.ms - begin, down: started.ms - died.ms }
  })
}
