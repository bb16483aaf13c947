/**
 * The API over the wire, a process of its own asked by this one, beside etcd doing the same raw work: durable writes
 * by 64 writers, gets, lists of 1,000, and how long a change takes to reach many watchers.
 */
import { type Etcd, withEtcd } from './etcd.ts'
import type { Report } from './report.ts'
import { cpuMs } from './running.ts'
import { type Connection, type Serving, withServer } from './serving.ts'

const runMs = 4_000
const warmMs = 1_000
const asking = 64
const listed = 1_000
const watcherCounts = [1, 100, 1_000, 5_000] as const
const changes = 40
const collection = '/apis/cove.run/v1/namespaces/default/containers'
/** What etcd stores is as large as what Cove stores of the Container below. */
const storedBytes = 1_500

interface Rate {
  readonly perSecond: number
  /** Of the process asked, in ms of CPU each. */
  readonly cpuMs: number
  readonly p99: number
}

export async function run(report: Report): Promise<void> {
  const etcd = new Map<string, Rate>()
  await withEtcd((peer) => measureEtcd(peer, etcd))
  await withServer(async (serving) => {
    const connections = await Promise.all(Array.from({ length: asking }, () => serving.connect()))
    for (const [name, rate] of await measureCove(serving, connections))
      tell(report, name, rate, etcd.get(name))
    for (const count of watcherCounts) await fanOut(report, serving, count)
    for (const connection of connections) connection.close()
  })
}

function tell(
  report: Report,
  name: string,
  { perSecond, cpuMs: cpu, p99 }: Rate,
  peer: Rate | undefined,
): void {
  if (peer === undefined) report({ name: `wire: ${name}`, value: perSecond, unit: '1/s' })
  else report({ name: `wire: ${name}, etcd`, value: peer.perSecond, unit: '1/s' })
  if (peer !== undefined) {
    const ratio = perSecond / peer.perSecond
    report({ name: `wire: ${name}`, value: perSecond, unit: '1/s', baseline: peer.perSecond, ratio })
  }
  report({ name: `wire: ${name}, per second and core of the server`, value: 1000 / cpu, unit: '1/s' })
  report({ name: `wire: ${name}, p99`, value: p99, unit: 'ms' })
}

async function measureEtcd(etcd: Etcd, rates: Map<string, Rate>): Promise<void> {
  const value = 'x'.repeat(storedBytes)
  for (let index = 0; index < listed; index++) await etcd.put(`/list/${index}`, value)
  rates.set('update', await hammer(etcd.pid, (writer) => etcd.put(`/bench/${writer}`, value)))
  let serial = 0
  rates.set('create', await hammer(etcd.pid, () => etcd.put(`/new/${serial++}`, value)))
  rates.set('get', await hammer(etcd.pid, (reader) => etcd.get(`/bench/${reader}`)))
  rates.set(`list of ${listed}`, await hammer(etcd.pid, () => etcd.list('/list/'), 8))
}

async function measureCove({ pid }: Serving, connections: readonly Connection[]): Promise<[string, Rate][]> {
  const via = (index: number) => connections[index % connections.length] ?? missing()
  const ask = async (index: number, expected: number, ...request: Parameters<Connection['ask']>) => {
    const { status, body } = await via(index).ask(...request)
    if (status !== expected) throw new Error(`${request[0]} ${request[1]} answered ${status}: ${body}`)
  }
  const make = (index: number, name: string) => ask(index, 201, 'POST', collection, container(name))
  for (let index = 0; index < listed; index++) await make(index, `bench-${index}`)
  const list: Rate = await hammer(pid, (reader) => ask(reader, 200, 'GET', collection), 8)
  const get = await hammer(pid, (reader) => ask(reader, 200, 'GET', `${collection}/bench-${reader}`))
  let serial = 0
  const update = await hammer(pid, (writer) => {
    const patch = JSON.stringify({ metadata: { labels: { serial: String(serial++) } } })
    return ask(writer, 200, 'PATCH', `${collection}/bench-${writer}`, patch, 'application/merge-patch+json')
  })
  const create = await hammer(pid, (writer) => make(writer, `new-${serial++}`))
  return [
    ['create', create],
    ['update', update],
    ['get', get],
    [`list of ${listed}`, list],
  ]
}

function missing(): never {
  throw new Error('no connection')
}

export function container(name: string): string {
  const env = Array.from({ length: 10 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: 'some value '.repeat(3),
  }))
  const spec = { image: 'registry.example/team/web:1.2.3', env, ports: [{ containerPort: 80, name: 'http' }] }
  return JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name }, spec })
}

async function hammer(
  pid: number,
  work: (asker: number) => Promise<unknown>,
  askers = asking,
): Promise<Rate> {
  const loop = async (asker: number, until: number, times: number[]) => {
    for (let now = performance.now(); now < until; ) {
      await work(asker)
      const after = performance.now()
      times.push(after - now)
      now = after
    }
  }
  const all = async (ms: number) => {
    const times: number[] = []
    const until = performance.now() + ms
    await Promise.all(Array.from({ length: askers }, (_, asker) => loop(asker, until, times)))
    return times
  }
  await all(warmMs)
  const cpu = await cpuMs(pid)
  const start = performance.now()
  const times = await all(runMs)
  const seconds = (performance.now() - start) / 1000
  const used = (await cpuMs(pid)) - cpu
  return { perSecond: times.length / seconds, cpuMs: used / times.length, p99: percentile(times, 0.99) }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
}

/** From before a change is sent until each watcher has it, changes coming one after the other. */
async function fanOut(report: Report, serving: Serving, count: number): Promise<void> {
  const writer = await serving.connect()
  const delays: number[] = []
  let sent = 0
  const watchers: Connection[] = []
  const received = { count: 0, all: () => {} }
  for (let index = 0; index < count; index++) {
    const watcher = await serving.connect()
    watcher.listen(
      `${collection}?watch=true&resourceVersion=0&fieldSelector=metadata.name=bench-0`,
      (chunk) => {
        if (!chunk.includes(`"fan":"${count}-`)) return
        delays.push(performance.now() - sent)
        if (++received.count === count) received.all()
      },
    )
    watchers.push(watcher)
  }
  for (let change = 0; change < changes; change++) {
    received.count = 0
    const everybody = new Promise<void>((resolve) => {
      received.all = resolve
    })
    const patch = JSON.stringify({ metadata: { labels: { fan: `${count}-${change}` } } })
    sent = performance.now()
    await writer.ask('PATCH', `${collection}/bench-0`, patch, 'application/merge-patch+json')
    await everybody
  }
  for (const connection of [writer, ...watchers]) connection.close()
  report({
    name: `wire: a change reaches ${count} watchers, p50`,
    value: percentile(delays, 0.5),
    unit: 'ms',
  })
  report({
    name: `wire: a change reaches ${count} watchers, p99`,
    value: percentile(delays, 0.99),
    unit: 'ms',
  })
}
