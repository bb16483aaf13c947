/**
 * A change of one variable in one of fifty containers, until its new container runs, against one raw stop, create and
 * start of the engine; going back from a new one that fails; and requests to two replicas while one is replaced.
 * Times are those of the engine's events.
 */
import { mustRequest } from '../helpers/engine.ts'
import { type EngineEvent, told, withEvents } from './events.ts'
import type { Report } from './report.ts'
import { median, type Running, timed, withCove } from './running.ts'

const containers = 50
const rounds = 7
/** Ends at once when it is asked to, so that no grace period is measured. */
const obedient = ['sh', '-c', 'trap "exit 0" TERM; sleep 86400 & wait']
/** Ignores it, and is unhealthy from its first check on. */
const stubborn = {
  command: ['sh', '-c', 'trap "" TERM; while true; do sleep 1; done'],
  healthcheck: { shell: 'exit 1', interval: '1s', retries: 1 },
  terminationGracePeriodSeconds: 30,
}
const server = ['sh', '-c', 'trap "exit 0" TERM; httpd -f -p 8080 -h /etc & wait']

export async function run(report: Report): Promise<void> {
  await withCove(async (running) => {
    const event = ['start', 'die', 'health_status']
    await withEvents(running.engine, { event }, async (seen) => {
      await changes(running, seen, report)
      await rollbacks(running, seen, report)
    })
    await load(running, report)
  })
}

async function changes(running: Running, seen: readonly EngineEvent[], report: Report): Promise<void> {
  const { namespace, cove } = running
  await cove('apply', '-f', await running.manifest('change', containers, { command: obedient }), '--wait')
  const times: { raw: number[]; changed: number[] } = { raw: [], changed: [] }
  for (let round = 0; round < rounds; round++) {
    times.raw.push(await rawReplace(running))
    const name = `change-${round}`
    const update = { order: 'StopFirst', monitor: '1s' }
    const since = Date.now()
    const spec = { env: [{ name: 'ROUND', value: String(round) }], update }
    await running.patch(name, { spec })
    const started = await told(() => startsOf(seen, `${namespace}.${name}`, since)[0], `the start of ${name}`)
    times.changed.push(started.ms - since)
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

/** What happened to the containers of an object since then, under whatever role. */
function eventsOf(seen: readonly EngineEvent[], name: string, since: number): readonly EngineEvent[] {
  return seen.filter(
    (event) => event.ms >= since && (event.name === name || event.name.startsWith(`${name}_`)),
  )
}

function startsOf(seen: readonly EngineEvent[], name: string, since: number): readonly EngineEvent[] {
  return eventsOf(seen, name, since).filter(({ action }) => action === 'start')
}

/** The verdict is the end of the new one, or what its check says. */
async function rollbacks(running: Running, seen: readonly EngineEvent[], report: Report): Promise<void> {
  const ends = { command: ['sh', '-c', 'sleep 1; exit 3'] }
  const cases = [
    { what: 'the end of a new one', spec: ends, verdict: 'die' },
    {
      what: 'the failed check of a new one that ignores SIGTERM',
      spec: stubborn,
      verdict: 'health_status: unhealthy',
    },
  ]
  for (const [index, { what, spec, verdict }] of cases.entries()) {
    const took: number[] = []
    for (let round = 0; round < rounds; round++)
      took.push(
        await goneBack(running, seen, { name: `change-${rounds * (index + 1) + round}`, spec, verdict }),
      )
    const row = (how: string, value: number) =>
      report({
        name: `replace: from ${what} until the old one runs again${how}`,
        value,
        unit: 'ms',
        baseline: 1000,
      })
    row('', median(took))
    row(', at worst', Math.max(...took))
  }
}

async function goneBack(
  { namespace, patch }: Running,
  seen: readonly EngineEvent[],
  { name, spec, verdict }: { name: string; spec: object; verdict: string },
): Promise<number> {
  const since = Date.now()
  await patch(name, { spec: { ...spec, update: { order: 'StopFirst', monitor: '5s' } } })
  const starts = () => startsOf(seen, `${namespace}.${name}`, since)
  const back = await told(() => starts()[1], `the second start of ${name}`)
  const tried = starts()[0]?.id
  const found = eventsOf(seen, `${namespace}.${name}`, since)
  const judged = found.find(({ action, id }) => action === verdict && id === tried)
  if (judged === undefined || back.id === tried)
    throw new Error(`${name} was not judged and gone back from: ${JSON.stringify(found)}`)
  return back.ms - judged.ms
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
  const count = { sent: 0, attemptsFailed: 0, failed: 0 }
  const ports = new Map<string, number>()
  const follow = followPorts(running, ports, stop.signal)
  const sending = send(ports, count, stop.signal)
  for (let round = 0; round < 3; round++)
    for (const name of ['web-a', 'web-b']) {
      await running.patch(name, { spec: { env: [{ name: 'ROUND', value: String(round) }] } })
      await running.cove('rollout', 'status', `container/${name}`, '--timeout=60s')
    }
  stop.abort()
  await Promise.all([sending, follow])
  report({
    name: 'replace: requests while two replicas were replaced three times',
    value: count.sent,
    unit: 'requests',
  })
  report({
    name: 'replace: of which the first replica refused',
    value: count.attemptsFailed,
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
  count: { sent: number; attemptsFailed: number; failed: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    if (ports.size === 2) {
      count.sent++
      const [first = 0, second = 0] =
        count.sent % 2 === 0 ? [...ports.values()] : [...ports.values()].reverse()
      if (!(await answers(first))) {
        count.attemptsFailed++
        if (!(await answers(second))) count.failed++
      }
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
