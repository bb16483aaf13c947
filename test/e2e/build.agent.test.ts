/** What a Build does over its life on a real engine: builds when an input moves and never else, fails, and is broken off. */
import assert from 'node:assert/strict'
import { readFile, readlink, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { buildKind } from '#pkg/apis/build.ts'
import { buildAnnotation, cancelAnnotation } from '#pkg/apis/wellknown.ts'
import {
  build,
  buildFails,
  built,
  createBuild,
  inspectImage,
  makeBuildScene,
  shell,
  untilBuild,
} from '#test/helpers/builds.ts'
import { decode, sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { pushed } from '#test/helpers/images.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import type { Fields, Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)
const noSignal = new AbortController().signal

async function change(scene: Scene, name: string, spec: Fields): Promise<void> {
  await scene.patch('Build', name, { spec })
}

async function ask(scene: Scene, name: string, annotation: string, value: string): Promise<void> {
  await scene.patch('Build', name, { metadata: { annotations: { [annotation]: value } } })
}

async function logOf(scene: Scene, name: string, query = ''): Promise<string> {
  const path = `/apis/${buildKind.group}/v1/namespaces/${scene.namespace}/builds/${name}/log${query}`
  const { body } = await scene.cove.client.stream({ method: 'GET', path }, noSignal)
  if (typeof body === 'string') return body
  const chunks: Buffer[] = []
  if (body instanceof Uint8Array) chunks.push(Buffer.from(body))
  else for await (const chunk of decode(body)) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks).toString()
}

test('builds once, and again for each input that moves, with the cause', async (t) => {
  const scene = await makeBuildScene(cove())
  const lines = ['COPY a.txt /a.txt', 'ARG V=1', 'RUN echo $V > /v']
  const first = await build(scene, 'web', lines, { files: { 'a.txt': 'one' } })
  t.is(first.attempt, 1)
  t.is(first.cause, 'it is not built yet')
  t.is(first.steps?.length, 4)
  t.is(first.history?.length, 1)
  t.true(first.steps?.every(({ state }) => state === 'Done' || state === 'Cached'))
  t.is((await inspectImage(scene, first.image.id)).Config.Labels['cove.run/build'], `${scene.namespace}/web`)
  await change(scene, 'web', { args: { V: '2' } })
  const second = await untilBuild(scene, 'web', ({ attempt, phase }) => {
    assert.equal(attempt, 2)
    assert.equal(phase, 'Succeeded')
  })
  t.is(second.status.cause, 'args: V was absent, is 2')
  await change(scene, 'web', { context: { inline: { files: { 'a.txt': 'two' } } } })
  const third = await untilBuild(scene, 'web', ({ attempt, phase }) => {
    assert.equal(attempt, 3)
    assert.equal(phase, 'Succeeded')
  })
  t.is(third.status.cause, 'a.txt changed')
  await change(scene, 'web', { historyLimit: 2 })
  await untilBuild(scene, 'web', ({ attempt }) => assert.equal(attempt, 3))
  await ask(scene, 'web', buildAnnotation, '2026-01-01T00:00:00Z')
  const asked = await untilBuild(scene, 'web', ({ attempt, phase }) => {
    assert.equal(attempt, 4)
    assert.equal(phase, 'Succeeded')
  })
  t.is(asked.status.cause, 'asked for (cove.run/build-requested)')
  t.is(asked.status.request, '2026-01-01T00:00:00Z')
  t.is(asked.status.cacheHits, 3)
  t.deepEqual(
    asked.status.history?.map(({ number, result }) => `${number} ${result}`),
    ['4 Succeeded', '3 Succeeded'],
  )
})

test('a step that fails is told with its exit code, its last lines and its line; it is not tried again', async (t) => {
  const scene = await makeBuildScene(cove())
  await createBuild(scene, 'bad', ['RUN true', 'RUN echo first; echo last; exit 3'])
  const failure = await buildFails(scene, 'bad', 'StepFailed')
  t.like(failure, { exitCode: 3, step: 3, line: 3 })
  t.deepEqual(failure.log?.slice(-2), ['first', 'last'])
  t.regex(failure.message, /^step 3: RUN echo first; echo last; exit 3: /)
  await change(scene, 'bad', { historyLimit: 9 })
  const { status } = await untilBuild(scene, 'bad', ({ phase }) => assert.equal(phase, 'Failed'))
  t.is(status.attempt, 1)
  t.is(status.conditions?.find(({ type }) => type === 'Stalled')?.status, 'True')
  const log = await logOf(scene, 'bad')
  t.regex(log, /#3 first\n#3 last\n\[3\/3\] FAILED/)
  t.regex(log, /\nfailed: step 3: /)
  const { spec } = await scene.get('Build', 'bad')
  await change(scene, 'bad', { dockerfileInline: spec.dockerfileInline.replace('exit 3', 'exit 0') })
  const good = await built(scene, 'bad')
  t.is(good.attempt, 2)
  t.is(good.failure, undefined)
})

test('a newer input breaks off the build of an older one; so do cancel, suspend and the timeout', async (t) => {
  const scene = await makeBuildScene(cove())
  await createBuild(scene, 'slow', ['RUN echo begins; sleep 300'])
  const begins = async (attempt: number) =>
    await untilBuild(scene, 'slow', (status) => {
      assert.equal(status.attempt, attempt)
      assert.equal(status.phase, 'Building')
      assert.equal(status.steps?.length, 2)
    })
  await begins(1)
  await change(scene, 'slow', { args: { V: '1' } })
  const next = await begins(2)
  t.is(next.status.history?.[0]?.result, 'Canceled')
  await ask(scene, 'slow', cancelAnnotation, 'once')
  const canceled = await untilBuild(scene, 'slow', ({ phase }) => assert.equal(phase, 'Canceled'))
  t.is(canceled.status.canceled, 'once')
  await ask(scene, 'slow', buildAnnotation, 'again')
  await begins(3)
  await change(scene, 'slow', { suspend: true })
  await untilBuild(scene, 'slow', ({ phase, finishedAt }) => {
    assert.equal(phase, 'Suspended')
    assert.ok(finishedAt)
  })
  await change(scene, 'slow', { suspend: false, timeout: '2s' })
  const late = await buildFails(scene, 'slow', 'TimedOut')
  t.regex(late.message, /not done after 2s/)
  const label = encodeURIComponent(JSON.stringify({ label: [`cove.run/build=${scene.namespace}/slow`] }))
  t.deepEqual(await scene.call('GET', `/containers/json?all=1&filters=${label}`), [])
  await scene.delete('Build', 'slow')
  await scene.gone('Build', 'slow')
})

test('a log is followed while it grows, and of every attempt there is one', async (t) => {
  const scene = await makeBuildScene(cove())
  await createBuild(scene, 'talk', [`RUN for i in 1 2 3; do echo line $i; sleep 0.3; done; : ${cove().mark}`])
  await untilBuild(scene, 'talk', ({ phase }) => assert.equal(phase, 'Building'))
  const log = await logOf(scene, 'talk', '?follow=true')
  t.regex(log, /^attempt 1: it is not built yet\n/)
  t.regex(log, /#2 line 1\n#2 line 2\n#2 line 3\n/)
  t.regex(log, /\nbuilt sha256:[0-9a-f]{64}\n$/)
  t.regex(
    await logOf(scene, 'talk', '?tailLines=1&timestamps=true'),
    /^\d{4}-\S+Z built sha256:[0-9a-f]{64}\n$/,
  )
  await t.throwsAsync(logOf(scene, 'talk', '?attempt=7'), { message: /no log of attempt 7/ })
})

test('each stage of a classic build is labelled, which no step tells; a target stops there', async (t) => {
  const scene = await makeBuildScene(cove())
  const mark = cove().mark
  const lines = [
    `FROM ${baseImage} AS one`,
    `RUN echo ${mark} > /big`,
    `FROM ${baseImage}`,
    'COPY --from=one /big /small',
    'COPY . /all',
  ]
  const files = { 'x.txt': mark }
  const status = await build(scene, 'two', lines, { builder: 'Classic', files })
  t.is(status.steps?.length, 5)
  t.deepEqual(
    status.steps?.map(({ instruction }) => instruction.split(' ')[0]),
    ['FROM', 'RUN', 'FROM', 'COPY', 'COPY'],
  )
  t.is(status.stages?.length, 1)
  const [stage = ''] = status.stages ?? []
  t.is((await inspectImage(scene, stage)).Config.Labels['cove.run/build'], `${scene.namespace}/two`)
  t.is(await shell(scene, status.image.id, 'ls -A /all'), 'x.txt')
  const again = await build(scene, 'same', lines, { builder: 'Classic', files })
  t.is(again.inputs?.['context'], status.inputs?.['context'])
  const target = await build(scene, 'target', lines, { builder: 'Classic', files, target: 'one' })
  t.is(await shell(scene, target.image.id, 'cat /big'), mark)
})

test('outputs are taken out of the image, and the container for that is gone', async (t) => {
  const scene = await makeBuildScene(cove())
  const folder = await makeTempDir(t, 'outputs')
  const outputs = [
    { from: '/out/file', to: join(folder, 'file') },
    { from: '/out', to: `${folder}/` },
  ]
  const lines = ['RUN mkdir /out && echo made > /out/file && chmod 750 /out/file && ln -s file /out/link']
  const { image } = await build(scene, 'out', lines, { outputs })
  t.is(await readFile(join(folder, 'file'), 'utf8'), 'made\n')
  t.is((await stat(join(folder, 'file'))).mode & 0o777, 0o750)
  t.is(await readlink(join(folder, 'out/link')), 'file')
  const filters = encodeURIComponent(JSON.stringify({ ancestor: [image.id] }))
  t.deepEqual(await scene.call('GET', `/containers/json?all=1&filters=${filters}`), [])
})

test('a folder of the node is watched: a file that changes makes a new build, one that is touched does not', async (t) => {
  const scene = await makeBuildScene(cove())
  const folder = await makeTempDir(t, 'context')
  await writeFile(join(folder, 'Dockerfile'), `FROM ${baseImage}\nCOPY a /a\n`)
  await writeFile(join(folder, 'a'), 'one')
  await scene.create('Build', 'host', { spec: { context: { hostPath: folder } } })
  await built(scene, 'host')
  await utimes(join(folder, 'a'), 1, 1)
  await writeFile(join(folder, 'a'), 'two')
  const next = await untilBuild(scene, 'host', ({ attempt, phase }) => {
    assert.equal(attempt, 2)
    assert.equal(phase, 'Succeeded')
  })
  t.is(await shell(scene, next.status.image?.id ?? '', 'cat /a'), 'two')
})

test('a base that moves in its registry is pulled, and the image is built again', async (t) => {
  const scene = await makeBuildScene(cove())
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const reference = await pushed(scene, registry, 'base:1', ['one'])
  const spec = { triggers: { interval: '5s' }, dockerfileInline: `FROM ${reference}\nRUN true\n` }
  await scene.create('Build', 'app', { spec: { context: { empty: {} }, ...spec } })
  const first = await built(scene, 'app')
  t.is(first.bases?.[0]?.reference, reference)
  // While it is pushed its name is on the engine for a moment, and then it is not.
  await change(scene, 'app', { suspend: true })
  await untilBuild(scene, 'app', ({ phase }) => assert.equal(phase, 'Suspended'))
  await pushed(scene, registry, 'base:1', ['one', 'two'])
  await change(scene, 'app', { suspend: false })
  const next = await untilBuild(scene, 'app', ({ attempt, phase }) => {
    assert.equal(attempt, 2)
    assert.equal(phase, 'Succeeded')
  })
  t.regex(next.status.cause ?? '', /^base .*base:1 moved from sha256:/)
  t.true((await logOf(scene, 'app', '?attempt=1')).startsWith('attempt 1: it is not built yet\n'))
})
