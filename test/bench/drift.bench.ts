/**
 * Somebody kills, stops, removes or pauses a container behind the orchestrator's back: how long until it is put right,
 * beside the engine's own restart policy and a Swarm service, where these put it right at all. Times are those of the
 * engine's events; every round takes a container that nobody disturbed before.
 */
import { ensureBaseImage, mustRequest, type RawEngine, rawEngine } from '../helpers/engine.ts'
import { startPrivateEngine } from '../helpers/private-engine.ts'
import { type EngineEvent, withEvents } from './events.ts'
import type { Report } from './report.ts'
import { median, withCove } from './running.ts'

const rounds = 5
/** Whoever has done nothing by then does nothing. */
const patienceMs = 20_000
const obedient = ['sh', '-c', 'trap "exit 0" TERM; sleep 86400 & wait']

const disturbances = ['kill', 'stop', 'remove', 'pause'] as const
type Disturbance = (typeof disturbances)[number]

/** One that keeps containers: gives the engine's id of one that runs and was never disturbed. */
interface Keeper {
  readonly name: string
  readonly engine: RawEngine
  next(): Promise<string>
  /** Whether a start of this container, or of one in its place, is the repair. */
  readonly repairs: (event: EngineEvent, id: string) => boolean
}

export async function run(report: Report): Promise<void> {
  await withCove(async ({ engine, namespace, image, cove, manifest }) => {
    const count = rounds * disturbances.length
    await cove('apply', '-f', await manifest('drift', count, { command: obedient }), '--wait')
    const names = Array.from({ length: count }, (_, index) => `${namespace}.drift-${index}`)
    const idOf = async (name: string) => {
      const found = await mustRequest(engine, 'GET', `/containers/${name}/json`)
      return (found as { Id: string }).Id
    }
    let policies = 0
    const started: string[] = []
    const ours: Keeper = {
      name: 'Cove',
      engine,
      next: () => idOf(names.pop() ?? ''),
      repairs: ({ id, labels }, disturbed) => id === disturbed || labels['cove.run/namespace'] === namespace,
    }
    const policy: Keeper = {
      name: 'restart policy always',
      engine,
      async next() {
        const name = `${namespace}-policy-${policies++}`
        const HostConfig = { RestartPolicy: { Name: 'always' } }
        await mustRequest(engine, 'POST', `/containers/create?name=${name}`, {
          Image: image,
          Cmd: obedient,
          HostConfig,
        })
        started.push(name)
        await mustRequest(engine, 'POST', `/containers/${name}/start`)
        return await idOf(name)
      },
      repairs: ({ id }, disturbed) => id === disturbed,
    }
    try {
      for (const keeper of [ours, policy]) await measure(keeper, report)
    } finally {
      for (const name of started) await engine.request('DELETE', `/containers/${name}?force=true`)
    }
  })
  await withSwarm(async (swarm) => measure(swarm, report))
}

async function measure(keeper: Keeper, report: Report): Promise<void> {
  for (const disturbance of disturbances) {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      const took = await repaired(keeper, disturbance)
      if (took === undefined) break
      times.push(took)
    }
    const name = `drift: ${disturbance}, ${keeper.name}`
    if (times.length === rounds) report({ name, value: median(times), unit: 'ms' })
    else report({ name: `${name}: not put right, given`, value: patienceMs, unit: 'ms' })
  }
}

const calls: Readonly<Record<Disturbance, (id: string) => readonly [string, string]>> = {
  kill: (id) => ['POST', `/containers/${id}/kill`],
  stop: (id) => ['POST', `/containers/${id}/stop?t=10`],
  remove: (id) => ['DELETE', `/containers/${id}?force=true`],
  pause: (id) => ['POST', `/containers/${id}/pause`],
}

/** From the call to the event that ends the disturbance, ms; undefined when nobody does anything about it. */
async function repaired(keeper: Keeper, disturbance: Disturbance): Promise<number | undefined> {
  const id = await keeper.next()
  const event = ['start', 'unpause']
  return await withEvents(keeper.engine, { event }, async (seen) => {
    const since = Date.now()
    const [method, path] = calls[disturbance](id)
    await mustRequest(keeper.engine, method, path)
    const action = disturbance === 'pause' ? 'unpause' : 'start'
    const repair = () => seen.find((each) => each.action === action && keeper.repairs(each, id))
    while (Date.now() - since < patienceMs) {
      const found = repair()
      if (found !== undefined) return found.ms - since
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    return undefined
  })
}

/** An engine of its own: becoming a Swarm changes an engine for everybody. */
async function withSwarm(work: (keeper: Keeper) => Promise<void>): Promise<void> {
  const teardowns: (() => unknown)[] = []
  try {
    const { host } = await startPrivateEngine({ teardown: (run) => teardowns.unshift(run) })
    const engine = rawEngine(host)
    teardowns.unshift(() => engine.close())
    const image = await ensureBaseImage(host)
    const address = '127.0.0.1'
    await mustRequest(engine, 'POST', '/swarm/init', {
      ListenAddr: `${address}:2377`,
      AdvertiseAddr: address,
    })
    const count = rounds * disturbances.length
    const Mode = { Replicated: { Replicas: count } }
    const TaskTemplate = {
      ContainerSpec: { Image: image, Command: obedient },
      RestartPolicy: { Condition: 'any' },
    }
    await mustRequest(engine, 'POST', '/services/create', { Name: 'drift', Mode, TaskTemplate })
    const disturbed = new Set<string>()
    const running = async () => {
      const found = await mustRequest(engine, 'GET', '/containers/json')
      return (found as { Id: string }[]).map(({ Id }) => Id)
    }
    const limit = Date.now() + 120_000
    while ((await running()).length < count) {
      if (Date.now() > limit) throw new Error('the Swarm service did not come up')
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
    await work({
      name: 'Swarm',
      engine,
      async next() {
        const id = (await running()).find((each) => !disturbed.has(each)) ?? ''
        disturbed.add(id)
        return id
      },
      repairs: () => true,
    })
  } finally {
    for (const run of teardowns) await run()
  }
}
