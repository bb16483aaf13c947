/**
 * A change of one variable in one of fifty containers, until its new container runs, against one raw stop, create and
 * start of the engine; going back from a new one that fails; and requests to two replicas while one is replaced.
 * Times are those of the engine's events.
 */
import { mustRequest, type RawEngine } from '../helpers/engine.ts'
import { eventually } from '../helpers/eventually.ts'
import type { Report } from './report.ts'
import { median, type Running, timed, withCove } from './running.ts'

const containers = 50
const rounds = 7
/** Ends at once when it is asked to, so that no grace period is measured. */
const obedient = ['sh', '-c', 'trap "exit 0" TERM; sleep 86400 & wait']
const server = ['httpd', '-f', '-p', '8080', '-h', '/etc']

export async function run(report: Report): Promise<void> {
  await withCove(async (running) => {
    await changes(running, report)
    await rollbacks(running, report)
    await load(running, report)
  })
}

async function changes(running: Running, report: Report): Promise<void> {
  const { engine, namespace, cove } = running
  await cove('apply', '-f', await running.manifest('change', containers, { command: obedient }), '--wait')
  const times: { raw: number[]; changed: number[] } = { raw: [], changed: [] }
  for (let round = 0; round < rounds; round++) {
    times.raw.push(await rawReplace(running))
    const name = `change-${round}`
    const update = { order: 'StopFirst', monitor: '1s' }
    const since = Date.now()
    const spec = { env: [{ name: 'ROUND', value: String(round) }], update }
    await running.patch(name, { spec })
    const started = await lastStart(engine, `${namespace}.${name}`, since, 1)
    times.changed.push(started - since)
  }
  const baseline = median(times.raw)
  report({ name: 'replace: one raw stop, create and start of the engine', value: baseline, unit: 'ms' })
  const value = median(times.changed)
  report({
    name: 'replace: from a changed variable until its container runs',
    value,
    unit: 'ms',
    baseline,
    ratio: value / baseline,
  })
}

async function rawReplace({ engine, image, namespace }: Running): Promise<number> {
  const name = `${namespace}-beside`
  const HostConfig = { NetworkMode: `${namespace}.change` }
  const create = async (suffix: string) => {
    const path = `/containers/create?name=${name}${suffix}`
    await mustRequest(engine, 'POST', path, { Image: image, Cmd: obedient, HostConfig })
  }
  const call = (path: string) => mustRequest(engine, 'POST', `/containers/${name}${path}`)
  await create('-a')
  try {
    await call('-a/start')
    return await timed(async () => {
      await create('-b')
      await call('-a/stop?t=10')
      await call('-b/start')
    })
  } finally {
    for (const suffix of ['-a', '-b'])
      await engine.request('DELETE', `/containers/${name}${suffix}?force=true`)
  }
}

/** When the container of the name was last started, ms; waits for `count` starts since then. */
async function lastStart(engine: RawEngine, name: string, since: number, count: number): Promise<number> {
  return await eventually(
    async () => {
      const found = await eventsOf(engine, name, since, ['start'])
      if (found.length < count) throw new Error(`${name} did not start`)
      return found.at(-1)?.ms ?? 0
    },
    { timeoutMs: 30_000, pauseMs: 20, what: `the start of ${name}` },
  )
}

interface EngineEvent {
  readonly action: string
  readonly ms: number
  readonly name: string
}

/** Of containers whose name begins so. */
async function eventsOf(
  engine: RawEngine,
  name: string,
  since: number,
  event: readonly string[],
): Promise<EngineEvent[]> {
  const at = (ms: number) => (ms / 1000).toFixed(3)
  const filters = JSON.stringify({ type: ['container'], event })
  const query = new URLSearchParams({ since: at(since), until: at(Date.now()), filters })
  const { text } = await engine.request('GET', `/events?${query}`)
  return text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { Action, timeNano, Actor } = JSON.parse(line) as {
        Action: string
        timeNano: number
        Actor: { Attributes: { name: string } }
      }
      return { action: Action, ms: timeNano / 1e6, name: Actor.Attributes.name }
    })
    .filter((found) => found.name === name || found.name.startsWith(`${name}_`))
}

/** The new one ends by itself; the verdict is its end. */
async function rollbacks(running: Running, report: Report): Promise<void> {
  const { engine, namespace } = running
  const took: number[] = []
  for (let round = 0; round < rounds; round++) {
    const name = `change-${rounds + round}`
    const since = Date.now()
    const command = ['sh', '-c', 'sleep 1; exit 3']
    await running.patch(name, { spec: { command, update: { order: 'StopFirst', monitor: '5s' } } })
    await lastStart(engine, `${namespace}.${name}`, since, 2)
    const found = await eventsOf(engine, `${namespace}.${name}`, since, ['die', 'start'])
    const back = found.findLast(({ action }) => action === 'start')
    const verdict = found.findLast(({ action, ms }) => action === 'die' && ms < (back?.ms ?? 0))
    took.push((back?.ms ?? Number.NaN) - (verdict?.ms ?? Number.NaN))
  }
  report({
    name: 'replace: from the end of a new one until the old one runs again',
    value: median(took),
    unit: 'ms',
    baseline: 1000,
  })
}

/** Two replicas behind ports that the engine picks; each request goes to one, and to the other when that refuses. */
async function load(running: Running, report: Report): Promise<void> {
  for (const name of ['web-a', 'web-b'])
    await running.create({
      kind: 'Container',
      metadata: { name },
      spec: {
        image: running.image,
        command: server,
        ports: [{ containerPort: 8080 }],
        update: { order: 'StartFirst', monitor: '1s' },
      },
    })
  await running.cove('wait', 'container/web-a', 'container/web-b', '--for=condition=Ready', '--timeout=60s')
  const stop = new AbortController()
  const count = { sent: 0, failed: 0 }
  const ports = new Map<string, number>()
  const follow = followPorts(running, ports, stop.signal)
  const sending = send(ports, count, stop.signal)
  for (let round = 0; round < 3; round++)
    for (const name of ['web-a', 'web-b']) {
      await running.patch(name, { spec: { env: [{ name: 'ROUND', value: String(round) }] } })
      await running.cove('wait', `container/${name}`, '--for=condition=UpToDate', '--timeout=60s')
    }
  stop.abort()
  await Promise.all([sending, follow])
  report({
    name: 'replace: requests while two replicas were replaced three times',
    value: count.sent,
    unit: 'requests',
  })
  report({ name: 'replace: of which failed', value: count.failed, unit: 'requests' })
}

async function followPorts(running: Running, ports: Map<string, number>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const name of ['web-a', 'web-b']) {
      const { status } = await running.get(name)
      const port = status?.ports?.[0]?.hostPort
      if (port !== undefined) ports.set(name, port)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function send(
  ports: ReadonlyMap<string, number>,
  count: { sent: number; failed: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (ports.size === 2) {
      count.sent++
      const [first = 0, second = 0] =
        count.sent % 2 === 0 ? [...ports.values()] : [...ports.values()].reverse()
      if (!(await answers(first)) && !(await answers(second))) count.failed++
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function answers(port: number): Promise<boolean> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })
    await response.arrayBuffer()
    return true
  } catch {
    return false
  }
}
