/** A changed Container on a real engine: who starts and stops when, and what happens when the new one is not good. */
import test from 'ava'
import { decode, sharedCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

/** What the engine did, in order: `start NAME`, `die NAME`, `rename OLD NEW`; names without the namespace. */
async function watch(scene: Scene): Promise<{ lines: { text: string; at: number }[]; stop: () => void }> {
  const lines: { text: string; at: number }[] = []
  const label = [`cove.run/namespace=${scene.namespace}`]
  const filters = encodeURIComponent(JSON.stringify({ type: ['container'], label }))
  const short = (name: string) => name.replace(/^\//, '').replace(`${scene.namespace}.`, '')
  const stop = await scene.raw.follow(`/events?filters=${filters}`, (line) => {
    const { Action, Actor, timeNano } = decode(JSON.parse(line))
    const { name, oldName } = Actor.Attributes
    const words = oldName === undefined ? [Action, short(name)] : [Action, short(oldName), short(name)]
    lines.push({ text: words.join(' '), at: timeNano / 1e6 })
  })
  return { lines, stop }
}

function texts({ lines }: { lines: readonly { text: string }[] }): string[] {
  return lines.map(({ text }) => text).filter((text) => /^(create|start|die|rename|destroy)/.test(text))
}

const quick = { monitor: '1s' }

test('without anything to share the new one starts first, and the old one stops when the new one is good', async (t) => {
  const scene = await makeScene(cove())
  const old = await scene.running('web', { env: [{ name: 'A', value: '1' }], update: quick })
  const seen = await watch(scene)
  t.teardown(seen.stop)
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }] })
  await scene.until('web', { containerID: old, rollout: { phase: 'Progressing' } })
  const id = await scene.replaced('web', old)
  const parked = `web_prev-${old.slice(0, 6)}`
  t.deepEqual(texts(seen), [
    'create web_next',
    'start web_next',
    'die web',
    `rename web ${parked}`,
    'rename web_next web',
  ])
  const before = await scene.inspect(old)
  t.like(before.State, { Status: 'exited' })
  t.not(id, old)
})

test('with a port of the node the old one stops first, is parked, and goes when it is not needed any more', async (t) => {
  const scene = await makeScene(cove())
  const ports = [{ containerPort: 80, hostPort: 18_931, hostIP: '127.0.0.1' }]
  const update = { ...quick, keepPrevious: '2s' }
  const old = await scene.running('web', { ports, update })
  const seen = await watch(scene)
  t.teardown(seen.stop)
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }] })
  await scene.replaced('web', old)
  await scene.until('web', { rollout: { phase: 'Complete' } })
  t.like((await scene.inspect(old)).State, { Status: 'exited' })
  await scene.vanished(old)
  const parked = `web_prev-${old.slice(0, 6)}`
  t.deepEqual(texts(seen), [
    'create web_next',
    'die web',
    `rename web ${parked}`,
    'rename web_next web',
    'start web',
    `destroy ${parked}`,
  ])
})

test('a new one that ends is rolled back at once, told of with its last lines, and not tried again', async (t) => {
  const scene = await makeScene(cove())
  const trial = 60
  const update = { order: 'StopFirst', monitor: `${trial}s` }
  const old = await scene.running('web', { update })
  const seen = await watch(scene)
  t.teardown(seen.stop)
  await scene.patchSpec('web', { command: ['sh', '-c', 'sleep 1; echo no such table; exit 3'] })
  const { status } = await scene.until('web', { rollout: { phase: 'RolledBack' }, containerID: old })
  t.like(status?.rollout?.failed, { reason: 'Exited', exitCode: 3, log: ['no such table'] })
  await scene.told('web', 'no such table')
  const died = seen.lines.findLast(({ text }) => /^die /.test(text))
  const back = seen.lines.findLast(({ text }) => /^start /.test(text))
  const took = (back?.at ?? 0) - (died?.at ?? 0)
  t.log(`from the end of the new one to the start of the old one: ${Math.round(took)} ms`)
  t.true(took > 0 && took < trial * 1000, `${took} ms: the trial was waited for`)
  const failed =
    seen.lines
      .find(({ text }) => text.includes('_failed-'))
      ?.text.split(' ')
      .at(-1) ?? ''
  await scene.vanished((await scene.inspect(failed))?.Id ?? failed)
  t.deepEqual(texts(seen).slice(4), [
    'start web',
    'die web',
    `rename web ${failed}`,
    `rename web_prev-${old.slice(0, 6)} web`,
    'start web',
    `destroy ${failed}`,
  ])
  const mutations = texts(seen).length
  await scene.running('other')
  t.is(texts(seen).filter((text) => !text.includes('other')).length, mutations, 'it is not tried again')
  await scene.patchSpec('web', { command: ['sleep', '86401'] })
  await scene.replaced('web', old)
})

test('a new one that is unhealthy beside the old one goes, with what its checks said kept, and nobody noticed', async (t) => {
  const scene = await makeScene(cove())
  const old = await scene.running('web', { update: quick })
  const seen = await watch(scene)
  t.teardown(seen.stop)
  const healthcheck = { shell: 'echo the cache is cold; exit 1', interval: '200ms', retries: 2 }
  await scene.patchSpec('web', { healthcheck })
  const { status } = await scene.until('web', { rollout: { phase: 'RolledBack' }, containerID: old })
  t.is(status?.rollout?.failed?.reason, 'Unhealthy')
  t.regex(status?.rollout?.failed?.probes[0]?.output ?? '', /the cache is cold/)
  await scene.told('web', 'the cache is cold')
  t.false(texts(seen).includes('die web'))
  t.like((await scene.inspect(old)).State, { Running: true })
})

test('what was there before is taken up again when the change is taken back', async (t) => {
  const scene = await makeScene(cove())
  const update = { ...quick, order: 'StopFirst' }
  const old = await scene.running('web', { env: [{ name: 'A', value: '1' }], update })
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }] })
  const second = await scene.replaced('web', old)
  await scene.until('web', { rollout: { phase: 'Complete' } })
  await scene.patchSpec('web', { env: [{ name: 'A', value: '1' }] })
  t.is(await scene.replaced('web', second), old)
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }], update: { order: 'StartFirst' } })
  t.is(await scene.replaced('web', old), second)
})

test('another change in the middle of a trial ends it at once', async (t) => {
  const scene = await makeScene(cove())
  const old = await scene.running('web', { update: { monitor: '1h' } })
  const seen = await watch(scene)
  t.teardown(seen.stop)
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }] })
  await scene.until('web', { rollout: { phase: 'Progressing', message: 'it must be up for 3600s' } })
  const beside = (await scene.inspect('web_next')).Id
  await scene.patchSpec('web', { env: [{ name: 'A', value: '3' }], update: quick })
  const id = await scene.replaced('web', old)
  t.not(id, beside)
  t.is(await scene.inspect(beside), undefined)
  t.is(await scene.exec('web', ['sh', '-c', 'echo $A']), '3')
})

test('while paused nothing is replaced', async (t) => {
  const scene = await makeScene(cove())
  const old = await scene.running('web', { update: quick })
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }], update: { paused: true } })
  await scene.until('web', { rollout: { phase: 'Paused' }, containerID: old })
  await scene.patchSpec('web', { update: { paused: false } })
  t.not(await scene.replaced('web', old), old)
})

test('what was written into a volume that nobody named is there in the successor, and after a rollback', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('data', ['VOLUME /data'])
  const old = await scene.running('web', { image, update: quick })
  await scene.exec('web', ['sh', '-c', 'echo kept > /data/file'])
  await scene.patchSpec('web', { command: ['sh', '-c', 'exit 1'] })
  await scene.until('web', { rollout: { phase: 'RolledBack' }, containerID: old })
  t.is(await scene.exec('web', ['cat', '/data/file']), 'kept')
  await scene.patchSpec('web', { command: ['sleep', '86402'], update: { keepPrevious: '0s' } })
  await scene.replaced('web', old)
  await scene.vanished(old)
  t.is(await scene.exec('web', ['cat', '/data/file']), 'kept')
})
