/** A Build whose agent is killed at any instant of it: it is built again, nothing half done is left, and the end of the attempt is told. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sleep, systemClock } from '#pkg/apimachinery/ambient.ts'
import { buildKind } from '#pkg/apis/build.ts'
import { createBuild, imageOf, inspectImage, makeBuildScene, untilBuild } from '#test/helpers/builds.ts'
import { startCove } from '#test/helpers/cove.ts'

const noSignal = new AbortController().signal

test('an agent that is killed while it builds builds again, and says what became of the attempt', async (t) => {
  const cove = await startCove(t)
  const scene = await makeBuildScene(cove)
  await createBuild(scene, 'web', [`RUN echo ${cove.mark} > /a`, 'RUN sleep 6', 'RUN echo done > /b'])
  await untilBuild(scene, 'web', ({ phase, steps = [] }) => {
    assert.equal(phase, 'Building')
    assert.ok(steps.length >= 3)
  })
  await cove.kill('SIGKILL')
  await cove.restart()
  const { status } = await untilBuild(scene, 'web', ({ phase }) => assert.equal(phase, 'Succeeded'))
  t.is(status.attempt, 2)
  const [last, first] = status.history ?? []
  t.like(last, { number: 2, result: 'Succeeded' })
  t.like(first, {
    number: 1,
    result: 'Canceled',
    message: 'the agent of the node ended before the build did',
  })
  t.is((await inspectImage(scene, imageOf(scene, 'web'))).Id, status.image?.id)
  const path = `/apis/${buildKind.group}/v1/namespaces/${scene.namespace}/builds/web/log?attempt=1`
  const { body } = await cove.client.stream({ method: 'GET', path }, noSignal)
  const chunks: Buffer[] = []
  if (typeof body === 'string' || body instanceof Uint8Array) chunks.push(Buffer.from(body))
  else for await (const chunk of body) chunks.push(Buffer.from(chunk))
  t.regex(Buffer.concat(chunks).toString(), /the agent of the node ended before the build did\n$/)
})

test('whenever it is killed, it ends with the image that was asked for and without containers', async (t) => {
  const cove = await startCove(t)
  const scene = await makeBuildScene(cove)
  const clock = systemClock()
  for (const [round, delay] of [0, 60, 150, 300, 500, 800, 1200, 1700].entries()) {
    const lines = ['echo a > /a', 'sleep 0.3', 'echo b > /b'].map(
      (command) => `RUN ${command}; : ${cove.mark} ${round}`,
    )
    const name = `r${round}`
    await createBuild(scene, name, lines)
    await sleep(clock, delay, noSignal)
    await cove.kill('SIGKILL')
    await cove.restart()
    const { status } = await untilBuild(scene, name, ({ phase }) => assert.equal(phase, 'Succeeded'))
    const image = await inspectImage(scene, imageOf(scene, name))
    t.is(image.Id, status.image?.id)
    t.true((status.attempt ?? 0) <= 2, `killed after ${delay} ms: ${status.attempt} attempts`)
    const numbers = (status.history ?? []).map(({ number }) => number)
    t.is(new Set(numbers).size, numbers.length)
  }
  await scene.eventually('the end of all steps', async () => {
    const all = await scene.call('GET', '/containers/json?all=1')
    const steps = all.filter(({ Command }: { Command: string }) => Command.includes(cove.mark))
    assert.deepEqual(steps, [])
  })
})
