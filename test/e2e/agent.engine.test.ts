/** An engine that dies takes its containers with it; when it is back, so are they. */
import assert from 'node:assert/strict'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { startCove, type TestCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene } from '#test/helpers/scene.ts'

async function conditions(cove: TestCove) {
  const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, new AbortController().signal)
  return (type: string) => findCondition(status?.conditions, type)
}

async function nodeIs(cove: TestCove, status: 'True' | 'False'): Promise<string> {
  return await eventually(
    async () => {
      const condition = await conditions(cove)
      assert.deepEqual([condition('EngineReady')?.status, condition('Ready')?.status], [status, status])
      return condition('EngineReady')?.message ?? ''
    },
    { timeoutMs: 30_000, pauseMs: 100, what: `Node Ready=${status}` },
  )
}

const isRoot = process.getuid?.() === 0
const withRoot = isRoot ? test : test.skip

withRoot('an engine that was killed is told of, waited for, and filled again', async (t) => {
  const engine = await startPrivateEngine(t)
  const cove = await startCove(t, { engine: engine.host })
  const scene = await makeScene(cove)
  await scene.create('Network', 'back', { spec: {} })
  await scene.create('Volume', 'data', { spec: {} })
  const mounts = [{ volume: 'data', mountPath: '/data' }]
  const names = ['one', 'two', 'three']
  for (const name of names) await scene.run(name, { networks: [{ name: 'back' }], mounts })
  const ids = await Promise.all(names.map((name) => scene.ready(name)))
  await scene.exec('one', ['sh', '-c', 'echo kept > /data/file'])
  await nodeIs(cove, 'True')

  await engine.kill()
  const message = await nodeIs(cove, 'False')
  t.regex(message, /the engine at unix:.*engine\.sock does not answer/)

  await engine.restart()
  await nodeIs(cove, 'True')
  await Promise.all(names.map((name) => scene.sees(name, { State: { Running: true } })))
  t.deepEqual(await Promise.all(names.map((name) => scene.ready(name))), ids)
  t.is(await scene.exec('two', ['cat', '/data/file']), 'kept')
})
