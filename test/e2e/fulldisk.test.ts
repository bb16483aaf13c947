/** Full disks, on small ones of the test's own: what depends on room says so, the rest goes on, and it comes back by itself. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { encodeBook } from '#pkg/agent/prune/lastused.text.ts'
import { isAbort, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { type ConfigMap, configMapKind } from '#pkg/apis/core.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import type { Client } from '#pkg/client/rest.ts'
import { createBuild, untilBuild } from '#test/helpers/builds.ts'
import { decode, startCove } from '#test/helpers/cove.ts'
import { CoveServer, runCove } from '#test/helpers/coveserver.ts'
import { baseImage, ensureBaseImage, mustRequest, type RawEngine, rawEngine } from '#test/helpers/engine.ts'
import { startEngineNetRegistry } from '#test/helpers/enginenetregistry.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { freePort } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'
import { makeSmallDisk, noSmallDisks } from '#test/helpers/smalldisk.ts'
import { tar } from '#test/helpers/tar.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const obstacle = await noSmallDisks()
if (obstacle !== undefined) test.skip(`full disks, because of this machine: ${obstacle}`, (t) => t.pass())
const withDisk = obstacle === undefined ? test.serial : test.serial.skip
const noSignal = new AbortController().signal
const aWhile = { timeoutMs: 20_000, pauseMs: 50 }

function note(name: string, bytes = 2000): ConfigMap {
  const metadata = { name, namespace: 'default' }
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { text: 'x'.repeat(bytes) } }
}

/** Creates until it is refused; resolves with what was acknowledged, and the refusal. */
async function createUntilRefused(client: Client, prefix: string) {
  const acknowledged: string[] = []
  for (let index = 0; index < 2000; index++) {
    const name = `${prefix}-${index}`
    try {
      await client.create(configMapKind, note(name, 20_000), noSignal)
      acknowledged.push(name)
    } catch (error) {
      if (error instanceof StatusError) return { acknowledged, refusal: error, refused: name }
      throw error
    }
  }
  throw new Error('nothing was refused')
}

async function namesOf(client: Client): Promise<string[]> {
  const { items } = await client.list(configMapKind, { namespace: 'default' }, noSignal)
  return items.map(({ metadata }) => metadata.name)
}

async function health(server: CoveServer, path: string): Promise<number> {
  const answer = await server.transport({
    method: 'GET',
    path,
    query: new URLSearchParams(),
    headers: {},
    signal: noSignal,
  })
  return answer.status
}

withDisk(
  'a server whose disk is full serves reads and watches, refuses writes, loses nothing, and comes back',
  async (t) => {
    const home = await makeTempDir(t, 'home')
    const disk = await makeSmallDisk(t, 64)
    const server = new CoveServer(t, {
      home,
      dataDir: join(disk.path, 'data'),
      address: `127.0.0.1:${await freePort()}`,
    })
    await server.start()
    const { client } = server
    const first = await client.create(configMapKind, note('first'), noSignal)
    const stop = new AbortController()
    const seen: string[] = []
    const watching = (async () => {
      const options = { namespace: 'default', resourceVersion: first.metadata.resourceVersion ?? '' }
      for await (const event of client.watch(configMapKind, options, stop.signal))
        if ('object' in event) seen.push(String(event.object.metadata.name))
    })()

    await disk.fill(1_000_000)
    const { acknowledged, refusal, refused } = await createUntilRefused(client, 'full')
    await disk.fill()
    t.is(refusal.reason, 'NoSpace')
    t.is(refusal.code, 507)
    t.regex(refusal.message, /disk of the server is full/)

    const again = await createUntilRefused(client, 'more')
    const all = [...acknowledged, ...again.acknowledged]
    const names = async () =>
      (await client.list(configMapKind, { namespace: 'default' }, noSignal)).items.map(
        ({ metadata }) => metadata.name,
      )
    const listed = await names()
    for (const name of ['first', ...all]) t.true(listed.includes(name), name)
    t.false(listed.includes(refused))
    t.is(
      (await client.get(configMapKind, { namespace: 'default', name: 'first' }, noSignal)).metadata.uid,
      first.metadata.uid,
    )
    t.is(await health(server, '/livez'), 200)
    await eventually(async () => assert.equal(await health(server, '/readyz'), 500), aWhile)
    await assert.rejects(runSnapshot(server), /507/)

    await disk.free()
    await eventually(() => client.create(configMapKind, note('after'), noSignal), aWhile)
    await eventually(async () => assert.equal(await health(server, '/readyz'), 200), aWhile)
    await eventually(
      () => assert.ok(seen.includes('after') && all.every((name) => seen.includes(name))),
      aWhile,
    )
    t.false(seen.includes(refused))
    stop.abort()
    await assert.rejects(watching, isAbort)

    await disk.fill()
    await server.end('SIGKILL')
    // It starts on a full disk too, for whoever has to find out what fills it.
    await server.start()
    t.true((await namesOf(server.client)).includes('after'))
    await disk.free()
    await eventually(() => server.client.create(configMapKind, note('later'), noSignal), aWhile)
    await server.end('SIGTERM')
    await server.start()
    const kept = (await server.client.list(configMapKind, { namespace: 'default' }, noSignal)).items.map(
      ({ metadata }) => metadata.name,
    )
    for (const name of ['first', ...all, 'after']) t.true(kept.includes(name), name)
    await server.end('SIGTERM')
    const checked = await runCove(home, ['server', 'fsck', '--data-dir', server.dataDir])
    t.is(checked.code, 0, checked.stdout + checked.stderr)
  },
)

async function runSnapshot(server: CoveServer): Promise<void> {
  const answer = await server.transport({
    method: 'POST',
    path: '/server/snapshot',
    query: new URLSearchParams(),
    headers: {},
    signal: noSignal,
  })
  if (answer.status !== 200) throw new Error(String(answer.status))
}

withDisk(
  'an agent without room for its own files says so, goes on healing, and comes back by itself',
  async (t) => {
    const disk = await makeSmallDisk(t, 64)
    const cove = await startCove(t, { apart: true, agentDataDir: join(disk.path, 'agent') })
    const scene = await makeScene(cove)
    await scene.create('ConfigMap', 'settings', { data: { text: 'x'.repeat(50_000) } })
    await scene.running('steady', { networkMode: 'none' })

    await disk.fill()
    await scene.run('reader', {
      networkMode: 'none',
      mounts: [{ mountPath: '/settings', configMap: 'settings' }],
    })
    const message = await scene.notReady('reader', 'NoSpace')
    t.regex(message, /files for containers cannot be written/)
    const pressure = async () => {
      const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
      return findCondition(status?.conditions, 'DiskPressure')
    }
    await eventually(async () => assert.equal((await pressure())?.reason, 'AgentDiskFull'), aWhile)
    const { Pid, StartedAt } = (await scene.inspect('steady')).State
    process.kill(Pid, 'SIGKILL')
    await scene.eventually('a new run', async () => {
      const { State } = await scene.inspect('steady')
      assert.ok(State.Running && State.StartedAt !== StartedAt)
    })

    await disk.free()
    await scene.ready('reader')
    await eventually(async () => assert.notEqual((await pressure())?.reason, 'AgentDiskFull'), {
      ...aWhile,
      timeoutMs: 45_000,
    })
  },
)

/** An image of the base and so many megabytes that do not compress. */
async function buildLarge(raw: RawEngine, name: string, megabytes: number): Promise<void> {
  const context = tar([
    { name: 'Dockerfile', mode: 0o644, data: Buffer.from(`FROM ${baseImage}\nCOPY large /large\n`) },
    { name: 'large', mode: 0o644, data: randomBytes(megabytes * 1024 * 1024) },
  ])
  const built = await raw.request('POST', `/build?t=${encodeURIComponent(name)}`, context)
  if (built.status !== 200 || built.text.includes('"errorDetail"')) throw new Error(built.text)
}

async function usedLongAgo(raw: RawEngine, name: string): Promise<string> {
  const found = await mustRequest(raw, 'GET', `/images/${name}/json`)
  const id = isPlainObject(found) && typeof found['Id'] === 'string' ? found['Id'] : ''
  return encodeBook(new Map([[id, Date.now() - 7 * 86_400_000]]))
}

withDisk(
  'a pull that does not fit is told as such, leaves nothing behind, and is made when there is room',
  async (t) => {
    const disk = await makeSmallDisk(t, 600)
    const engine = await startPrivateEngine(t, { dataRoot: join(disk.path, 'docker') })
    const registry = await startEngineNetRegistry(t, engine)
    await ensureBaseImage(engine.host)
    const cove = await startCove(t, { engine: engine.host })
    const scene = await makeScene(cove)
    for (const name of ['large:1', 'second:1']) {
      await buildLarge(cove.raw, name, 80)
      await registry.push(name, name)
      await mustRequest(cove.raw, 'DELETE', `/images/${name}`)
    }
    await scene.running('steady', { networkMode: 'none' })
    const pid = await engine.pid()
    const reference = `${registry.loopback}/large:1`

    // Less than what is kept free: it is not begun.
    await disk.fill(60e6)
    await scene.run('large', { image: reference, networkMode: 'none' })
    t.regex(
      await scene.notReady('large', 'NoSpace'),
      /no room for an image: .* are free on .*docker, of which .* are kept free/,
    )
    const pressure = findCondition(
      (await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)).status?.conditions,
      'DiskPressure',
    )
    t.like(pressure, { status: 'True', reason: 'DiskIsFilling' })

    await disk.free()
    await scene.ready('large')

    // Enough to begin with, not enough to end: the engine fails in the middle.
    await disk.fill(115e6)
    const second = `${registry.loopback}/second:1`
    await scene.run('second', { image: second, networkMode: 'none' })
    t.regex(await scene.notReady('second', 'NoSpace'), /no space left on device/)
    const names = decode(await mustRequest(cove.raw, 'GET', '/images/json'))
    t.false(JSON.stringify(names).includes(second))
    t.true((await scene.inspect('steady')).State.Running)

    await disk.free()
    await scene.ready('second')

    // The builder removes what the step has written before it tells of it.
    await createBuild(scene, 'filling', ['RUN dd if=/dev/zero of=/x bs=1M count=2000 || exit 3'])
    const { status } = await untilBuild(scene, 'filling', ({ failure }) => {
      assert.equal(failure?.reason, 'NoSpace')
    })
    t.like(status.failure, { exitCode: 3, step: 2 })
    t.regex(status.failure?.message ?? '', /code: 3; no room for what it writes: .* are free on .*docker/)
    t.is(status.failure?.inputHash, undefined)
    t.is(await engine.pid(), pid)
    t.true((await scene.inspect('steady')).State.Running)
  },
)

withDisk('the disk marks of a PrunePolicy make room for a pull that waits for it', async (t) => {
  const disk = await makeSmallDisk(t, 700)
  const engine = await startPrivateEngine(t, { dataRoot: join(disk.path, 'docker') })
  const registry = await startEngineNetRegistry(t, engine)
  await ensureBaseImage(engine.host)
  const raw = rawEngine(engine.host)
  t.teardown(() => raw.close())
  await buildLarge(raw, 'wanted:1', 40)
  await registry.push('wanted:1', 'wanted:1')
  await mustRequest(raw, 'DELETE', '/images/wanted:1')
  await buildLarge(raw, 'old:1', 200)
  const dataDir = await makeTempDir(t)
  // What has only just come to the node is spared: the agent finds a book of an earlier run.
  await writeFile(join(dataDir, 'images.lastused'), await usedLongAgo(raw, 'old:1'))
  const cove = await startCove(t, { engine: engine.host, dataDir })
  const scene = await makeScene(cove)
  const steady = await scene.running('steady', { networkMode: 'none' })
  await disk.fill(60e6)
  await scene.run('wanted', { image: `${registry.loopback}/wanted:1`, networkMode: 'none' })
  await scene.notReady('wanted', 'NoSpace')

  const policy = {
    apiVersion: 'cove.run/v1',
    kind: 'PrunePolicy',
    metadata: { name: 'marks' },
    spec: { disk: { high: 60, low: 10 }, images: { unused: true } },
  }
  const applied = await cove.cli(['apply', '-f', '-'], JSON.stringify(policy))
  t.is(applied.code, 0, applied.stderr)
  t.timeout(180_000)
  await eventually(() => scene.ready('wanted'), { timeoutMs: 120_000, pauseMs: 500, what: 'the pull' })
  const images = JSON.stringify(decode(await mustRequest(cove.raw, 'GET', '/images/json')))
  t.false(images.includes('old:1'))
  t.true(images.includes(baseImage))
  t.is(await scene.ready('steady'), steady)
})
