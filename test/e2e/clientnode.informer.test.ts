/**
 * Informers that are kept: @kubernetes/client-node's, and Cove's own beside it, through watches that the server ends,
 * connections that break anywhere, a server that restarts and a store that has forgotten, while others write.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import {
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  makeInformer,
  type V1ConfigMap,
  Watch,
} from '@kubernetes/client-node'
import test, { type ExecutionContext, registerCompletionHandler } from 'ava'
import {
  type Ambient,
  type Random,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
} from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { type ConfigMap, configMapKind } from '#pkg/apis/core.ts'
import { type Serving, serve } from '#pkg/apiserver/serve.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Client } from '#pkg/client/rest.ts'
import type { Storage } from '#pkg/storage/port.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'
import { CuttingProxy } from '#test/helpers/cuttingproxy.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { adminUser } from '#test/helpers/request.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

// The library leaves connections half closed behind when they break; nothing of ours is waited for any more.
registerCompletionHandler(() => process.exit())

const namespace = 'default'
const path = `/api/v1/namespaces/${namespace}/configmaps`
const ambient: Ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
const noSignal = new AbortController().signal
const patience = { timeoutMs: 20_000, pauseMs: 25 }

/** A server on data that stays, behind a proxy whose port stays. */
class World {
  readonly proxy: CuttingProxy
  readonly random: Random
  readonly #dir: string
  readonly #minWatchMs: number
  #running: { readonly serving: Serving; readonly storage: Storage } | undefined
  #writing = Promise.resolve()
  #stopped = false

  private constructor(parts: { dir: string; minWatchMs: number; random: Random; proxy: CuttingProxy }) {
    this.#dir = parts.dir
    this.#minWatchMs = parts.minWatchMs
    this.random = parts.random
    this.proxy = parts.proxy
  }

  static async start(t: ExecutionContext, { seed = 1, minWatchMs = 60_000 } = {}): Promise<World> {
    const random = seededRandom(seed)
    const dir = await makeTempDir(t, 'informer')
    const port = () => Number(new URL(world.running.serving.url).port)
    const proxy = await CuttingProxy.start(t, { port, random, after: [2_000, 20_000] })
    const world = new World({ dir, minWatchMs, random, proxy })
    t.teardown(() => world.stop())
    await world.begin()
    return world
  }

  get running() {
    assert.ok(this.#running, 'the server is down')
    return this.#running
  }

  /** The administrator's, without a socket in between. */
  get client(): Client {
    return new Client(inProcess(this.running.serving.handler, adminUser), 'writer')
  }

  async begin(): Promise<void> {
    const storage = await openSqliteStorage({
      path: join(this.#dir, 'cove.db'),
      startWorker: startSourceWorker,
    })
    const serving = await serve({
      storage,
      ambient,
      pkiDir: join(this.#dir, 'pki'),
      host: '127.0.0.1',
      port: 0,
      hosts: [],
      build: { version: '0.1.0', platform: 'linux/amd64' },
      minWatchMs: this.#minWatchMs,
    })
    this.#running = { serving, storage }
  }

  async end(): Promise<void> {
    const { serving, storage } = this.running
    this.#running = undefined
    await serving.close()
    await storage.close()
  }

  async stop(): Promise<void> {
    await this.stopWriting().finally(async () => {
      if (this.#running !== undefined) await this.end()
    })
  }

  /** Through the proxy. */
  kubeconfig(): KubeConfig {
    const config = new KubeConfig()
    const { url, kubeconfig } = this.running.serving
    config.loadFromString(kubeconfig.replaceAll(url, `https://127.0.0.1:${this.proxy.port}`))
    return config
  }

  /** Makes, changes and removes one of a dozen objects. */
  async write(): Promise<void> {
    const pick = (count: number) => Math.floor(this.random.next() * count)
    const name = { namespace, name: `c${pick(12)}` }
    const data = { v: String(this.random.next()), pad: 'x'.repeat(pick(400)) }
    const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: name, data }
    const { client } = this
    const doings = [
      () => client.create(configMapKind, object, noSignal),
      () => client.patch(configMapKind, name, { data }, noSignal),
      () => client.delete(configMapKind, name, noSignal),
    ]
    const doing = doings[[0, 0, 1, 1, 1, 2][pick(6)] ?? 0]
    await doing?.().catch((error: unknown) => {
      if (!isReason(error, 'NotFound') && !isReason(error, 'AlreadyExists')) throw error
    })
  }

  startWriting(): void {
    this.#stopped = false
    this.#writing = (async () => {
      while (!this.#stopped) {
        await this.write()
        await new Promise((resolve) => setTimeout(resolve, 3))
      }
    })()
  }

  async stopWriting(): Promise<void> {
    this.#stopped = true
    await this.#writing
  }

  /** What the API says: names with their revisions. */
  async truth(): Promise<Record<string, string>> {
    const { items } = await this.client.list(configMapKind, { namespace }, noSignal)
    return revisions(items)
  }
}

function revisions(objects: Iterable<ConfigMap | V1ConfigMap>): Record<string, string> {
  const pairs = [...objects].map(({ metadata }) => [metadata?.name ?? '', metadata?.resourceVersion ?? ''])
  return Object.fromEntries(pairs)
}

interface Follower {
  /** Names with their revisions, as the informer has them. */
  readonly copy: () => Record<string, string>
  /** What it was told, put together. */
  readonly told: () => Record<string, string>
  /** What it was told that cannot follow from what it was told before. */
  readonly absurd: string[]
  readonly counts: { connects: number; lists: number; errors: number }
}

/** client-node's: it stops at errors, and whoever uses it starts it again. */
async function followWithClientNode(t: ExecutionContext, world: World): Promise<Follower> {
  const config = world.kubeconfig()
  const api = config.makeApiClient(CoreV1Api)
  const counts = { connects: 0, lists: 0, errors: 0 }
  const known = new Map<string, string>()
  const absurd: string[] = []
  const informer = makeInformer<V1ConfigMap>(config, path, () => {
    counts.lists++
    return api.listNamespacedConfigMap({ namespace })
  })
  const told = (verb: 'add' | 'update' | 'delete', { metadata }: V1ConfigMap) => {
    const { name = '', resourceVersion = '' } = metadata ?? {}
    const before = known.get(name)
    const fits = verb === 'add' ? before === undefined : before !== undefined
    const goesOn = before === undefined || Number(resourceVersion) > Number(before) || verb === 'delete'
    if (!fits || !goesOn) absurd.push(`${verb} ${name} ${resourceVersion} after ${before}`)
    if (verb === 'delete') known.delete(name)
    else known.set(name, resourceVersion)
  }
  for (const verb of ['add', 'update', 'delete'] as const) informer.on(verb, (object) => told(verb, object))
  let stopped = false
  let restart: NodeJS.Timeout | undefined
  informer.on('connect', () => {
    counts.connects++
  })
  informer.on('error', () => {
    counts.errors++
    clearTimeout(restart)
    if (!stopped) restart = setTimeout(() => void informer.start(), 20)
  })
  t.teardown(async () => {
    stopped = true
    clearTimeout(restart)
    await informer.stop()
  })
  await informer.start()
  return { copy: () => revisions(informer.list()), told: () => Object.fromEntries(known), absurd, counts }
}

/** Cove's own, over HTTPS through the same proxy. */
async function followWithCove(t: ExecutionContext, world: World): Promise<Follower> {
  const { ca, admin } = world.running.serving.pki
  const transport = httpsTransport({
    server: `https://127.0.0.1:${world.proxy.port}`,
    ca: ca.cert,
    ...admin,
  })
  const counts = { connects: 0, lists: 0, errors: 0 }
  const known = new Map<string, string>()
  const counting: typeof transport = Object.assign(
    (request: Parameters<typeof transport>[0]) => {
      counts.connects++
      if (request.query.get('watch') === null) counts.lists++
      return transport(request)
    },
    { close: transport.close, upgrade: transport.upgrade },
  )
  const absurd: string[] = []
  const informer = new Informer<ConfigMap>({
    client: new Client(counting, 'test'),
    kind: configMapKind,
    ambient,
    select: { namespace },
    onChange: (key) => {
      const revision = informer.get(key)?.metadata.resourceVersion
      const name = key.slice(namespace.length + 1)
      const before = known.get(name)
      if (revision === undefined) known.delete(name)
      else known.set(name, revision)
      const goesOn = before === undefined || revision === undefined || Number(revision) > Number(before)
      if (!goesOn || (before === undefined && revision === undefined))
        absurd.push(`${name} ${revision} after ${before}`)
    },
  })
  const stop = new AbortController()
  const running = informer.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
    transport.close()
  })
  await informer.synced(stop.signal)
  return { copy: () => revisions(informer.list()), told: () => Object.fromEntries(known), absurd, counts }
}

/** All of them have come to know what there is, and were told a story without a gap. */
async function allAgree(t: ExecutionContext, world: World, followers: readonly Follower[]): Promise<void> {
  const truth = await world.truth()
  for (const { copy, told } of followers) {
    await eventually(() => {
      assert.deepEqual(sorted(copy()), sorted(truth))
      assert.deepEqual(sorted(told()), sorted(truth))
    }, patience)
  }
  for (const { absurd } of followers) t.deepEqual(absurd, [])
}

function sorted(record: Record<string, string>): [string, string][] {
  return Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1))
}

test('an informer goes on through dozens of watches that the server ends', async (t) => {
  const world = await World.start(t, { minWatchMs: 60 })
  const follower = await followWithClientNode(t, world)
  world.startWriting()
  await eventually(() => assert.ok(follower.counts.connects > 36, `${follower.counts.connects}`), patience)
  await world.stopWriting()
  await allAgree(t, world, [follower])
  t.deepEqual([follower.counts.lists, follower.counts.errors], [1, 0])
})

for (const seed of [1, 2]) {
  test(`informers go on through connections that break at any byte (seed ${seed})`, async (t) => {
    const world = await World.start(t, { seed })
    const followers = [await followWithClientNode(t, world), await followWithCove(t, world)]
    world.startWriting()
    world.proxy.cutting = true
    await eventually(() => assert.ok(world.proxy.cuts > 30, `${world.proxy.cuts} cuts`), patience)
    world.proxy.cutting = false
    await world.stopWriting()
    await allAgree(t, world, followers)
    for (const { counts } of followers) t.true(counts.lists < counts.connects)
  })
}

test('informers go on when the server comes back, also on a store that has forgotten', async (t) => {
  const world = await World.start(t)
  const followers = [await followWithClientNode(t, world), await followWithCove(t, world)]
  for (const forget of [false, true, true]) {
    world.startWriting()
    await eventually(async () => assert.ok(Object.keys(await world.truth()).length > 3), patience)
    await world.stopWriting()
    await allAgree(t, world, followers)
    world.proxy.refusing = true
    world.proxy.breakAll()
    // Nobody is there to see these.
    for (let count = 0; count < 30; count++) await world.write()
    const { storage } = world.running
    if (forget) await storage.compact((await storage.revisions()).current)
    await world.end()
    await world.begin()
    const listed = followers.map(({ counts }) => counts.lists)
    world.proxy.refusing = false
    await allAgree(t, world, followers)
    for (const [index, { counts }] of followers.entries())
      if (forget) t.true(counts.lists > (listed[index] ?? 0))
  }
})

test('an informer that follows labels sees objects come and go with them', async (t) => {
  const world = await World.start(t)
  const config = world.kubeconfig()
  const api = config.makeApiClient(CoreV1Api)
  const list = () => api.listNamespacedConfigMap({ namespace, labelSelector: 'app=x' })
  const informer = makeInformer<V1ConfigMap>(config, path, list, 'app=x')
  const seen: string[] = []
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, ({ metadata }) => seen.push(`${verb} ${metadata?.name}`))
  await informer.start()
  t.teardown(() => informer.stop())
  const { client } = world
  const name = { namespace, name: 'c' }
  const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: name }
  await client.create(configMapKind, object, noSignal)
  const label = (app: string) =>
    client.patch(configMapKind, name, { metadata: { labels: { app } } }, noSignal)
  for (const app of ['x', 'y', 'x']) await label(app)
  await client.patch(configMapKind, name, { data: { a: '1' } }, noSignal)
  await client.delete(configMapKind, name, noSignal)
  const expected = ['add c', 'delete c', 'add c', 'update c', 'delete c']
  await eventually(() => assert.deepEqual(seen, expected), patience)
  t.pass()
})

interface Seen {
  readonly events: string[]
  readonly ended: Promise<unknown>
  readonly abort: () => void
}

async function watch(world: World, query: Record<string, string | number | boolean>): Promise<Seen> {
  const events: string[] = []
  const { promise, resolve } = Promise.withResolvers<unknown>()
  const show = (type: string, { metadata }: KubernetesObject) => {
    const end = metadata?.annotations?.['k8s.io/initial-events-end'] === 'true' ? ' initial-events-end' : ''
    events.push(`${type} ${metadata?.name ?? metadata?.resourceVersion ?? ''}${end}`)
  }
  const controller = await new Watch(world.kubeconfig()).watch(path, query, show, resolve)
  return { events, ended: promise, abort: () => controller.abort() }
}

test('a Watch begins at a revision, gives bookmarks, ends in time, and can be aborted', async (t) => {
  const world = await World.start(t)
  const create = async (name: string) => {
    const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name } }
    const made = await world.client.create(configMapKind, object, noSignal)
    return made.metadata.resourceVersion ?? ''
  }
  const first = await create('a')
  const second = await create('b')
  const timed = await watch(world, {
    resourceVersion: first,
    allowWatchBookmarks: true,
    timeoutSeconds: 1,
  })
  t.is(await timed.ended, null)
  t.deepEqual(timed.events, ['ADDED b', `BOOKMARK ${second}`])
  const initial = await watch(world, {
    sendInitialEvents: true,
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: true,
  })
  const expected = ['ADDED a', 'ADDED b', `BOOKMARK ${second} initial-events-end`]
  await eventually(() => assert.deepEqual(initial.events, expected), patience)
  await create('c')
  await eventually(() => assert.deepEqual(initial.events.slice(3), ['ADDED c']), patience)
  initial.abort()
  const aborted = await initial.ended
  t.true(aborted instanceof Error && aborted.name === 'AbortError')
  const { storage } = world.running
  await storage.compact((await storage.revisions()).current)
  await world.end()
  await world.begin()
  const late = await watch(world, { resourceVersion: first })
  t.like(await late.ended, { statusCode: 410 })
})
