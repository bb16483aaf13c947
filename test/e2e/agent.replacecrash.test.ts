/**
 * The agent killed at every single op of a replacement, on a real engine: the service is up afterwards, old or new, its
 * data too, and nothing is left over.
 */
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Daemon, program, startCove } from '#test/helpers/cove.ts'
import { EngineProxy } from '#test/helpers/engineproxy.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { type Fields, makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

interface Replacement {
  readonly update: Fields
  /** What is wanted in round `round`: each time something else. */
  readonly wish: (round: number) => Fields
  readonly isGood: boolean
  /** How many ops it takes at the least. */
  readonly ops: number
}

const quick = { monitor: '300ms', keepPrevious: '300ms' }
const good = (round: number) => ({ env: [{ name: 'ROUND', value: String(round) }] })
const bad = (round: number) => ({ command: ['sh', '-c', `exit ${round + 1}`] })

const replacements: Readonly<Record<string, Replacement>> = {
  'a replacement that stops first': {
    update: { ...quick, order: 'StopFirst' },
    wish: good,
    isGood: true,
    ops: 6,
  },
  'a replacement that starts first': {
    update: { ...quick, order: 'StartFirst' },
    wish: good,
    isGood: true,
    ops: 6,
  },
  'a replacement that fails': {
    update: { ...quick, monitor: '10s', order: 'StopFirst' },
    wish: bad,
    isGood: false,
    ops: 9,
  },
}

/** `NAME STATE` of every container of the scene on the engine, whatever its name. */
async function cast(scene: Scene): Promise<string[]> {
  const filters = encodeURIComponent(JSON.stringify({ label: [`cove.run/namespace=${scene.namespace}`] }))
  const found: { Names: string[]; State: string }[] = await scene.call(
    'GET',
    `/containers/json?all=1&filters=${filters}`,
  )
  return found.map(({ Names, State }) => `${Names[0]?.replace(`/${scene.namespace}.`, '')} ${State}`)
}

async function settled(t: ExecutionContext, scene: Scene, what: string): Promise<void> {
  await eventually(
    async () => {
      const all = await cast(scene)
      if (all.length !== 1 || all[0] !== 'web running') throw new Error(all.join(', '))
    },
    { timeoutMs: 30_000, pauseMs: 50, what },
  )
  t.is(await scene.exec('web', ['cat', '/data/file']), 'kept', what)
}

for (const [name, replacement] of Object.entries(replacements)) {
  test(`${name}, with the agent killed at every op of it`, async (t) => {
    t.timeout(170_000)
    const cove = await startCove(t, { alone: true })
    const { proxy, host } = await EngineProxy.start(t, cove.engine)
    const home = await makeTempDir(t, 'agent')
    const words = ['--data-dir', join(home, 'data'), '--kubeconfig', cove.kubeconfig]
    const agent = new Daemon(
      [program, 'agent', ...words, '--engine', host, '--node-name', cove.nodeName],
      home,
    )
    t.teardown(() => agent.end('SIGTERM'))
    await agent.start(async () => {})
    const scene = await makeScene(cove)
    const image = await scene.image('data', ['VOLUME /data'])
    const old = await scene.running('web', { image, update: replacement.update })
    await scene.exec('web', ['sh', '-c', 'echo kept > /data/file'])
    await scene.until('web', { rollout: { phase: 'Complete' } })
    const phase = replacement.isGood ? 'Complete' : 'RolledBack'
    const replaced = async (round: number, what: string) => {
      await scene.until('web', { rollout: { phase } }).catch(async (cause: unknown) => {
        const seen = [what, ...(await cast(scene)), ...proxy.calls, agent.log()]
        throw new Error(`it did not end:\n${seen.join('\n')}`, { cause })
      })
      await settled(t, scene, what)
      const { Id, Config } = await scene.inspect('web')
      if (!replacement.isGood) t.is(Id, old, what)
      else t.true(Config.Env.includes(`ROUND=${round}`), what)
    }
    proxy.arm()
    await scene.patchSpec('web', replacement.wish(0))
    await replaced(0, 'nobody was killed')
    const ops = proxy.calls.length
    t.true(ops >= replacement.ops, proxy.calls.join(', '))
    // What is there before a call is what is there after the one before it.
    for (let call = 1; call <= ops + 1; call++) {
      const strike = call <= ops ? { call, when: 'before' as const } : { call: ops, when: 'after' as const }
      const pid = agent.pid ?? 0
      proxy.arm({ ...strike, act: () => process.kill(pid, 'SIGKILL') })
      await scene.patchSpec('web', replacement.wish(call))
      await agent.ended()
      const what = `killed ${strike.when} call ${strike.call}: ${proxy.calls.at(-1)}`
      t.log(what)
      proxy.arm()
      await agent.end('SIGKILL')
      await agent.start(async () => {})
      await replaced(call, what)
    }
  })
}
