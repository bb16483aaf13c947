import test from 'ava'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { anonymous } from '../access/authenticate.ts'
import { version } from './version.ts'

const build = { version: '0.1.0', platform: 'linux/amd64' }

test('the version names the Kubernetes API that is spoken and the version of Cove', async (t) => {
  const response = await version(build)(makeRequest('/version?timeout=5s'), anonymous)
  const info = JSON.parse(await readAll(response?.body ?? ''))
  t.like(info, { major: '1', minor: '32', gitVersion: 'v1.32.0+cove.0.1.0', platform: 'linux/amd64' })
})

test('other paths are left to others', (t) => {
  const surface = version(build)
  for (const path of ['/', '/constructor', '/version/x'])
    t.is(surface(makeRequest(path), anonymous), undefined)
})
