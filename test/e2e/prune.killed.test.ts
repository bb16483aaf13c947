/** The agent killed while it changes its engine's settings, and while it prunes: the next one brings both to their end. */
import assert from 'node:assert/strict'
import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { type PrunePolicy, prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { Daemon, decode, program, startCove } from '#test/helpers/cove.ts'
import { mustRequest, rawEngine } from '#test/helpers/engine.ts'
import { EngineProxy } from '#test/helpers/engineproxy.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { tar } from '#test/helpers/tar.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const noSignal = new AbortController().signal
const withRoot = process.getuid?.() === 0 ? test : test.skip

async function start(t: ExecutionContext) {
  const engine = await startPrivateEngine(t)
  const raw = rawEngine(engine.host)
  t.teardown(() => raw.close())
  const cove = await startCove(t, { alone: true, engine: engine.host })
  const { proxy, host } = await EngineProxy.start(t, engine.host)
  const home = await makeTempDir(t, 'agent')
  const words = ['--data-dir', join(home, 'data'), '--kubeconfig', cove.kubeconfig]
  const places = ['--engine', host, '--engine-config', engine.configFile, '--engine-pidfile', engine.pidFile]
  const agent = new Daemon([program, 'agent', ...words, ...places, '--node-name', cove.nodeName], home)
  t.teardown(() => agent.end('SIGTERM'))
  await agent.start(async () => {
    await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
  })
  const again = async () => {
    await agent.ended()
    await agent.end('SIGKILL')
    await agent.start(async () => {})
  }
  return { engine, raw, cove, proxy, agent, again }
}

withRoot(
  'killed between what it writes for the engine and the reload: the settings are in force in the end',
  async (t) => {
    t.timeout(120_000)
    const { engine, raw, cove, agent, again } = await start(t)
    for (let port = 5001; port <= 5003; port++) {
      const registry = `10.255.0.1:${port}`
      const pid = agent.pid ?? 0
      const watcher = watch(dirname(engine.configFile), () => {
        watcher.close()
        process.kill(pid, 'SIGKILL')
      })
      const spec = { engine: { insecureRegistries: [registry] } }
      await cove.client.patch(nodeKind, { name: cove.nodeName }, { spec }, noSignal)
      await again()
      await eventually(
        async () => {
          const { RegistryConfig } = decode(await mustRequest(raw, 'GET', '/info'))
          assert.ok(Object.keys(RegistryConfig.IndexConfigs).includes(registry))
          const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
          const condition = findCondition(status?.conditions, 'EngineConfigured')
          assert.equal(condition?.status, 'True', condition?.message)
        },
        { timeoutMs: 40_000, pauseMs: 50, what: registry },
      )
      const written = decode(JSON.parse(await readFile(engine.configFile, 'utf8')))
      t.deepEqual(written, { 'insecure-registries': [registry] })
    }
  },
)

test('killed after the first thing that it prunes: the next run takes the rest, and no volume with a name', async (t) => {
  t.timeout(200_000)
  const { raw, cove, proxy, agent, again } = await start(t)
  for (const name of ['a', 'b', 'c']) {
    const files = tar([{ name: 'content', mode: 0o644, data: Buffer.from(name) }])
    const made = await raw.request('POST', `/images/create?fromSrc=-&repo=cove-test/${name}&tag=1`, files)
    t.is(made.status, 200)
  }
  await mustRequest(raw, 'POST', '/volumes/create', { Name: 'mine' })
  const pid = agent.pid ?? 0
  proxy.arm({ call: 1, when: 'after', act: () => process.kill(pid, 'SIGKILL') })
  const spec = { schedule: '* * * * *', images: { unused: true, olderThan: '0s' } }
  const policy = { apiVersion: 'cove.run/v1', kind: 'PrunePolicy', metadata: { name: 'often' }, spec }
  await cove.client.create(prunePolicyKind, decode(policy) as PrunePolicy, noSignal)
  await again()
  const left = async () => decode(await mustRequest(raw, 'GET', '/images/json')).length
  t.is(await left(), 2)
  await eventually(
    async () => {
      assert.equal(await left(), 0)
      const { status } = await cove.client.get(prunePolicyKind, { name: 'often' }, noSignal)
      assert.equal(status?.nodes?.[cove.nodeName]?.because, 'Schedule')
    },
    { timeoutMs: 90_000, pauseMs: 500, what: 'the rest' },
  )
  t.is((await raw.request('GET', '/volumes/mine')).status, 200)
})
