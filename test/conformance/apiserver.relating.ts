/** Rules between objects. */
import type { TestFn } from 'ava'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { container, containers } from './apiserver.objects.ts'

const ports = (hostPort: number) => [{ containerPort: 80, hostPort }]
const dependsOn = (...names: string[]) => names.map((name) => ({ container: name }))

export function relating(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a cycle of dependencies is refused with all its members`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('db', { dependsOn: dependsOn('init') }) })
    await ask(transport, `POST ${containers}`, { body: container('init', { dependsOn: dependsOn('web') }) })
    const { status, body } = await ask(transport, `POST ${containers}`, {
      body: container('web', { dependsOn: dependsOn('cache', 'db') }),
    })
    t.is(status, 422)
    t.is(
      body.message,
      'Container.cove.run "web" is invalid: spec.dependsOn[1].container: makes a cycle: web -> db -> init -> web',
    )
  })

  test(`${name}: a host port that must be shared on a node is refused, also on binding`, async (t) => {
    const { transport } = await open(t)
    const create = (object: object) => ask(transport, `POST ${containers}`, { body: object })
    for (const node of ['n1', 'n2']) {
      const body = {
        apiVersion: 'cove.run/v1',
        kind: 'Node',
        metadata: { name: node, labels: { host: node } },
      }
      t.is((await ask(transport, 'POST /apis/cove.run/v1/nodes', { body })).status, 201)
    }
    t.is((await create(container('web', { ports: ports(8080), nodeName: 'n1' }))).status, 201)
    const refused = await create(container('web2', { ports: ports(8080), nodeSelector: { host: 'n1' } }))
    t.is(refused.status, 422)
    t.is(
      refused.body.details.causes[0].message,
      '8080/TCP is already used by Container default/web on node n1',
    )
    t.is(refused.body.details.causes[0].field, 'spec.ports[0].hostPort')
    t.is((await create(container('web3', { ports: ports(8080) }))).status, 201)
    const bound = await ask(transport, `PATCH ${containers}/web3`, { body: { spec: { nodeName: 'n1' } } })
    t.is(bound.status, 422)
    t.is(
      (await ask(transport, `PATCH ${containers}/web3`, { body: { spec: { nodeName: 'n2' } } })).status,
      200,
    )
  })

  test(`${name}: of two concurrent claims for one host port one is refused`, async (t) => {
    const { transport } = await open(t)
    const claims = ['a1', 'b1', 'c1', 'd1'].map((claimant) =>
      ask(transport, `POST ${containers}`, { body: container(claimant, { ports: ports(443) }) }),
    )
    const codes = (await Promise.all(claims)).map(({ status }) => status)
    t.deepEqual(codes.toSorted(), [201, 422, 422, 422])
    const [winner] = (await ask(transport, `GET ${containers}`)).body.items
    await ask(transport, `DELETE ${containers}/${winner.metadata.name}`)
    t.is(
      (await ask(transport, `POST ${containers}`, { body: container('e1', { ports: ports(443) }) })).status,
      201,
    )
  })
}
