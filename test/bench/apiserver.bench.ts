/**
 * The API in process. Writes by 64 writers are held against bare writes to the same storage; the delivery of changes
 * to a thousand watchers against the delivery to one. One change must be encoded once, however many watch.
 */
import { type Ambient, silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { inProcess, type Transport } from '#pkg/apimachinery/transport.ts'
import { type ApiServer, makeApiServer } from '#pkg/apiserver/server.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { Storage } from '#pkg/storage/port.ts'
import { admin, ask, call } from '#test/helpers/apiserver.ts'
import type { Report } from './report.ts'

const runMs = 2_000
const writers = 64
const watchers = 1_000
const changes = 300
const containers = '/apis/cove.run/v1/namespaces/default/containers'

const spec = {
  image: 'registry.example/team/web:1.2.3',
  env: Array.from({ length: 10 }, (_, index) => ({
    name: `VARIABLE_${index}`,
    value: 'some value '.repeat(3),
  })),
  ports: [{ containerPort: 80, name: 'http' }],
}

export async function run(report: Report): Promise<void> {
  const storage = openInProcessStorage()
  const ambient: Ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const server = makeApiServer({ storage, ambient })
  await server.start(new AbortController().signal)
  const transport = inProcess(server.handler, admin)
  await writes(report, storage, transport)
  await fanOut(report, server, transport)
  await lists(report, transport)
  await server.close()
  await storage.close()
}

async function writes(report: Report, storage: Storage, transport: Transport): Promise<void> {
  const value = JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'x' },
    spec,
  })
  const bare = await hammer(async (writer, state) => {
    const key = `/bench/${writer}`
    const expected = state.get(writer)
    const result = expected === undefined ? storage.create(key, value) : storage.update(key, value, expected)
    const written = await result
    if (!written.ok) throw new Error(`somebody else wrote ${key}`)
    state.set(writer, written.revision)
  })
  let serial = 0
  const patched = await hammer(async (writer, state) => {
    const name = `bench-${writer}`
    const made = state.get(writer) !== undefined
    const body = made
      ? { metadata: { labels: { serial: String(serial++) } } }
      : { apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name }, spec }
    const line = made ? `PATCH ${containers}/${name}` : `POST ${containers}`
    const { status } = await call(transport, line, { body })
    if (status > 201) throw new Error(`${line} answered ${status}`)
    state.set(writer, 1)
  })
  const reported = await hammer(async (writer) => {
    const line = `PATCH ${containers}/bench-${writer}/status`
    const body = { status: { phase: 'Running', restartCount: serial++ } }
    const { status } = await call(transport, line, { body })
    if (status !== 200) throw new Error(`${line} answered ${status}`)
  })
  const compare = (name: string, value: number, unit: string, baseline: number) =>
    report({ name, value, unit, baseline, ratio: value / baseline })
  report({ name: 'apiserver: bare storage writes, in memory, 64 writers', value: bare.rate, unit: '1/s' })
  compare('apiserver: patches, in memory, 64 writers', patched.rate, '1/s', bare.rate)
  compare('apiserver: status patches, in memory, 64 writers', reported.rate, '1/s', bare.rate)
  report({ name: 'apiserver: CPU per bare storage write', value: bare.cpuMs, unit: 'ms' })
  compare('apiserver: CPU per patch', patched.cpuMs, 'ms', bare.cpuMs)
  compare('apiserver: CPU per status patch', reported.cpuMs, 'ms', bare.cpuMs)
}

type Write = (writer: number, state: Map<number, number>) => Promise<void>

async function hammer(write: Write): Promise<{ rate: number; cpuMs: number }> {
  const state = new Map<number, number>()
  const loop = async (writer: number, until: number) => {
    let written = 0
    for (; performance.now() < until; written++) await write(writer, state)
    return written
  }
  const all = (ms: number) =>
    Promise.all(Array.from({ length: writers }, (_, writer) => loop(writer, performance.now() + ms)))
  await all(500)
  const start = performance.now()
  const cpu = process.cpuUsage()
  const total = (await all(runMs)).reduce((sum, count) => sum + count, 0)
  const { user, system } = process.cpuUsage(cpu)
  return { rate: (total * 1000) / (performance.now() - start), cpuMs: (user + system) / 1000 / total }
}

async function fanOut(report: Report, server: ApiServer, transport: Transport): Promise<void> {
  const one = await deliver(server, transport, 1)
  const many = await deliver(server, transport, watchers)
  report({
    name: 'apiserver: encodes per change, 1000 watchers',
    value: many.encodes,
    unit: 'encodes',
    baseline: 1,
    ratio: many.encodes,
  })
  report({ name: 'apiserver: events delivered, 1 watcher', value: one.rate, unit: '1/s' })
  report({
    name: 'apiserver: events delivered, 1000 watchers',
    value: many.rate,
    unit: '1/s',
    baseline: one.rate,
    ratio: many.rate / one.rate,
  })
}

async function deliver(server: ApiServer, transport: Transport, count: number) {
  const abort = new AbortController()
  const { revision } = server.cache
  const bodies = await Promise.all(
    Array.from({ length: count }, async () => {
      const line = `GET ${containers}?watch=true&resourceVersion=${revision}`
      return (await call(transport, line, { signal: abort.signal })).body
    }),
  )
  const before = server.cache.stats()
  const start = performance.now()
  const reading = bodies.map(async (body) => {
    let seen = 0
    if (typeof body === 'string' || body instanceof Uint8Array)
      throw new Error('a watch must answer a stream')
    for await (const chunk of body) if (chunk.length > 1 && ++seen === changes) return
  })
  for (let change = 0; change < changes; change++) {
    await call(transport, `PATCH ${containers}/bench-0`, {
      body: { metadata: { labels: { fan: `${count}-${change}` } } },
    })
  }
  await Promise.all(reading)
  const seconds = (performance.now() - start) / 1000
  const after = server.cache.stats()
  abort.abort()
  return {
    rate: (changes * count) / seconds,
    encodes: (after.encodes - before.encodes) / (after.changes - before.changes),
  }
}

async function lists(report: Report, transport: Transport): Promise<void> {
  for (let index = 0; index < 5_000; index++) {
    const metadata = { name: `many-${index}` }
    await call(transport, `POST ${containers}`, {
      body: { apiVersion: 'cove.run/v1', kind: 'Container', metadata, spec },
    })
  }
  const start = performance.now()
  const rounds = 20
  for (let round = 0; round < rounds; round++) await call(transport, `GET ${containers}`)
  const listed = (performance.now() - start) / rounds
  const { body } = await ask(transport, `GET ${containers}`)
  report({ name: `apiserver: list of ${body.items.length} objects`, value: listed, unit: 'ms' })
}
