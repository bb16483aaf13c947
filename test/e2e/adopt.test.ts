/** Containers that somebody else made are written down as manifests and taken over as they run. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import test from 'ava'
import { parseYamlStream } from '#pkg/manifest/yaml.ts'
import { decode, sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { makeScene, Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)

const obedient = ['sh', '-c', 'trap "exit 0" TERM; sleep 86400 & wait']

/** As it is, on the engine. */
async function look(scene: Scene, id: string) {
  const { Id, Name, State, NetworkSettings } = await scene.inspect(id)
  return { Id, Name, startedAt: State.StartedAt, ip: NetworkSettings.IPAddress }
}

async function adopt(scene: Scene, words: readonly string[]) {
  return await cove().cli(['adopt', '-n', scene.namespace, ...words])
}

/** Of the manifests that adopt has written: by kind. */
// biome-ignore lint/suspicious/noExplicitAny: manifests of every shape
function written(stdout: string): any[] {
  return parseYamlStream(stdout).map(({ value }) => decode(value))
}

test('a container goes on as it runs, and applying what was written changes nothing', async (t) => {
  const scene = await makeScene(cove())
  const name = `adopt-${scene.namespace}`
  await scene.call('POST', '/volumes/create', {
    Name: `${name}_data`,
    Labels: { 'cove-test/owner': cove().mark },
  })
  const network = await scene.call('POST', '/networks/create', { Name: `${name}_net`, CheckDuplicate: true })
  const id = await scene.stranger(name, {
    Entrypoint: obedient,
    Cmd: ['one', 'two'],
    Env: ['A=1', 'B=two words'],
    WorkingDir: '/tmp',
    User: '0:0',
    ExposedPorts: { '80/tcp': {} },
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 1e9 },
    Labels: { 'cove-test/owner': cove().mark, 'traefik.rule': 'Host(`a.b`) && Path(`/`)' },
    StopSignal: 'SIGTERM',
    HostConfig: {
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
      Mounts: [
        { Type: 'volume', Source: `${name}_data`, Target: '/data' },
        { Type: 'tmpfs', Target: '/scratch', TmpfsOptions: { SizeBytes: 1_048_576 } },
      ],
      NetworkMode: `${name}_net`,
      Memory: 64 * 1024 ** 2,
      MemorySwap: 64 * 1024 ** 2,
      CapDrop: ['NET_RAW'],
      ReadonlyRootfs: true,
      ShmSize: 1_048_576,
      Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 1024 }],
      ExtraHosts: ['elsewhere:10.0.0.1'],
      RestartPolicy: { Name: 'always' },
    },
    NetworkingConfig: { EndpointsConfig: { [`${name}_net`]: { Aliases: ['www'] } } },
  })
  const before = await look(scene, id)
  const done = await adopt(scene, [name])
  t.is(done.code, 0, done.stderr)
  t.regex(done.stderr, /adopted container/)
  t.is(await scene.ready(name), id)
  const after = await look(scene, id)
  t.deepEqual({ ...after, Name: '' }, { ...before, Name: '' })
  await scene.sees(id, { HostConfig: { RestartPolicy: { Name: 'no' } } })
  const again = await cove().cli(['apply', '-f', '-'], done.stdout)
  t.is(again.code, 0, again.stderr)
  t.regex(again.stdout, /^(.* unchanged\n)+$/)
  t.deepEqual(
    written(done.stdout).map(({ kind, spec }) => [kind, spec.externalName]),
    [
      ['Volume', `${name}_data`],
      ['Network', `${name}_net`],
      ['Container', undefined],
    ],
  )
  await scene.delete('Container', name)
  await scene.gone('Container', name)
  // Neither made by Cove nor removed by it.
  for (const kind of ['Volume', 'Network'] as const) {
    const object = `${name}-${kind === 'Volume' ? 'data' : 'net'}`
    await scene.delete(kind, object)
    await scene.gone(kind, object)
  }
  await scene.call('DELETE', `/networks/${network.Id}`)
  await scene.call('DELETE', `/volumes/${name}_data`)
})

test('an adopted container is healed, told of and replaced like one that Cove made', async (t) => {
  const scene = await makeScene(cove())
  const name = `adopt-${scene.namespace}`
  const id = await scene.stranger(name, { Cmd: obedient, HostConfig: { RestartPolicy: { Name: 'always' } } })
  t.is((await adopt(scene, [name])).code, 0)
  await scene.ready(name)
  await scene.call('POST', `/containers/${id}/kill`)
  await scene.until(name, ({ restartCount }) => assert.equal(restartCount, 1))
  t.is(await scene.ready(name), id)
  const exec = await cove().cli(['exec', '-n', scene.namespace, name, '--', 'echo', 'inside'])
  t.is(exec.stdout, 'inside\n', exec.stderr)
  await scene.patchSpec(name, {
    env: [{ name: 'NEW', value: '1' }],
    update: { monitor: '0s', keepPrevious: '0s' },
  })
  const next = await scene.replaced(name, id)
  t.not(next, id)
  await scene.vanished(id)
  await scene.delete('Container', name)
  await scene.gone('Container', name)
})

test('a container that is not what its manifest says is left alone, and the fields are named', async (t) => {
  const scene = await makeScene(cove())
  const name = `adopt-${scene.namespace}`
  const id = await scene.stranger(name, { Cmd: obedient, Env: ['A=1'] })
  const before = await look(scene, id)
  const dry = await adopt(scene, [name, '--dry-run'])
  t.is(dry.code, 0, dry.stderr)
  const [manifest] = written(dry.stdout)
  manifest.spec.env = [{ name: 'A', value: '2' }]
  t.is((await cove().cli(['apply', '-f', '-'], JSON.stringify(manifest))).code, 0)
  t.regex(
    await scene.notReady(name, 'AdoptionDiffers'),
    /left alone: .*spec\.env\.A: want 2, found another value/,
  )
  await scene.patchSpec(name, { args: ['other'] })
  t.regex(await scene.notReady(name, 'AdoptionDiffers'), /spec\.args/)
  await scene.delete('Container', name)
  await scene.gone('Container', name)
  t.deepEqual(await look(scene, id), before)
})

test('a Compose project is adopted as a whole, and what is no container of it is not', async (t) => {
  const scene = await makeScene(cove())
  const project = `proj${scene.namespace.slice(-6)}`
  const Labels = (service: string) => ({
    'cove-test/owner': cove().mark,
    'com.docker.compose.project': project,
    'com.docker.compose.service': service,
  })
  const web = await scene.stranger(`${project}_web_1`, { Cmd: obedient, Labels: Labels('web') })
  const db = await scene.stranger(`${project}_db_1`, { Cmd: obedient, Labels: Labels('db') })
  const done = await adopt(scene, ['--compose-project', project])
  t.is(done.code, 0, done.stderr)
  t.is(await scene.ready(`${project}-web-1`), web)
  t.is(await scene.ready(`${project}-db-1`), db)
  t.deepEqual(
    written(done.stdout)
      .map(({ metadata }) => metadata.name)
      .sort(),
    [`${project}-db-1`, `${project}-web-1`],
  )
  t.notRegex(done.stdout, /com\.docker\.compose/)
})

test('what there is not cannot be adopted, and something must be named', async (t) => {
  const scene = await makeScene(cove())
  const missing = await adopt(scene, ['nobody-has-this-name'])
  t.is(missing.code, 1)
  t.regex(missing.stderr, /there is no unmanaged container "nobody-has-this-name"/)
  t.is((await adopt(scene, [])).code, 2)
})

test('a Compose file that was converted runs', async (t) => {
  const scene = await makeScene(cove())
  const dir = await makeTempDir(t, 'compose')
  const compose = `
name: shop
services:
  web:
    image: ${baseImage}
    command: httpd -f -p 8080 -h /srv
    configs: [{source: page, target: /srv/index.html}]
    secrets: [pw]
    environment: {GREETING: hello}
    labels: {"traefik.rule": "Host(\`a\`)"}
    depends_on: [db]
    stop_grace_period: 0s
    restart: always
  db:
    image: ${baseImage}
    command: sleep 86400
    stop_grace_period: 0s
    volumes: ["data:/data"]
    ulimits: {nofile: {soft: 512, hard: 1024}}
    restart: always
configs: {page: {content: "from compose"}}
secrets: {pw: {file: ./pw.txt}}
volumes: {data: }
`
  await writeFile(`${dir}/pw.txt`, 'geheim')
  await writeFile(`${dir}/compose.yaml`, compose)
  const converted = await cove().cli(['convert', '-f', `${dir}/compose.yaml`, '-n', scene.namespace])
  t.is(converted.code, 0, converted.stderr)
  const applied = await cove().cli(['apply', '-f', '-'], converted.stdout)
  t.is(applied.code, 0, applied.stderr)
  await scene.ready('web')
  await scene.ready('db')
  t.is(await scene.exec('web', ['cat', '/srv/index.html']), 'from compose')
  t.is(await scene.exec('web', ['cat', '/run/secrets/pw']), 'geheim')
  t.is(await scene.exec('web', ['wget', '-q', '-O', '-', 'http://127.0.0.1:8080/']), 'from compose')
  await scene.sees('web', { Config: { Labels: { 'traefik.rule': 'Host(`a`)' } } })
})

test('who has the name that an object wants is adopted in its place, as both messages say', async (t) => {
  const { namespace } = await makeScene(cove())
  const home = new Scene(cove(), 'default')
  const name = `taken-${namespace}`
  const stranger = await home.stranger(name)
  await home.run(name)
  t.true((await home.notReady(name, 'NameConflict')).endsWith(`with \`cove adopt ${name}\``))
  const tooEarly = await adopt(home, [name])
  t.is(tooEarly.code, 1)
  t.true(tooEarly.stderr.includes(`cove delete container ${name} -n default`), tooEarly.stderr)
  await home.delete('Container', name)
  await home.gone('Container', name)
  t.is((await adopt(home, [name])).code, 0)
  t.is(await home.ready(name), stranger)
})
