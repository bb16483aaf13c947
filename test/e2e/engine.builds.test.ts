/** What the port cannot show of builds on a real engine: that nothing of them goes on, or stays behind, when they end. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { BuildError, type BuildEvent, type Builder } from '#pkg/engine/builds.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import type { Engine } from '#pkg/engine/port.ts'
import { contextOf } from '#test/conformance/engine.builds.ts'
import { ensureBaseImage, mustRequest, rawEngine, testEngineHost } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'

const host = testEngineHost()

test('a step that is killed by an engine that goes down has not failed', async (t) => {
  t.timeout(100_000)
  const down = await startPrivateEngine(t)
  const engine = await openDockerEngine({ host: down.host, clock: systemClock() })
  const image = await ensureBaseImage(down.host)
  // For it the engine waits some seconds longer than for the step, and answers meanwhile.
  const stubborn = { Image: image, Cmd: ['sleep', '600'], StopTimeout: 16 }
  const raw = rawEngine(down.host)
  await mustRequest(raw, 'POST', '/containers/create?name=stubborn', stubborn)
  await mustRequest(raw, 'POST', '/containers/stubborn/start')
  raw.close()
  for (const builder of ['Classic', 'BuildKit'] as const) {
    const { done } = await runs({ engine, image, builder, script: (word) => `echo ${word}; sleep 600` })
    const pid = await down.pid()
    process.kill(pid, 'SIGTERM')
    const error: unknown = await t.throwsAsync(done)
    t.true(isReason(error, 'EngineUnavailable'), String(error))
    await eventually(async () => assert.equal(commandOf(String(pid)), ''), { timeoutMs: 30_000 })
    await down.restart()
  }
  await engine.close()
})

test('a step that is killed while the engine stays has failed', (t) =>
  withEngine(async (engine) => {
    const image = await ensureBaseImage(host)
    const { done } = await runs({
      engine,
      image,
      builder: 'Classic',
      script: (word) => `echo ${word}; exit 137`,
    })
    const error: unknown = await t.throwsAsync(done)
    t.is(error instanceof BuildError ? error.failure.exitCode : String(error), 137)
  }))

interface Running {
  readonly mark: string
  readonly over: AbortController
  readonly done: Promise<unknown>
}

interface Wanted {
  readonly engine: Engine
  readonly image: string
  readonly builder: Builder
  readonly script: (mark: string) => string
}

/** A build whose step writes `mark` and goes on; resolves when it does. */
async function runs({ engine, image, builder, script }: Wanted): Promise<Running> {
  const mark = `cove-test-${randomBytes(5).toString('hex')}`
  const over = new AbortController()
  const begun = Promise.withResolvers<void>()
  const onEvent = (event: BuildEvent) => {
    if (event.type === 'output' && event.text.includes(mark)) begun.resolve()
  }
  const done = engine.buildImage({
    builder,
    context: contextOf({ Dockerfile: `FROM ${image}\nRUN ${script(mark)}\n` }),
    dockerfile: 'Dockerfile',
    tags: [],
    args: {},
    labels: {},
    noCache: true,
    cacheFrom: [],
    secrets: new Map(),
    onEvent,
    signal: over.signal,
  })
  // Its failure is for the test to look at.
  await Promise.race([begun.promise, done.catch(() => undefined)])
  return { mark, over, done }
}

async function withEngine(body: (engine: Engine) => Promise<void>): Promise<void> {
  const engine = await openDockerEngine({ host, clock: systemClock() })
  try {
    await body(engine)
  } finally {
    await engine.close()
  }
}

/** Processes of this machine that were started with the mark. */
function processesOf(mark: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(mark))
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch (error) {
    // Gone since the folder was read.
    if (error instanceof Error && 'code' in error && /ENOENT|ESRCH/.test(String(error.code))) return ''
    throw error
  }
}

async function containersOf(mark: string): Promise<string> {
  const raw = rawEngine(host)
  try {
    const answer = await raw.request('GET', '/containers/json?all=1')
    const containers: unknown = answer.json()
    if (!Array.isArray(containers)) throw new Error('the engine lists no containers')
    return JSON.stringify(containers.filter((one) => JSON.stringify(one).includes(mark)))
  } finally {
    raw.close()
  }
}

async function nothingLeft(t: ExecutionContext, mark: string): Promise<void> {
  await eventually(async () => {
    const left = [...processesOf(mark), ...(JSON.parse(await containersOf(mark)) as unknown[])]
    if (left.length > 0) throw new Error(`${left.length} things of ${mark} are left`)
  })
  t.pass()
}

for (const builder of ['Classic', 'BuildKit'] as const) {
  test(`a build that is told to end has no process and no container left (${builder})`, (t) =>
    withEngine(async (engine) => {
      const { mark, over, done } = await runs({
        engine,
        image: await ensureBaseImage(host),
        builder,
        script: (word) => `echo ${word}; sleep 600; echo ${word}`,
      })
      t.true(processesOf(mark).length > 0)
      over.abort(new Error('enough'))
      await t.throwsAsync(done, { message: 'enough' })
      await nothingLeft(t, mark)
    }))

  test(`a step that fails leaves no container (${builder})`, (t) =>
    withEngine(async (engine) => {
      const { mark, done } = await runs({
        engine,
        image: await ensureBaseImage(host),
        builder,
        script: (word) => `echo ${word}; sleep 0.2; exit 3`,
      })
      await t.throwsAsync(done, { instanceOf: BuildError })
      await nothingLeft(t, mark)
    }))

  test(`a build ends with the engine's connection (${builder})`, (t) =>
    withEngine(async (engine) => {
      const { mark, done } = await runs({
        engine,
        image: await ensureBaseImage(host),
        builder,
        script: (word) => `echo ${word}; sleep 600; echo ${word}`,
      })
      await engine.close()
      await t.throwsAsync(done, { message: /was closed/ })
      await nothingLeft(t, mark)
    }))
}
