import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { container, engineNetwork, network, observed, print, world } from '#test/helpers/world.ts'
import { planContainer } from './container.ts'
import { linkedBy } from './links.ts'
import { resolve } from './resolve.ts'

const front = network('front')
const joined = { networks: [{ name: 'front' }] }

function worldOf(objects: readonly Container[], containers: readonly ObservedContainer[] = []) {
  return world({ objects: [...objects, front], containers, networks: [engineNetwork('front')] })
}

function created(
  object: Container,
  others: readonly Container[],
  running: readonly ObservedContainer[] = [],
) {
  const resolved = resolve({ container: object, ...worldOf([object, ...others], running) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return resolved
}

function runs(object: Container, more: Partial<ObservedContainer> = {}): ObservedContainer {
  const { fingerprint } = created(object, [])
  return observed(object, fingerprint, more)
}

const plainDb = container('db')
const plainWeb = container('web', { links: [{ container: 'db', alias: 'sql' }] })

test('on the default bridge the engine links, to the other container by its name', (t) => {
  const { create } = created(plainWeb, [plainDb])
  t.deepEqual(create.links, ['db:sql'])
  t.deepEqual(create.networks, [])
})

test('in a Network that both join its name service answers, and the engine does not link', (t) => {
  const db = container('db', joined)
  const web = container('web', { ...joined, links: [{ container: 'db', alias: 'sql' }] })
  const { create } = created(web, [db])
  t.is(create.links, undefined)
  t.deepEqual(create.networks, [{ network: 'front', aliases: ['web'], links: ['db:sql'] }])
})

test('the linked one starts first', (t) => {
  const waits = planContainer(plainWeb, worldOf([plainWeb, plainDb]))
  t.is(print(waits.plan), '')
  t.is(waits.waiting?.message, 'spec.links: Container db must be Started, but it does not exist yet')
  const { plan } = planContainer(plainWeb, worldOf([plainWeb, plainDb], [runs(plainDb)]))
  t.regex(print(plan), /create container web/)
})

test('a link that leads nowhere says so', (t) => {
  const db = container('db', joined)
  const apart = planContainer(plainWeb, worldOf([plainWeb, db], [runs(db)]))
  t.deepEqual(apart.waiting, {
    reason: 'LinkNotPossible',
    message: 'spec.links: Container db is in no network that web is in; let both join one Network',
  })
  t.is(planContainer(plainWeb, worldOf([plainWeb])).waiting?.reason, 'LinkNotFound')
})

test('a container whose link leads to a predecessor is made anew; one whose link is true is left alone', (t) => {
  const db = runs(plainDb)
  const web = runs(plainWeb, { links: ['db:sql'] })
  t.is(print(planContainer(plainWeb, worldOf([plainWeb, plainDb], [db, web])).plan), '')
  const stale = { ...web, links: ['db_prev-abc123:sql'] }
  const { plan } = planContainer(plainWeb, worldOf([plainWeb, plainDb], [db, stale]))
  const cause = 'spec.links: want db:sql, found db_prev-abc123:sql'
  t.deepEqual(print(plan).split('\n'), [
    `Container/default/web#1: create container web_next because ${cause}`,
    `Container/default/web#2: stop container id-web because ${cause} (after Container/default/web#1)`,
    `Container/default/web#3: rename container id-web to web_old-id-web because ${cause} (after Container/default/web#2)`,
    `Container/default/web#4: rename container web_next to web because ${cause} (after Container/default/web#3)`,
    'Container/default/web#5: start container web because spec.state is Running (after Container/default/web#4)',
  ])
})

test('links that somebody took out of a Network are put back without a new container', (t) => {
  const db = container('db', joined)
  const web = container('web', { ...joined, links: [{ container: 'db' }] })
  const { fingerprint } = created(web, [db])
  const there = (links: readonly string[]) =>
    observed(web, fingerprint, { networks: [{ network: 'front', aliases: ['web'], ip: '10.0.0.3', links }] })
  const dbRuns = runs(db, { networks: [{ network: 'front', aliases: ['db'], ip: '10.0.0.2' }] })
  const plan = (links: readonly string[]) =>
    print(planContainer(web, worldOf([web, db], [dbRuns, there(links)])).plan)
  t.is(plan(['db:db']), '')
  t.deepEqual(plan([]).split('\n'), [
    'Container/default/web#1: disconnect container id-web from network front because spec.links in front: want db:db, found none',
    'Container/default/web#2: connect container id-web to network front because spec.links in front: want db:db, found none (after Container/default/web#1)',
  ])
})

const asking = container('web', { links: [{ container: 'db', alias: 'my-sql', injectEnv: true }] })
const exposing = runs(plainDb)
const withPorts: ObservedContainer = {
  ...exposing,
  settings: { ...exposing.settings, exposedPorts: ['8080/tcp', '80/udp', '80/tcp'], env: { PASSWORD: 'x' } },
}

test('the old variables are those of Docker, without the variables of the other container', (t) => {
  const { create } = created(asking, [plainDb], [withPorts])
  t.deepEqual(create.env, {
    MY_SQL_NAME: '/web/my-sql',
    MY_SQL_PORT: 'tcp://172.17.0.2:80',
    MY_SQL_PORT_80_TCP: 'tcp://172.17.0.2:80',
    MY_SQL_PORT_80_TCP_ADDR: '172.17.0.2',
    MY_SQL_PORT_80_TCP_PORT: '80',
    MY_SQL_PORT_80_TCP_PROTO: 'tcp',
    MY_SQL_PORT_80_UDP: 'udp://172.17.0.2:80',
    MY_SQL_PORT_80_UDP_ADDR: '172.17.0.2',
    MY_SQL_PORT_80_UDP_PORT: '80',
    MY_SQL_PORT_80_UDP_PROTO: 'udp',
    MY_SQL_PORT_8080_TCP: 'tcp://172.17.0.2:8080',
    MY_SQL_PORT_8080_TCP_ADDR: '172.17.0.2',
    MY_SQL_PORT_8080_TCP_PORT: '8080',
    MY_SQL_PORT_8080_TCP_PROTO: 'tcp',
  })
  t.deepEqual(created(plainWeb, [plainDb], [withPorts]).create.env, {})
})

test('what the spec itself sets wins over the old variables', (t) => {
  const links = [{ container: 'db', injectEnv: true }]
  const web = container('web', { links, env: [{ name: 'DB_PORT', value: 'mine' }] })
  const resolved = created(web, [plainDb], [withPorts])
  t.is(resolved.create.env['DB_PORT'], 'mine')
  t.false(resolved.frozenVariables.includes('DB_PORT'))
})

test('the old variables are frozen: another address makes no new container', (t) => {
  const moved = { ...withPorts, networks: [{ network: 'bridge', aliases: [], ip: '172.17.0.9' }] }
  const before = created(asking, [plainDb], [withPorts])
  t.is(created(asking, [plainDb], [moved]).fingerprint, before.fingerprint)
  t.is(created(asking, [plainDb]).fingerprint, before.fingerprint)
})

test('who links to a Container is told by it', (t) => {
  const other = container('aa', { links: [{ container: 'db' }] })
  const foreign = container('bb', { links: [{ container: 'db' }] }, { metadata: { namespace: 'shop' } })
  t.deepEqual(linkedBy(plainDb, worldOf([plainDb, plainWeb, other, foreign])), ['aa/db', 'web/sql'])
  t.deepEqual(linkedBy(plainWeb, worldOf([plainDb, plainWeb])), [])
})
