import test from 'ava'
import { makeRuleChecker } from './cel.ts'
import { containerKind } from './container.kind.ts'
import type { Container } from './container.ts'
import { containerWarnings } from './container.warnings.ts'
import { applyDefaults } from './normalize.ts'
import { validate } from './validate.ts'

const rules = makeRuleChecker()

function container(spec: Record<string, unknown>, name = 'web'): Container {
  const value = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name },
    spec: { image: 'a:1', ...spec },
  }
  const object = applyDefaults(containerKind.schema, value)
  const wrong = validate(containerKind.schema, object)
  if (wrong.length > 0) throw new Error(JSON.stringify(wrong))
  // The schema has just accepted it.
  return object as Container
}

function broken(spec: Record<string, unknown>, name?: string): string[] {
  const object = container(spec, name)
  return rules
    .check(containerKind.schema, object)
    .map(({ reason, field, message }) => `${reason} ${field}: ${message}`)
}

const checks = 'command, shell, http, tcp, disabled'

/** What is said of each spec. */
const table: readonly (readonly [string, Record<string, unknown>, readonly string[]])[] = [
  ['a plain Container', {}, []],
  [
    'StartFirst with a port of the node',
    {
      ports: [{ containerPort: 80, hostPort: 80 }],
      update: { order: 'StartFirst' },
    },
    [
      'FieldValueInvalid spec.update.order: StartFirst cannot be with a hostPort: two containers cannot hold it at once; use StopFirst or Auto',
    ],
  ],
  [
    "StartFirst with the node's network",
    { networkMode: 'host', update: { order: 'StartFirst' } },
    [
      'FieldValueInvalid spec.update.order: StartFirst cannot be with a shared network: both would listen on the same ports; use StopFirst or Auto',
    ],
  ],
  [
    'no time to become healthy',
    { update: { healthTimeout: '0s', monitor: '0s', keepPrevious: '0s' } },
    ['FieldValueInvalid spec.update.healthTimeout: must be at least 1ms'],
  ],
  [
    'every word on replacing',
    {
      ports: [{ containerPort: 80 }],
      update: { order: 'StartFirst', monitor: '1s', onFailure: 'Hold', paused: true },
    },
    [],
  ],
  ['a variable with a value', { env: [{ name: 'A', value: '' }, { name: 'B' }] }, []],
  [
    'a variable from a Secret',
    { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
    [],
  ],
  [
    'a variable with value and valueFrom',
    { env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
    ['FieldValueInvalid spec.env[0]: has both value and valueFrom; keep one'],
  ],
  [
    'a variable from nowhere',
    { env: [{ name: 'A' }, { name: 'B', valueFrom: {} }] },
    ['FieldValueRequired spec.env[1].valueFrom: needs one of secretKeyRef, configMapKeyRef, fieldRef'],
  ],
  [
    'a variable from two sources',
    {
      env: [
        {
          name: 'A',
          valueFrom: { secretKeyRef: { name: 's', key: 'k' }, configMapKeyRef: { name: 'c', key: 'k' } },
        },
      ],
    },
    [
      'FieldValueInvalid spec.env[0].valueFrom: has secretKeyRef and configMapKeyRef; exactly one of secretKeyRef, configMapKeyRef, fieldRef is allowed',
    ],
  ],
  ['a mount of a Volume', { mounts: [{ mountPath: '/a', volume: 'data' }] }, []],
  [
    'a mount of nothing',
    { mounts: [{ mountPath: '/a' }] },
    ['FieldValueRequired spec.mounts[0]: needs one of volume, hostPath, tmpfs, configMap, secret'],
  ],
  [
    'a mount of two things',
    { mounts: [{ mountPath: '/a', tmpfs: {}, hostPath: '/b' }] },
    [
      'FieldValueInvalid spec.mounts[0]: has hostPath and tmpfs; exactly one of volume, hostPath, tmpfs, configMap, secret is allowed',
    ],
  ],
  ['a check', { healthcheck: { shell: 'true' } }, []],
  ['a check switched off', { healthcheck: { disabled: true } }, []],
  ['an empty check', { healthcheck: {} }, [`FieldValueRequired spec.healthcheck: needs one of ${checks}`]],
  [
    'two checks',
    { healthcheck: { shell: 'true', command: ['true'] } },
    [`FieldValueInvalid spec.healthcheck: has command and shell; exactly one of ${checks} is allowed`],
  ],
  [
    'a check that is given and switched off',
    { healthcheck: { disabled: true, shell: 'true' } },
    ['FieldValueInvalid spec.healthcheck.disabled: excludes shell'],
  ],
  ['a check over HTTP', { healthcheck: { http: { port: 80, path: '/health?deep=1' } } }, []],
  ['a check over TCP', { healthcheck: { tcp: { port: 80 } } }, []],
  [
    'checks of two kinds',
    { healthcheck: { http: { port: 80 }, tcp: { port: 80 } } },
    [`FieldValueInvalid spec.healthcheck: has http and tcp; exactly one of ${checks} is allowed`],
  ],
  [
    'a check over HTTP that is switched off',
    { healthcheck: { disabled: true, http: { port: 80 } } },
    ['FieldValueInvalid spec.healthcheck.disabled: excludes http'],
  ],
  ['a check that shall recreate', { healthcheck: { shell: 'true', onUnhealthy: 'Recreate' } }, []],
  [
    'a check without time',
    { healthcheck: { shell: 'true', interval: '0s', timeout: '100us' } },
    [
      'FieldValueInvalid spec.healthcheck.interval: must be at least 1ms',
      'FieldValueInvalid spec.healthcheck.timeout: must be at least 1ms',
    ],
  ],
  [
    'host ports that differ in address or protocol',
    {
      ports: [
        { containerPort: 80, hostPort: 80, hostIP: '127.0.0.1' },
        { containerPort: 81, hostPort: 80, hostIP: '127.0.0.2' },
        { containerPort: 80, hostPort: 80, protocol: 'UDP' },
        { containerPort: 82 },
        { containerPort: 83 },
      ],
    },
    [],
  ],
  [
    'one host port twice',
    {
      ports: [
        { containerPort: 79, hostPort: 79 },
        { containerPort: 80, hostPort: 80 },
        { containerPort: 81, hostPort: 80 },
      ],
    },
    ['FieldValueDuplicate spec.ports: more than one is published on 80/TCP'],
  ],
  [
    'a host port on one address and on all',
    {
      ports: [
        { containerPort: 80, hostPort: 80, hostIP: '127.0.0.1' },
        { containerPort: 81, hostPort: 80 },
      ],
    },
    ['FieldValueDuplicate spec.ports: more than one is published on 80/TCP'],
  ],
  ['every right at once', { securityContext: { privileged: true, capabilities: { add: ['ALL'] } } }, []],
  [
    'few rights',
    {
      user: '1000:1000',
      networkMode: 'none',
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        runAsNonRoot: true,
        capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
    [],
  ],
  [
    'rights that contradict each other',
    {
      securityContext: {
        privileged: true,
        allowPrivilegeEscalation: false,
        capabilities: { add: ['SYS_ADMIN'], drop: ['ALL'] },
        seccompProfile: { type: 'RuntimeDefault' },
      },
    },
    [
      'FieldValueInvalid spec.securityContext.allowPrivilegeEscalation: cannot be false while privileged is true',
      'FieldValueInvalid spec.securityContext.allowPrivilegeEscalation: cannot be false while capabilities.add has SYS_ADMIN',
      'FieldValueInvalid spec.securityContext.capabilities: has no effect while privileged is true: a privileged container has every capability',
      'FieldValueInvalid spec.securityContext.seccompProfile: cannot be RuntimeDefault while privileged is true: a privileged container runs unconfined',
    ],
  ],
  [
    'capabilities as the kernel writes them',
    { securityContext: { capabilities: { add: ['CAP_NET_ADMIN'], drop: ['all'] } } },
    [
      'FieldValueInvalid spec.securityContext.capabilities.add[0]: is written without CAP_: NET_ADMIN',
      'FieldValueInvalid spec.securityContext.capabilities.drop[0]: must be a capability such as NET_ADMIN, or ALL',
    ],
  ],
  [
    "the user as Kubernetes' Pods say it",
    { securityContext: { runAsUser: 1000, runAsGroup: 1000 } },
    [
      'FieldValueForbidden spec.securityContext.runAsUser: is written as spec.user: "UID", or "UID:GID"',
      'FieldValueForbidden spec.securityContext.runAsGroup: is written as spec.user: "UID", or "UID:GID"',
    ],
  ],
  ...['0', 'root', '00:5', 'root:root', ':1000'].map(
    (user) =>
      [
        `root as ${user} where root is forbidden`,
        { user, securityContext: { runAsNonRoot: true } },
        ['FieldValueInvalid spec.user: is root, which securityContext.runAsNonRoot forbids'],
      ] as const,
  ),
  ['a user by name where root is forbidden', { user: 'app', securityContext: { runAsNonRoot: true } }, []],
  ['the default bridge by name', { networkMode: 'bridge', ports: [{ containerPort: 80 }] }, []],
  [
    'a way of networking that is not there',
    { networkMode: 'slirp' },
    ['FieldValueInvalid spec.networkMode: "slirp" is not one of bridge, host, none, container:NAME'],
  ],
  [
    "another container's network",
    { networkMode: 'container:web' },
    ['FieldValueInvalid spec.networkMode: a Container cannot share its own network'],
  ],
  [
    "what belongs to another container's network",
    {
      networkMode: 'container:db',
      ports: [{ containerPort: 80 }],
      networks: [{ name: 'front' }],
    },
    [
      'FieldValueInvalid spec.networkMode: excludes networks; keep one',
      'FieldValueInvalid spec.ports: belongs to the Container whose network is shared; say it there',
    ],
  ],
  [
    'whole objects as variables',
    {
      envFrom: [{ secretRef: { name: 's' } }, { prefix: 'A_', configMapRef: { name: 'c', optional: true } }],
    },
    [],
  ],
  [
    'a source of variables that is none, and one that is two',
    { envFrom: [{ prefix: 'A_' }, { secretRef: { name: 's' }, configMapRef: { name: 'c' } }] },
    [
      'FieldValueRequired spec.envFrom[0]: needs one of secretRef, configMapRef',
      'FieldValueInvalid spec.envFrom[1]: has secretRef and configMapRef; exactly one of secretRef, configMapRef is allowed',
    ],
  ],
  [
    'a volume that is optional',
    { mounts: [{ mountPath: '/d', volume: 'd', optional: true }] },
    ['FieldValueInvalid spec.mounts[0].optional: is for a configMap or a secret'],
  ],
  [
    'a Container that is to go when it has finished, and never finishes',
    { ttlSecondsAfterFinished: 0 },
    [
      'FieldValueInvalid spec.ttlSecondsAfterFinished: needs restartPolicy Never or OnFailure: with Always a Container is never finished',
    ],
  ],
  ['one that finishes', { ttlSecondsAfterFinished: 0, restartPolicy: 'OnFailure' }, []],
  [
    'links',
    {
      links: [
        { container: 'db', alias: 'sql' },
        { container: 'cache', injectEnv: true },
      ],
    },
    [],
  ],
  [
    'links under one name, and one to itself',
    { links: [{ container: 'db', alias: 'web' }, { container: 'web' }] },
    [
      'FieldValueInvalid spec.links: a Container cannot link to itself',
      'FieldValueDuplicate spec.links: two links have the same alias',
    ],
  ],
  [
    "links beside the node's own network",
    { networkMode: 'host', links: [{ container: 'db' }] },
    [
      'FieldValueInvalid spec.links: needs a network of its own: there are no links with networkMode host, none or container:NAME',
    ],
  ],
  ["another container's network alone", { networkMode: 'container:db' }, []],
  [
    "networks and ports beside the node's own network",
    { networkMode: 'host', networks: [{ name: 'front' }], ports: [{ containerPort: 80 }] },
    [
      'FieldValueInvalid spec.networkMode: excludes networks; keep one',
      'FieldValueInvalid spec.networkMode: host publishes no ports: what it listens on is open on the node as it is; leave ports out',
    ],
  ],
  [
    'how it is run',
    {
      hostname: 'web-1.shop',
      stopSignal: 'SIGRTMIN+3',
      extraHosts: ['db:10.0.0.9', 'six:::1', 'node:host-gateway'],
      dns: { servers: ['10.0.0.53', 'fd00::53'], searches: ['shop.test'], options: ['ndots:2'] },
      devices: ['/dev/null', '/dev/sda:/dev/disk', '/dev/sda:/dev/disk:rw'],
      ulimits: { nofile: 1024, nproc: '10:20', memlock: '-1', core: '0:-1', stack: -1 },
      sysctls: { 'net.core.somaxconn': '1024' },
      shmSize: '128Mi',
      logging: { driver: 'local', options: { 'max-size': '1m' } },
      publishAll: true,
      init: true,
      healthcheck: { shell: 'true', startPeriod: '10s', startInterval: '1s' },
    },
    [],
  ],
  [
    'names that are none',
    { hostname: '-web', stopSignal: 'please', logging: { driver: '' } },
    [
      'FieldValueInvalid spec.hostname: must be letters, digits, dots and hyphens, with a letter or digit at both ends',
      'FieldValueInvalid spec.stopSignal: must be the name of a signal such as SIGQUIT, or its number',
      'FieldValueInvalid spec.logging.driver: must be the name of a driver',
    ],
  ],
  [
    'hosts that are none',
    { extraHosts: ['db', 'db:', 'db:there', ':10.0.0.1'], dns: { servers: ['ns1'], options: ['a b'] } },
    [
      ...[0, 1, 2, 3].map(
        (index) =>
          `FieldValueInvalid spec.extraHosts[${index}]: must be NAME:ADDRESS, or NAME:host-gateway for the node itself`,
      ),
      'FieldValueInvalid spec.dns.servers[0]: "ns1" is not an address',
      'FieldValueInvalid spec.dns.options[0]: must be one word',
    ],
  ],
  [
    'devices that are none',
    { devices: ['null', '/dev/a:b', '/dev/a:/dev/b:x', '/dev/a:/dev/b:'] },
    [0, 1, 2, 3].map(
      (index) =>
        `FieldValueInvalid spec.devices[${index}]: must be /dev/x, /dev/x:/dev/y or /dev/x:/dev/y:rwm`,
    ),
  ],
  [
    'limits of processes that are none',
    { ulimits: { files: 1 } },
    [
      'FieldValueInvalid spec.ulimits: knows as, core, cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime, sigpending, stack',
    ],
  ],
  [
    'limits of processes that are the wrong way round',
    { ulimits: { nofile: '20:10' } },
    ['FieldValueInvalid spec.ulimits: a soft limit cannot be above the hard one'],
  ],
  [
    'a limit of processes that is no number',
    { ulimits: { nofile: 'many' } },
    ['FieldValueInvalid spec.ulimits.nofile: must be SOFT or SOFT:HARD, numbers, with -1 for no limit'],
  ],
  [
    'parameters of the kernel that are none, and no memory to share',
    { sysctls: { somaxconn: '1' }, shmSize: 0 },
    [
      'FieldValueInvalid spec.sysctls: has a name that is not one of a kernel parameter, such as net.core.somaxconn',
      'FieldValueInvalid spec.shmSize: must be more than zero',
    ],
  ],
  [
    "what the node's own network has of its own",
    { networkMode: 'host', publishAll: true, sysctls: { 'net.core.somaxconn': '1' } },
    [
      'FieldValueInvalid spec.publishAll: has no effect with this networkMode: nothing is published there',
      "FieldValueInvalid spec.sysctls: cannot set net.* with networkMode host: they would be the node's own",
    ],
  ],
  [
    'what belongs to the container whose network is shared',
    { networkMode: 'container:db', hostname: 'a', dns: { searches: ['b'] }, extraHosts: ['c:10.0.0.1'] },
    ['hostname', 'dns', 'extraHosts'].map(
      (field) =>
        `FieldValueInvalid spec.${field}: belongs to the container whose network it shares; set it there`,
    ),
  ],
  ['a dependency', { dependsOn: [{ container: 'db' }] }, []],
  [
    'a dependency on itself',
    { dependsOn: [{ container: 'db' }, { container: 'web' }] },
    ['FieldValueInvalid spec.dependsOn: a Container cannot depend on itself'],
  ],
]

for (const [what, spec, expected] of table) {
  test(`the rules on ${what}`, (t) => {
    t.deepEqual(broken(spec), expected)
  })
}

test('a name must be long enough for the engine', (t) => {
  t.deepEqual(broken({}, 'w'), [
    'FieldValueInvalid metadata.name: "w" is too short: the engine wants at least 2 characters',
  ])
})

test('the moving tag is a warning, unless a digest holds it still', (t) => {
  const message = (image: string) =>
    `spec.image: "${image}" names the moving tag latest; name a version or a digest to get the same bytes everywhere`
  t.deepEqual(containerWarnings(container({ image: 'a' })), [message('a')])
  t.deepEqual(containerWarnings(container({ image: 'a:latest' })), [message('a:latest')])
  t.deepEqual(containerWarnings(container({ image: 'a:1' })), [])
  t.deepEqual(containerWarnings(container({ image: `a:latest@sha256:${'0'.repeat(64)}` })), [])
})

test('a check over HTTP asks for a path, and healing has a budget that can be kept', (t) => {
  const { healthcheck } = container({ healthcheck: { http: { port: 80 } } }).spec
  t.deepEqual(healthcheck?.http, { port: 80, path: '/', scheme: 'HTTP', headers: {} })
  t.deepEqual(healthcheck?.budget, { restarts: 5, window: '5m' })
  for (const wrong of [
    { http: { port: 80, path: 'health' } },
    { http: { port: 80, path: '/a b' } },
    { http: { port: 0 } },
    { tcp: {} },
    { shell: 'true', budget: { restarts: 0 } },
    { shell: 'true', budget: { restarts: 11 } },
  ]) {
    t.throws(() => container({ healthcheck: wrong }), undefined, JSON.stringify(wrong))
  }
})
