/** What people know of several stages and of ONBUILD holds for Builds, with either builder of the real engine; and what is left of stages. */
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import {
  attempt,
  build,
  buildFails,
  built,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
  refused,
  shell,
  untilBuild,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import type { Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

const stages = [
  `FROM ${baseImage} AS builder`,
  'LABEL stage=gobuilder',
  'RUN dd if=/dev/zero of=/big bs=1M count=5 2>/dev/null && echo art > /art',
  `FROM ${baseImage} AS unused`,
  'RUN echo unused > /unused',
  `FROM ${baseImage}`,
  'COPY --from=builder /art /a1',
  'COPY --from=0 /art /a0',
  `COPY --from=${baseImage} /bin/busybox /bb`,
]

for (const builder of ['Classic', 'BuildKit']) {
  test(`${builder}: only the last stage becomes the image, and takes from others by name, by number, by image`, async (t) => {
    const scene = await makeBuildScene(cove())
    const { bases } = await build(scene, 'staged', stages, { builder })
    t.is(
      await shell(scene, imageOf(scene, 'staged'), 'cat /a0 /a1; test -e /bb; test -e /big || echo small'),
      'art\nart\nsmall',
    )
    t.is(bases?.length, 1)
    const whole = [`FROM ${baseImage}`, stages[2] ?? '']
    await build(scene, 'whole', whole, { builder })
    const size = async (name: string) => (await inspectImage(scene, imageOf(scene, name))).Size
    t.true((await size('whole')) - (await size('staged')) > 1024 ** 2)
  })

  test(`${builder}: the target is the image, and a target that is not there is told before anything is built`, async (t) => {
    const scene = await makeBuildScene(cove())
    await build(scene, 'target', stages, { builder, target: 'builder' })
    t.is(
      await shell(scene, imageOf(scene, 'target'), 'ls -1d /big; ls -1d /a0 2>/dev/null || echo none'),
      '/big\nnone',
    )
    t.regex(await refused(scene, stages, { builder, target: 'nope' }), /nope/)
  })

  test(`${builder}: triggers of ONBUILD are run by the direct child, with its own files, and not by the one after`, async (t) => {
    const scene = await makeBuildScene(cove())
    await build(
      scene,
      'parent',
      ['WORKDIR /app', 'ONBUILD COPY package.json /app/', 'ONBUILD RUN echo installed >> /app/log'],
      { builder },
    )
    const { Config } = await inspectImage(scene, imageOf(scene, 'parent'))
    t.deepEqual(Config.OnBuild, ['COPY package.json /app/', 'RUN echo installed >> /app/log'])
    t.is(await shell(scene, imageOf(scene, 'parent'), 'ls /app'), '')
    const files = { 'package.json': '{"name":"child"}' }
    const { steps } = await build(scene, 'child', [`FROM ${imageOf(scene, 'parent')}`], { builder, files })
    t.regex(JSON.stringify(steps), /COPY package\.json.*RUN echo installed/)
    t.is(
      await shell(scene, imageOf(scene, 'child'), 'cat /app/package.json /app/log'),
      '{"name":"child"}installed',
    )
    await build(scene, 'grandchild', [`FROM ${imageOf(scene, 'child')}`, 'RUN true'], { builder })
    t.is(await shell(scene, imageOf(scene, 'grandchild'), 'cat /app/log'), 'installed')
  })

  test(`${builder}: a Build whose FROM is another one's image waits for it, and is made again when that is`, async (t) => {
    const scene = await makeBuildScene(cove())
    await createBuild(scene, 'child', [`FROM ${imageOf(scene, 'base')}`, 'RUN cat /version > /seen'], {
      builder,
    })
    await untilBuild(scene, 'child', ({ conditions, attempt = 0 }) => {
      const ready = findCondition(conditions, 'Ready')
      if (ready?.status !== 'False' || attempt > 0) throw new Error(JSON.stringify(ready))
    })
    await createBuild(scene, 'base', ['RUN echo 1 > /version'], { builder })
    await built(scene, 'child')
    t.is(await shell(scene, imageOf(scene, 'child'), 'cat /seen'), '1')
    await scene.patch('Build', 'base', {
      spec: { dockerfileInline: `FROM ${baseImage}\nRUN echo 2 > /version\n` },
    })
    const { cause } = await attempt(scene, 'child', 2)
    t.regex(cause ?? '', /^base .* moved/)
    t.is(await shell(scene, imageOf(scene, 'child'), 'cat /seen'), '2')
  })
}

test('a Build that is made of its own image is told so, and never built', async (t) => {
  const scene = await makeBuildScene(cove())
  await createBuild(scene, 'own', [`FROM ${imageOf(scene, 'own')}`, 'RUN true'])
  const { status } = await untilBuild(scene, 'own', ({ conditions }) => {
    const ready = findCondition(conditions, 'Ready')
    if (ready?.reason !== 'DependencyCycle') throw new Error(JSON.stringify(ready))
  })
  t.falsy(status.attempt)
})

test('a stage that copies from a stage of its own name, which is none, is told of', async (t) => {
  const scene = await makeBuildScene(cove())
  const lines = [`FROM ${baseImage} AS builder`, 'RUN echo x > /x', 'COPY --from=builder /x /y']
  const told = await refused(scene, lines).catch(async () => {
    const failure = await buildFails(scene, 'refused')
    const { status } = await scene.get('Build', 'refused')
    return JSON.stringify({ failure, warnings: status.warnings })
  })
  t.regex(told, /builder/)
})

test.serial(
  'stages are found by their label: those of the last build stay, those before it go when a policy says so',
  async (t) => {
    const scene = await makeBuildScene(cove())
    const lines = (text: string) => [
      `FROM ${baseImage} AS builder`,
      `LABEL stage=gobuilder-${scene.namespace}`,
      `RUN echo ${text} > /art`,
      `FROM ${baseImage}`,
      'COPY --from=builder /art /art',
    ]
    const first = await build(scene, 'web', lines('one'), { builder: 'Classic' })
    const before = await dangling(scene)
    t.is(before.length, 1)
    t.deepEqual(first.stages, before)
    await scene.patch('Build', 'web', { spec: { dockerfileInline: `${lines('two').join('\n')}\n` } })
    await scene.eventually('the second build', async () => {
      const { status } = await scene.get('Build', 'web')
      if (status.attempt !== 2 || status.phase !== 'Succeeded') throw new Error(JSON.stringify(status))
    })
    const { stages: current = [] } = (await scene.get('Build', 'web')).status
    t.notDeepEqual(current, before)
    const policy = ['system', 'prune', '--force', '--filter', `label=stage=gobuilder-${scene.namespace}`]
    const pruned = await cove().cli(policy)
    t.is(pruned.code, 0, pruned.stderr)
    t.deepEqual(await dangling(scene), current, pruned.stdout + pruned.stderr)
    t.truthy(await inspectImage(scene, imageOf(scene, 'web')))
  },
)

/** Ids of images without a name that have the test's label. */
async function dangling(scene: Scene): Promise<string[]> {
  const label = [`stage=gobuilder-${scene.namespace}`]
  const filters = encodeURIComponent(JSON.stringify({ label, dangling: ['true'] }))
  const images: readonly { Id: string }[] = await scene.call('GET', `/images/json?filters=${filters}`)
  return images.map(({ Id }) => Id)
}
