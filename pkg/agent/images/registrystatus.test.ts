import test from 'ava'
import type { Registry } from '#pkg/apis/registry.ts'
import { reportRegistry, withOwnView } from './registrystatus.plan.ts'

function registry(spec: Registry['spec'], status: Registry['status'] = {}): Registry {
  return { apiVersion: 'cove.run/v1', kind: 'Registry', metadata: { name: 'r', generation: 3 }, spec, status }
}

const engine = { insecure: ['r.lan:5000', '10.0.0.0/8'], mirrors: ['http://127.0.0.1:5000/'] }
const view = { nodeName: 'n1', engineRegistries: engine }
const own = (spec: Registry['spec']) => reportRegistry(registry(spec), view)?.nodes?.['n1']

test('who asks nothing of the engine is content with it, and so is who asks for what it has', (t) => {
  const ready = { state: 'Ready' } as const
  t.deepEqual(own({ server: 'r.io' }), ready)
  t.deepEqual(own({ server: 'r.lan:5000' }), ready)
  for (const server of ['r.lan:5000', '10.1.2.3:5000', '127.0.0.1:5000', 'localhost:5000'])
    t.deepEqual(own({ server, insecure: true }), ready, server)
  t.deepEqual(own({ server: 'r.io', insecure: false }), ready)
  t.deepEqual(own({ server: 'docker.io', mirrors: ['http://127.0.0.1:5000'] }), ready)
})

test('what differs is told with what to do about it', (t) => {
  const strict = own({ server: 'r.io', insecure: true })
  t.is(strict?.state, 'Differs')
  t.regex(strict?.message ?? '', /insists on a verified certificate of r\.io; list it in spec\.engine/)
  t.regex(own({ server: 'r.lan:5000', insecure: false })?.message ?? '', /take it out of/)
  const mirrors = own({ server: 'docker.io', mirrors: ['https://m.io'] })
  t.regex(
    mirrors?.message ?? '',
    /the engine has http:\/\/127\.0\.0\.1:5000; set spec\.engine\.registryMirrors/,
  )
})

test('a node says nothing of others, and nothing while its engine does not say', (t) => {
  const nodes = { n2: { state: 'Differs' as const, message: 'no' }, n1: { state: 'Ready' as const } }
  const object = registry({ server: 'r.io' }, { nodes, observedGeneration: 3 })
  t.deepEqual(reportRegistry(object, view), { nodes: { n1: { state: 'Ready' } } })
  t.deepEqual(withOwnView(object, view).status, { nodes: { n1: { state: 'Ready' } } })
  t.is(reportRegistry(object, { nodeName: 'n1' }), undefined)
})
