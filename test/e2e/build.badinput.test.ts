/**
 * What people and the world give to Builds that cannot be built: what is said of it, that whoever is made of the last good
 * image keeps it, that nothing is left, and that it goes on by itself where that is possible.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import test from 'ava'
import { sleep, systemClock } from '#pkg/apimachinery/ambient.ts'
import {
  build,
  buildFails,
  built,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
  refused,
  untilBuild,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import type { Fields, Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const noSignal = new AbortController().signal
const builders = ['Classic', 'BuildKit'] as const

const change = (scene: Scene, name: string, spec: Fields) => scene.patch('Build', name, { spec })

/** Containers of steps, running or not: those that have the mark of the test in their command. */
async function stepsOf(scene: Scene, mark: string): Promise<unknown[]> {
  const all = await scene.call('GET', '/containers/json?all=1')
  return all.filter(({ Command }: { Command: string }) => Command.includes(mark))
}

for (const builder of builders) {
  test.serial(
    `${builder}: the line of the instruction that failed is told, whatever stands before it`,
    async (t) => {
      const scene = await makeBuildScene(cove())
      const texts: readonly (readonly [name: string, lines: readonly string[], expected: Fields])[] = [
        [
          'stages',
          [
            '# a comment',
            `ARG BASE=${baseImage}`,
            'FROM $BASE AS one',
            'ENV A=1 \\',
            '  B=2',
            'RUN echo a \\',
            '  && echo b',
            '',
            'FROM one AS two',
            'WORKDIR /w',
            'RUN echo told; \\',
            '  echo again >&2; \\',
            '  exit 7',
            'FROM two',
            'RUN true',
          ],
          { line: 11, exitCode: 7 },
        ],
        [
          'copy',
          [`FROM ${baseImage} AS one`, 'RUN true', `FROM ${baseImage}`, '', 'COPY --from=one /nowhere /x'],
          { line: 5 },
        ],
        ['user', ['RUN true', 'USER nobodyknows', 'RUN id'], { line: 4 }],
        ['program', ['RUN ["/no/such/program"]'], { line: 2 }],
      ]
      for (const [name, lines] of texts) await createBuild(scene, name, lines, { builder })
      for (const [name, , expected] of texts) {
        const failure = await buildFails(scene, name)
        t.like(failure, { reason: 'StepFailed', ...expected }, name)
      }
      const { log = [] } = await buildFails(scene, 'stages')
      // Of two streams, in the order in which the builder reads them.
      t.deepEqual(log.slice(-2).sort(), ['again', 'told'])
    },
  )

  test.serial(`${builder}: a step that writes a lot, or anything, is built in bounded room`, async (t) => {
    const scene = await makeBuildScene(cove())
    const words = [
      'RUN head -c 50000000 /dev/zero | tr "\\0" x',
      'RUN head -c 1000000 /dev/urandom',
      'RUN exit 4',
    ]
    await createBuild(scene, 'loud', words, { builder })
    const failure = await buildFails(scene, 'loud', 'StepFailed')
    t.like(failure, { exitCode: 4, line: 4 })
    await createBuild(
      scene,
      'late',
      [
        'RUN yes 0123456789012345678901234567890123456789 | head -c 100000000; head -c 100000 /dev/urandom; exit 5',
      ],
      { builder },
    )
    const late = await buildFails(scene, 'late', 'StepFailed')
    t.like(late, { exitCode: 5, line: 2 })
    t.true(JSON.stringify(late).length < 40_000)
  })
}

test.serial('hundreds of steps are built, and too many layers are told of', async (t) => {
  const scene = await makeBuildScene(cove())
  const many = (count: number) => Array.from({ length: count }, (_, index) => `ENV V${index}=${index}`)
  const kit = await build(scene, 'many', many(500), { builder: 'BuildKit' })
  t.is(kit.steps?.length, 1)
  const classic = await build(scene, 'fewer', many(100), { builder: 'Classic' })
  t.is(classic.steps?.length, 101)
  const layers = Array.from({ length: 200 }, (_, index) => `RUN : ${index}`)
  t.regex(await refused(scene, layers), /layer/)
})

test.serial(
  'a base that its registry does not have is told of and asked for again; once it is there, it is built',
  async (t) => {
    const scene = await makeBuildScene(cove())
    const registry = await startRegistry()
    t.teardown(() => registry.stop())
    const base = `${registry.address}/base:1`
    await createBuild(scene, 'web', [`FROM ${base}`, 'RUN true'])
    const failure = await buildFails(scene, 'web', 'ImageNotFound')
    t.regex(failure.message, /^pull image \S+\/base:1: manifest for \S+\/base:1 not found/)
    await registry.push(cove().engine, baseImage, 'base:1')
    const good = await built(scene, 'web')
    t.is(good.failure, undefined)
  },
)

test.serial('a Secret that is missing is waited for, and so is a key of it', async (t) => {
  const scene = await makeBuildScene(cove())
  const secrets = [{ id: 'token', secret: 'login', key: 'password' }]
  const lines = ['RUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null']
  await createBuild(scene, 'web', lines, { secrets })
  const first = await buildFails(scene, 'web', 'SecretNotFound')
  t.is(first.message, 'spec.secrets token: Secret login does not exist')
  await scene.create('Secret', 'login', { stringData: { user: 'me' } })
  const second = await buildFails(scene, 'web', 'SecretKeyNotFound')
  t.is(second.message, 'spec.secrets token: Secret login has no password')
  await scene.patch('Secret', 'login', { stringData: { password: 'x' } })
  await built(scene, 'web')
})

test.serial('what is too large is refused with how much, and the image before stays', async (t) => {
  const scene = await makeBuildScene(cove())
  const files = { a: 'x'.repeat(100) }
  const good = await build(scene, 'web', ['COPY a /a'], { files })
  await change(scene, 'web', {
    context: { inline: { files: { a: 'x'.repeat(5000) } } },
    maxContextBytes: '1k',
  })
  const failure = await buildFails(scene, 'web', 'ContextTooLarge')
  t.regex(failure.message, /spec\.maxContextBytes is 1/)
  const { status } = await untilBuild(scene, 'web', () => {})
  t.is(status.image?.id, good.image.id)
  t.is((await inspectImage(scene, imageOf(scene, 'web'))).Id, good.image.id)
  await change(scene, 'web', { maxContextBytes: '1M' })
  t.is((await built(scene, 'web')).attempt, 2)
})

for (const builder of builders) {
  test.serial(`${builder}: a step that never ends leaves nothing when its Build is deleted`, async (t) => {
    const scene = await makeBuildScene(cove())
    const mark = `never-${builder}-${cove().mark}`
    await createBuild(scene, 'never', [`RUN : ${mark}; while true; do sleep 1; done`], { builder })
    await untilBuild(scene, 'never', ({ steps = [] }) => assert.equal(steps.length, 2))
    await scene.delete('Build', 'never')
    await scene.gone('Build', 'never')
    await scene.eventually('the end of its steps', async () => {
      assert.deepEqual(await stepsOf(scene, mark), [])
      assert.deepEqual(await processesWith(mark), [])
    })
    t.pass()
  })

  test.serial(
    `${builder}: a spec that changes twice a second ends with the last one, and nothing else runs`,
    async (t) => {
      const scene = await makeBuildScene(cove())
      const mark = `often-${builder}-${cove().mark}`
      await createBuild(scene, 'often', ['ARG V', `RUN : ${mark} $V; sleep 2`], { builder })
      for (let round = 1; round <= 12; round++) {
        await change(scene, 'often', { args: { V: String(round) } })
        await sleep(systemClock(), 500, noSignal)
      }
      const { status } = await untilBuild(scene, 'often', ({ phase, inputs }) => {
        assert.equal(phase, 'Succeeded')
        assert.equal(inputs?.['args'], '{"V":"12"}')
      })
      t.true((status.attempt ?? 0) <= 13)
      t.true((status.history ?? []).length <= 5)
      t.deepEqual(await stepsOf(scene, mark), [])
      t.deepEqual(await processesWith(mark), [])
    },
  )
}

async function processesWith(mark: string): Promise<string[]> {
  const found: string[] = []
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (text.includes(mark)) found.push(text)
  }
  return found
}
