/**
 * Each field of a Container on the real engine: set, it is seen there; changed behind Cove's back where the engine
 * allows that, it is put right; changed in the manifest, exactly what the table of changes announces happens.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { containerChange, containerFields, fieldRule } from '#pkg/apis/container.changes.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { type Fields, makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const sh = (line: string) => ['sh', '-c', line]
const mebibyte = 1024 ** 2

interface Row {
  /** The path of what changes. */
  readonly field: string
  readonly before: Fields
  readonly after: Fields
  /** What the engine tells of either; a function is given it to judge. */
  readonly sees: readonly [Seen, Seen]
  /** A command inside, and what it prints of either. */
  readonly inside?: { readonly command: readonly string[]; readonly prints: readonly [RegExp, RegExp] }
  /** One call behind Cove's back, after which `sees[0]` must hold again. */
  readonly meddle?: { readonly path: string; readonly body?: Fields; readonly sees: Fields }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of inspect have every shape
type Seen = Fields | ((found: any) => void)

const config = (fields: Fields): Fields => ({ Config: fields })
const host = (fields: Fields): Fields => ({ HostConfig: fields })
const env = (...wanted: readonly string[]): Seen => {
  return ({ Config: { Env } }) => {
    for (const line of wanted) assert.ok(Env.includes(line), `${line} in ${Env}`)
  }
}
const limits = (fields: Fields) => ({ resources: { limits: fields } })
const rights = (fields: Fields) => ({ securityContext: fields })
const healthy = (fields: Fields) => ({ healthcheck: { shell: 'true', interval: '1s', ...fields } })
const labelled = (fields: Fields): Fields => config({ Labels: fields })
const mounted = (...paths: readonly string[]): Seen => {
  return ({ Mounts }) =>
    assert.deepEqual(Mounts.map(({ Destination }: { Destination: string }) => Destination).sort(), paths)
}
const aliased = (scene: Scene, network: string, alias: string): Seen => {
  return ({ NetworkSettings: { Networks } }) =>
    assert.ok(Networks[scene.engineName(network)]?.Aliases.includes(alias), JSON.stringify(Networks))
}
const joined = (...networks: readonly string[]): Seen => {
  return ({ NetworkSettings: { Networks } }) => assert.deepEqual(Object.keys(Networks).sort(), networks)
}

const fieldsOfProgram = (other: string): Row[] => [
  { field: 'spec.image', before: {}, after: { image: other }, sees: [{}, config({ Image: other })] },
  {
    field: 'spec.command',
    before: {},
    after: { command: sh('sleep 86400; true') },
    sees: [config({ Entrypoint: ['sleep', '86400'] }), config({ Entrypoint: sh('sleep 86400; true') })],
  },
  {
    field: 'spec.args',
    before: { command: ['sleep'], args: ['86400'] },
    after: { args: ['7200'] },
    sees: [config({ Cmd: ['86400'] }), { Args: ['7200'] }],
  },
  {
    field: 'spec.env',
    before: { env: [{ name: 'A', value: '1' }] },
    after: { env: [{ name: 'A', value: '2' }] },
    sees: [env('A=1'), env('A=2')],
  },
  {
    field: 'spec.envFrom',
    before: { envFrom: [{ configMapRef: { name: 'conf' } }] },
    after: { envFrom: [{ configMapRef: { name: 'conf' }, prefix: 'P_' }] },
    sees: [env('a=1'), env('P_a=1')],
  },
  {
    field: 'spec.workingDir',
    before: { workingDir: '/tmp/' },
    after: { workingDir: '/bin' },
    sees: [{}, config({ WorkingDir: '/bin' })],
    inside: { command: ['pwd'], prints: [/^\/tmp$/, /^\/bin$/] },
  },
  {
    field: 'spec.user',
    before: { user: '1234:55' },
    after: { user: '0' },
    sees: [config({ User: '1234:55' }), config({ User: '0' })],
    inside: { command: ['id'], prints: [/uid=1234.* gid=55/, /uid=0/] },
  },
  {
    field: 'spec.stdin',
    before: {},
    after: { stdin: true },
    sees: [config({ OpenStdin: false }), config({ OpenStdin: true })],
  },
  {
    field: 'spec.stdinOnce',
    before: { stdin: true },
    after: { stdinOnce: true },
    sees: [config({ StdinOnce: false }), config({ StdinOnce: true })],
  },
  {
    field: 'spec.tty',
    before: {},
    after: { tty: true },
    sees: [config({ Tty: false }), config({ Tty: true })],
  },
  {
    field: 'spec.init',
    before: {},
    after: { init: true },
    sees: [{}, host({ Init: true })],
    inside: { command: ['cat', '/proc/1/cmdline'], prints: [/^sleep/, /init/] },
  },
  {
    field: 'spec.stopSignal',
    before: {},
    after: { stopSignal: 'SIGQUIT' },
    sees: [{}, config({ StopSignal: 'SIGQUIT' })],
  },
  {
    field: 'spec.labels',
    before: { labels: { team: 'a b' } },
    after: { labels: { team: 'c' } },
    sees: [labelled({ team: 'a b' }), labelled({ team: 'c' })],
  },
]

const fieldsOfSurroundings = (scene: Scene): Row[] => [
  {
    field: 'spec.hostname',
    before: {},
    after: { hostname: 'inside' },
    sees: [
      ({ Id, Config }) => assert.equal(Config.Hostname, Id.slice(0, 12)),
      config({ Hostname: 'inside' }),
    ],
    inside: { command: ['hostname'], prints: [/^[0-9a-f]{12}$/, /^inside$/] },
  },
  {
    field: 'spec.extraHosts',
    before: { extraHosts: ['db:10.0.0.9'] },
    after: { extraHosts: ['db:10.0.0.8', 'node:host-gateway'] },
    sees: [host({ ExtraHosts: ['db:10.0.0.9'] }), {}],
    inside: { command: ['cat', '/etc/hosts'], prints: [/10\.0\.0\.9\s+db/, /10\.0\.0\.8\s+db\n.*\snode/] },
  },
  {
    field: 'spec.dns',
    before: { dns: { servers: ['10.0.0.53'], options: ['ndots:2'] } },
    after: { dns: { searches: ['shop.test'] } },
    sees: [host({ Dns: ['10.0.0.53'], DnsOptions: ['ndots:2'] }), host({ DnsSearch: ['shop.test'] })],
    inside: {
      command: ['cat', '/etc/resolv.conf'],
      prints: [/nameserver 10\.0\.0\.53/, /search shop\.test/],
    },
  },
  {
    field: 'spec.ports',
    before: { ports: [{ containerPort: 80 }] },
    after: { ports: [{ containerPort: 81 }] },
    sees: [
      ({ HostConfig }) => assert.deepEqual(Object.keys(HostConfig.PortBindings), ['80/tcp']),
      ({ HostConfig }) => assert.deepEqual(Object.keys(HostConfig.PortBindings), ['81/tcp']),
    ],
  },
  {
    field: 'spec.mounts',
    before: { mounts: [{ volume: 'data', mountPath: '/a' }] },
    after: {
      mounts: [
        { volume: 'data', mountPath: '/b', readOnly: true },
        { configMap: 'conf', mountPath: '/c' },
        { tmpfs: { sizeLimit: '1Mi' }, mountPath: '/d' },
      ],
    },
    sees: [mounted('/a'), mounted('/b', '/c', '/d')],
    inside: { command: ['mount'], prints: [/ on \/a /, / on \/d .*size=1024k/] },
  },
  {
    field: 'spec.networks',
    before: { networks: [{ name: 'front' }] },
    after: { networks: [{ name: 'front', aliases: ['www'] }, { name: 'back' }] },
    sees: [joined(scene.engineName('front')), aliased(scene, 'front', 'www')],
    meddle: {
      path: `/networks/${scene.engineName('front')}/disconnect`,
      sees: { NetworkSettings: { Networks: { [scene.engineName('front')]: {} } } },
    },
  },
  {
    field: 'spec.networkMode',
    before: { networkMode: 'none' },
    after: { networkMode: 'bridge' },
    sees: [host({ NetworkMode: 'none' }), joined('bridge')],
  },
  {
    field: 'spec.healthcheck.interval',
    before: healthy({}),
    after: healthy({ interval: '2s' }),
    sees: [config({ Healthcheck: { Interval: 1e9 } }), config({ Healthcheck: { Interval: 2e9 } })],
  },
  {
    field: 'spec.healthcheck.onUnhealthy',
    before: healthy({}),
    after: healthy({ onUnhealthy: 'None' }),
    sees: [{}, {}],
  },
  {
    field: 'spec.healthcheck.budget',
    before: healthy({}),
    after: healthy({ budget: { restarts: 1, window: '1m' } }),
    sees: [{}, {}],
  },
]

const fieldsOfKernel: readonly Row[] = [
  {
    field: 'spec.resources.limits.memory',
    before: limits({ memory: '64Mi' }),
    after: limits({ memory: '96Mi' }),
    sees: [host({ Memory: 64 * mebibyte }), host({ Memory: 96 * mebibyte })],
    meddle: {
      path: 'update',
      body: { Memory: 80 * mebibyte, MemorySwap: 80 * mebibyte },
      sees: host({ Memory: 64 * mebibyte }),
    },
  },
  {
    field: 'spec.resources.limits.cpu',
    before: limits({ cpu: '500m' }),
    after: limits({ cpu: 1 }),
    sees: [host({ NanoCpus: 5e8 }), host({ NanoCpus: 1e9 })],
    meddle: { path: 'update', body: { NanoCpus: 7e8 }, sees: host({ NanoCpus: 5e8 }) },
  },
  {
    field: 'spec.resources.limits.pids',
    before: limits({ pids: 50 }),
    after: limits({ pids: 60 }),
    sees: [host({ PidsLimit: 50 }), host({ PidsLimit: 60 })],
    meddle: { path: 'update', body: { PidsLimit: 7 }, sees: host({ PidsLimit: 50 }) },
  },
  {
    field: 'spec.securityContext.capabilities',
    before: rights({ capabilities: { drop: ['ALL'] } }),
    after: rights({ capabilities: { drop: ['ALL'], add: ['CHOWN'] } }),
    sees: [host({ CapDrop: ['ALL'] }), host({ CapAdd: ['CHOWN'] })],
    inside: { command: ['grep', 'CapEff', '/proc/self/status'], prints: [/0{16}$/, /0{15}1$/] },
  },
  {
    field: 'spec.devices',
    before: { devices: ['/dev/null:/dev/nothing'] },
    after: { devices: ['/dev/zero:/dev/zeros:r'] },
    sees: [
      host({
        Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/nothing', CgroupPermissions: 'rwm' }],
      }),
      host({ Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/dev/zeros', CgroupPermissions: 'r' }] }),
    ],
    inside: { command: ['ls', '/dev'], prints: [/\bnothing\b/, /\bzeros\b/] },
  },
  {
    field: 'spec.ulimits',
    before: { ulimits: { nofile: 512 } },
    after: { ulimits: { nofile: '600:700', core: 0 } },
    sees: [host({ Ulimits: [{ Name: 'nofile', Soft: 512, Hard: 512 }] }), {}],
    inside: { command: sh('ulimit -n; ulimit -Hn'), prints: [/^512\n512$/, /^600\n700$/] },
  },
  {
    field: 'spec.sysctls',
    before: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' } },
    after: { sysctls: { 'net.ipv4.ip_unprivileged_port_start': '90' } },
    sees: [{}, {}],
    inside: {
      command: ['cat', '/proc/sys/net/ipv4/ip_unprivileged_port_start'],
      prints: [/^80$/, /^90$/],
    },
  },
  {
    field: 'spec.shmSize',
    before: {},
    after: { shmSize: '16Mi' },
    sees: [host({ ShmSize: 64 * mebibyte }), host({ ShmSize: 16 * mebibyte })],
    inside: { command: ['df', '/dev/shm'], prints: [/\b65536\b/, /\b16384\b/] },
  },
  {
    field: 'spec.logging',
    before: {},
    after: { logging: { driver: 'local', options: { 'max-size': '1m' } } },
    sees: [
      host({ LogConfig: { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '3' } } }),
      host({ LogConfig: { Type: 'local', Config: { 'max-size': '1m' } } }),
    ],
  },
]

const fieldsOfNobody: readonly Row[] = [
  ['terminationGracePeriodSeconds', 0, 1],
  ['restartPolicy', 'Always', 'OnFailure'],
  ['revisionHistoryLimit', 5, 6],
  ['imagePullPolicy', 'IfNotPresent', 'Never'],
].map(([name, before, after]) => ({
  field: `spec.${name}`,
  before: { [String(name)]: before },
  after: { [String(name)]: after },
  sees: [{}, {}],
}))

/** What other tests change on the real engine, or what no engine shows: where to look for it. */
const elsewhere: Readonly<Record<string, string>> = {
  'spec.imagePullSecrets': 'test/e2e/agent.pullsecrets.test.ts',
  'spec.publishAll': 'test/e2e/agent.fields.test.ts',
  'spec.links': 'test/e2e/agent.links.test.ts',
  'spec.resources.requests': 'pkg/agent/changes.test.ts',
  'spec.dependsOn': 'test/e2e/agent.lifecycle.test.ts',
  'spec.state': 'test/e2e/agent.lifecycle.test.ts',
  'spec.ttlSecondsAfterFinished': 'test/e2e/agent.finished.test.ts',
  'spec.update': 'test/e2e/agent.replace.test.ts',
  'spec.adopt': 'pkg/agent/changes.test.ts',
  'spec.imageFrom': 'test/e2e/images.following.test.ts',
  'spec.nodeName': 'pkg/agent/changes.test.ts',
  'spec.nodeSelector': 'pkg/agent/changes.test.ts',
  'spec.tolerations': 'pkg/agent/changes.test.ts',
}

function judge(seen: Seen, found: unknown): void {
  if (typeof seen === 'function') seen(found)
  else assert.partialDeepStrictEqual(found, seen)
}

async function untilSeen(scene: Scene, name: string, seen: Seen) {
  return await scene.eventually(`the engine's ${name}`, async () => {
    const found = await scene.inspect(name)
    judge(seen, found)
    return found
  })
}

async function untilPrinted(scene: Scene, name: string, command: readonly string[], wanted: RegExp) {
  await scene.eventually(`${command.join(' ')} in ${name}`, async () =>
    assert.match(await scene.exec(name, command), wanted),
  )
}

/** Nothing is waited for beyond the change itself. */
const quick = { update: { monitor: '0s', keepPrevious: '0s' } }

async function tryField(scene: Scene, name: string, row: Row): Promise<void> {
  const id = await scene.running(name, { ...quick, ...row.before })
  const { State } = await untilSeen(scene, name, row.sees[0])
  const { inside, meddle } = row
  if (inside !== undefined) await untilPrinted(scene, name, inside.command, inside.prints[0])
  if (meddle !== undefined) {
    const isUpdate = meddle.path === 'update'
    const path = isUpdate ? `/containers/${id}/update` : meddle.path
    await scene.call('POST', path, isUpdate ? meddle.body : { Container: id, Force: true })
    await untilSeen(scene, name, meddle.sees)
  }
  await scene.patchSpec(name, row.after)
  const change = containerChange(row.field)
  const now = change === 'recreate' ? await scene.replaced(name, id) : await scene.ready(name)
  const found = await untilSeen(scene, name, row.sees[1])
  if (inside !== undefined) await untilPrinted(scene, name, inside.command, inside.prints[1])
  assert.equal(now === id, change !== 'recreate', `${row.field} is announced as ${change}`)
  if (change !== 'recreate')
    assert.equal(found.State.StartedAt, State.StartedAt, `${row.field}: not restarted`)
}

async function tryAll(scene: Scene, rows: readonly Row[]): Promise<string[]> {
  const failures: string[] = []
  const left = [...rows.entries()]
  const worker = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [index, row] = next
      await tryField(scene, `f${index}`, row).catch((error: unknown) => {
        failures.push(`${row.field}: ${String(error)}`)
      })
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  return failures
}

async function sceneOfFields(): Promise<Scene> {
  const scene = await makeScene(cove())
  await scene.create('ConfigMap', 'conf', { data: { a: '1' } })
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  for (const name of ['front', 'back']) await scene.create('Network', name, { spec: {} })
  return scene
}

test('what a program is and is given', async (t) => {
  const scene = await sceneOfFields()
  t.deepEqual(await tryAll(scene, fieldsOfProgram(await scene.image('other', ['LABEL other=yes']))), [])
})

test('what surrounds it', async (t) => {
  const scene = await sceneOfFields()
  t.deepEqual(await tryAll(scene, fieldsOfSurroundings(scene)), [])
})

test('what it has of the node and its kernel', async (t) => {
  t.deepEqual(await tryAll(await sceneOfFields(), fieldsOfKernel), [])
})

test('what concerns no container that runs', async (t) => {
  t.deepEqual(await tryAll(await sceneOfFields(), fieldsOfNobody), [])
})

test('a new container says which fields it is for, and nobody is told what Secrets hold', async (t) => {
  const scene = await sceneOfFields()
  const secret = (value: string) => ({ stringData: { token: value } })
  await scene.create('Secret', 'creds', secret('hush-one'))
  const fromSecret = { name: 'TOKEN', valueFrom: { secretKeyRef: { name: 'creds', key: 'token' } } }
  const id = await scene.running('web', { ...quick, env: [{ name: 'A', value: '1' }, fromSecret] })
  await scene.patchSpec('web', { env: [{ name: 'A', value: '2' }, fromSecret] })
  const second = await scene.replaced('web', id)
  await scene.told('web', 'spec.env.A: want 2, found 1')
  await scene.patch('Secret', 'creds', secret('hush-two'))
  const third = await scene.replaced('web', second)
  await scene.told('web', 'spec.env.TOKEN: want the value of a Secret, found another value')
  await scene.patchSpec('web', { env: [{ name: 'TOKEN', value: 'plain' }] })
  await scene.replaced('web', third)
  await scene.told('web', 'spec.env.TOKEN: want plain, found another value')
  const all = [...(await scene.messages('web')), JSON.stringify((await scene.get('Container', 'web')).status)]
  t.false(all.some((text) => text.includes('hush')))
})

test('publishAll publishes what the image exposes, and status has the ports of now', async (t) => {
  const scene = await sceneOfFields()
  const image = await scene.image('open', ['EXPOSE 80 443 53/udp'])
  const id = await scene.running('web', { ...quick, image })
  t.deepEqual((await scene.until('web', {})).status?.ports, [])
  await scene.patchSpec('web', { publishAll: true })
  t.not(await scene.replaced('web', id), id)
  const { status } = await scene.until('web', ({ ports = [] }) => assert.ok(ports.length >= 3))
  t.deepEqual(
    [...new Set(status?.ports?.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`))].sort(),
    ['443/TCP', '53/UDP', '80/TCP'],
  )
  const { NetworkSettings } = await scene.inspect('web')
  const told = status?.ports?.find(({ containerPort }) => containerPort === 80)?.hostPort
  t.true(JSON.stringify(NetworkSettings.Ports['80/tcp']).includes(`"${told}"`))
})

test('a volume of the image that nothing is mounted over is told of', async (t) => {
  const scene = await sceneOfFields()
  const image = await scene.image('db', ['VOLUME /data'])
  await scene.running('db', { image })
  await scene.told('db', 'declares VOLUME /data, and spec.mounts has nothing there')
  await scene.running('named', { image, mounts: [{ volume: 'data', mountPath: '/data' }] })
  t.false((await scene.messages('named')).some((message) => message.includes('declares VOLUME')))
})

test('a user, a program and a device that are not there, and an engine too old, are reasons of their own', async (t) => {
  const scene = await sceneOfFields()
  const image = await scene.image('app', [
    'WORKDIR /srv',
    'RUN cp /bin/echo /srv/echo',
    'CMD ["./echo","rel"]',
  ])
  await scene.run('user', { user: 'nosuch' })
  await scene.run('words', { command: undefined, args: ['exec', 'sleep', '1'] })
  await scene.run('elsewhere', { image, command: undefined, workingDir: '/' })
  await scene.run('device', { devices: ['/dev/no-such-device'] })
  await scene.run('late', { healthcheck: { shell: 'true', startPeriod: '5s', startInterval: '1s' } })
  t.regex(await scene.notReady('user', 'UserNotFound'), /spec\.user "nosuch" is not in \/etc\/passwd/)
  t.regex(await scene.notReady('words', 'ExecutableNotFound'), /"exec" is a word of the shell, no program/)
  t.regex(await scene.notReady('elsewhere', 'ExecutableNotFound'), /looked for in spec\.workingDir \//)
  t.regex(await scene.notReady('device', 'DeviceNotFound'), /mend spec\.devices \(\/dev\/no-such-device\)/)
  t.regex(await scene.notReady('late', 'EngineTooOld'), /needs an engine with API 1\.44 .*leave it out/)
  await scene.patchSpec('user', { user: '1234:55' })
  await scene.ready('user')
  t.regex(await scene.exec('user', ['id']), /uid=1234.* gid=55/)
})

test('every field of the table is changed here or where it is told', async (t) => {
  const scene = await sceneOfFields()
  const rows = [...fieldsOfProgram(''), ...fieldsOfSurroundings(scene), ...fieldsOfKernel, ...fieldsOfNobody]
  const isTried = (field: string) => rows.some((row) => fieldRule(row.field) === containerFields[field])
  const untried = Object.keys(containerFields).filter((field) => !isTried(field))
  t.deepEqual(untried.sort(), Object.keys(elsewhere).sort())
  for (const [field, file] of Object.entries(elsewhere)) {
    const text = readFileSync(join(import.meta.dirname, '../..', file), 'utf8')
    t.true(text.includes(field.split('.').at(-1) ?? ''), `${field} in ${file}`)
  }
})
