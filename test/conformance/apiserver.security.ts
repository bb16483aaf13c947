/** What a namespace lets its Containers do to their nodes. */
import type { ExecutionContext, TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { container, containers } from './apiserver.objects.ts'

const namespaces = '/api/v1/namespaces'
const merge = { 'content-type': 'application/merge-patch+json' }
const careful = {
  user: '1000',
  securityContext: {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
  },
}
const privileged = { securityContext: { privileged: true } }
const violation =
  'violates PodSecurity "baseline:latest": privileged (spec.securityContext.privileged must not be true)'

function label(transport: Transport, labels: Record<string, string | null>, query = '') {
  const body = { metadata: { labels } }
  return ask(transport, `PATCH ${namespaces}/default${query}`, { headers: merge, body })
}

async function enforced(transport: Transport, level: string): Promise<void> {
  const { status } = await label(transport, { 'cove.run/enforce': level })
  if (status !== 200) throw new Error(`labelling answered ${status}`)
}

function refused(t: ExecutionContext, answer: Awaited<ReturnType<typeof ask>>, text = violation): void {
  t.is(answer.status, 403)
  t.is(answer.body.reason, 'Forbidden')
  t.is(answer.body.message, `containers.cove.run "web" is forbidden: ${text}`)
}

export function securing(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: without a label everything is allowed, and nothing is warned of`, async (t) => {
    const { transport } = await open(t)
    const body = container('web', {
      ...privileged,
      networkMode: 'host',
      mounts: [{ hostPath: '/', mountPath: '/h' }],
    })
    const { status, headers } = await ask(transport, `POST ${containers}`, { body })
    t.is(status, 201)
    t.is(headers['warning'], undefined)
  })

  test(`${name}: devices and parameters of the kernel are judged by the level`, async (t) => {
    const { transport } = await open(t)
    await enforced(transport, 'baseline')
    const safe = { 'net.ipv4.ip_unprivileged_port_start': '80' }
    const bad = container('web', { devices: ['/dev/sda'], sysctls: { 'kernel.msgmax': '1', ...safe } })
    const { body } = await ask(transport, `POST ${containers}`, { body: bad })
    t.deepEqual(
      body.details.causes.map(({ field }: { field: string }) => field),
      ['spec.devices[0]', 'spec.sysctls[kernel.msgmax]'],
    )
    const good = container('web', { sysctls: safe, logging: { driver: 'local' }, ulimits: { nofile: 512 } })
    t.is((await ask(transport, `POST ${containers}`, { body: good })).status, 201)
  })

  test(`${name}: what the level does not allow is refused, with every field`, async (t) => {
    const { transport } = await open(t)
    await enforced(transport, 'restricted')
    const body = container('web', {
      networkMode: 'host',
      user: 'root',
      mounts: [
        { tmpfs: {}, mountPath: '/t' },
        { hostPath: '/etc', mountPath: '/e' },
      ],
      securityContext: { privileged: true, capabilities: { add: ['CHOWN', 'NET_ADMIN'] } },
    })
    const answer = await ask(transport, `POST ${containers}`, { body })
    t.is(answer.status, 403)
    t.regex(
      answer.body.message,
      /^containers\.cove\.run "web" is forbidden: violates PodSecurity "restricted:latest": /,
    )
    const { kind, group, name: object, causes } = answer.body.details
    t.deepEqual([kind, group, object], ['containers', 'cove.run', 'web'])
    t.deepEqual(
      causes.map((cause: { field: string }) => cause.field),
      [
        'spec.securityContext.privileged',
        'spec.networkMode',
        'spec.mounts[1].hostPath',
        'spec.securityContext.capabilities.add[0]',
        'spec.securityContext.capabilities.add[1]',
        'spec.securityContext.capabilities.drop',
        'spec.securityContext.allowPrivilegeEscalation',
        'spec.securityContext.runAsNonRoot',
        'spec.user',
      ],
    )
    for (const cause of causes) t.is(cause.reason, 'FieldValueForbidden')
    t.is((await ask(transport, `GET ${containers}/web`)).status, 404)
    t.is((await ask(transport, `POST ${containers}`, { body: container('web', careful) })).status, 201)
  })

  test(`${name}: every way to write goes through the same door, dry or not`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    await enforced(transport, 'baseline')
    const at = `${containers}/web`
    const body = container('web', privileged)
    const apply = { 'content-type': 'application/apply-patch+yaml' }
    const json = { 'content-type': 'application/json-patch+json' }
    const add = [{ op: 'add', path: '/spec/securityContext', value: privileged.securityContext }]
    for (const dry of ['', '&dryRun=All']) {
      refused(t, await ask(transport, `PUT ${at}?x=1${dry}`, { body }))
      refused(
        t,
        await ask(transport, `PATCH ${at}?x=1${dry}`, { headers: merge, body: { spec: privileged } }),
      )
      refused(t, await ask(transport, `PATCH ${at}?x=1${dry}`, { headers: json, body: add }))
      const applied = `PATCH ${at}?fieldManager=me&force=true${dry}`
      refused(t, await ask(transport, applied, { headers: apply, body }))
    }
    t.is((await ask(transport, `GET ${at}`)).body.spec.securityContext, undefined)
    await ask(transport, `DELETE ${at}`)
    for (const dry of ['', '&dryRun=All']) {
      refused(t, await ask(transport, `POST ${containers}?x=1${dry}`, { body }))
      refused(t, await ask(transport, `PATCH ${at}?fieldManager=me${dry}`, { headers: apply, body }))
    }
  })

  test(`${name}: what was there before the label can be placed, reported, stopped and deleted, but not made anew`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web', privileged) })
    await enforced(transport, 'baseline')
    const at = `${containers}/web`
    const patch = (body: object, path = at) => ask(transport, `PATCH ${path}`, { headers: merge, body })
    t.is((await patch({ status: { phase: 'Running' } }, `${at}/status`)).status, 200)
    t.is((await patch({ metadata: { labels: { a: 'b' }, finalizers: ['example.com/x'] } })).status, 200)
    t.is((await patch({ spec: { nodeName: 'n1' } })).status, 200)
    t.is((await patch({ spec: { resources: { limits: { memory: '64Mi' } } } })).status, 200)
    t.is((await patch({ spec: { state: 'Stopped' } })).status, 200)
    refused(t, await patch({ spec: { image: 'app:2' } }))
    refused(
      t,
      await patch({ spec: { networkMode: 'host' } }),
      `${violation}, host network (spec.networkMode must not be "host")`,
    )
    t.is((await patch({ spec: { image: 'app:2', securityContext: null } })).status, 200)
    t.is((await patch({ metadata: { finalizers: null } })).status, 200)
    t.is((await ask(transport, `DELETE ${at}`)).status, 200)
  })

  test(`${name}: a level that is warned of lets through and says what it would have refused`, async (t) => {
    const { transport } = await open(t)
    await label(transport, { 'cove.run/warn': 'baseline' })
    const made = await ask(transport, `POST ${containers}`, { body: container('web', privileged) })
    t.is(made.status, 201)
    t.is(
      made.headers['warning'],
      '299 - "would violate PodSecurity \\"baseline:latest\\": privileged (spec.securityContext.privileged must not be true)"',
    )
    const changed = await ask(transport, `PATCH ${containers}/web`, { body: { spec: { image: 'app:2' } } })
    t.regex(changed.headers['warning'] ?? '', /would violate PodSecurity/)
    const status = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { phase: 'Running' } },
    })
    t.is(status.headers['warning'], undefined)
  })

  test(`${name}: a stricter label stops nothing, and says who would be refused now`, async (t) => {
    const { transport } = await open(t)
    for (const [one, spec] of [
      ['api', { networkMode: 'host' }],
      ['web', privileged],
      ['db', privileged],
      ['good', careful],
    ] as const) {
      t.is((await ask(transport, `POST ${containers}`, { body: container(one, spec) })).status, 201)
    }
    const volume = {
      apiVersion: 'cove.run/v1',
      kind: 'Volume',
      metadata: { name: 'etc' },
      spec: { driverOpts: { type: 'none', device: '/etc', o: 'bind' } },
    }
    const volumes = '/apis/cove.run/v1/namespaces/default/volumes'
    t.is((await ask(transport, `POST ${volumes}`, { body: volume })).status, 201)
    const dry = await label(transport, { 'cove.run/enforce': 'baseline' }, '?dryRun=All')
    const { status, headers } = await label(transport, { 'cove.run/enforce': 'baseline' })
    t.is(status, 200)
    t.is(
      headers['warning'],
      [
        'existing containers in namespace \\"default\\" violate the new PodSecurity enforce level \\"baseline:latest\\"',
        'api: host network',
        'db, web: privileged',
        'existing volumes in namespace \\"default\\" violate the new PodSecurity enforce level \\"baseline:latest\\"',
        'etc: volume of the node',
      ]
        .map((text) => `299 - "${text}"`)
        .join(', '),
    )
    t.is(dry.headers['warning'], headers['warning'])
    const again = await label(transport, { 'cove.run/enforce': 'baseline', other: 'label' })
    t.is(again.headers['warning'], undefined)
    t.is((await label(transport, { 'cove.run/enforce': null })).headers['warning'], undefined)
    t.is((await ask(transport, `GET ${containers}`)).body.items.length, 4)
  })

  test(`${name}: a Volume that is a path of the node is refused as the path itself is`, async (t) => {
    const { transport } = await open(t)
    await enforced(transport, 'baseline')
    const answer = await ask(transport, 'POST /apis/cove.run/v1/namespaces/default/volumes', {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Volume',
        metadata: { name: 'etc' },
        spec: { driverOpts: { type: 'none', device: '/etc', o: 'bind' } },
      },
    })
    t.is(answer.status, 403)
    t.is(
      answer.body.message,
      'volumes.cove.run "etc" is forbidden: violates PodSecurity "baseline:latest": volume of the node (spec.driverOpts.type must not be "none", spec.driverOpts.o must not mount a path of the node with bind)',
    )
  })

  test(`${name}: a Network that is an interface of the node is refused, and one from before gets no other`, async (t) => {
    const { transport } = await open(t)
    const networks = '/apis/cove.run/v1/namespaces/default/networks'
    const lan = (name: string, parent: string) => ({
      apiVersion: 'cove.run/v1',
      kind: 'Network',
      metadata: { name },
      spec: { driver: 'macvlan', options: { parent } },
    })
    t.is((await ask(transport, `POST ${networks}`, { body: lan('old', 'eth0') })).status, 201)
    await enforced(transport, 'baseline')
    for (const [line, body] of [
      [`POST ${networks}`, lan('new', 'eth0')],
      [`PUT ${networks}/old`, lan('old', 'br-0123456789ab')],
    ] as const) {
      const answer = await ask(transport, line, { body })
      t.is(answer.status, 403, line)
      t.regex(answer.body.message, /network driver \(spec\.driver must not be "macvlan"\)$/)
    }
    const label = { body: { metadata: { labels: { a: 'b' } } } }
    t.is((await ask(transport, `PATCH ${networks}/old`, label)).status, 200)
  })

  test(`${name}: a level that nobody knows is refused with those that there are`, async (t) => {
    const { transport } = await open(t)
    for (const at of ['enforce', 'warn']) {
      const { status, body } = await label(transport, { [`cove.run/${at}`]: 'strict' })
      t.is(status, 422)
      t.is(
        body.message,
        `Namespace "default" is invalid: metadata.labels[cove.run/${at}]: Unsupported value: "strict": supported values: "privileged", "baseline", "restricted"`,
      )
      t.deepEqual(
        body.details.causes.map(({ reason, field }: { reason: string; field: string }) => [reason, field]),
        [['FieldValueNotSupported', `metadata.labels[cove.run/${at}]`]],
      )
    }
  })

  test(`${name}: a namespace holds its own level and no other's`, async (t) => {
    const { transport } = await open(t)
    const strict = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'strict', labels: { 'cove.run/enforce': 'baseline' } },
    }
    t.is((await ask(transport, `POST ${namespaces}`, { body: strict })).status, 201)
    const inStrict = '/apis/cove.run/v1/namespaces/strict/containers'
    refused(t, await ask(transport, `POST ${inStrict}`, { body: container('web', privileged) }))
    t.is((await ask(transport, `POST ${containers}`, { body: container('web', privileged) })).status, 201)
  })
}
