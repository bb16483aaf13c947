/** Server and agent as two processes: the agent dials in, and goes on healing while the server is away. */
import assert from 'node:assert/strict'
import test from 'ava'
import { startCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

test('an agent of its own runs containers, hands their logs to the server, and heals while the server is away', async (t) => {
  const cove = await startCove(t, { apart: true })
  const scene = await makeScene(cove)
  await scene.running('web', { command: ['sh', '-c', 'echo hello; exec sleep 86400'] })
  const logs = async () => {
    const { stdout, stderr } = await cove.cli(['logs', '-n', scene.namespace, 'web'])
    assert.match(stdout, /hello/, stderr)
  }
  await scene.eventually('the log', logs)
  const before = await scene.inspect('web')
  await cove.kill('SIGKILL')
  await scene.call('POST', `/containers/${before.Id}/kill`)
  await scene.eventually('the restart', async () => {
    const found = await scene.inspect('web')
    assert.equal(found.State.Running, true)
    assert.notEqual(found.State.StartedAt, before.State.StartedAt)
    assert.equal(found.Id, before.Id)
  })
  await cove.restart()
  await scene.until('web', { restartCount: 1 })
  await scene.eventually('the log', logs)
  t.pass()
})
