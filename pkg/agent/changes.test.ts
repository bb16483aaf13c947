/** The table of what changes do (container.changes.ts) against what the agent does. */
import test from 'ava'
import { containerChange, containerFields, fieldRule } from '#pkg/apis/container.changes.ts'
import type { ChangeClass } from '#pkg/apis/kind.ts'
import {
  configMap,
  container,
  engineNetwork,
  imageObject,
  network,
  observed,
  volume,
  world,
} from '#test/helpers/world.ts'
import { planContainer } from './container.ts'
import { withFollowedImages } from './images/following.ts'
import { resolve } from './resolve.ts'

const base = {
  args: ['serve'],
  env: [{ name: 'A', value: '1' }],
  healthcheck: { shell: 'true' },
  networks: [{ name: 'front' }],
  resources: { limits: { memory: '64Mi' } },
}

/** The path of the field that `change` changes, and the change. */
const changes: readonly (readonly [string, Record<string, unknown>])[] = [
  ['spec.image', { image: 'app:2' }],
  ['spec.imageFrom', { imageFrom: { image: 'moving' } }],
  ['spec.imagePullPolicy', { imagePullPolicy: 'Never' }],
  ['spec.imagePullSecrets', { imagePullSecrets: [{ name: 'registry' }] }],
  ['spec.envFrom', { envFrom: [{ configMapRef: { name: 'conf' } }] }],
  ['spec.command', { command: ['run'] }],
  ['spec.args[0]', { args: ['other'] }],
  ['spec.env[0].value', { env: [{ name: 'A', value: '2' }] }],
  ['spec.workingDir', { workingDir: '/srv' }],
  ['spec.user', { user: '1000' }],
  ['spec.networkMode', { networks: [], networkMode: 'none' }],
  ['spec.networkMode', { networks: [], networkMode: 'host' }],
  ['spec.securityContext.privileged', { securityContext: { privileged: true } }],
  ['spec.securityContext.readOnlyRootFilesystem', { securityContext: { readOnlyRootFilesystem: true } }],
  ['spec.securityContext.allowPrivilegeEscalation', { securityContext: { allowPrivilegeEscalation: false } }],
  ['spec.securityContext.capabilities.add[0]', { securityContext: { capabilities: { add: ['NET_ADMIN'] } } }],
  ['spec.securityContext.capabilities.drop[0]', { securityContext: { capabilities: { drop: ['ALL'] } } }],
  [
    'spec.securityContext.seccompProfile.type',
    { securityContext: { seccompProfile: { type: 'Unconfined' } } },
  ],
  ['spec.securityContext.runAsNonRoot', { user: '1000', securityContext: { runAsNonRoot: true } }],
  ['spec.ports[0].containerPort', { ports: [{ containerPort: 80 }] }],
  ['spec.mounts[0]', { mounts: [{ volume: 'data', mountPath: '/d' }] }],
  ['spec.mounts[0]', { mounts: [{ configMap: 'conf', mountPath: '/c' }] }],
  ['spec.mounts[0]', { mounts: [{ tmpfs: {}, mountPath: '/t' }] }],
  ['spec.networks[0].aliases', { networks: [{ name: 'front', aliases: ['www'] }] }],
  ['spec.networks', { networks: [] }],
  ['spec.healthcheck.interval', { healthcheck: { shell: 'true', interval: '5s' } }],
  ['spec.healthcheck.onUnhealthy', { healthcheck: { shell: 'true', onUnhealthy: 'None' } }],
  ['spec.healthcheck.budget', { healthcheck: { shell: 'true', budget: { restarts: 1, window: '1m' } } }],
  ['spec.healthcheck.tcp', { healthcheck: { tcp: { port: 80 } } }],
  ['spec.hostname', { hostname: 'inside' }],
  ['spec.stdin', { stdin: true }],
  ['spec.stdinOnce', { stdin: true, stdinOnce: true }],
  ['spec.tty', { tty: true }],
  ['spec.init', { init: true }],
  ['spec.stopSignal', { stopSignal: 'SIGQUIT' }],
  ['spec.publishAll', { publishAll: true }],
  ['spec.extraHosts[0]', { extraHosts: ['db:10.0.0.9'] }],
  ['spec.dns.servers[0]', { dns: { servers: ['10.0.0.53'] } }],
  ['spec.devices[0]', { devices: ['/dev/null'] }],
  ['spec.ulimits.nofile', { ulimits: { nofile: 1024 } }],
  ['spec.sysctls', { sysctls: { 'net.core.somaxconn': '10' } }],
  ['spec.shmSize', { shmSize: '1Mi' }],
  ['spec.logging.driver', { logging: { driver: 'local' } }],
  ['spec.labels.team', { labels: { team: 'x' } }],
  ['spec.adopt', { adopt: 'a'.repeat(64) }],
  ['spec.restartPolicy', { restartPolicy: 'Never' }],
  ['spec.resources.limits.memory', { resources: { limits: { memory: '128Mi' } } }],
  ['spec.terminationGracePeriodSeconds', { terminationGracePeriodSeconds: 3 }],
  ['spec.update.order', { update: { order: 'StopFirst' } }],
  ['spec.update.paused', { update: { paused: true } }],
  ['spec.dependsOn', { dependsOn: [{ container: 'db' }] }],
  ['spec.state', { state: 'Paused' }],
  ['spec.nodeSelector.disk', { nodeSelector: { disk: 'ssd' } }],
  ['spec.revisionHistoryLimit', { revisionHistoryLimit: 3 }],
  ['spec.ttlSecondsAfterFinished', { restartPolicy: 'Never', ttlSecondsAfterFinished: 5 }],
  ['spec.links', { networks: [], links: [{ container: 'db', alias: 'sql' }] }],
  ['spec.networkMode', { networks: [], networkMode: 'container:db' }],
  ['spec.tolerations', { tolerations: [{ operator: 'Exists' }] }],
  ['spec.resources.requests.cpu', { resources: { ...base.resources, requests: { cpu: 1 } } }],
]

function whatHappens(spec: Record<string, unknown>): ChangeClass {
  const moving = imageObject('moving', { reference: 'app:2' }, { status: { reference: 'app:2' } })
  const others = [network('front'), volume('data'), configMap('conf', { a: '1' }), moving]
  const before = container('web', base)
  const given = world({ objects: [before, ...others] })
  const resolved = resolve({ container: before, ...given })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const { networks, limits } = resolved.create
  const running = observed(before, resolved.fingerprint, {
    networks: networks.map((attachment) => ({ ...attachment, ip: '10.0.0.2' })),
    limits,
  })
  const db = container('db')
  const written = container('web', { ...base, ...spec })
  const after = withFollowedImages(new Map([['web', written]]), given.desired.images).get('web') ?? written
  const plan = planContainer(
    after,
    world({
      objects: [after, db, ...others],
      containers: [running, observed(db, 'x')],
      networks: [engineNetwork('front')],
      volumes: [{ name: 'data', driver: 'local', options: {}, labels: {}, mountpoint: '/v', createdAt: '' }],
      images: ['app:1', 'app:2'].map((name) => ({
        id: name,
        references: [name],
        digests: [],
        sizeBytes: 1,
        createdAt: '',
      })),
    }),
  ).plan
  const types = plan.ops.map(({ op }) => op.type)
  if (types.includes('createContainer')) return 'recreate'
  return types.length > 0 ? 'in place' : 'nothing'
}

for (const [path, spec] of changes) {
  test(`changing ${path} (${JSON.stringify(spec)}) does what the table says`, (t) => {
    t.is(containerChange(path), whatHappens(spec))
  })
}

/** What moves the object to another node. */
const elsewhere = ['spec.nodeName']

test('every field of the table is changed here', (t) => {
  const isTried = (field: string) => changes.some(([path]) => fieldRule(path) === containerFields[field])
  t.deepEqual(
    Object.keys(containerFields).filter((field) => !isTried(field)),
    elsewhere,
  )
})

test('metadata changes nothing, and a field that nobody thought of makes a new container', (t) => {
  t.is(containerChange('metadata.labels.app'), 'nothing')
  t.is(containerChange('spec.resourcesX'), 'recreate')
  t.is(containerChange('spec.stateful'), 'recreate')
})
