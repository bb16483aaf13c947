/** What people know of FROM, RUN, COPY and ADD holds for Builds, with either builder of the real engine. */
import test from 'ava'
import {
  build,
  buildFails,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
  refused,
  runImage,
  shell,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { serveFiles } from '#test/helpers/images.ts'
import { tar } from '#test/helpers/tar.ts'

const cove = sharedCove(test)

for (const builder of ['Classic', 'BuildKit']) {
  test(`${builder}: a shell runs RUN, but for its JSON form; nothing but files goes from one to the next`, async (t) => {
    const scene = await makeBuildScene(cove())
    await build(
      scene,
      'run',
      [
        '# syntax is what it is',
        `FROM ${baseImage}`,
        'ENV A=hello',
        'RUN echo $A > /shell',
        'run ["/bin/touch", "/$A"]',
        'RUN mkdir /app && cd /app',
        'RUN echo hello > world.txt',
        'RUN echo one \\',
        '# a comment between',
        '  two > /joined',
      ],
      { builder },
    )
    const seen = await shell(
      scene,
      imageOf(scene, 'run'),
      "cat /shell /joined; ls -1d '/$A' /world.txt; ls -1 /app",
    )
    t.deepEqual(seen.split('\n'), ['hello', 'one two', '/$A', '/world.txt'])
  })

  test(`${builder}: scratch is nothing: the first layer is the program, and it runs`, async (t) => {
    const scene = await makeBuildScene(cove())
    const lines = ['FROM scratch', `COPY --from=${baseImage} /bin/busybox /bin/busybox`]
    const { bases } = await build(scene, 'tiny', [...lines, 'CMD ["/bin/busybox", "echo", "it runs"]'], {
      builder,
    })
    const { RootFS, Size } = await inspectImage(scene, imageOf(scene, 'tiny'))
    t.is(RootFS.Layers.length, 1)
    t.true(Size < 2_100_000)
    t.is((await runImage(scene, imageOf(scene, 'tiny'))).output, 'it runs')
    t.deepEqual(
      bases?.map(({ reference }) => reference.replace('docker.io/library/', '')),
      [baseImage],
    )
    await build(scene, 'shell', [...lines, 'RUN ["/bin/busybox", "--install", "-s", "/bin"]'], { builder })
    t.is(await shell(scene, imageOf(scene, 'shell'), 'echo it runs'), 'it runs')
  })

  test(`${builder}: each RUN is a layer, and what a later one removes is still in the image`, async (t) => {
    const scene = await makeBuildScene(cove())
    const many = await build(
      scene,
      'many',
      Array.from({ length: 7 }, (_, index) => `RUN echo ${index} > /f${index}`),
      { builder },
    )
    const all = Array.from({ length: 7 }, (_, index) => `echo ${index} > /f${index}`).join(' && ')
    const one = await build(scene, 'one', [`RUN ${all}`], { builder })
    const layers = async (id: string) => (await inspectImage(scene, id)).RootFS.Layers.length
    t.is((await layers(many.image.id)) - (await layers(one.image.id)), 6)
    t.true(
      many.warnings?.some(({ rule }) => rule === 'ConsecutiveRun'),
      JSON.stringify(many.warnings),
    )
    const big = 'dd if=/dev/zero of=/big bs=1M count=2 2>/dev/null'
    const clean = await build(scene, 'clean', [`RUN ${big} && rm /big`], { builder })
    const late = await build(scene, 'late', [`RUN ${big}`, 'RUN rm /big'], { builder })
    const size = async (id: string) => (await inspectImage(scene, id)).Size
    t.true((await size(late.image.id)) - (await size(clean.image.id)) >= 2 * 1024 ** 2)
    t.true(
      late.warnings?.some(({ rule }) => rule === 'RemovedInLaterLayer'),
      JSON.stringify(late.warnings),
    )
  })

  test(`${builder}: COPY takes several sources, wildcards and folders, to places that are made first`, async (t) => {
    const scene = await makeBuildScene(cove())
    const files = {
      'home.txt': 'home',
      'hom1.txt': 'hom1',
      homx: 'homx',
      'package.json': '{}',
      'tree/in/f': 'f',
      'json form.txt': 'json',
    }
    await build(
      scene,
      'copy',
      [
        'COPY hom* /star/',
        'COPY hom?.txt /mark/',
        'WORKDIR /wd/rel',
        'COPY package.json .',
        'COPY package.json tree/in/f /multi/deep/new/',
        'COPY tree /t/',
        'COPY ["json form.txt", "/json form/"]',
        'COPY --chown=12:34 homx /owned',
        'COPY /package.json /rooted',
        'ADD package.json /added',
      ],
      { builder, files },
    )
    const script = [
      'ls -1 /star /mark /wd/rel /multi/deep/new',
      'cat /t/in/f && echo',
      'ls -1 "/json form"',
      'stat -c %u:%g /owned /rooted /wd/rel /multi',
      'test "$(stat -c %a /added)" = "$(stat -c %a /rooted)" && echo alike',
    ].join('; ')
    t.deepEqual((await shell(scene, imageOf(scene, 'copy'), script)).split('\n'), [
      ...['/mark:', 'hom1.txt', 'home.txt', ''],
      ...['/multi/deep/new:', 'f', 'package.json', ''],
      ...['/star:', 'hom1.txt', 'home.txt', 'homx', ''],
      ...['/wd/rel:', 'package.json'],
      'f',
      'json form.txt',
      ...['12:34', '0:0', '0:0', '0:0'],
      'alike',
    ])
  })

  test(`${builder}: what is not there, or outside the context, cannot be copied`, async (t) => {
    const scene = await makeBuildScene(cove())
    const files = { a: 'a', b: 'b' }
    const cases: readonly (readonly [string, RegExp])[] = [
      ['COPY a b /nodir', /must be a directory|end with/i],
      ['COPY nope* /', /nope/],
      ['COPY ../a /', /outside|\.\./],
      ['COPY /etc/hostname /', /etc\/hostname/],
    ]
    for (const [line, words] of cases) {
      const message = await refused(scene, [line], { builder, files })
      t.regex(message, words, line)
      t.regex(message, /line 2/, line)
    }
    t.regex(await refused(scene, ['COPY a /'], { builder }), /no context|no files|NoContext|empty/i)
  })

  test(`${builder}: ADD of an address is a file of mode 600, unpacked by nobody`, async (t) => {
    const scene = await makeBuildScene(cove())
    const archive = tar([{ name: 'in/f', mode: 0o644, data: Buffer.from('f') }])
    const server = await serveFiles({
      '/home.txt': { body: Buffer.from('home') },
      '/a.tar': { body: archive },
    })
    t.teardown(() => server.close())
    await build(scene, 'add', [`ADD ${server.base}/home.txt /u/`, `ADD ${server.base}/a.tar /u/`], {
      builder,
    })
    const seen = await shell(scene, imageOf(scene, 'add'), 'ls -1 /u; stat -c %a:%u /u/home.txt')
    t.deepEqual(seen.split('\n'), ['a.tar', 'home.txt', '600:0'])
  })

  test(`${builder}: labels of the Dockerfile and of the spec, STOPSIGNAL, MAINTAINER and expanded variables are in the image`, async (t) => {
    const scene = await makeBuildScene(cove())
    const { warnings = [] } = await build(
      scene,
      'settings',
      [
        'MAINTAINER somebody',
        'ENV D=/d E=8080 U=1234',
        'WORKDIR $D',
        'EXPOSE $E 53/udp',
        'USER $U',
        'VOLUME ["$D/data"]',
        'LABEL port=$E',
        'STOPSIGNAL SIGUSR1',
      ],
      { builder, labels: { team: 'web' } },
    )
    const { Config, Author } = await inspectImage(scene, imageOf(scene, 'settings'))
    t.like(Config, { WorkingDir: '/d', User: '1234', StopSignal: 'SIGUSR1' })
    t.deepEqual(Object.keys(Config.ExposedPorts).sort(), ['53/udp', '8080/tcp'])
    t.like(Config.Labels, { port: '8080', team: 'web', 'cove.run/build': `${scene.namespace}/settings` })
    t.is(Author, 'somebody')
    t.true(
      warnings.some(({ rule }) => rule === 'Maintainer'),
      JSON.stringify(warnings),
    )
  })
}

test('a Dockerfile that no builder would take is refused when it is applied, with the line', async (t) => {
  const scene = await makeBuildScene(cove())
  const of = (text: string) => refused(scene, [], { dockerfileInline: text })
  t.regex(await of(`FROM ${baseImage}\nFOO x\n`), /line 2.*unknown instruction: FOO/is)
  t.regex(await of(`FROM ${baseImage}\nCOPPY a b\n`), /COPY/)
  t.regex(await of('RUN true\n'), /FROM/)
  t.regex(await of(`FROM ${baseImage}\nONBUILD FROM x\n`), /line 2.*ONBUILD/is)
  t.regex(await of(`FROM ${baseImage}\nONBUILD ONBUILD RUN x\n`), /line 2.*ONBUILD/is)
  t.regex(await of(`FROM ${baseImage}\nONBUILD MAINTAINER x\n`), /line 2.*MAINTAINER/is)
})

test('more layers than an engine takes are refused before it tries', async (t) => {
  const scene = await makeBuildScene(cove())
  const runs = (count: number) => Array.from({ length: count }, () => 'RUN true')
  t.regex(await refused(scene, runs(130)), /layers/)
  await createBuild(scene, 'edge', runs(124))
  const { message, line } = await buildFails(scene, 'edge')
  t.regex(message, /126 layers, 124 of its own and 2 of /)
  t.is(line, 125)
  const { status } = await scene.get('Build', 'edge')
  t.deepEqual(status.steps ?? [], [])
})

test('a step that fails is told with its exit code, its line and its last words', async (t) => {
  const scene = await makeBuildScene(cove())
  await createBuild(scene, 'bad', ['RUN true', 'RUN echo going wrong && exit 7'])
  const failure = await buildFails(scene, 'bad')
  t.like(failure, { exitCode: 7, line: 3 })
  t.true(
    failure.log?.some((line) => line.includes('going wrong')),
    JSON.stringify(failure),
  )
})
