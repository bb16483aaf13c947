import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { discovery } from './discovery.ts'

const surface = discovery(kinds)
const aggregated = (version: string) =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`
const kubectlAccept = `${aggregated('v2')},${aggregated('v2beta1')},application/json`

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await surface(makeRequest(path, { headers }), adminUser)
  if (response === undefined) throw new Error(`${path} was not answered`)
  const text = await readAll(response.body)
  return { ...response, value: text === '' ? undefined : JSON.parse(text) }
}

test('kubectl gets the aggregated list with every resource of a group at once', async (t) => {
  const { headers, value } = await get('/apis', { accept: kubectlAccept })
  t.is(headers['content-type'], aggregated('v2'))
  const [group] = value.items
  t.is(group.metadata.name, 'cove.run')
  t.is(group.versions[0].freshness, 'Current')
  const containers = group.versions[0].resources.find(
    (resource: { resource: string }) => resource.resource === 'containers',
  )
  t.like(containers, {
    scope: 'Namespaced',
    singularResource: 'container',
    responseKind: { group: 'cove.run', version: 'v1', kind: 'Container' },
    shortNames: ['ctr'],
    categories: ['all', 'cove'],
  })
  t.true(containers.verbs.includes('watch'))
  t.deepEqual(
    containers.subresources.map(({ subresource }: { subresource: string }) => subresource).slice(0, 6),
    ['status', 'log', 'exec', 'attach', 'portforward', 'top'],
  )
})

test('the core group is aggregated under /api and has no name', async (t) => {
  const { value } = await get('/api', { accept: kubectlAccept })
  t.is(value.items.length, 1)
  t.deepEqual(value.items[0].metadata, {})
  const names = value.items[0].versions[0].resources.map(({ resource }: { resource: string }) => resource)
  t.true(names.includes('secrets'))
  t.false(names.includes('containers'))
})

test('older clients get the older version of the aggregated list', async (t) => {
  const { headers, value } = await get('/apis', { accept: `${aggregated('v2beta1')},application/json` })
  t.is(headers['content-type'], aggregated('v2beta1'))
  t.is(value.apiVersion, 'apidiscovery.k8s.io/v2beta1')
})

test('clients that ask for plain JSON get the lists per group version', async (t) => {
  t.deepEqual((await get('/api')).value.versions, ['v1'])
  const { value } = await get('/apis', { accept: 'application/json' })
  t.is(value.kind, 'APIGroupList')
  t.like(value.groups[0], { name: 'cove.run', preferredVersion: { groupVersion: 'cove.run/v1' } })
  t.is((await get('/apis/cove.run')).value.kind, 'APIGroup')
  const list = (await get('/apis/cove.run/v1')).value
  t.is(list.groupVersion, 'cove.run/v1')
  const names = list.resources.map(({ name }: { name: string }) => name)
  for (const name of ['containers', 'containers/status', 'containers/log', 'nodes'])
    t.true(names.includes(name), name)
  t.like(
    list.resources.find(({ name }: { name: string }) => name === 'nodes'),
    { namespaced: false, shortNames: ['no'], singularName: 'node', kind: 'Node' },
  )
})

test('groups keep the order of the kinds, since it decides what a shared plural means', async (t) => {
  const reversed = discovery(kinds.toReversed())
  const order = async (surface: ReturnType<typeof discovery>) => {
    const response = await surface(makeRequest('/apis'), adminUser)
    const list = JSON.parse(await readAll(response?.body ?? ''))
    return list.groups.map(({ name }: { name: string }) => name)
  }
  const groups = [...new Set(kinds.map(({ group }) => group))].filter((group) => group !== '')
  t.deepEqual(await order(surface), groups)
  t.deepEqual((await order(reversed)).toSorted(), groups.toSorted())
})

test('a client that has the list already gets 304, and proxies are told that Accept matters', async (t) => {
  const first = await get('/apis', { accept: kubectlAccept })
  t.is(first.headers['vary'], 'Accept')
  const headers = { accept: kubectlAccept, 'if-none-match': first.headers['etag'] ?? '' }
  const second = await get('/apis', headers)
  t.is(second.status, 304)
  t.is(second.body, '')
  t.is((await get('/apis', { 'if-none-match': headers['if-none-match'] })).status, 200)
})

test('other paths are left to others, and nothing can be written here', async (t) => {
  t.is(await surface(makeRequest('/apis/cove.run/v1/containers'), adminUser), undefined)
  t.is(await surface(makeRequest('/apis/none/v1'), adminUser), undefined)
  const error = t.throws(() => surface(makeRequest('/apis', { method: 'POST' }), adminUser))
  t.true(isReason(error, 'MethodNotAllowed'))
})
