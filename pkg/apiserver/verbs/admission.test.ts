import test from 'ava'
import { type ContainerFacts, dependencyCycles, hostPortConflicts, type NodeFacts } from './admission.ts'

type Given = Partial<Omit<ContainerFacts, 'hostPorts'>> & {
  readonly name: string
  readonly claim?: string
  readonly ip?: string
}

function facts({ claim, ip = '', ...given }: Given): ContainerFacts {
  return {
    namespace: 'default',
    nodeName: undefined,
    nodeSelector: {},
    deleting: false,
    dependsOn: [],
    hostPorts: claim === undefined ? [] : [{ index: 0, port: claim, hostIP: ip }],
    ...given,
  }
}

function world(containers: readonly Given[], nodes: readonly string[] = []) {
  const all = containers.map(facts)
  const known: NodeFacts[] = nodes.map((name) => ({ name, labels: { host: name } }))
  return {
    container: (key: string) => all.find(({ namespace, name }) => `${namespace}/${name}` === key),
    claimants: (port: string) =>
      all.filter(({ hostPorts }) => hostPorts.some((claim) => claim.port === port)),
    nodes: () => known,
  }
}

function conflicts(given: Given, others: readonly Given[], nodes: readonly string[] = []): string[] {
  return hostPortConflicts(facts(given), world(others, nodes)).map(
    ({ field, message }) => `${field}: ${message}`,
  )
}

const claim = '8080/TCP'

test('a cycle is found through any number of Containers, and only in the same namespace', (t) => {
  const view = world([
    { name: 'a', dependsOn: ['b'] },
    { name: 'b', dependsOn: ['c', 'd'] },
    { name: 'c', dependsOn: ['b'] },
    { name: 'd', dependsOn: ['web'] },
    { name: 'web', dependsOn: ['ghost'] },
  ])
  const causes = dependencyCycles(facts({ name: 'web', dependsOn: ['c', 'ghost'] }), view)
  t.deepEqual(
    causes.map(({ field, message }) => `${field}: ${message}`),
    ['spec.dependsOn[0].container: makes a cycle: web -> c -> b -> d -> web'],
  )
  t.deepEqual(dependencyCycles(facts({ name: 'web', namespace: 'other', dependsOn: ['c'] }), view), [])
  t.deepEqual(dependencyCycles(facts({ name: 'new', dependsOn: ['a'] }), view), [])
})

test('a bound Container keeps its host port on its node, and only there', (t) => {
  const other = { name: 'web', claim, nodeName: 'n1' }
  t.deepEqual(conflicts({ name: 'x1', claim, nodeName: 'n1' }, [other], ['n1', 'n2']), [
    'spec.ports[0].hostPort: 8080/TCP is already used by Container default/web on node n1',
  ])
  t.deepEqual(conflicts({ name: 'x1', claim, nodeName: 'n2' }, [other], ['n1', 'n2']), [])
  t.deepEqual(conflicts({ name: 'x1', claim }, [other], ['n1', 'n2']), [])
  t.is(
    conflicts({ name: 'x1', claim }, [other, { name: 'db', claim, nodeName: 'n2' }], ['n1', 'n2']).length,
    1,
  )
})

test('an unbound Container that can only go to the one node counts too', (t) => {
  const unbound = { name: 'web', claim }
  t.is(conflicts({ name: 'x1', claim }, [unbound], ['n1']).length, 1)
  t.deepEqual(conflicts({ name: 'x1', claim, nodeName: 'n1' }, [unbound], ['n1', 'n2']), [])
  t.is(
    conflicts(
      { name: 'x1', claim, nodeName: 'n1' },
      [{ ...unbound, nodeSelector: { host: 'n1' } }],
      ['n1', 'n2'],
    ).length,
    1,
  )
})

test('without any Node there is taken to be one', (t) => {
  t.deepEqual(conflicts({ name: 'x1', claim }, [{ name: 'web', claim }]), [
    'spec.ports[0].hostPort: 8080/TCP is already used by Container default/web',
  ])
  t.is(conflicts({ name: 'x1', claim }, [{ name: 'web', claim, nodeName: 'n1' }]).length, 1)
  t.deepEqual(conflicts({ name: 'x1', claim, nodeName: 'n2' }, [{ name: 'web', claim, nodeName: 'n1' }]), [])
})

test('addresses, protocols, deletions and the Container itself are told apart', (t) => {
  const mine = { name: 'x1', claim, nodeName: 'n1', ip: '10.0.0.1' }
  const other = { name: 'web', claim, nodeName: 'n1' }
  t.deepEqual(conflicts(mine, [{ ...other, ip: '10.0.0.2' }]), [])
  t.is(conflicts(mine, [{ ...other, ip: '10.0.0.1' }]).length, 1)
  t.is(conflicts(mine, [{ ...other, ip: '0.0.0.0' }]).length, 1)
  t.is(conflicts({ ...mine, ip: '::' }, [{ ...other, ip: '10.0.0.2' }]).length, 1)
  t.deepEqual(conflicts(mine, [{ ...other, claim: '8080/UDP' }]), [])
  t.deepEqual(conflicts(mine, [{ ...other, deleting: true }]), [])
  t.deepEqual(conflicts(mine, [{ ...other, name: 'x1' }]), [])
})

test('where no node fits there is nothing to share yet', (t) => {
  t.deepEqual(
    conflicts({ name: 'x1', claim, nodeSelector: { host: 'n9' } }, [{ name: 'web', claim }], ['n1']),
    [],
  )
})
