/** An engine that restarts: what it let die comes back in order, and what it kept it checks again. */
import assert from 'node:assert/strict'
import test from 'ava'
import { startCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene } from '#test/helpers/scene.ts'

const isRoot = process.getuid?.() === 0
const withRoot = isRoot ? test : test.skip

/** Becomes healthy two seconds after its start. */
const slow = {
  command: ['sh', '-c', 'rm -f /ok; sleep 2; touch /ok; sleep 86400'],
  healthcheck: { shell: 'test -e /ok', interval: '300ms', retries: 50 },
  networkMode: 'none',
}

withRoot('after an engine that died, containers start in the order of what they depend on', async (t) => {
  const engine = await startPrivateEngine(t)
  const cove = await startCove(t, { engine: engine.host })
  const scene = await makeScene(cove)
  const on = (container: string) => ({ dependsOn: [{ container, condition: 'Healthy' }] })
  await scene.run('web', { ...on('app'), networkMode: 'none' })
  await scene.run('app', { ...slow, ...on('db') })
  await scene.run('db', slow)
  const names = ['db', 'app', 'web']
  const ids = await Promise.all(names.map((name) => scene.ready(name)))
  const before = await Promise.all(
    names.map(async (name) => Date.parse((await scene.inspect(name)).State.StartedAt)),
  )

  await engine.kill()
  await engine.restart()

  const after = await Promise.all(
    names.map(async (name, index) => {
      const found = await scene.eventually(`a new run of ${name}`, async () => {
        const seen = await scene.inspect(name)
        assert.ok(seen.State.Running && Date.parse(seen.State.StartedAt) > (before[index] ?? 0))
        return seen
      })
      return Date.parse(found.State.StartedAt)
    }),
  )
  t.deepEqual(await Promise.all(names.map((name) => scene.ready(name))), ids)
  const [db = 0, app = 0, web = 0] = after
  t.true(app - db >= 2000, `app started ${app - db} ms after db`)
  t.true(web - app >= 2000, `web started ${web - app} ms after app`)
})

withRoot(
  'an engine that kept its containers and forgot to check them is made to check them again',
  async (t) => {
    const engine = await startPrivateEngine(t, { liveRestore: true })
    const cove = await startCove(t, { engine: engine.host })
    const scene = await makeScene(cove)
    const check = { shell: 'test -e /ok', interval: '500ms', timeout: '20s' }
    const works = { command: ['sh', '-c', 'touch /ok; sleep 86400'], networkMode: 'none' }
    const id = await scene.running('web', { ...works, healthcheck: check })
    const frozen = await scene.running('frozen', { ...works, healthcheck: check })
    await scene.patchSpec('frozen', { state: 'Paused' })
    await scene.until('frozen', { phase: 'Paused' })

    await engine.kill()
    await engine.restart()

    // Nothing is heard of a check that is not made: it shows at the next look at everything.
    await eventually(
      async () => {
        const messages = await scene.messages('web')
        assert.ok(
          messages.some((message) => /unpause container .* has not checked it for \d+ s/.test(message)),
        )
      },
      { timeoutMs: 90_000, pauseMs: 100, what: 'a check after the restart' },
    )
    const rearmedAt = Date.now()
    await scene.eventually('checks that go on', async () => {
      const { Health, StartedAt, Pid } = (await scene.inspect('web')).State
      assert.ok(Date.parse(Health.Log.at(-1).End) > rearmedAt - 500)
      assert.equal(Health.Status, 'healthy')
      return { StartedAt, Pid }
    })
    t.is(await scene.ready('web'), id)
    const { status } = await scene.until('web', { health: { status: 'healthy' }, restartCount: 0 })
    t.is(status?.healing, undefined)
    const paused = await scene.messages('web')
    t.is(paused.filter((message) => message.startsWith('pause ')).length, 1)
    t.is((await scene.inspect('frozen')).State.Status, 'paused')
    t.false((await scene.messages('frozen')).some((message) => message.startsWith('unpause ')))
    t.is((await scene.inspect('frozen')).Id, frozen)
  },
)
