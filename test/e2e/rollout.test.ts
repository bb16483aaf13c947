/** `cove rollout` on a real engine, in a namespace of each test. */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { controllerRevisionKind } from '#pkg/apis/controllerrevision.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import { decode, sharedCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const noSignal = new AbortController().signal

interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function rollout(scene: Scene, ...words: string[]): Promise<Ran> {
  return scene.cove.cli(['rollout', ...words, '-n', scene.namespace])
}

async function says(t: ExecutionContext, scene: Scene, words: string[], expected: string): Promise<void> {
  const { code, stdout, stderr } = await rollout(scene, ...words)
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: expected, stderr: '' }, words.join(' '))
}

async function refuses(t: ExecutionContext, scene: Scene, words: string[], expected: RegExp): Promise<void> {
  const { code, stdout, stderr } = await rollout(scene, ...words)
  t.is(code, 1, `${words.join(' ')}: ${stdout}${stderr}`)
  t.regex(stderr, expected)
}

/** Numbers of the revisions and the value of the variable V in each, once there are so many. */
async function recorded(scene: Scene, count: number): Promise<string[]> {
  return await scene.eventually(`${count} revisions`, async () => {
    const { items } = await cove().client.list(
      controllerRevisionKind,
      { namespace: scene.namespace },
      noSignal,
    )
    if (items.length !== count) throw new Error(`there are ${items.length}`)
    return items
      .toSorted((left, right) => left.revision - right.revision)
      .map(({ revision, data }) => `${revision} ${JSON.stringify(decode(data).spec.env[0]?.value)}`)
  })
}

const because = (cause: string) => ({ annotations: { 'kubernetes.io/change-cause': cause } })
const env = (value: string) => ({ env: [{ name: 'V', value }], update: { monitor: '1s' } })

test('a change is followed until it is done, told as history, and undone', async (t) => {
  const scene = await makeScene(cove())
  const first = await scene.running('web', env('1'), because('one'))
  await recorded(scene, 1)
  await scene.patch('Container', 'web', { metadata: because('two'), spec: env('2') })
  const { code, stdout } = await rollout(scene, 'status', 'container/web', '--timeout=60s')
  t.is(code, 0, stdout)
  t.regex(stdout, /container "web" successfully rolled out\n$/)
  t.not((await scene.inspect('web')).Id, first)
  t.deepEqual(await recorded(scene, 2), ['1 "1"', '2 "2"'])
  await says(
    t,
    scene,
    ['history', 'ctr/web'],
    'container.cove.run/web \nREVISION   CHANGE-CAUSE\n1          one\n2          two\n\n',
  )
  const { stdout: second } = await rollout(scene, 'history', 'ctr/web', '--revision=2')
  t.regex(second, /^container\.cove\.run\/web with revision #2, which is asked for now\nSpec:\n {2}\w/)

  await says(t, scene, ['undo', 'ctr', 'web', '--dry-run'], 'container.cove.run/web rolled back (dry run)\n')
  await says(
    t,
    scene,
    ['undo', 'ctr', 'web', '--dry-run=server'],
    'container.cove.run/web rolled back (server dry run)\n',
  )
  t.is((await scene.get('Container', 'web')).spec.env[0].value, '2')
  await says(t, scene, ['undo', 'ctr', 'web'], 'container.cove.run/web rolled back\n')
  t.is((await rollout(scene, 'status', 'ctr/web', '--timeout=60s')).code, 0)
  t.true((await scene.inspect('web')).Config.Env.includes('V=1'))
  await scene.eventually('the new number', async () =>
    assert.deepEqual(await recorded(scene, 2), ['2 "2"', '3 "1"']),
  )
  await says(
    t,
    scene,
    ['history', 'ctr/web'],
    'container.cove.run/web \nREVISION   CHANGE-CAUSE\n2          two\n3          one\n\n',
  )
  await says(
    t,
    scene,
    ['undo', 'ctr/web', '--to-revision=3'],
    'container.cove.run/web skipped rollback (current template already matches revision 3)\n',
  )
  await refuses(
    t,
    scene,
    ['undo', 'ctr/web', '--to-revision=9'],
    /unable to find specified revision 9 in history/,
  )
  await refuses(
    t,
    scene,
    ['status', 'ctr/web', '--revision=2'],
    /desired revision \(2\) is different from the running revision \(3\)/,
  )
})

test('going back leaves where, whether and how it runs', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', env('1'))
  await recorded(scene, 1)
  await scene.patchSpec('web', {
    ...env('2'),
    state: 'Stopped',
    update: { monitor: '2s' },
    revisionHistoryLimit: 4,
  })
  await recorded(scene, 2)
  await says(t, scene, ['undo', 'ctr/web'], 'container.cove.run/web rolled back\n')
  const { spec } = await scene.get('Container', 'web')
  t.like(spec, { state: 'Stopped', update: { monitor: '2s' }, revisionHistoryLimit: 4 })
  t.is(spec.env[0].value, '1')
  t.is(spec.nodeName, cove().nodeName)
})

test('while it is paused, nothing is replaced', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', env('1'))
  await says(t, scene, ['pause', 'ctr/web'], 'container.cove.run/web paused\n')
  await refuses(t, scene, ['pause', 'ctr/web'], /containers\.cove\.run "web" is already paused/)
  await refuses(t, scene, ['undo', 'ctr/web'], /you cannot rollback a paused container; resume it first/)
  await refuses(t, scene, ['restart', 'ctr/web'], /can't restart paused container/)
  await scene.patchSpec('web', { env: [{ name: 'V', value: '2' }] })
  await refuses(t, scene, ['status', 'ctr/web', '--timeout=2s'], /timed out waiting for the condition/)
  t.is((await scene.inspect('web')).Id, id)
  await says(t, scene, ['resume', 'ctr/web'], 'container.cove.run/web resumed\n')
  await refuses(t, scene, ['resume', 'ctr/web'], /containers\.cove\.run "web" is not paused/)
  t.is((await rollout(scene, 'status', 'ctr/web', '--timeout=60s')).code, 0)
  t.true((await scene.inspect('web')).Config.Env.includes('V=2'))
})

test('a restart begins the same container anew, once; one made after it is not restarted', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', env('1'))
  const { StartedAt } = (await scene.inspect('web')).State
  await says(t, scene, ['restart', 'ctr/web'], 'container.cove.run/web restarted\n')
  const { code, stdout } = await rollout(scene, 'status', 'ctr/web', '--timeout=30s')
  t.is(code, 0, stdout)
  const again = await scene.inspect('web')
  t.is(again.Id, id)
  t.not(again.State.StartedAt, StartedAt)
  const { metadata, status } = await scene.get('Container', 'web')
  t.is(status.restartRequest, metadata.annotations['cove.run/restartedAt'])

  await scene.patchSpec('web', env('2'))
  t.is((await rollout(scene, 'status', 'ctr/web', '--timeout=60s')).code, 0)
  const made = await scene.inspect('web')
  t.is(made.Config.Labels[engineLabels.restartedAt], status.restartRequest)
  t.is(
    (await scene.messages('web')).filter((message) => message.includes('cove.run/restartedAt is')).length,
    1,
  )
})

test('a change that is rolled back ends the wait with why, and the last that it wrote', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', env('1'))
  await scene.patchSpec('web', {
    command: ['sh', '-c', 'echo no such table; exit 3'],
    update: { monitor: '3s' },
  })
  const { code, stderr } = await rollout(scene, 'status', 'ctr/web', '--timeout=60s')
  t.is(code, 1)
  t.regex(stderr, /^error: container "web" rolled back: /)
  t.regex(stderr, /the last it wrote:\n {2}no such table\n/)
  t.true((await scene.inspect('web')).State.Running)
  await says(t, scene, ['undo', 'ctr/web'], 'container.cove.run/web rolled back\n')
  t.is((await rollout(scene, 'status', 'ctr/web', '--timeout=60s')).code, 0)
})

test('several are chosen by label, and what has no rollout is told', async (t) => {
  const scene = await makeScene(cove())
  const labels = { labels: { app: 'x' } }
  await Promise.all([scene.running('aa', {}, labels), scene.running('bb', {}, labels), scene.running('cc')])
  const { stdout } = await rollout(scene, 'restart', 'ctr', '-l', 'app=x')
  t.is(stdout, 'container.cove.run/aa restarted\ncontainer.cove.run/bb restarted\n')
  await refuses(t, scene, ['status', 'node/x'], /nodes have no rollout/)
  await refuses(t, scene, ['undo', 'ctr/cc'], /no rollout history found for container "cc"/)
  t.is((await rollout(scene, 'undoo', 'ctr/cc')).code, 2)
})

test('revisions are read with kubectl, and go with their Container', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', env('1'))
  await recorded(scene, 1)
  const { stdout } = await cove().kubectl.run(['get', 'controllerrevisions', '-n', scene.namespace])
  t.regex(stdout, /^NAME +CONTROLLER +REVISION +AGE\nweb-[0-9a-f]{16} +container\.cove\.run\/web +1 +\S+\n$/)
  await scene.delete('Container', 'web')
  await recorded(scene, 0)
})
