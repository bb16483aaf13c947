/** The agent killed while it prunes: the next one goes on. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
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
  return { raw, cove, proxy, agent, again }
}

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
      assert.equal(status?.nodes?.[cove.nodeName ?? '']?.because, 'Schedule')
    },
    { timeoutMs: 90_000, pauseMs: 500, what: 'the rest' },
  )
  t.is((await raw.request('GET', '/volumes/mine')).status, 200)
})
