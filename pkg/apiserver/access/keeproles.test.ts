import type { ExecutionContext } from 'ava'
import test from 'ava'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { planAggregation } from '#pkg/controller/aggregation.plan.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { defaultRoles } from './defaultroles.ts'
import { keepDefaultRoles } from './keeproles.ts'

const group = '/apis/rbac.authorization.k8s.io/v1'
const roles = `${group}/clusterroles`
const bindings = `${group}/clusterrolebindings`

/** A server whose storage lives on, to be started again. */
async function start(t: ExecutionContext, storage = openInProcessStorage(), seed = 1) {
  const { server, transport } = await startTestServer({ storage, seed, bootstrap: keepDefaultRoles })
  t.teardown(() => server.close())
  return { transport, storage, stop: () => server.close() }
}

test('a first start makes the default roles and bindings, labelled as such', async (t) => {
  const { transport } = await start(t)
  const { body } = await ask(
    transport,
    `GET ${roles}?labelSelector=kubernetes.io/bootstrapping=rbac-defaults`,
  )
  const names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
  for (const name of ['cluster-admin', 'admin', 'edit', 'view', 'cove:node', 'system:discovery'])
    t.true(names.includes(name), name)
  const view = (await ask(transport, `GET ${roles}/view`)).body
  t.is(view.metadata.annotations['rbac.authorization.kubernetes.io/autoupdate'], 'true')
  t.deepEqual(view.aggregationRule.clusterRoleSelectors, [
    { matchLabels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
  ])
  const masters = (await ask(transport, `GET ${bindings}/cluster-admin`)).body
  t.deepEqual(
    masters.subjects.map(({ name }: { name: string }) => name),
    ['system:masters'],
  )
})

test('admin, edit and view are made with the rules that will be collected', (t) => {
  t.deepEqual(planAggregation(defaultRoles(servedKinds).roles), [])
})

test('a start that finds everything in place writes nothing', async (t) => {
  const first = await start(t)
  const before = (await ask(first.transport, `GET ${roles}`)).body
  await first.stop()
  const second = await start(t, first.storage, 2)
  t.deepEqual((await ask(second.transport, `GET ${roles}`)).body, before)
})

test('what is lacking comes back at the next start, and what was added stays', async (t) => {
  const first = await start(t)
  const own = { verbs: ['get'], nonResourceURLs: ['/metrics'] }
  const guest = { kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'guests' }
  const change = (line: string, body: unknown) => ask(first.transport, `PATCH ${line}`, { body })
  await change(`${roles}/system:discovery`, { rules: [own], metadata: { labels: { mine: 'yes' } } })
  await change(`${bindings}/system:discovery`, { subjects: [guest] })
  await ask(first.transport, `DELETE ${roles}/system:basic-user`)
  await first.stop()
  const { transport } = await start(t, first.storage, 2)
  const role = (await ask(transport, `GET ${roles}/system:discovery`)).body
  t.deepEqual(role.rules[0], own)
  t.true(role.rules[1].nonResourceURLs.includes('/apis/*'))
  t.is(role.metadata.labels.mine, 'yes')
  t.is(role.metadata.labels['kubernetes.io/bootstrapping'], 'rbac-defaults')
  const binding = (await ask(transport, `GET ${bindings}/system:discovery`)).body
  t.deepEqual(
    binding.subjects.map(({ name }: { name: string }) => name),
    ['guests', 'system:authenticated'],
  )
  t.is((await ask(transport, `GET ${roles}/system:basic-user`)).status, 200)
})

test('whoever turns autoupdate off keeps what they wrote', async (t) => {
  const first = await start(t)
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' }
  const body = { metadata: { annotations }, rules: [] }
  await ask(first.transport, `PATCH ${roles}/system:discovery`, { body })
  await first.stop()
  const { transport } = await start(t, first.storage, 2)
  t.deepEqual((await ask(transport, `GET ${roles}/system:discovery`)).body.rules, [])
})
