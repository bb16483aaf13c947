/** `cove why` on a real engine: for each state the sentences that matter, and nothing done without a known reason. */
import test, { type ExecutionContext } from 'ava'
import { eventKind } from '#pkg/apis/event.ts'
import { eventReasons } from '#pkg/apis/eventreasons.ts'
import { sharedCove, startCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const noSignal = new AbortController().signal

async function why(scene: Scene, what = 'web'): Promise<string> {
  const { code, stdout, stderr } = await scene.cove.cli(['why', what, '-n', scene.namespace])
  if (code !== 0) throw new Error(`why ${what}: ${stderr}`)
  return stdout
}

/** Waits until each is in what `cove why` says. */
async function says(
  t: ExecutionContext,
  scene: Scene,
  expected: readonly RegExp[],
  what = 'web',
): Promise<string> {
  const text = await scene.eventually(`why ${what}`, async () => {
    const said = await why(scene, what)
    const missing = expected.filter((each) => !each.test(said))
    if (missing.length > 0) throw new Error(`no ${missing.join(', ')} in:\n${said}`)
    return said
  })
  t.notRegex(text, /undefined|NaN|Invalid Date/)
  return text
}

test.after('no event has a reason that is not in the table', async (t) => {
  const { items } = await cove().client.list(eventKind, {}, noSignal)
  const unknown = items.filter(({ reason = '' }) => !Object.hasOwn(eventReasons, reason))
  t.deepEqual(
    unknown.map(({ reason, message }) => `${reason}: ${message}`),
    [],
  )
  t.true(items.length > 0)
})

test('a container that is as desired', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  const text = await says(t, scene, [
    /Started \d+s ago: start container \S+ because spec\.state is Running\./,
    /Scheduled/,
    /Nothing is to be done/,
  ])
  const { namespace } = scene
  t.regex(text, new RegExp(`^container ${namespace}/web is as desired: it runs\\.\n`))
  t.regex(
    text,
    new RegExp(`Observed: {2}Container ${id.slice(0, 12)} runs as process \\d+ since 20\\S+Z \\(`),
  )
  t.regex(text, /\nDiffers: {3}Nothing\.\n/)
  t.regex(text, /\nNext: {6}Nothing is to be done\.\n/)
  t.regex(text, /\nNode: {6}Node \S+ is ready: AgentReady: the agent is at work\.\n/)
})

test('a container whose image is not there', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { image: 'localhost:1/none:1' })
  await says(t, scene, [
    /is not ready: /,
    /\nObserved: .*The engine has no container of it\./s,
    /ErrImagePull .*pull image localhost:1\/none:1/,
    /\nNext: {6}\S+/,
  ])
  await scene.run('other', { image: 'cove-test/never-there:1', imagePullPolicy: 'Never' })
  await says(t, scene, [/ErrImageNeverPull/, /\nNext: {6}Wait, because /], 'other')
})

test('a container that keeps ending', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { command: ['sh', '-c', 'echo no route to db; exit 7'] })
  await says(t, scene, [
    /is not ready: CrashLoopBackOff: back-off \d+s after \d+ ends in a row/,
    /ended at 20\S+Z \(\S+ ago\) with exit code 7\./,
    /The last it wrote:\n {13}no route to db\n/,
    /It ended \d times without ten minutes of running between\./,
    /Next: {6}Start the container at 20\S+Z \(in \S+\), because back-off/,
  ])
})

test('an unhealthy container: what its check said, what was tried, and when it is tried again', async (t) => {
  const scene = await makeScene(cove())
  const healthcheck = {
    shell: 'echo no answer; exit 1',
    interval: '1s',
    timeout: '5s',
    retries: 1,
    budget: { restarts: 1, window: '10m' },
  }
  await scene.run('web', { healthcheck, update: { onFailure: 'Hold', monitor: '1s' } })
  await says(t, scene, [
    /Its healthcheck says unhealthy after \d+ failed checks? in a row; a check ended at .* with exit code 1: no answer\./,
    /Healing was tried once, last at 20\S+Z \(\S+ ago\): Restart\./,
    /Healing is held since 20\S+Z/,
    /cove rollout restart container\/web, ends that\./,
    /Heal the container at 20\S+Z \(in \S+\), because its healthcheck fails\./,
  ])
})

test('a container that was rolled back', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { env: [{ name: 'V', value: '1' }] })
  await scene.patchSpec('web', {
    env: [{ name: 'V', value: '2' }],
    command: ['sh', '-c', 'echo no such table; exit 3'],
  })
  await says(t, scene, [
    /was rolled back: what the spec asks for did not work\./,
    /The rollout is RolledBack since 20\S+Z/,
    /What was tried failed at 20\S+Z .*exit code 3\./,
    /The last it wrote:\n {13}no such table\n/,
    /spec\.env\.V: want 2, found 1; mended by a new container\./,
    /Nothing is tried again until the spec changes: cove rollout undo container\/web goes back\./,
  ])
})

test('a container that is to be stopped, and is', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web')
  await scene.patchSpec('web', { state: 'Stopped' })
  await says(t, scene, [
    /is as desired: stopped\./,
    /spec\.state: want Stopped, found running/,
    /Nothing is to be done\./,
  ])
})

test('a name that somebody else has on the engine, and a port', async (t) => {
  const scene = await makeScene(cove())
  await scene.stranger(scene.engineName('web'))
  await scene.run('web')
  await says(t, scene, [
    /is not ready: NameConflict: the engine has another container named/,
    /Next: {6}\S.*named/,
  ])
  const port = 20_000 + Math.floor(Number.parseInt(scene.cove.mark, 16) % 9000)
  const HostConfig = { PortBindings: { '80/tcp': [{ HostPort: String(port) }] } }
  const name = `taken-${scene.namespace}`
  await scene.stranger(name, { HostConfig, ExposedPorts: { '80/tcp': {} } })
  await scene.run('other', { ports: [{ containerPort: 80, hostPort: port }] })
  await says(
    t,
    scene,
    [new RegExp(`HostPortInUse: .*host port ${port} is held by container ${name}`)],
    'other',
  )
})

test('a container that no node takes', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { nodeSelector: { disk: 'none' } })
  const text = await says(t, scene, [/has no node: Unschedulable: /, /FailedScheduling /, /on any node/])
  t.notRegex(text, /\nNode:/)
})

test('other kinds: a Volume that was made, and the node', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: {} })
  await says(
    t,
    scene,
    [/^volume \S+\/data is ready: Present: /, /VolumeCreated \S+ ago: create volume/],
    'volume/data',
  )
  await says(
    t,
    scene,
    [/^node \S+ is ready: AgentReady/, /Its last sign of life was at 20/],
    `node/${cove().nodeName}`,
  )
})

test('what is not there, and nothing at all, is told as such', async (t) => {
  const scene = await makeScene(cove())
  const none = await scene.cove.cli(['why', 'web', '-n', scene.namespace])
  t.deepEqual([none.code, none.stdout], [1, ''])
  t.regex(none.stderr, /containers\.cove\.run "web" not found/)
  t.is((await scene.cove.cli(['why'])).code, 2)
})

test.serial(
  'a container whose node is away: what is known is old, and when it was last heard of',
  async (t) => {
    const apart = await startCove(t, { apart: true })
    const scene = await makeScene(apart)
    await scene.running('web')
    await apart.endAgent()
    await scene.patchSpec('web', { env: [{ name: 'V', value: '2' }] })
    await says(t, scene, [
      /was changed, and node \S+ has not seen that yet\./,
      /Node \S+ told this of generation \d+\./,
      /Its last sign of life was at 20\S+Z/,
    ])
  },
)
