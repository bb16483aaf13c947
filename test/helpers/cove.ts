/**
 * A whole `cove up` from the sources as a process of its own, on a real engine, and everything to look at it from
 * outside: its API, its CLI, the real kubectl, signals. What it made on the engine goes when the test ends.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TestFn } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig } from '#pkg/client/kubeconfig.ts'
import { Client } from '#pkg/client/rest.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { mustRequest, type RawEngine, rawEngine, testEngineHost } from './engine.ts'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'
import { collect, type Kubectl, makeKubectl, type Output } from './kubectl.ts'
import { bareEnv } from './processenv.ts'
import { freePort } from './registry.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface CoveOptions {
  /** Host of the engine; absent: the one that tests may use. */
  readonly engine?: string
  /** Absent: a new one that goes with the test. */
  readonly dataDir?: string
  /** Of an agent that is apart; absent: a new one that goes with the test. */
  readonly agentDataDir?: string
  /** Server and agent as two processes; `kill` and `restart` are the server's then. */
  readonly apart?: boolean
  /** The server without any agent. */
  readonly alone?: boolean
  /** What runs is `bin/cove` rather than the sources. */
  readonly executable?: boolean
  /** Further words for the agent. */
  readonly agentWords?: readonly string[]
  /** Further words for the server. */
  readonly serverWords?: readonly string[]
  /** Further variables of its processes. */
  readonly env?: Readonly<Record<string, string>>
}

export interface TestCove {
  /** The administrator's, over HTTPS. */
  readonly client: Client
  readonly kubeconfig: string
  readonly nodeName: string
  readonly dataDir: string
  /** Host of its engine. */
  readonly engine: string
  /** The witness: its engine past Cove. */
  readonly raw: RawEngine
  /** Images with this in their name, and containers with this as the value of the label `cove-test/owner`, go with it. */
  readonly mark: string
  readonly kubectl: Kubectl
  /** One command of the CLI, as a process of its own. */
  cli(words: readonly string[], input?: string): Promise<Output>
  /** Ends the process by the signal; resolves when it has gone. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Ends the agent of a cove that is apart; its containers go on. */
  endAgent(): Promise<void>
  /** Starts it again on the same data; resolves when it is ready. */
  restart(): Promise<void>
  /** All it has written so far, over every start. */
  log(): string
}

export const program = fileURLToPath(new URL('../../cmd/cove/main.ts', import.meta.url))
const executable = fileURLToPath(new URL('../../bin/cove', import.meta.url))
const noSignal = new AbortController().signal
/** Tests run beside each other on few cores. */
const readyWithin = 60_000

/** Resolves when the API answers and the node is registered. */
export async function startCove(t: Teardown, options: CoveOptions = {}): Promise<TestCove> {
  const home = await makeTempDir(t, 'home')
  const { dataDir = join(home, 'data'), engine = testEngineHost() } = options
  const { agentDataDir = join(home, 'agent') } = options
  const mark = randomBytes(4).toString('hex')
  const nodeName = `node-${mark}`
  const address = `127.0.0.1:${await freePort()}`
  const serverFlags = ['--data-dir', dataDir, '--listen', address, ...(options.serverWords ?? [])]
  const agentFlags = ['--engine', engine, '--node-name', nodeName, ...(options.agentWords ?? [])]
  const words =
    options.apart || options.alone ? ['server', ...serverFlags] : ['up', ...serverFlags, ...agentFlags]
  const [command, first] = options.executable ? [executable, []] : [process.execPath, [program]]
  const daemon = new Daemon([...first, ...words], home, { env: options.env, command })
  t.teardown(() => daemon.end('SIGTERM'))
  const kubeconfig = join(dataDir, 'admin.kubeconfig')
  await daemon.start(() => access(kubeconfig))
  const client = await makeClient(t, kubeconfig, home)
  const ready = async () => {
    await client.json({ method: 'GET', path: '/readyz' }, noSignal).catch(expectPlainText)
  }
  await daemon.ready(ready)
  const agentWords = ['agent', '--data-dir', agentDataDir, '--kubeconfig', kubeconfig, ...agentFlags]
  const agent = new Daemon([...first, ...agentWords], home, { env: options.env, command })
  if (options.apart) await agent.start(async () => {})
  const { uid = '' } = (await client.get(namespaceKind, { name: 'default' }, noSignal)).metadata
  const raw = rawEngine(engine)
  t.teardown(async () => {
    await agent.end('SIGTERM')
    await daemon.end('SIGTERM')
    await removeLabelled(raw, `cove-test/owner=${mark}`)
    await removeLabelled(raw, `cove.run/cluster=${uid}`)
    await removeImages(raw, mark)
    await removeBuilt(raw, mark)
    raw.close()
  })
  const env = { ...bareEnv(), HOME: home, KUBECONFIG: kubeconfig }
  return {
    client,
    kubeconfig,
    nodeName,
    dataDir,
    engine,
    raw,
    mark,
    kubectl: makeKubectl({ kubeconfigPath: kubeconfig, dir: home }),
    cli: (words, input = '') => collect(spawn(command, [...first, ...words], { env }), input),
    kill: (signal) => daemon.end(signal),
    endAgent: () => agent.end('SIGTERM'),
    restart: () => daemon.start(ready),
    log: () => daemon.log(),
  }
}

/** One `cove up` for all tests of a file, begun with the first of them. */
export function sharedCove(test: TestFn, options: CoveOptions = {}): () => TestCove {
  const endings: (() => Promise<void>)[] = []
  let cove: TestCove | undefined
  test.before(async () => {
    const started = await startCove({ teardown: (run) => endings.unshift(run) }, options)
    if (!options.alone) await joined(started)
    cove = started
  })
  test.after.always(async () => {
    for (const end of endings) await end()
  })
  return () => {
    if (cove === undefined) throw new Error('cove is not started yet')
    return cove
  }
}

/** What asks the node is refused before. */
async function joined({ client, nodeName }: TestCove): Promise<void> {
  await eventually(
    async () => {
      const { status } = await client.get(nodeKind, { name: nodeName }, noSignal)
      assert.equal(findCondition(status?.conditions, 'Ready')?.status, 'True')
    },
    { what: `node ${nodeName}`, timeoutMs: 60_000 },
  )
}

/** The health paths answer `ok`, not JSON. */
function expectPlainText(error: unknown): void {
  if (!(error instanceof Error) || !error.message.endsWith('did not answer JSON: ok')) throw error
}

async function makeClient(t: Teardown, kubeconfig: string, home: string): Promise<Client> {
  const target = await loadKubeconfig({
    explicit: kubeconfig,
    home,
    directory: home,
    readFile: (path) => readFile(path, 'utf8'),
    parseYaml,
  })
  const transport = httpsTransport({ ...target, userAgent: 'cove-test' })
  t.teardown(async () => transport.close())
  return new Client(transport, 'test')
}

/** The process: started again and again, never twice at once. */
export class Daemon {
  readonly #words: readonly string[]
  readonly #home: string
  readonly #command: string
  readonly #env: Readonly<Record<string, string>>
  readonly #output: string[] = []
  #child: ChildProcess | undefined

  /** `command` takes the words; absent: Node. */
  constructor(
    words: readonly string[],
    home: string,
    {
      env = {},
      command = process.execPath,
    }: { readonly env?: Readonly<Record<string, string>> | undefined; readonly command?: string } = {},
  ) {
    this.#words = words
    this.#home = home
    this.#command = command
    this.#env = env
  }

  async start(isReady: () => Promise<void>): Promise<void> {
    if (this.#child !== undefined) throw new Error('cove is running')
    const env = { ...bareEnv(), HOME: this.#home, ...this.#env }
    const child = spawn(this.#command, [...this.#words], { env, stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (data: Buffer) => this.#output.push(data.toString()))
    endWithUs(child)
    this.#child = child
    await this.ready(isReady)
  }

  async ready(isReady: () => Promise<void>): Promise<void> {
    await eventually(
      async () => {
        await isReady()
      },
      { timeoutMs: readyWithin, pauseMs: 50, what: 'cove up' },
    ).catch((error: unknown) => {
      throw new Error(`cove up is not ready; it wrote:\n${this.log()}`, { cause: error })
    })
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    const impatience = setTimeout(() => child.kill('SIGKILL'), 30_000)
    await gone
    clearTimeout(impatience)
  }

  log(): string {
    return this.#output.join('')
  }

  /** Of the process that runs; undefined when none does. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Resolves with the exit code when the process ends by itself. */
  async ended(): Promise<number | null> {
    const child = this.#child
    if (child === undefined) throw new Error('cove is not running')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode
  }
}

/** Takes everything off the engine that carries the label. */
async function removeLabelled(engine: RawEngine, label: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [label] }))
  const list = async (path: string) => decode(await mustRequest(engine, 'GET', `${path}filters=${filters}`))
  for (const { Id } of await list('/containers/json?all=1&'))
    await mustRequest(engine, 'DELETE', `/containers/${Id}?force=1&v=1`)
  for (const { Id } of await list('/networks?')) await mustRequest(engine, 'DELETE', `/networks/${Id}`)
  const { Volumes } = await list('/volumes?')
  for (const { Name } of Volumes ?? []) await mustRequest(engine, 'DELETE', `/volumes/${Name}`)
}

/** Takes off the engine every image name that contains the mark, digests included: a name may go with another one. */
async function removeImages(engine: RawEngine, mark: string): Promise<void> {
  const images = decode(await mustRequest(engine, 'GET', '/images/json'))
  const namesOf = ({ RepoTags, RepoDigests }: Record<string, string[] | null>) => [
    ...(RepoTags ?? []),
    ...(RepoDigests ?? []),
  ]
  const names: string[] = images.flatMap(namesOf)
  for (const name of names.filter((each) => each.includes(mark))) {
    const { status, text } = await engine.request('DELETE', `/images/${name}?force=1`)
    if (status !== 200 && status !== 404) throw new Error(`${name} stays: ${status} ${text}`)
  }
}

/** What Builds of namespaces with the mark in their name left without a name: stages, and what came before. */
async function removeBuilt(engine: RawEngine, mark: string): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: ['cove.run/build'], dangling: ['true'] }))
  const images = decode(await mustRequest(engine, 'GET', `/images/json?filters=${filters}`))
  const made = images.filter(({ Labels }: { Labels: Record<string, string> }) =>
    Labels['cove.run/build']?.includes(mark),
  )
  for (const { Id } of made) {
    const { status, text } = await engine.request('DELETE', `/images/${Id}`)
    // What others are made of goes with them.
    if (![200, 404, 409].includes(status)) throw new Error(`${Id} stays: ${status} ${text}`)
  }
}

/** The witness's answers are read as tests expect them; what is not there is undefined and fails their assertions. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
export function decode(value: unknown): any {
  return value
}
