/** Links, and the networks that they go through. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const serve = ['sh', '-c', 'mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 80 -h /www']
const front = { networks: [{ name: 'front' }] }
const links = [{ container: 'db', alias: 'sql' }]

async function hears(scene: Scene, name: string, host: string): Promise<void> {
  await scene.eventually(`${host} from ${name}`, async () => {
    assert.equal(await scene.exec(name, ['timeout', '3', 'wget', '-qO-', `http://${host}/`]), 'hello')
  })
}

async function deaf(scene: Scene, name: string, host: string): Promise<void> {
  await assert.rejects(scene.exec(name, ['timeout', '3', 'wget', '-qO-', `http://${host}/`]))
}

test('in a Network the alias is answered to the one who links alone, and follows an address that changes', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'front')
  await scene.running('db', { command: serve, ...front })
  await scene.running('web', { ...front, links })
  await scene.running('other', front)
  await hears(scene, 'web', 'sql')
  await hears(scene, 'other', 'db')
  await deaf(scene, 'other', 'sql')

  const network = scene.engineName('front')
  const addressOf = async () => (await scene.inspect('db')).NetworkSettings.Networks[network]?.IPAddress
  const before = await addressOf()
  const web = await scene.ready('web')
  await scene.patchSpec('db', { state: 'Stopped' })
  await scene.until('db', { phase: 'Stopped' })
  await scene.stranger(`${scene.namespace}-squatter`, { HostConfig: { NetworkMode: network } })
  await scene.patchSpec('db', { state: 'Running' })
  await scene.ready('db')
  t.not(await addressOf(), before)
  await hears(scene, 'web', 'sql')
  t.is(await scene.ready('web'), web)
  t.deepEqual((await scene.get('Container', 'db')).status.linkedBy, ['web/sql'])
})

test('a link in a Network that somebody took away is put back without a new container', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'front')
  await scene.running('db', { command: serve, ...front })
  const id = await scene.running('web', { ...front, links })
  const path = `/networks/${scene.engineName('front')}`
  await scene.call('POST', `${path}/disconnect`, { Container: id })
  await scene.call('POST', `${path}/connect`, { Container: id, EndpointConfig: { Aliases: ['web'] } })
  await hears(scene, 'web', 'sql')
  t.is(await scene.ready('web'), id)
})

test('on the default bridge the engine links, the linked one first, and its source shows it', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { links: [{ container: 'db', alias: 'sql', injectEnv: true }] })
  await scene.run('db', { command: serve, ports: [{ containerPort: 80 }] })
  await scene.ready('db')
  await scene.ready('web')
  await hears(scene, 'web', 'sql')
  const [db, web] = [await scene.inspect('db'), await scene.inspect('web')]
  t.true(Date.parse(db.State.StartedAt) <= Date.parse(web.State.StartedAt))
  t.deepEqual((await scene.get('Container', 'db')).status.linkedBy, ['web/sql'])
  const filters = encodeURIComponent(JSON.stringify({ id: [db.Id] }))
  const [listed] = await scene.call('GET', `/containers/json?filters=${filters}`)
  t.true(listed.Names.includes(`/${scene.engineName('web')}/sql`), listed.Names.join())

  const address = db.NetworkSettings.Networks.bridge.IPAddress
  const given = web.Config.Env
  t.true(given.includes(`SQL_PORT_80_TCP_ADDR=${address}`), given.join('\n'))
  t.true(given.includes(`SQL_PORT=tcp://${address}:80`), given.join('\n'))
})

test('whoever links over the default bridge is made anew when the other one is, and hears it again', async (t) => {
  const scene = await makeScene(cove())
  const db = await scene.running('db', { command: serve })
  const web = await scene.running('web', { links })
  await scene.call('POST', `/containers/${db}/restart?t=0`)
  await hears(scene, 'web', 'sql')
  t.is(await scene.ready('web'), web)
  await scene.patchSpec('db', { env: [{ name: 'A', value: '1' }] })
  await scene.replaced('db', db)
  await scene.replaced('web', web)
  await hears(scene, 'web', 'sql')
})

test('a link to a Container in no common network says so, and is made when they join one', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'front')
  await scene.running('db', { command: serve, ...front })
  await scene.run('web', { links })
  t.regex(await scene.notReady('web', 'LinkNotPossible'), /let both join one Network/)
  await scene.patchSpec('web', front)
  await scene.ready('web')
  await hears(scene, 'web', 'sql')
})

test('on the default bridge containers reach each other by address and know no names', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('db', { command: serve })
  await scene.running('web')
  const { status } = await scene.get('Container', 'db')
  await hears(scene, 'web', status.ip)
  await t.throwsAsync(scene.exec('web', ['nslookup', scene.engineName('db')]))
})

test('members of a Network without inter-container communication do not reach each other; of another they do', async (t) => {
  const scene = await makeScene(cove())
  for (const [name, icc] of [
    ['closed', 'false'],
    ['open', 'true'],
  ] as const) {
    const options = { 'com.docker.network.bridge.enable_icc': icc }
    await scene.create('Network', name, { spec: { options } })
    const networks = [{ name }]
    await scene.running(`db-${name}`, { command: serve, networks })
    await scene.running(`web-${name}`, { networks })
  }
  await hears(scene, 'web-open', 'db-open')
  await deaf(scene, 'web-closed', 'db-closed')
  t.pass()
})

test('a Network separates; who joins it later reaches its members without a new container', async (t) => {
  const scene = await makeScene(cove())
  for (const name of ['one', 'two']) await scene.create('Network', name)
  await scene.running('db', { command: serve, networks: [{ name: 'one' }] })
  const id = await scene.running('web', { networks: [{ name: 'two' }] })
  await deaf(scene, 'web', 'db')
  await scene.patchSpec('web', { networks: [{ name: 'one' }, { name: 'two' }] })
  await hears(scene, 'web', 'db')
  t.is(await scene.ready('web'), id)
})

test('a Network that is in use waits with its deletion, and goes with the last who joined it', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'front')
  await scene.running('web', front)
  await scene.delete('Network', 'front')
  const condition = await scene.eventually('the condition of the Network', async () => {
    const { status } = await scene.get('Network', 'front')
    const ready = status.conditions.find(({ type }: { type: string }) => type === 'Ready')
    assert.equal(ready.reason, 'InUse')
    return ready
  })
  t.regex(condition.message, /web/)
  await scene.delete('Container', 'web')
  await scene.gone('Network', 'front')
})
