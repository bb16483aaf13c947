/**
 * Pruning on a real engine that is the test's own, since a prune looks at everything there is: what goes, what never does,
 * what Docker itself would count, and what a full disk takes first after the agent was started again.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type PruneNodeState, type PrunePolicy, prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { startCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage, mustRequest, type RawEngine, rawEngine } from '#test/helpers/engine.ts'
import { startEngineNetRegistry } from '#test/helpers/enginenetregistry.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { createImage, imageReady, untilImage } from '#test/helpers/images.ts'
import { type PrivateEngine, startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene } from '#test/helpers/scene.ts'
import { tar } from '#test/helpers/tar.ts'

const noSignal = new AbortController().signal
const hex = (digit: string) => digit.repeat(64)

interface Stage {
  readonly cove: TestCove
  readonly raw: RawEngine
  readonly engine: PrivateEngine
}

async function setUp(t: ExecutionContext): Promise<Stage> {
  const engine = await startPrivateEngine(t)
  await ensureBaseImage(engine.host)
  const raw = rawEngine(engine.host)
  t.teardown(() => raw.close())
  return { cove: await startCove(t, { engine: engine.host }), raw, engine }
}

/** Builds on the base image, by the classic builder; `tag` absent: nobody calls it anything. Resolves with its id. */
async function build(raw: RawEngine, lines: readonly string[], tag?: string): Promise<string> {
  const dockerfile = [`FROM ${baseImage}`, ...lines, ''].join('\n')
  const context = tar([{ name: 'Dockerfile', mode: 0o644, data: Buffer.from(dockerfile) }])
  const query = tag === undefined ? '' : `t=${encodeURIComponent(tag)}&`
  const built = await raw.request('POST', `/build?${query}forcerm=1`, context)
  const id = /"aux":\{"ID":"(sha256:[0-9a-f]{64})"/.exec(built.text)?.[1]
  if (id === undefined) throw new Error(built.text)
  return id
}

async function imageIDs(raw: RawEngine): Promise<string[]> {
  const images = (await mustRequest(raw, 'GET', '/images/json?all=1')) as readonly { Id: string }[]
  return images.map(({ Id }) => Id)
}

async function exists(raw: RawEngine, path: string): Promise<boolean> {
  return (await raw.request('GET', path)).status === 200
}

async function createContainer(raw: RawEngine, name: string, body: object): Promise<string> {
  const { Id } = (await mustRequest(raw, 'POST', `/containers/create?name=${name}`, body)) as { Id: string }
  return Id
}

async function createPolicy({ client }: TestCove, name: string, spec: object): Promise<void> {
  const object = { apiVersion: 'cove.run/v1', kind: 'PrunePolicy', metadata: { name }, spec }
  await client.create(prunePolicyKind, object as PrunePolicy, noSignal)
}

/** What its last run on the node did, once there was one. */
async function lastRun(
  { client, nodeName, log }: TestCove,
  name: string,
  timeoutMs = 30_000,
): Promise<PruneNodeState> {
  return await eventually(
    async () => {
      const { status } = await client.get(prunePolicyKind, { name }, noSignal)
      const state = status?.nodes?.[nodeName]
      if (state?.lastRun === undefined)
        throw new Error(`no run yet: ${JSON.stringify(status)}; ${log().slice(-3000)}`)
      return state
    },
    { timeoutMs, pauseMs: 200, what: `a run of PrunePolicy ${name}` },
  )
}

const names = (things: readonly { what: string }[] = []) => things.map(({ what }) => what)
const short = (id: string) => `image ${id.slice(7, 19)}`
const bytes = 300_000

test('image prune removes just the image that has lost its name, and counts as Docker does', async (t) => {
  const { cove, raw } = await setUp(t)
  const lines = [`RUN head -c ${bytes} /dev/urandom > /lost`]
  const lost = await build(raw, lines)
  const used = await build(raw, ['RUN echo used > /used'])
  await createContainer(raw, 'ended', { Image: used, Cmd: ['true'] })
  const top = await build(raw, ['RUN echo step > /step', 'RUN echo top > /top'], 'top:1')
  const before = await imageIDs(raw)
  const dry = await cove.cli(['image', 'prune', '--dry-run'])
  t.regex(dry.stdout, new RegExp(`Would go:\n${short(lost)} +300kB +it has lost its name`), dry.stdout)
  t.regex(dry.stdout, new RegExp(`${short(used)} +container ended was made from it`))
  t.deepEqual((await imageIDs(raw)).sort(), before.toSorted())
  const unsure = await cove.cli(['image', 'prune'])
  t.is(unsure.code, 1)
  t.regex(unsure.stderr, /--force/)
  const done = await cove.cli(['image', 'prune', '-f'])
  t.is(done.code, 0, done.stderr)
  t.regex(done.stdout, /\nTotal reclaimed space: 300kB\n$/)
  const after = await imageIDs(raw)
  t.false(after.includes(lost))
  t.true(after.includes(used) && after.includes(top))
  // Docker's own count of the same image.
  const again = await cove.cli(['image', 'prune', '-f'])
  t.regex(again.stdout, /Total reclaimed space: 0B\n$/)
  const twin = await build(raw, lines)
  t.true((await imageIDs(raw)).includes(twin))
  const filters = encodeURIComponent(JSON.stringify({ dangling: { true: true } }))
  const docker = (await mustRequest(raw, 'POST', `/images/prune?filters=${filters}`)) as {
    SpaceReclaimed: number
  }
  t.is(docker.SpaceReclaimed, bytes)
})

test('a policy removes by its schedule what is meant, and nothing that anybody needs', async (t) => {
  const { cove, raw, engine } = await setUp(t)
  const scene = await makeScene(cove)
  const registry = await startEngineNetRegistry(t, engine)
  const pinned = await build(raw, ['RUN echo pinned > /pinned'], 'pinned:1')
  await registry.push(pinned, 'lib/pinned:1')
  const from = `${registry.loopback}/lib/pinned`
  await raw.request('POST', `/images/create?fromImage=${from}&tag=1`)
  const { RepoDigests } = (await mustRequest(raw, 'GET', `/images/${pinned}/json`)) as {
    RepoDigests: string[]
  }
  for (const name of ['pinned:1', `${from}:1`]) await mustRequest(raw, 'DELETE', `/images/${name}`)
  const [digest = ''] = RepoDigests
  await createImage(scene, 'pinned', { reference: digest })
  await imageReady(scene, 'pinned')
  t.true((await imageIDs(raw)).includes(pinned))
  const spare = `${registry.loopback}/lib/spare:1`
  await registry.push(await build(raw, ['RUN echo spare > /spare'], 'spare:1'), 'lib/spare:1')
  await mustRequest(raw, 'DELETE', '/images/spare:1')
  await createImage(scene, 'spare', { reference: spare, prunePolicy: 'Collect' })
  await imageReady(scene, 'spare')
  // The name moves on to a new image: the old one has lost its.
  const old = await build(raw, ['RUN echo 1 > /version'], 'app:1')
  await build(raw, ['RUN echo 2 > /version'], 'app:1')
  await scene.running('web', { image: 'app:1' })
  // Volumes, and containers of every state.
  for (const name of ['data', hex('a'), hex('b')])
    await mustRequest(raw, 'POST', '/volumes/create', { Name: name })
  await scene.create('Volume', 'known', { spec: { externalName: hex('b'), reclaimPolicy: 'Retain' } })
  const stranger = await build(raw, ['RUN echo stranger > /stranger'], 'stranger:1')
  await createContainer(raw, 'stranger', { Image: 'stranger:1', Cmd: ['true'], Volumes: { '/data': {} } })
  await createContainer(raw, 'leftover', {
    Image: baseImage,
    Cmd: ['true'],
    Labels: { 'cove.run/build': 'x/y' },
  })
  await scene.running('ended', { restartPolicy: 'Never', command: ['sleep', '86400'] })
  const bridged = (await mustRequest(raw, 'POST', '/networks/create', { Name: 'lonely' })) as { Id: string }
  await createPolicy(cove, 'often', {
    schedule: '* * * * *',
    images: { unused: true, olderThan: '0s' },
    containers: { olderThan: '0s' },
    networks: { olderThan: '0s' },
    volumes: { anonymous: true, olderThan: '0s' },
  })
  const { because, removed, kept, failed, reclaimedBytes } = await lastRun(cove, 'often', 90_000)
  t.is(because, 'Schedule')
  t.is(failed, 0)
  t.deepEqual(
    names(removed).sort(),
    [
      short(old),
      `image ${spare}`,
      'container leftover',
      'network lonely',
      `volume ${hex('a').slice(0, 12)}`,
    ].sort(),
  )
  t.true((reclaimedBytes ?? 0) > 0)
  t.true(await exists(raw, '/volumes/data'))
  t.true(await exists(raw, `/volumes/${hex('b')}`))
  t.false(await exists(raw, `/volumes/${hex('a')}`))
  t.false(await exists(raw, `/networks/${bridged.Id}`))
  for (const image of [pinned, stranger, 'app:1', baseImage])
    t.true(await exists(raw, `/images/${image}/json`), image)
  t.true(await exists(raw, '/containers/stranger/json'))
  const whyOf = (what: string) => kept?.find((thing) => thing.what.startsWith(what))?.why
  t.is(whyOf('volume data'), 'it has a name: volumes with a name always stay')
  t.is(whyOf('image stranger:1'), 'container stranger was made from it')
  t.is(whyOf('container stranger'), 'Cove did not make it, and only what Cove left behind is to go')
  t.is(whyOf(`image ${digest.slice(0, 30)}`), `Image ${scene.namespace}/pinned is to be here`)
  await untilImage(scene, 'spare', { nodes: { [cove.nodeName]: { state: 'Collected' } } })
  t.false(await exists(raw, `/images/${spare}/json`))
  await scene.running('user', { image: undefined, imageFrom: { image: 'spare' } })
  t.true(await exists(raw, `/images/${spare}/json`))
  await eventually(
    async () => {
      const shown = await cove.cli(['get', 'events', '-n', 'default'])
      if (!shown.stdout.includes(`removed ${short(old)}`)) throw new Error(shown.stdout)
    },
    { timeoutMs: 20_000, pauseMs: 200, what: 'the event' },
  )
})

test('a full disk takes what was used least recently first, also after the agent was started again', async (t) => {
  const { cove, raw } = await setUp(t)
  const first = await build(raw, ['RUN echo a > /a'], 'a:1')
  const second = await build(raw, ['RUN echo b > /b'], 'b:1')
  const strangers = await build(raw, ['RUN echo s > /s'], 's:1')
  await createContainer(raw, 'stranger', { Image: 's:1', Cmd: ['true'] })
  await build(raw, ['RUN echo c > /c'], 'c:1')
  await eventually(
    async () => {
      const { stdout } = await cove.cli(['image', 'ls', '-o', 'json'])
      if (!stdout.includes(first) || !stdout.includes('lastUsedAt')) throw new Error(stdout)
    },
    { timeoutMs: 20_000, pauseMs: 200, what: 'the look at the images' },
  )
  await cove.kill('SIGTERM')
  const path = join(cove.dataDir, 'images.lastused')
  const book = JSON.parse(await readFile(path, 'utf8')) as { images: Record<string, string> }
  t.true([first, second, strangers].every((id) => book.images[id] !== undefined))
  const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString()
  const images = { ...book.images, [first]: ago(3), [second]: ago(9), [strangers]: ago(20) }
  await writeFile(path, JSON.stringify({ ...book, images }))
  await cove.restart()
  await createPolicy(cove, 'full', { disk: { high: 1, low: 0 } })
  const { because, removed, kept } = await lastRun(cove, 'full')
  t.is(because, 'Disk')
  t.deepEqual(names(removed), ['image b:1', 'image a:1'])
  const whyOf = (what: string) => kept?.find((thing) => thing.what === what)?.why
  t.is(whyOf('image s:1'), 'container stranger was made from it')
  t.regex(whyOf('image c:1') ?? '', /^used .* ago: it goes after 2m$/)
  t.true(await exists(raw, '/images/c:1/json'))
})

test('of containers those that Cove left behind go; others when they are asked for, and none that runs', async (t) => {
  const { cove, raw } = await setUp(t)
  const body = { Image: baseImage, Cmd: ['sleep', '86400'] }
  for (const name of ['running', 'paused', 'created', 'exited']) await createContainer(raw, name, body)
  for (const name of ['running', 'paused', 'exited'])
    await mustRequest(raw, 'POST', `/containers/${name}/start`)
  await mustRequest(raw, 'POST', '/containers/paused/pause')
  await mustRequest(raw, 'POST', '/containers/exited/kill')
  await mustRequest(raw, 'POST', '/containers/exited/wait')
  const own = await cove.cli(['container', 'prune', '-f'])
  t.is(own.stdout, '4 more stay: --dry-run says why\nTotal reclaimed space: 0B\n')
  const whole = await cove.cli(['system', 'prune', '-f', '--unmanaged', '--volumes'])
  t.is(whole.code, 0, whole.stderr)
  t.regex(whole.stdout, /container created +0B +it was never started/)
  t.regex(whole.stdout, /container exited +[0-9.kMB]+ +it ended/)
  for (const [name, is] of [
    ['running', true],
    ['paused', true],
    ['created', false],
    ['exited', false],
  ] as const)
    t.is(await exists(raw, `/containers/${name}/json`), is, name)
  const isThere = await exists(raw, `/images/${baseImage}/json`)
  t.true(isThere)
  await mustRequest(raw, 'POST', '/containers/paused/unpause')
  for (const name of ['running', 'paused']) await mustRequest(raw, 'DELETE', `/containers/${name}?force=1`)
})
