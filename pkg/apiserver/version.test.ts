import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { anonymous } from './authenticate.ts'
import { version } from './version.ts'

const build = { version: '0.1.0', platform: 'linux/amd64' }

test('the version names the Kubernetes API that is spoken and the version of Cove', async (t) => {
  const response = await version({ build, ready: () => true })(makeRequest('/version?timeout=5s'), anonymous)
  const info = JSON.parse(await readAll(response?.body ?? ''))
  t.like(info, { major: '1', minor: '32', gitVersion: 'v1.32.0+cove.0.1.0', platform: 'linux/amd64' })
})

test('a server that is not ready lives but takes no traffic', async (t) => {
  let ready = false
  const surface = version({ build, ready: () => ready })
  const live = await surface(makeRequest('/livez'), anonymous)
  t.is(live?.body, 'ok')
  for (const path of ['/readyz', '/healthz']) {
    const error = await t.throwsAsync(async () => surface(makeRequest(path), anonymous))
    t.true(isReason(error, 'ServiceUnavailable'))
  }
  ready = true
  t.is((await surface(makeRequest('/readyz'), anonymous))?.body, 'ok')
})

test('other paths are left to others', (t) => {
  const surface = version({ build, ready: () => true })
  for (const path of ['/', '/constructor', '/version/x'])
    t.is(surface(makeRequest(path), anonymous), undefined)
})
