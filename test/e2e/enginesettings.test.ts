/** Settings of an engine that a Node asks for: registries without TLS, mirrors, and what the engine refuses. */
import assert from 'node:assert/strict'
import { readFile, stat, writeFile } from 'node:fs/promises'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { type NodeSpec, type NodeStatus, nodeKind } from '#pkg/apis/node.ts'
import { decode, startCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage, mustRequest } from '#test/helpers/engine.ts'
import { startEngineNetRegistry } from '#test/helpers/enginenetregistry.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { type PrivateEngine, startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene } from '#test/helpers/scene.ts'
import type { Teardown } from '#test/helpers/tempdir.ts'

const isRoot = process.getuid?.() === 0
const withRoot = isRoot ? test : test.skip
const noSignal = new AbortController().signal

async function start(t: Teardown, engine: PrivateEngine): Promise<TestCove> {
  const agentWords = ['--engine-config', engine.configFile, '--engine-pidfile', engine.pidFile]
  return await startCove(t, { engine: engine.host, agentWords })
}

async function ask(cove: TestCove, engine: NodeSpec['engine'] | null): Promise<void> {
  await eventually(
    () => cove.client.patch(nodeKind, { name: cove.nodeName }, { spec: { engine } }, noSignal),
    {
      timeoutMs: 20_000,
      pauseMs: 50,
      what: 'the Node',
    },
  )
}

/** The Node's status once its condition EngineConfigured has this reason. */
async function configured(cove: TestCove, reason: string): Promise<{ status: NodeStatus; message: string }> {
  return await eventually(
    async () => {
      const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
      const condition = findCondition(status?.conditions, 'EngineConfigured')
      assert.equal(condition?.reason, reason, condition?.message ?? 'no condition EngineConfigured')
      return { status: status ?? {}, message: condition?.message ?? '' }
    },
    { timeoutMs: 40_000, pauseMs: 50, what: `EngineConfigured with the reason ${reason}` },
  )
}

async function registriesOf(cove: TestCove) {
  const { RegistryConfig } = decode(await mustRequest(cove.raw, 'GET', '/info'))
  const { IndexConfigs, Mirrors } = RegistryConfig
  return { insecure: Object.keys(IndexConfigs).filter((name) => name !== 'docker.io'), mirrors: Mirrors }
}

withRoot('a registry without TLS is refused with its remedy, and spec.engine is the remedy', async (t) => {
  const engine = await startPrivateEngine(t)
  const pid = await engine.pid()
  const registry = await startEngineNetRegistry(t, engine)
  await ensureBaseImage(engine.host)
  await registry.push(baseImage, 'app:1')
  const cove = await start(t, engine)
  const scene = await makeScene(cove)

  await scene.run('near', { image: `${registry.loopback}/app:1` })
  await scene.ready('near')
  await scene.run('far', { image: `${registry.bridge}/app:1` })
  const message = await scene.notReady('far', 'RegistryInsecure')
  t.regex(message, /insecureRegistries/)

  await ask(cove, { insecureRegistries: [registry.bridge] })
  const { status } = await configured(cove, 'EngineConfigured')
  t.true(status.registries?.insecure.includes(registry.bridge))
  t.deepEqual((await registriesOf(cove)).insecure, [registry.bridge])
  t.is(await engine.pid(), pid)
  // What rested for it is tried at once.
  await scene.ready('far')
  const pushed = await cove.raw.request('POST', `/images/${registry.bridge}/app/push?tag=1`, undefined, {
    'X-Registry-Auth': Buffer.from('{}').toString('base64'),
  })
  t.false(pushed.text.includes('errorDetail'), pushed.text)

  const told = await cove.cli(['describe', 'node', cove.nodeName])
  t.is(told.code, 0, told.stderr)
  for (const line of [
    /insecure: .*172\.17\.0\.1:5000/,
    /DiskPressure +(True|False)/,
    /usedPercent: \d+/,
    /containers: \d+/,
    /EngineConfigWritten/,
    /EngineReloaded/,
  ])
    t.regex(told.stdout, line)
})

withRoot('images of docker.io come from the mirror that a Node asks for', async (t) => {
  const engine = await startPrivateEngine(t)
  const registry = await startEngineNetRegistry(t, engine)
  await ensureBaseImage(engine.host)
  await registry.push(baseImage, 'library/hello:1')
  const cove = await start(t, engine)
  const scene = await makeScene(cove)
  await ask(cove, { registryMirrors: [`http://${registry.loopback}`] })
  await configured(cove, 'EngineConfigured')
  t.deepEqual(await registriesOf(cove), { insecure: [], mirrors: [`http://${registry.loopback}/`] })
  await scene.run('hello', { image: 'hello:1' })
  await scene.ready('hello')

  await ask(cove, { registryMirrors: [] })
  await eventually(async () => assert.deepEqual(await registriesOf(cove), { insecure: [], mirrors: [] }), {
    timeoutMs: 20_000,
    pauseMs: 50,
    what: 'no mirrors',
  })
})

withRoot('a daemon.json that was broken by hand stays as it is, and the engine up', async (t) => {
  const engine = await startPrivateEngine(t)
  const pid = await engine.pid()
  const cove = await start(t, engine)
  const broken = '{"debug": true,\n'
  await writeFile(engine.configFile, broken)
  await ask(cove, { insecureRegistries: ['registry.lan:5000'] })
  const { message } = await configured(cove, 'ConfigInvalid')
  t.regex(message, /not valid JSON/)
  t.is(await readFile(engine.configFile, 'utf8'), broken)
  t.is(await engine.pid(), pid)
  await mustRequest(cove.raw, 'GET', '/info')

  await writeFile(engine.configFile, '{\n  "debug": true\n}\n')
  await configured(cove, 'EngineConfigured')
  t.is(
    await readFile(engine.configFile, 'utf8'),
    '{\n  "debug": true,\n  "insecure-registries": [\n    "registry.lan:5000"\n  ]\n}\n',
  )
})

withRoot('a mirror that the engine does not take is put back, and not tried again', async (t) => {
  const engine = await startPrivateEngine(t)
  const pid = await engine.pid()
  const cove = await start(t, engine)
  // The engine reads the whole file again: what is wrong elsewhere in it keeps it from all of it.
  const before = '{"no-such-key": true}'
  await writeFile(engine.configFile, before)
  await ask(cove, { registryMirrors: ['http://127.0.0.1:5000'] })
  const { message } = await configured(cove, 'EngineRefused')
  t.regex(message, /still has mirrors \[\]/)
  await eventually(async () => assert.equal(await readFile(engine.configFile, 'utf8'), before))
  t.deepEqual((await registriesOf(cove)).mirrors, [])
  t.is(await engine.pid(), pid)

  const { mtimeMs } = await stat(engine.configFile)
  await cove.kill('SIGKILL')
  await cove.restart()
  await ask(cove, { registryMirrors: ['http://127.0.0.1:5000/'] })
  await configured(cove, 'EngineRefused')
  t.is((await stat(engine.configFile)).mtimeMs, mtimeMs)
})

withRoot(
  'an agent that is killed while it changes the settings leaves an end for the next one',
  async (t) => {
    const engine = await startPrivateEngine(t)
    const cove = await start(t, engine)
    const before = await readFile(engine.configFile, 'utf8')
    await ask(cove, { insecureRegistries: ['registry.lan:5000'] })
    await eventually(
      async () => {
        const text = await readFile(engine.configFile, 'utf8')
        if (text === before) throw new Error('not written yet')
      },
      { timeoutMs: 20_000, pauseMs: 1, what: 'the write' },
    )
    await cove.kill('SIGKILL')
    await cove.restart()
    await configured(cove, 'EngineConfigured')
    t.deepEqual((await registriesOf(cove)).insecure, ['registry.lan:5000'])
  },
)

withRoot('the engine of somebody else is not touched: agents name their own', async (t) => {
  const engine = await startPrivateEngine(t)
  const cove = await startCove(t, { engine: engine.host, agentWords: ['--engine-pidfile', engine.pidFile] })
  await ask(cove, { insecureRegistries: ['registry.lan:5000'] })
  const { message } = await configured(cove, 'Unsupported')
  t.true(message.includes(`--engine-config ${engine.configFile}`), message)
  t.is(await readFile(engine.configFile, 'utf8'), '{}\n')
})

withRoot('keys that are none are refused when they are applied', async (t) => {
  const engine = await startPrivateEngine(t)
  const cove = await start(t, engine)
  const manifest = (spec: string) =>
    `apiVersion: cove.run/v1\nkind: Node\nmetadata:\n  name: ${cove.nodeName}\nspec:\n  engine:\n    ${spec}\n`
  const unknown = await cove.cli(['apply', '-f', '-'], manifest('registryMirror: ["http://m"]'))
  t.not(unknown.code, 0)
  t.regex(unknown.stderr, /registryMirror/)
  const shape = await cove.cli(['apply', '-f', '-'], manifest('registryMirrors: ["m.example"]'))
  t.not(shape.code, 0)
  t.regex(shape.stderr, /registryMirrors/)
})
