import { readFile } from 'node:fs/promises'
import test from 'ava'
import fc from 'fast-check'
import { buildKind } from './build.ts'
import { containerKind } from './container.kind.ts'
import { namespaceKind } from './core.ts'
import { imageKind } from './image.ts'
import { networkKind } from './network.ts'
import { memberSchema, type Schema } from './schema.ts'
import {
  allowedBy,
  buildControls,
  type Control,
  containerControls,
  controlsOf,
  describeViolations,
  imageControls,
  levelLabels,
  levelOf,
  levels,
  networkControls,
  violations,
  volumeControls,
} from './security.levels.ts'
import { volumeKind } from './volume.ts'

/** What restricted asks for; everything else is left out. */
const careful = {
  securityContext: {
    runAsNonRoot: true,
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
  },
}

const rights = (more: object) => ({ securityContext: { ...careful.securityContext, ...more } })

function judge(spec: object, controls = containerControls) {
  const of = (level: 'privileged' | 'baseline' | 'restricted') =>
    violations(controls, level, { spec }).map(({ field, message }) => `${field} ${message}`)
  return { privileged: of('privileged'), baseline: of('baseline'), restricted: of('restricted') }
}

/** A spec, and what baseline and restricted say of it; absent: both the same. */
const table: readonly (readonly [what: string, spec: object, baseline: string[], restricted?: string[]])[] = [
  ['what restricted asks for', careful, []],
  [
    'a plain Container',
    {},
    [],
    [
      'spec.securityContext.capabilities.drop must include "ALL"',
      'spec.securityContext.allowPrivilegeEscalation must be false',
      'spec.securityContext.runAsNonRoot must be true',
    ],
  ],
  ['privileged', rights({ privileged: true }), ['spec.securityContext.privileged must not be true']],
  ['not privileged', rights({ privileged: false }), []],
  ["the node's network", { ...careful, networkMode: 'host' }, ['spec.networkMode must not be "host"']],
  [
    "the node's network by its name on the engine",
    { ...careful, networks: [{ name: 'front' }, { name: 'host' }] },
    ['spec.networks[1].name must not be "host"'],
  ],
  ['no network', { ...careful, networkMode: 'none' }, []],
  ['the bridge', { ...careful, networkMode: 'bridge', networks: [] }, []],
  [
    'paths of the node',
    { ...careful, mounts: [{ volume: 'data' }, { hostPath: '/etc' }, { tmpfs: {} }, { hostPath: '/' }] },
    ['spec.mounts[1].hostPath must not be set', 'spec.mounts[3].hostPath must not be set'],
  ],
  [
    'a port of the node',
    { ...careful, ports: [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }] },
    ['spec.ports[1].hostPort must not be set'],
  ],
  ['a device', { ...careful, devices: ['/dev/sda'] }, ['spec.devices[0] must not be set']],
  ['no devices', { ...careful, devices: [] }, []],
  [
    'parameters of the kernel',
    { ...careful, sysctls: { 'net.ipv4.tcp_syncookies': '1', 'kernel.msgmax': '65536' } },
    ['spec.sysctls[kernel.msgmax] must not be "kernel.msgmax"'],
  ],
  [
    'a log that the engine sends elsewhere',
    { ...careful, logging: { driver: 'syslog' } },
    ['spec.logging.driver must not be "syslog"'],
  ],
  ['a log of another size', { ...careful, logging: { options: { 'max-size': '1m' } } }, []],
  [
    'priority over the node',
    { ...careful, ulimits: { nofile: 1024, rtprio: 99 } },
    ['spec.ulimits[rtprio] must not be "rtprio"'],
  ],
  [
    'every system call',
    rights({ seccompProfile: { type: 'Unconfined' } }),
    ['spec.securityContext.seccompProfile.type must not be "Unconfined"'],
  ],
  ['the usual system calls', rights({ seccompProfile: { type: 'RuntimeDefault' } }), []],
  [
    'capabilities',
    rights({ capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE', 'CHOWN', 'NET_ADMIN', 'ALL'] } }),
    [
      'spec.securityContext.capabilities.add[2] must not be "NET_ADMIN"',
      'spec.securityContext.capabilities.add[3] must not be "ALL"',
    ],
    [
      'spec.securityContext.capabilities.add[1] must not be "CHOWN"',
      'spec.securityContext.capabilities.add[2] must not be "NET_ADMIN"',
      'spec.securityContext.capabilities.add[3] must not be "ALL"',
    ],
  ],
  [
    'capabilities that are kept',
    rights({ capabilities: { drop: ['KILL'] } }),
    [],
    ['spec.securityContext.capabilities.drop must include "ALL"'],
  ],
  [
    'escalation',
    rights({ allowPrivilegeEscalation: true }),
    [],
    ['spec.securityContext.allowPrivilegeEscalation must be false'],
  ],
  ['root', { ...careful, user: '0:0' }, [], ['spec.user must not be "0:0", which is root']],
  ['root by name', { ...careful, user: 'root' }, [], ['spec.user must not be "root", which is root']],
  ['another user', { ...careful, user: '1000' }, []],
  [
    'a container that may be root',
    rights({ runAsNonRoot: false }),
    [],
    ['spec.securityContext.runAsNonRoot must be true'],
  ],
]

for (const [what, spec, baseline, restricted = baseline] of table) {
  test(`${what}: what each level says`, (t) => {
    t.deepEqual(judge(spec), { privileged: [], baseline, restricted })
  })
}

test('a Volume that is a path of the node, or of a driver that cannot be judged, is for the privileged', (t) => {
  const says = (driverOpts: object, driver = 'local') => {
    const { privileged, baseline, restricted } = judge({ driver, driverOpts }, volumeControls)
    t.deepEqual(privileged, [])
    t.deepEqual(restricted, baseline)
    return baseline
  }
  t.deepEqual(says({}), [])
  t.deepEqual(says({ type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' }), [])
  t.deepEqual(says({ type: 'nfs', device: ':/export', o: 'addr=10.0.0.1,rw' }), [])
  t.deepEqual(says({ type: 'none', device: '/etc', o: 'bind' }), [
    'spec.driverOpts.type must not be "none"',
    'spec.driverOpts.o must not mount a path of the node with bind',
  ])
  t.deepEqual(says({ type: 'nfs', device: '/etc', o: 'ro, rbind' }), [
    'spec.driverOpts.o must not mount a path of the node with bind',
  ])
  t.deepEqual(says({ type: 'ext4', device: '/dev/sda1' }), ['spec.driverOpts.type must not be "ext4"'])
  t.deepEqual(says({}, 'rexray'), ['spec.driver must not be "rexray"'])
})

test('a Network that is an interface of the node, or its addresses, is for the privileged', (t) => {
  const says = (spec: object) => {
    const { privileged, baseline, restricted } = judge({ driver: 'bridge', ...spec }, networkControls)
    t.deepEqual(privileged, [])
    t.deepEqual(restricted, baseline)
    return baseline
  }
  t.deepEqual(says({ ipam: [], options: { 'com.docker.network.driver.mtu': '1400' } }), [])
  t.deepEqual(says({ driver: 'macvlan', options: { parent: 'eth0' } }), ['spec.driver must not be "macvlan"'])
  t.deepEqual(says({ options: { 'com.docker.network.bridge.name': 'br0' } }), [
    'spec.options[com.docker.network.bridge.name] must not be set',
  ])
  t.deepEqual(says({ ipam: [{ subnet: '8.8.8.0/24' }] }), [
    'spec.ipam[0] must not be set: the engine picks addresses that the node has no other way to',
  ])
})

const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })
const names = ['ALL', 'CHOWN', 'NET_BIND_SERVICE', 'NET_ADMIN', 'SYS_ADMIN', 'KILL']
const anyRights = fc.record({
  privileged: maybe(fc.boolean()),
  allowPrivilegeEscalation: maybe(fc.boolean()),
  runAsNonRoot: maybe(fc.boolean()),
  capabilities: maybe(
    fc.record({
      add: maybe(fc.subarray(names)),
      drop: maybe(fc.subarray(names)),
    }),
  ),
  seccompProfile: maybe(fc.record({ type: fc.constantFrom('RuntimeDefault', 'Unconfined') })),
})
const anySpec = fc.record({
  securityContext: maybe(anyRights),
  networkMode: maybe(fc.constantFrom('host', 'none', 'bridge')),
  user: maybe(fc.constantFrom('0', 'root', '1000', 'app:app', ':0')),
  mounts: maybe(fc.array(fc.record({ hostPath: maybe(fc.constant('/etc')) }))),
  ports: maybe(fc.array(fc.record({ hostPort: maybe(fc.integer({ min: 1, max: 9 })) }))),
  sysctls: maybe(fc.dictionary(fc.constantFrom('kernel.msgmax', 'net.ipv4.tcp_rmem'), fc.string())),
  devices: maybe(fc.array(fc.string())),
  driver: maybe(fc.constantFrom('local', 'other')),
  driverOpts: maybe(
    fc.record({ type: maybe(fc.constantFrom('nfs', 'none')), o: maybe(fc.constantFrom('bind', 'ro')) }),
  ),
})

test('what restricted allows baseline allows, and privileged allows everything', (t) => {
  for (const controls of [containerControls, volumeControls, networkControls, imageControls, buildControls]) {
    fc.assert(
      fc.property(fc.oneof(anySpec, fc.anything()), (spec) => {
        const count = (level: (typeof levels)[number]) => violations(controls, level, { spec }).length
        t.true(count('restricted') >= count('baseline'))
        t.is(count('privileged'), 0)
      }),
    )
  }
})

test('violations of one control stand together', (t) => {
  const spec = { ...careful, mounts: [{ hostPath: '/a' }, { hostPath: '/b' }], networkMode: 'host' }
  t.is(
    describeViolations(violations(containerControls, 'restricted', { spec })),
    'host network (spec.networkMode must not be "host"), hostPath volumes (spec.mounts[0].hostPath must not be set, spec.mounts[1].hostPath must not be set)',
  )
})

test('a label says the level; none is privileged, and one that nobody could have written is the strictest', (t) => {
  t.is(levelOf({}, levelLabels.enforce), 'privileged')
  for (const level of levels) t.is(levelOf({ [levelLabels.enforce]: level }, levelLabels.enforce), level)
  t.is(levelOf({ [levelLabels.enforce]: 'stict' }, levelLabels.enforce), 'restricted')
})

test('a label with another word is refused on a Namespace, and those of Kubernetes are warned of', (t) => {
  const namespace = (labels: Record<string, string>) => ({
    apiVersion: 'v1' as const,
    kind: 'Namespace' as const,
    metadata: { name: 'shop', labels },
  })
  const [rule] = namespaceKind.rules
  t.deepEqual(rule?.(namespace({ 'cove.run/enforce': 'baseline', 'cove.run/warn': 'restricted' })), [])
  t.deepEqual(rule?.(namespace({ 'cove.run/enforce': 'strict' })), [
    {
      reason: 'FieldValueNotSupported',
      field: 'metadata.labels[cove.run/enforce]',
      message: 'Unsupported value: "strict": supported values: "privileged", "baseline", "restricted"',
    },
  ])
  t.deepEqual(namespaceKind.warn?.(namespace({ 'pod-security.kubernetes.io/enforce': 'baseline' })), [
    'metadata.labels[pod-security.kubernetes.io/enforce]: has no effect in Cove, whose labels are cove.run/enforce and cove.run/warn',
  ])
})

function schemaOf(schema: Schema, field: string): Schema | undefined {
  return field.split('.').reduce<Schema | undefined>((at, part) => {
    const member = at && memberSchema(at, part.replace(/\[\]$|\{\}$/, ''))
    return part.endsWith('[]') ? member?.items : member
  }, schema)
}

test('every control is about a field that there is', (t) => {
  for (const [kind, controls] of [
    [containerKind, containerControls],
    [volumeKind, volumeControls],
    [networkKind, networkControls],
    [imageKind, imageControls],
    [buildKind, buildControls],
  ] as const) {
    t.is(controlsOf(kind), controls)
    for (const { field } of controls) {
      t.not(schemaOf(kind.schema, field), undefined, field)
    }
  }
  t.deepEqual(controlsOf({ group: 'other.example', kind: 'Container' }), [])
})

const values = (control: Control, level: 'baseline' | 'restricted') =>
  allowedBy(control, level)?.values ?? 'anything'

test('the page tells every control with what each level allows', async (t) => {
  const page = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8')
  const told = page.split('\n').filter((line) => line.startsWith('| `spec.'))
  const kinds = [containerKind, volumeKind, networkKind, imageKind, buildKind]
  const rows = kinds.flatMap((kind) =>
    controlsOf(kind).map((control) => {
      const strict = control.restricted === undefined ? 'the same' : values(control, 'restricted')
      const what = `\`${control.field}\` of ${kind.kind === 'Image' ? 'an' : 'a'} ${kind.kind}`
      return `| ${what} | ${control.name} | ${values(control, 'baseline')} | ${strict} |`
    }),
  )
  t.deepEqual(told, rows)
})
