/** Registries as people use them: logging in, looking, being asked to wait; with a real registry and a real engine. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { secretKind } from '#pkg/apis/core.ts'
import { type Registry, type RegistrySpec, registryKind } from '#pkg/apis/registry.ts'
import { program, startCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage, mustRequest } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { bareEnv } from '#test/helpers/processenv.ts'
import {
  type RegistryOptions,
  startRegistry,
  type TestRegistry,
  testAccount,
} from '#test/helpers/registry.ts'
import { type RegistryStub, startRegistryStub } from '#test/helpers/registrystub.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { inTerminal } from '#test/helpers/terminal.ts'

const endings: (() => Promise<void>)[] = []
const teardown = (run: () => Promise<void>) => void endings.unshift(run)
const noSignal = new AbortController().signal
const running: { cove?: TestCove; hub?: RegistryStub; helpers?: string } = {}

test.before(async () => {
  const hub = await startRegistryStub()
  const helpers = await mkdtemp(join(tmpdir(), 'cove-helpers-'))
  teardown(() => hub.stop())
  teardown(() => rm(helpers, { recursive: true, force: true }))
  const address = `http://${hub.address}`
  const env = {
    COVE_HUB_REGISTRY: address,
    COVE_HUB_SEARCH: address,
    PATH: `${helpers}:${process.env['PATH']}`,
    DOCKER_CONFIG: helpers,
  }
  running.cove = await startCove({ teardown }, { env })
  Object.assign(running, { hub, helpers })
})

test.after.always(async () => {
  for (const end of endings) await end()
})

function parts() {
  const { cove, hub, helpers } = running
  if (cove === undefined || hub === undefined || helpers === undefined) throw new Error('not started')
  return { cove, hub, helpers }
}

/** A registry of the test's own, which goes with the file. */
async function ownRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startRegistry(options)
  teardown(() => registry.stop())
  return registry
}

async function withImage(registry: TestRegistry, name: string) {
  const { cove } = parts()
  const scene = await makeScene(cove)
  const image = await registry.push(cove.engine, baseImage, `${cove.mark}/${name}:1`)
  return { scene, image }
}

const cli = (scene: Scene, words: string, input?: string) =>
  scene.cove.cli([...words.split(' '), '-n', scene.namespace], input)

async function makeRegistry(
  t: { teardown(run: () => Promise<void>): void },
  name: string,
  spec: RegistrySpec,
) {
  const { client, mark } = parts().cove
  const metadata = { name: `${name}-${mark}` }
  const object: Registry = { apiVersion: 'cove.run/v1', kind: 'Registry', metadata, spec }
  await client.create(registryKind, object, noSignal)
  t.teardown(async () => void (await client.delete(registryKind, metadata, noSignal)))
  return metadata
}

async function removeImage(scene: Scene, image: string): Promise<void> {
  await mustRequest(scene.raw, 'DELETE', `/images/${image}?force=1`)
}

test('a namespace that is logged in pulls without naming a Secret, until it is logged out', async (t) => {
  const registry = await ownRegistry({ password: true })
  const { scene, image } = await withImage(registry, 'login')
  await scene.run('early', { image })
  await scene.notReady('early', 'RegistryUnauthorized')
  const words = `login ${registry.address} -u ${testAccount.username} --password-stdin`
  const wrong = await cli(scene, words, 'guessed-wrongly\n')
  t.is(wrong.code, 1)
  t.regex(wrong.stderr, /unauthorized/)
  const done = await cli(scene, words, `${testAccount.password}\n`)
  t.deepEqual([done.code, done.stdout], [0, 'Login Succeeded\n'])
  // The refused pull is tried again at once, for what it is made with is another one now.
  t.truthy(await scene.ready('early'))
  const elsewhere = await makeScene(scene.cove)
  await elsewhere.run('other', { image, imagePullPolicy: 'Always' })
  await elsewhere.notReady('other', 'RegistryUnauthorized')
  t.is((await cli(scene, `logout ${registry.address}`)).code, 0)
  await scene.run('late', { image, imagePullPolicy: 'Always' })
  await scene.notReady('late', 'RegistryUnauthorized')
  t.truthy(await scene.ready('early'))
  const told = [scene.cove.log(), wrong.stderr, ...(await scene.messages('early'))].join('\n')
  t.notRegex(told, /guessed-wrongly|Z3Vlc3NlZC13cm9uZ2x5/)
})

test('no password lies on the disk, nor is it printed with the Secret', async (t) => {
  const { scene } = await withImage(await ownRegistry(), 'rest')
  const password = `p-${scene.namespace}-secret`
  const words = 'login r.example.com -u ci --password-stdin --skip-check'
  t.is((await cli(scene, words, password)).code, 0)
  const auth = Buffer.from(`ci:${password}`).toString('base64')
  const home = dirname(scene.cove.dataDir)
  for (const text of [password, auth, Buffer.from(password).toString('base64').slice(0, 20)]) {
    const found = await promisify(execFile)('grep', ['-rlF', text, home]).catch((error) => error.stdout)
    t.is(found.stdout ?? found, '', text)
  }
  const secret = await scene.cove.client.get(
    secretKind,
    { namespace: scene.namespace, name: 'login.r.example.com' },
    noSignal,
  )
  t.is(secret.type, 'kubernetes.io/dockerconfigjson')
  const described = await cli(scene, 'describe secret login.r.example.com')
  t.is(described.code, 0, described.stderr)
  t.false(described.stdout.includes(password))
})

test('at a terminal user name and password are asked for, and the password is not shown', async (t) => {
  const scene = await makeScene(parts().cove)
  const { kubeconfig, dataDir } = scene.cove
  const env = { ...bareEnv(), HOME: dirname(dataDir), KUBECONFIG: kubeconfig }
  const words = ['login', 'asked.example.com', '--skip-check', '-n', scene.namespace]
  const command = [process.execPath, program, ...words]
  const steps = [
    { after: 'Username: ', type: 'ci\n' },
    { after: 'Password: ', type: 'hunter3\u007f2\r' },
  ]
  const session = await inTerminal(command, steps, env)
  t.is(session.code, 0, session.output)
  t.notRegex(session.output, /hunter/)
  t.true(session.restored)
  const secret = await scene.get('Secret', 'login.asked.example.com')
  const { auths } = JSON.parse(Buffer.from(secret.data['.dockerconfigjson'], 'base64').toString())
  t.like(auths['asked.example.com'], { username: 'ci', password: 'hunter2' })
  const stopped = await inTerminal(
    [...command, '-u', 'me'],
    [{ after: 'Password: ', type: 'half\u0003' }],
    env,
  )
  t.is(stopped.code, 130)
  t.true(stopped.restored)
})

test('a Registry names a Secret for all namespaces, and the node its own helper, asked anew each time', async (t) => {
  const { helpers, cove } = parts()
  const registry = await ownRegistry({ password: true })
  const { scene, image } = await withImage(registry, 'shared')
  const auths = { [registry.address]: testAccount }
  await scene.create('Secret', 'shared', {
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
  })
  await scene.run('web', { image })
  await scene.notReady('web', 'RegistryUnauthorized')
  const secret = { namespace: scene.namespace, name: 'shared' }
  await makeRegistry(t, 'shared', { server: registry.address, secret })
  t.truthy(await scene.ready('web'))

  const helped = await ownRegistry({ password: true })
  const second = await helped.push(cove.engine, baseImage, `${cove.mark}/helped:1`)
  const helper = join(helpers, 'docker-credential-test')
  const answer = JSON.stringify({
    ServerURL: '',
    Username: testAccount.username,
    Secret: testAccount.password,
  })
  await writeFile(helper, `#!/bin/sh\n[ "$1" = get ] && cat > '${helpers}/asked' && echo '${answer}'\n`)
  await chmod(helper, 0o755)
  await mkdir(helpers, { recursive: true })
  const config = { credHelpers: { [helped.address]: 'test' } }
  await writeFile(join(helpers, 'config.json'), JSON.stringify(config))
  t.truthy(await scene.running('helped', { image: second }))
})

test('Docker Hub is searched through a node, and another registry by the names and tags it has', async (t) => {
  const { hub, cove } = parts()
  const registry = await ownRegistry()
  const scene = await makeScene(cove)
  for (const name of ['lib/bb:1', 'lib/bb:2', 'team/app:1']) await registry.push(cove.engine, baseImage, name)
  const catalog = await fetch(`http://${registry.address}/v2/_catalog`)
  const { repositories }: { repositories: string[] } = JSON.parse(await catalog.text())
  t.is((await cli(scene, `registry catalog ${registry.address}`)).stdout, `${repositories.join('\n')}\n`)
  const { stdout } = await cli(scene, `registry tags ${registry.address}/lib/bb`)
  t.deepEqual(stdout.split('\n').toSorted(), ['', '1', '2'])
  const found = await cli(scene, `search bb --registry ${registry.address}`)
  t.regex(found.stdout, new RegExp(`^NAME +TAGS\n${registry.address}/lib/bb +(1, 2|2, 1)\n$`))
  const results = [3, 10, 30].map((stars) => ({ name: `r${stars}`, star_count: stars }))
  hub.answer(() => ({ body: JSON.stringify({ results }) }))
  const starred = await cli(scene, 'search r --filter stars=10 --format {{.Name}}')
  t.is(starred.stdout, 'r10\nr30\n')
})

test('what is not there, not allowed and not reachable is told apart when it is looked for', async (t) => {
  const registry = await ownRegistry({ password: true })
  const { scene } = await withImage(registry, 'told')
  const refused = await cli(scene, `registry catalog ${registry.address}`)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /refuses list of its repositories \(401\)/)
  const gone = await ownRegistry()
  const missing = await cli(scene, `registry tags ${gone.address}/none`)
  t.regex(missing.stderr, /has no tags of none/)
  await gone.stop()
  const unreachable = await cli(scene, `registry catalog ${gone.address}`)
  t.is(unreachable.code, 1)
  t.regex(unreachable.stderr, /nothing listens there/)
})

test('a registry that wants to be asked less is left alone by all, and when it is asked again is told', async (t) => {
  const stub = await startRegistryStub()
  teardown(() => stub.stop())
  const body = JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] })
  stub.answer(({ target }) =>
    target === '/v2/' ? {} : { status: 429, headers: { 'retry-after': '600' }, body },
  )
  const scene = await makeScene(parts().cove)
  await scene.run('first', { image: `${stub.address}/first:1` })
  // The refusal itself may be told a moment before how long the registry rests.
  const first = await eventually(async () => {
    const message = await scene.notReady('first', 'RegistryRateLimited')
    assert.match(message, /is not asked before/)
    return message
  })
  const until = Date.parse(/is not asked before (\S+Z)/.exec(first)?.[1] ?? '')
  const minutes = (until - Date.now()) / 60_000
  t.true(minutes > 8 && minutes < 12, first)
  const before = stub.asked.length
  await scene.run('second', { image: `${stub.address}/second:1` })
  await scene.notReady('second', 'RegistryRateLimited')
  t.is(stub.asked.filter(({ target }) => target.includes('/second/')).length, 0)
  t.is(stub.asked.length, before)
})

test('an image is pushed with the login of its namespace', async (t) => {
  const { cove } = parts()
  const registry = await ownRegistry({ password: true })
  const scene = await makeScene(cove)
  const words = `login ${registry.address} -u ${testAccount.username} --password-stdin`
  t.is((await cli(scene, words, testAccount.password)).code, 0)
  const to = `${registry.address}/${cove.mark}/pushed`
  const local = `${cove.mark}/local:1`
  await mustRequest(cove.raw, 'POST', `/images/${baseImage}/tag?repo=${cove.mark}/local&tag=1`)
  await scene.create('Image', 'app', {
    spec: { reference: local, pullPolicy: 'Never', push: [{ reference: `${to}:3` }] },
  })
  await eventually(async () => assert.equal((await cli(scene, `registry tags ${to}`)).stdout, '3\n'), {
    timeoutMs: 20_000,
    pauseMs: 200,
    what: 'the push',
  })
})

test('no more is pulled than a Registry allows the node, and what waits says until when', async (t) => {
  const registry = await ownRegistry()
  const { scene, image } = await withImage(registry, 'one')
  const two = await registry.push(scene.cove.engine, baseImage, `${scene.cove.mark}/two:1`)
  const name = await makeRegistry(t, 'limited', {
    server: registry.address,
    pullLimit: { pulls: 1, per: '1h' },
  })
  await untilRegistry(name, 'True')
  await scene.running('one', { image })
  await scene.run('two', { image: two })
  t.regex(await scene.notReady('two', 'PullLimitReached'), /its 1 pulls per 1h; pulls go on at 20/)
  await removeImage(scene, image)
})

test('a Registry tells whether engines reach it as it says', async (t) => {
  const { cove } = parts()
  const differing = await makeRegistry(t, 'strict', { server: 'strict.example.com', insecure: true })
  const message = await untilRegistry(differing, 'False')
  t.regex(message, new RegExp(`node ${cove.nodeName}: spec.insecure: the engine insists`))
  const fine = await makeRegistry(t, 'fine', { server: '127.0.0.1:5999', insecure: true })
  await untilRegistry(fine, 'True')
  const { status } = await cove.client.get(registryKind, fine, noSignal)
  t.deepEqual(status?.nodes, { [cove.nodeName]: { state: 'Ready' } })
})

async function untilRegistry(meta: { readonly name: string }, wanted: string): Promise<string> {
  return await eventually(
    async () => {
      const { status } = await parts().cove.client.get(registryKind, meta, noSignal)
      const ready = findCondition(status?.conditions, 'Ready')
      assert.equal(ready?.status, wanted, ready?.message ?? 'nothing was said')
      return ready?.message ?? ''
    },
    { timeoutMs: 20_000, pauseMs: 100, what: `Registry ${meta.name}` },
  )
}
