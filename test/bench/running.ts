/** The built executable at work for a benchmark: a `cove up` of its own, its CLI, and kubectl on the same server. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { findKind } from '#pkg/apis/kinds.ts'
import { collectionPath } from '#pkg/apis/paths.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig } from '#pkg/client/kubeconfig.ts'
import { Client } from '#pkg/client/rest.ts'
import { ensureBaseImage, mustRequest, type RawEngine, rawEngine, testEngineHost } from '../helpers/engine.ts'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/registry.ts'

const executable = resolve(import.meta.dirname, '../../bin/cove')
const containersAtOnce = 8

export interface Running {
  /** Everything the benchmark makes lies in it; it is the default of the CLI and of kubectl. */
  readonly namespace: string
  readonly image: string
  readonly host: string
  readonly engine: RawEngine
  /** Of `cove up`. */
  readonly pid: number
  cove(...words: readonly string[]): Promise<string>
  kubectl(...words: readonly string[]): Promise<string>
  /** Writes `count` sleeping containers on a network of theirs, their specs changed so; gives the file. */
  manifest(prefix: string, count: number, spec?: object): Promise<string>
  /** Of a Container, over a connection that is there already. */
  patch(name: string, patch: object): Promise<void>
  create(object: Made): Promise<void>
  get(name: string): Promise<Container>
}

/** An object to be made, of a kind of Cove. */
interface Made {
  readonly kind: string
  readonly metadata: object
  readonly spec: object
}

/** Runs `work` beside a fresh `cove up`, then takes everything away again, however it ended. */
export async function withCove(work: (running: Running) => Promise<void>): Promise<void> {
  const host = testEngineHost()
  const image = await ensureBaseImage(host)
  const dir = await mkdtemp(join(tmpdir(), 'cove-bench-'))
  const engine = rawEngine(host)
  const namespace = `bench-${process.pid}-${Math.random().toString(36).slice(2, 8)}`
  const log: string[] = []
  const closing: (() => void)[] = []
  const env = { ...process.env, HOME: dir, KUBECONFIG: join(dir, 'admin.kubeconfig') }
  const words = ['up', '--data-dir', dir, '--listen', `127.0.0.1:${await freePort()}`, '--engine', host]
  const server = spawn(executable, [...words, '--node-name', namespace], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  server.stderr.on('data', (chunk) => log.push(String(chunk)))
  const run =
    (program: string) =>
    (...rest: readonly string[]) =>
      output(program, rest, env)
  const cove = run(executable)
  const kubectl = run('kubectl')
  try {
    await eventually(() => cove('get', 'nodes', namespace), { timeoutMs: 15_000, what: 'the start of cove' })
    await kubectl('create', 'namespace', namespace)
    await setNamespace(env.KUBECONFIG, namespace)
    const manifest = (prefix: string, count: number, spec: object = {}) =>
      writeManifest({ dir, prefix, count, spec: { image, command: ['sleep', '86400'], ...spec } })
    const objects = await openObjects(env.KUBECONFIG, namespace)
    closing.push(() => objects.close())
    await work({ namespace, image, host, engine, pid: server.pid ?? 0, cove, kubectl, manifest, ...objects })
  } catch (error) {
    throw new Error(`with the log of cove up:\n${log.join('').slice(-4000)}`, { cause: error })
  } finally {
    for (const close of closing) close()
    await stop(server)
    await removeAll(engine, namespace)
    engine.close()
    await rm(dir, { recursive: true, force: true })
  }
}

async function writeManifest(what: {
  dir: string
  prefix: string
  count: number
  spec: object
}): Promise<string> {
  const { dir, prefix, count, spec } = what
  const apiVersion = 'cove.run/v1'
  const network = { apiVersion, kind: 'Network', metadata: { name: prefix } }
  const containers = Array.from({ length: count }, (_, index) => ({
    apiVersion,
    kind: 'Container',
    metadata: { name: `${prefix}-${index}` },
    spec: { ...spec, networks: [{ name: prefix }] },
  }))
  const file = join(dir, `${prefix}.yaml`)
  await writeFile(file, [network, ...containers].map((each) => JSON.stringify(each)).join('\n---\n'))
  return file
}

/** Containers of the namespace through the API itself, without a process for each request. */
async function openObjects(kubeconfig: string, namespace: string) {
  const readFileOr = (path: string) => readFile(path, 'utf8')
  const config = await loadKubeconfig({
    explicit: kubeconfig,
    home: '/',
    directory: '/',
    readFile: readFileOr,
    parseYaml: (text) => JSON.parse(text),
  })
  const transport = httpsTransport({ ...config, userAgent: 'cove-bench' })
  const client = new Client(transport, 'cove-bench')
  const signal = new AbortController().signal
  return {
    async patch(name: string, patch: object) {
      await client.patch(containerKind, { namespace, name }, patch, signal)
    },
    async create(object: Made) {
      const body = JSON.stringify({ apiVersion: 'cove.run/v1', ...object })
      const headers = { 'content-type': 'application/json' }
      const kind = findKind({ group: 'cove.run', version: 'v1', kind: object.kind })
      if (kind === undefined) throw new Error(`there is no kind ${object.kind}`)
      const path = collectionPath(kind, namespace)
      await client.json({ method: 'POST', path, headers, body }, signal)
    },
    get: (name: string) => client.get(containerKind, { namespace, name }, signal),
    close: () => transport.close(),
  }
}

async function output(program: string, words: readonly string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(program, words, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err]: [string[], string[]] = [[], []]
  child.stdout.on('data', (chunk) => out.push(String(chunk)))
  child.stderr.on('data', (chunk) => err.push(String(chunk)))
  const [code] = await once(child, 'close')
  if (code === 0) return out.join('')
  throw new Error(`${program} ${words.join(' ')} ended with ${code}: ${err.join('')}${out.join('')}`)
}

export async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  server.kill('SIGTERM')
  await once(server, 'exit')
}

/** In the form in which Cove writes it; kubectl would turn it into YAML, which takes either of them longer to read. */
async function setNamespace(path: string, namespace: string): Promise<void> {
  const config = JSON.parse(await readFile(path, 'utf8')) as {
    contexts: { context: { namespace: string } }[]
  }
  for (const { context } of config.contexts) context.namespace = namespace
  await writeFile(path, JSON.stringify(config))
}

/** Straight through the engine, so that it works even when Cove does not. */
async function removeAll(engine: RawEngine, namespace: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`cove.run/namespace=${namespace}`] }))
  const containers = ids(await mustRequest(engine, 'GET', `/containers/json?all=true&filters=${filters}`))
  await atOnce(containers, containersAtOnce, (id) =>
    engine.request('DELETE', `/containers/${id}?force=true&v=true`),
  )
  const networks = ids(await mustRequest(engine, 'GET', `/networks?filters=${filters}`))
  // A container that has gone may stand on its network a moment longer.
  const remove = (id: string) => mustRequest(engine, 'DELETE', `/networks/${id}`)
  await atOnce(networks, 1, (id) => eventually(() => remove(id), { what: `the removal of network ${id}` }))
}

function ids(list: unknown): string[] {
  return Array.isArray(list) ? list.map(({ Id }: { Id: string }) => Id) : []
}

/** Works on all items, so many at a time. */
export async function atOnce<T>(items: readonly T[], limit: number, work: (item: T) => Promise<unknown>) {
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) await work(item)
  }
  await Promise.all(Array.from({ length: limit }, worker))
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN
}

/** What the clock of /proc counts: CPU of a process so far, in ms. */
export async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name of the program may hold spaces: fields are counted behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticksPerSecond = 100
  return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond
}

/** What a process holds in memory now. */
export async function residentMB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
