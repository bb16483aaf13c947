/** What is kept of Builds from one pass to the next: whose attempt ended how, what is told meanwhile, what a kill leaves. */
import { mkdir } from 'node:fs/promises'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import { Client } from '#pkg/client/rest.ts'
import { buildScene, decide } from '#test/helpers/buildworld.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { buildObject, world } from '#test/helpers/world.ts'
import { planNode } from '../node.plan.ts'
import { groupOf } from '../world.ts'
import { interruptedMessage } from './buildlogs.ts'
import { BuildRoom } from './buildroom.ts'
import type { BuildOrder } from './port.ts'

const web = { namespace: 'default', name: 'web' }
const engine = { builder: 'Classic', version: '20.10.24' } as const
const signal = new AbortController().signal
const reading = { follow: false, timestamps: false, signal }
const image = `sha256:${'a'.repeat(64)}`

async function makeRoom(t: ExecutionContext, given: { readonly directory?: string } = {}) {
  const directory = given.directory ?? (await makeTempDir(t, 'room'))
  await mkdir(directory, { recursive: true })
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'))
  const builds = new Map<string, Build>()
  const told: BuildStatus[] = []
  const room = new BuildRoom({
    ambient: { clock, random: { next: () => 0.5, uuid: () => '0' }, log: silentLogger },
    client: new Client(() => Promise.resolve({ status: 200, headers: {}, body: '' }), 'test'),
    directory,
    programs: { searchPath: '', environment: {}, endGroup: () => {} },
    credentials: { secretOf: () => undefined, registries: () => [] },
    desired: () => ({ builds }),
    reporter: { report: (_kind, _object, status) => void told.push(status) },
    onChange: () => {},
  })
  await room.recall()
  t.teardown(() => room.close())
  const place = (build: Build) => builds.set(objectKey(build.metadata), build)
  const statusOf = (build: Build) =>
    room.facts({ builds }, engine).statuses.get(build.metadata.uid ?? '') ?? {}
  return { room, clock, builds, told, place, statusOf, directory }
}

function orderOf(build: Build, attempt = 1): BuildOrder {
  const [planned] = decide(buildScene(build)).plan.ops
  if (planned?.op.type !== 'buildImage') throw new Error(`it is not due: ${planned?.op.type}`)
  return { ...planned.op.order, attempt }
}

function named(uid: string, status?: BuildStatus): Build {
  return { ...buildObject('web', {}, { metadata: { uid } }), ...(status !== undefined && { status }) }
}

async function logOf(room: BuildRoom, attempt?: number): Promise<string> {
  const chunks: Uint8Array[] = []
  const log = await room.log(web, { ...reading, ...(attempt !== undefined && { attempt }) })
  for await (const chunk of log) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

test('what came of an attempt is known at once, and its log is there', async (t) => {
  const { room, place, statusOf } = await makeRoom(t)
  const build = named('one')
  place(build)
  const attempt = room.begin(web, orderOf(build))
  t.like(statusOf(build), { phase: 'Building', attempt: 1 })
  room.end(web, attempt, { result: 'Succeeded', built: { image, stages: [] } })
  t.like(statusOf(build), { phase: 'Succeeded', image: { id: image } })
  t.is(await logOf(room), `attempt 1: it is not built yet\nbuilt ${image}\n`)
})

test('steps are told about once a second, however many there are, and only while it is built', async (t) => {
  const { room, place, told, clock } = await makeRoom(t)
  const build = named('one')
  place(build)
  const attempt = room.begin(web, orderOf(build))
  for (let step = 1; step <= 50; step++)
    attempt.add({ type: 'step', step, of: 50, instruction: `RUN ${step}` })
  t.is(told.length, 0)
  await clock.advance(1000)
  t.deepEqual(
    told.map(({ steps }) => steps?.length),
    [50],
  )
  attempt.add({ type: 'output', step: 50, text: 'more\n' })
  room.end(web, attempt, { result: 'Canceled', message: 'enough' })
  await clock.advance(5000)
  t.is(told.length, 1)
})

test('how an attempt ended is nothing to another Build that has its name by now', async (t) => {
  const { room, place, statusOf } = await makeRoom(t)
  const [before, after] = [named('one'), named('two')]
  place(before)
  const attempt = room.begin(web, orderOf(before, 5))
  place(after)
  t.is(statusOf(after).attempt, undefined)
  room.end(web, attempt, { result: 'Succeeded', built: { image, stages: [] } })
  t.deepEqual(statusOf(after), {})
  await t.throwsAsync(logOf(room), { message: /no log of any attempt/ })
  const next = room.begin(web, orderOf(after))
  room.end(web, next, { result: 'Canceled', message: 'enough' })
  t.is(await logOf(room), 'attempt 1: it is not built yet\ncanceled: enough\n')
})

test('an attempt of a Build that is gone leaves nothing behind, and none is begun for it', async (t) => {
  const { room, place, builds } = await makeRoom(t)
  const build = named('one')
  place(build)
  const attempt = room.begin(web, orderOf(build))
  builds.clear()
  room.end(web, attempt, { result: 'Canceled', message: 'it is gone' })
  const { running, statuses } = room.facts({ builds }, engine)
  t.is(running?.size, 0)
  t.is(statuses.size, 0)
  t.throws(() => room.begin(web, orderOf(build)), { message: 'the node makes no Build default/web' })
})

test('an attempt that the agent did not live to end is told as canceled by the next one', async (t) => {
  const killed = await makeRoom(t)
  const build = named('one')
  killed.place(build)
  killed.room.begin(web, orderOf(build, 3))
  const { directory } = killed
  const { place, statusOf, room } = await makeRoom(t, { directory })
  place(build)
  const { attempt, history } = statusOf(build)
  t.is(attempt, 3)
  t.like(history?.[0], { number: 3, result: 'Canceled', message: interruptedMessage })
  t.regex(await logOf(room), new RegExp(`${interruptedMessage}\n$`))
  place(named('two'))
  t.deepEqual(statusOf(named('two')), {})
})

test('no more logs are kept than there is history of', async (t) => {
  const { room, place } = await makeRoom(t)
  const build = buildObject('web', { historyLimit: 1 }, { metadata: { uid: 'one' } })
  place(build)
  for (const number of [1, 2, 3]) {
    const attempt = room.begin(web, orderOf(build, number))
    room.end(web, attempt, { result: 'Canceled', message: 'enough' })
  }
  await room.close()
  t.regex(await logOf(room, 2), /^attempt 2: /)
  await t.throwsAsync(logOf(room, 1), { message: /no log of attempt 1/ })
})

test('contexts of Builds that are gone go, also while another one is at work and a third has a place that is away', async (t) => {
  const { room, builds, place } = await makeRoom(t)
  const inline = (name: string) => {
    const context = { inline: { files: { Dockerfile: `FROM scratch\nLABEL a=${name}\n` } } }
    return buildObject(name, { context, dockerfileInline: undefined }, { metadata: { uid: name } })
  }
  const git = { git: { url: 'https://away.example.com/repo' } }
  const away = buildObject(
    'away',
    { context: git, dockerfileInline: undefined },
    { metadata: { uid: 'away' } },
  )
  const [gone, stays] = [inline('gone'), inline('stays')]
  for (const build of [gone, stays, away]) place(build)
  for (const build of [gone, stays]) {
    const scene = buildScene(build)
    const [planned] = decide(scene).plan.ops
    if (planned?.op.type !== 'fetchContext') throw new Error(`nothing is fetched: ${planned?.op.type}`)
    await room.fetch(planned.op, signal)
  }
  t.is(room.facts({ builds }, engine).contexts.size, 2)
  builds.delete(objectKey(gone.metadata))
  const building = room.facts({ builds }, engine)
  const seen = world({ objects: [...builds.values()] }, { building })
  const decision = planNode(seen)
  const busy = new Set([groupOf('Build', stays.metadata)])
  room.reports({ world: seen, decision, busy, lastAction: () => undefined })
  await room.close()
  const { contexts } = room.facts({ builds }, engine)
  t.deepEqual(
    [...contexts.values()].map(({ dockerfiles }) => dockerfiles['Dockerfile']),
    ['FROM scratch\nLABEL a=stays\n'],
  )
})
