/** Deletion as people type it: the real kubectl against a server with its controllers. One server, a namespace per test. */
import assert from 'node:assert/strict'
import test from 'ava'
import { eventually } from '#test/helpers/eventually.ts'
import type { Kubectl } from '#test/helpers/kubectl.ts'
import { kubectlWorld } from '#test/helpers/kubectlworld.ts'

const world = kubectlWorld(test, { controllers: true })

/** Makes a ConfigMap; answers its UID. */
async function configMap(kubectl: Kubectl, name: string, metadata: object = {}): Promise<string> {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata } }
  return await kubectl.ok(['create', '-f', '-', '-o', 'jsonpath={.metadata.uid}'], JSON.stringify(object))
}

function ownedBy(name: string, uid: string, more: object = {}) {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name, uid, blockOwnerDeletion: true }
  return { ownerReferences: [owner], ...more }
}

async function names(kubectl: Kubectl, ...args: string[]): Promise<string[]> {
  const text = await kubectl.ok(['get', 'configmaps', '-o', 'name', ...args])
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace('configmap/', ''))
}

async function metadataOf(kubectl: Kubectl, name: string, kind = 'configmap') {
  return JSON.parse(await kubectl.ok(['get', kind, name, '-o', 'json'])).metadata
}

test('dependents go with their owner, and theirs with them', async (t) => {
  const kubectl = await world().inNamespace('cascade')
  const owner = await configMap(kubectl, 'owner')
  const child = await configMap(kubectl, 'child', ownedBy('owner', owner))
  await configMap(kubectl, 'grandchild', ownedBy('child', child))
  await configMap(kubectl, 'bystander')
  t.regex(await kubectl.ok(['delete', 'configmap', 'owner']), /^configmap "owner" deleted/)
  await eventually(async () => {
    assert.deepEqual(await names(kubectl), ['bystander'])
  })
})

test('--cascade=foreground returns when the dependents have gone, and waits for those that are held', async (t) => {
  const kubectl = await world().inNamespace('foreground')
  const owner = await configMap(kubectl, 'owner')
  await configMap(kubectl, 'free', ownedBy('owner', owner))
  await configMap(kubectl, 'held', ownedBy('owner', owner, { finalizers: ['example.com/hold'] }))
  const late = await kubectl.run(['delete', 'configmap', 'owner', '--cascade=foreground', '--timeout=2s'])
  t.is(late.code, 1)
  t.regex(late.stderr, /timed out waiting for the condition on configmaps\/owner/)
  t.deepEqual(await names(kubectl), ['held', 'owner'])
  t.deepEqual((await metadataOf(kubectl, 'owner')).finalizers, ['foregroundDeletion'])
  // The two commands run beside each other: the second may be the first to arrive.
  const waiting = kubectl.ok(['delete', 'configmap', 'owner', '--cascade=foreground', '--ignore-not-found'])
  await kubectl.ok([
    'patch',
    'configmap',
    'held',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/metadata/finalizers"}]',
  ])
  await waiting
  t.deepEqual(await names(kubectl), [])
})

test('--cascade=orphan leaves the dependents, without an owner', async (t) => {
  const kubectl = await world().inNamespace('orphan')
  const owner = await configMap(kubectl, 'owner')
  await configMap(kubectl, 'child', ownedBy('owner', owner))
  await kubectl.ok(['delete', 'configmap', 'owner', '--cascade=orphan'])
  t.deepEqual(await names(kubectl), ['child'])
  t.is((await metadataOf(kubectl, 'child')).ownerReferences, undefined)
})

test('an object with finalizers stays until they are gone, and takes no new ones', async (t) => {
  const kubectl = await world().inNamespace('finalizers')
  await configMap(kubectl, 'held', { finalizers: ['example.com/hold'] })
  t.regex(await kubectl.ok(['delete', 'configmap', 'held', '--wait=false']), /^configmap "held" deleted/)
  t.truthy((await metadataOf(kubectl, 'held')).deletionTimestamp)
  const more = '{"metadata":{"finalizers":["example.com/hold","example.com/more"]}}'
  const refused = await kubectl.run(['patch', 'configmap', 'held', '--type=merge', '-p', more])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /no new finalizers can be added if the object is being deleted/)
  await kubectl.ok(['patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
  t.deepEqual(await names(kubectl), [])
})

test('what is deleted can be chosen by labels, by fields, or be all there is', async (t) => {
  const kubectl = await world().inNamespace('choosing')
  for (const name of ['a', 'b', 'c', 'd']) {
    await configMap(kubectl, name, { labels: { half: name < 'c' ? 'first' : 'second' } })
  }
  t.is((await kubectl.ok(['delete', 'configmaps', '-l', 'half=first'])).split('\n').length, 3)
  t.deepEqual(await names(kubectl), ['c', 'd'])
  await kubectl.ok(['delete', 'configmaps', '--field-selector=metadata.name=c'])
  t.deepEqual(await names(kubectl), ['d'])
  t.regex(await kubectl.ok(['delete', 'configmap', 'd', '--dry-run=server']), /deleted \(server dry run\)/)
  t.deepEqual(await names(kubectl), ['d'])
  await kubectl.ok(['delete', 'configmaps', '--all'])
  t.deepEqual(await names(kubectl), [])
  t.is((await kubectl.run(['delete', 'configmap', 'd'])).code, 1)
  await kubectl.ok(['delete', 'configmap', 'd', '--ignore-not-found'])
})

test('--now and --force shorten the time that a Container is given to end', async (t) => {
  const kubectl = await world().inNamespace('hurry')
  const object = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web', finalizers: ['example.com/hold'] },
    spec: { image: 'registry.example/web:1', terminationGracePeriodSeconds: 30 },
  }
  await kubectl.ok(['create', '-f', '-'], JSON.stringify(object))
  const grace = async (...flags: string[]) => {
    await kubectl.ok(['delete', 'container', 'web', '--wait=false', ...flags])
    return (await metadataOf(kubectl, 'web', 'container')).deletionGracePeriodSeconds
  }
  t.is(await grace(), 30)
  t.is(await grace('--now'), 1)
  t.is(await grace('--force', '--grace-period=0'), 0)
  await kubectl.ok(['patch', 'container', 'web', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
})

test('a namespace goes with all that is in it; a stuck one says why and takes nothing new', async (t) => {
  const kubectl = await world().inNamespace('leaving')
  await configMap(kubectl, 'free')
  await configMap(kubectl, 'held', { finalizers: ['example.com/hold'] })
  await kubectl.ok(['delete', 'namespace', 'leaving', '--wait=false'])
  t.regex(await kubectl.ok(['get', 'namespace', 'leaving']), /leaving +Terminating/)
  const refused = await kubectl.run(['create', 'configmap', 'late'])
  t.regex(refused.stderr, /unable to create new content in namespace leaving because it is being terminated/)
  const about = 'jsonpath={.status.conditions[?(@.type=="NamespaceFinalizersRemaining")].message}'
  await eventually(async () => {
    const message = await kubectl.ok(['get', 'namespace', 'leaving', '-o', about])
    assert.match(message, /finalizers remaining: example\.com\/hold in 1 resource instances$/)
  })
  t.deepEqual(await names(kubectl), ['held'])
  const gone = kubectl.ok(['wait', '--for=delete', 'namespace/leaving', '--timeout=20s'])
  await kubectl.ok(['patch', 'configmap', 'held', '--type=merge', '-p', '{"metadata":{"finalizers":null}}'])
  await gone
  t.is((await kubectl.run(['get', 'namespace', 'leaving'])).code, 1)
})

test('a list in chunks is the whole list', async (t) => {
  const kubectl = await world().inNamespace('chunks')
  const all = Array.from({ length: 7 }, (_, index) => `c${index}`)
  for (const name of all) await configMap(kubectl, name)
  t.deepEqual(await names(kubectl, '--chunk-size=2'), all)
  const table = await kubectl.ok(['get', 'configmaps', '--chunk-size=3'])
  t.is(table.trim().split('\n').length, 8)
})

test('cluster-info says where the control plane is', async (t) => {
  const { kubectl, server } = world()
  const { stdout } = await kubectl.run(['cluster-info'])
  t.true(stdout.includes('Kubernetes control plane'))
  t.true(stdout.includes(server.url))
  t.regex((await kubectl.run(['get', 'services', '-A'])).stderr, /No resources found/)
  t.regex((await kubectl.run(['get', 'service', 'web'])).stderr, /\(NotFound\): services "web" not found/)
})

test('a Lease is written and read as Kubernetes has it', async (t) => {
  const kubectl = await world().inNamespace('leases')
  const spec = { holderIdentity: 'one', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:10.123456Z' }
  const lease = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'lead' }, spec }
  await kubectl.ok(['create', '-f', '-'], JSON.stringify(lease))
  t.regex(await kubectl.ok(['get', 'leases']), /^NAME +HOLDER +AGE\nlead +one /)
  const written = JSON.parse(await kubectl.ok(['get', 'lease', 'lead', '-o', 'json']))
  t.deepEqual(written.spec, spec)
})

test('the health of the server can be asked check by check', async (t) => {
  const { kubectl } = world()
  t.is(await kubectl.ok(['get', '--raw', '/readyz']), 'ok')
  t.is(
    await kubectl.ok(['get', '--raw', '/readyz?verbose']),
    '[+]ping ok\n[+]storage ok\n[+]cache ok\n[+]serving ok\nreadyz check passed\n',
  )
  t.is(await kubectl.ok(['get', '--raw', '/readyz/storage']), 'ok')
})

test('warnings of the server come on stderr', async (t) => {
  const kubectl = await world().inNamespace('warnings')
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, dato: { a: '1' } }
  const { code, stderr } = await kubectl.run(['create', '--validate=warn', '-f', '-'], JSON.stringify(object))
  t.is(code, 0)
  t.regex(stderr, /^Warning: unknown field "dato"/m)
})
