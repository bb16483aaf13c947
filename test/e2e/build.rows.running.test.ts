/**
 * What people know of CMD, ENTRYPOINT, ENV, ARG, VOLUME, EXPOSE, WORKDIR, USER and HEALTHCHECK holds for what Builds make and
 * Containers run, with either builder of the real engine. What is said of Containers alone is in docker.rows.test.ts.
 */
import test from 'ava'
import {
  attempt,
  build,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
  refused,
  runImage,
  shell,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'

const cove = sharedCove(test)
const rules = (warnings: readonly { rule: string }[] = []) => warnings.map(({ rule }) => rule)

/** How CMD and ENTRYPOINT come together: what the process is. */
const matrix: readonly (readonly [
  lines: readonly string[],
  args: readonly string[] | undefined,
  output: string,
])[] = [
  [['CMD echo $((1+1))'], undefined, '2'],
  [['CMD ["/bin/echo", "$HOME"]'], undefined, '$HOME'],
  [['CMD echo first', 'CMD echo last'], undefined, 'last'],
  [['CMD ["sh"]'], ['echo', 'hi'], 'hi'],
  [['ENTRYPOINT ["/bin/echo", "eexec"]', 'CMD ["a", "b"]'], undefined, 'eexec a b'],
  [['ENTRYPOINT ["/bin/echo", "eexec"]', 'CMD shell form'], undefined, 'eexec /bin/sh -c shell form'],
  [['ENTRYPOINT ["/bin/echo", "eexec"]', 'CMD ["a"]'], ['-x'], 'eexec -x'],
  [['ENTRYPOINT echo eshell', 'CMD ["a"]'], ['-x'], 'eshell'],
  [['ENTRYPOINT ["/bin/echo", "one"]', 'ENTRYPOINT ["/bin/echo", "two"]'], undefined, 'two'],
]

for (const builder of ['Classic', 'BuildKit']) {
  test(`${builder}: CMD and ENTRYPOINT come together as people know it`, async (t) => {
    const scene = await makeBuildScene(cove())
    for (const [index, [lines]] of matrix.entries()) await createBuild(scene, `m${index}`, lines, { builder })
    for (const [index, [lines, args, output]] of matrix.entries()) {
      const name = `m${index}`
      const spec = {
        image: undefined,
        imageFrom: { build: name },
        command: undefined,
        restartPolicy: 'Never',
      }
      await scene.run(name, { ...spec, ...(args !== undefined && { args }) })
      await scene.until(name, { phase: 'Succeeded' })
      const log = await scene.raw.request('GET', `/containers/${scene.engineName(name)}/logs?stdout=1`)
      // The stream's frames begin with 8 bytes.
      t.is(log.text.slice(8).trim(), output, lines.join('; '))
    }
  })

  test(`${builder}: ENV is there for later instructions and the container; ARG only while it is built`, async (t) => {
    const scene = await makeBuildScene(cove())
    const lines = [
      'ARG BEFORE=outside',
      'FROM cove-test/busybox:1',
      'RUN echo "before:$BEFORE:$P" > /seen',
      'ARG BEFORE',
      'ARG P=default',
      'ARG W=arg',
      'ENV A 1.0 with space',
      'ENV W=env NAME="Happy Feet" OLD=x',
      'ENV OLD=y COPIED=$OLD F=$P',
      'RUN echo "after:$BEFORE:$P:$W" >> /seen',
    ]
    const { warnings } = await build(scene, 'env', lines, {
      builder,
      args: { P: 'v2', W: 'given', NOPE: '1' },
    })
    const image = imageOf(scene, 'env')
    t.deepEqual((await shell(scene, image, 'cat /seen')).split('\n'), ['before::', 'after:outside:v2:env'])
    const { Config } = await inspectImage(scene, image)
    t.deepEqual(Config.Env.filter((each: string) => !each.startsWith('PATH=')).sort(), [
      'A=1.0 with space',
      'COPIED=x',
      'F=v2',
      'NAME=Happy Feet',
      'OLD=y',
      'W=env',
    ])
    t.regex(await shell(scene, image, 'echo "[$P]"'), /^\[\]$/)
    t.true(rules(warnings).includes('UnusedBuildArg'), JSON.stringify(warnings))
    t.true(rules(warnings).includes('LegacyEnvFormat'), JSON.stringify(warnings))
    t.regex(warnings?.find(({ rule }) => rule === 'UnusedBuildArg')?.message ?? '', /NOPE/)
  })

  test(`${builder}: another value of an argument is another input, and makes another build`, async (t) => {
    const scene = await makeBuildScene(cove())
    const before = await build(scene, 'arg', ['ARG P=v1', 'RUN echo $P > /p'], { builder })
    await scene.patch('Build', 'arg', { spec: { args: { P: 'v2' } } })
    const after = await attempt(scene, 'arg', 2)
    t.not(after.inputHash, before.inputHash)
    t.regex(after.cause ?? '', /P/)
    t.is(await shell(scene, imageOf(scene, 'arg'), 'cat /p'), 'v2')
    const history = await scene.call('GET', `/images/${imageOf(scene, 'arg')}/history`)
    t.true(JSON.stringify(history).includes('P=v2'), 'arguments are in the history of the image')
  })

  test(`${builder}: VOLUME, EXPOSE, WORKDIR and USER are what the container gets`, async (t) => {
    const scene = await makeBuildScene(cove())
    await build(
      scene,
      'run',
      [
        'RUN mkdir -p /etc && echo "redis:x:999:999::/:/bin/sh" > /etc/passwd && echo "redis:x:999:" > /etc/group',
        'WORKDIR /a',
        'WORKDIR b',
        'RUN mkdir -p /data && echo seed > /data/seed',
        'USER redis',
        'RUN test $(id -u) = 999',
        'VOLUME ["/data", "/data2"]',
        'EXPOSE 80 443 53/udp',
        'CMD pwd; id -u; sleep 86400',
      ],
      { builder },
    )
    await scene.running('run', {
      image: undefined,
      imageFrom: { build: 'run' },
      command: undefined,
      publishAll: true,
    })
    t.is(await scene.exec('run', ['pwd']), '/a/b')
    t.is(await scene.exec('run', ['id', '-u']), '999')
    const { Mounts, NetworkSettings } = await scene.inspect('run')
    t.deepEqual(
      Mounts.map(({ Type, Destination }: Record<string, string>) => `${Type} ${Destination}`).sort(),
      ['volume /data', 'volume /data2'],
    )
    t.is(await scene.exec('run', ['cat', '/data/seed']), 'seed')
    t.deepEqual(Object.keys(NetworkSettings.Ports).sort(), ['443/tcp', '53/udp', '80/tcp'])
    const { output } = await runImage(scene, imageOf(scene, 'run'), { Cmd: ['id', '-u'], User: '0' })
    t.is(output, '0')
  })

  test(`${builder}: the last HEALTHCHECK counts, NONE takes that of the base away`, async (t) => {
    const scene = await makeBuildScene(cove())
    const checked = [
      'HEALTHCHECK CMD exit 1',
      'HEALTHCHECK --interval=1s --timeout=3s --retries=2 --start-period=4s CMD test -e /ok',
      'CMD ["sleep", "86400"]',
    ]
    const { warnings } = await build(scene, 'checked', checked, { builder })
    t.true(rules(warnings).includes('MultipleInstructions'), JSON.stringify(warnings))
    const { Config } = await inspectImage(scene, imageOf(scene, 'checked'))
    const second = 1_000_000_000
    t.deepEqual(Config.Healthcheck, {
      Test: ['CMD-SHELL', 'test -e /ok'],
      Interval: second,
      Timeout: 3 * second,
      StartPeriod: 4 * second,
      Retries: 2,
    })
    await build(scene, 'exec', ['HEALTHCHECK CMD ["/bin/true"]'], { builder })
    const exec = await inspectImage(scene, imageOf(scene, 'exec'))
    t.deepEqual(exec.Config.Healthcheck.Test, ['CMD', '/bin/true'])
    await build(scene, 'none', [`FROM ${imageOf(scene, 'checked')}`, 'HEALTHCHECK NONE'], { builder })
    await scene.running('none', { image: undefined, imageFrom: { build: 'none' }, command: undefined })
    t.is((await scene.inspect('none')).State.Health, undefined)
    await scene.run('checked', {
      image: undefined,
      imageFrom: { build: 'checked' },
      command: ['sh', '-c', 'touch /ok; sleep 86400'],
    })
    await scene.ready('checked')
    t.is((await scene.inspect('checked')).State.Health.Status, 'healthy')
  })
}

test('the forms that say something else than they seem to are warned of', async (t) => {
  const scene = await makeBuildScene(cove())
  const warned = async (
    name: string,
    lines: readonly string[],
    files: Readonly<Record<string, string>> = { f: '' },
  ) => rules((await build(scene, name, lines, { files })).warnings)
  t.true((await warned('json', ["CMD ['/bin/echo', 'x']"])).includes('InvalidJSONForm'))
  t.is((await inspectImage(scene, imageOf(scene, 'json'))).Config.Cmd[0], '/bin/sh')
  t.true((await warned('cmds', ['CMD echo 1', 'CMD echo 2'])).includes('MultipleInstructions'))
  t.true((await warned('add', ['ADD f /f'])).includes('AddInsteadOfCopy'))
  t.true((await warned('cd', ['RUN mkdir /x && true', 'RUN cd /x', 'RUN echo'])).includes('RunCd'))
  t.true((await warned('exec', ['CMD ["exec", "sleep", "1"]'])).includes('ExecInCmd'))
  t.true((await warned('two', ['HEALTHCHECK CMD true || exit 2'])).includes('ExitTwoHealthcheck'))
})

test('a secret in an argument is refused, and one that is written in the Dockerfile warned of', async (t) => {
  const scene = await makeBuildScene(cove())
  const told = await refused(scene, ['ARG DB_PASSWORD', 'RUN true'], { args: { DB_PASSWORD: 'x' } })
  t.regex(told, /spec\.args\.DB_PASSWORD.*history of the image/)
  const { warnings } = await build(scene, 'pw', ['ARG DB_PASSWORD', 'RUN true'])
  t.regex(JSON.stringify(warnings), /SecretInArg.*DB_PASSWORD|DB_PASSWORD.*SecretInArg/)
})
