import test from 'ava'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { anonymous } from '../access/authenticate.ts'
import { type Check, health } from './health.ts'

function makeHealth(storage: Check = () => {}) {
  const clock = new ManualClock()
  const surface = health({ checks: { storage }, clock, log: silentLogger })
  const get = async (path: string, query = '') => {
    const request = { ...makeRequest(path), query: new URLSearchParams(query) }
    const answer = await surface(request, anonymous)
    return [answer?.status, answer?.body]
  }
  return { surface, clock, get }
}

const broken = () => {
  throw new Error('the disk is gone')
}

test('a healthy server says ok, and with verbose which checks it has passed', async (t) => {
  const { get } = makeHealth()
  for (const path of ['/livez', '/readyz', '/healthz', '/readyz/storage', '/livez/ping', '/readyz/'])
    t.deepEqual(await get(path), [200, 'ok'])
  t.deepEqual(await get('/readyz', 'verbose'), [200, '[+]ping ok\n[+]storage ok\nreadyz check passed\n'])
})

test('a server whose storage is lost lives but takes no traffic, and does not tell everybody why', async (t) => {
  const { get } = makeHealth(broken)
  t.deepEqual(await get('/livez'), [200, 'ok'])
  const failed = '[+]ping ok\n[-]storage failed: reason withheld\nreadyz check failed\n'
  t.deepEqual(await get('/readyz'), [500, failed])
  t.is((await get('/healthz'))[0], 500)
  t.deepEqual(await get('/readyz/storage'), [
    500,
    '[-]storage failed: reason withheld\nreadyz/storage check failed\n',
  ])
  t.deepEqual(await get('/readyz', 'exclude=storage'), [200, 'ok'])
})

test('a check that does not answer has failed', async (t) => {
  const { get, clock } = makeHealth(() => new Promise(() => {}))
  const answer = get('/readyz')
  await clock.advance(2_000)
  t.is((await answer)[0], 500)
})

test('other paths and methods are not answered', async (t) => {
  const { surface, get } = makeHealth()
  for (const path of ['/', '/constructor', '/readyz/constructor', '/readyz/storage/x', '/livez/storage'])
    t.deepEqual(await get(path), [undefined, undefined])
  const error = await t.throwsAsync(async () =>
    surface(makeRequest('/readyz', { method: 'POST' }), anonymous),
  )
  t.true(isReason(error, 'MethodNotAllowed'))
})
