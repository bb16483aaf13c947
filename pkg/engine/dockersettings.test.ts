import test from 'ava'
import { readImageConfig, readSettings } from './dockersettings.ts'
import { readContainer } from './dockerview.ts'
import { hasStartInterval } from './settings.ts'

test('what an engine leaves out, or says null of, is empty', (t) => {
  const empty = { Env: null, Volumes: null, Entrypoint: null, Cmd: null, Labels: null, ExposedPorts: null }
  for (const config of [{}, empty]) {
    t.deepEqual(readImageConfig(config), {
      user: '',
      env: {},
      labels: {},
      entrypoint: [],
      cmd: [],
      workingDir: '',
      volumes: [],
      exposedPorts: [],
      stopSignal: '',
    })
  }
  const { init, dns, ulimits, healthcheck } = readSettings({
    HostConfig: { Init: null, Dns: null, Ulimits: null },
  })
  t.deepEqual([init, healthcheck, ulimits], [undefined, undefined, []])
  t.deepEqual(dns, { servers: [], searches: [], options: [] })
})

test('variables keep what comes after the first equals sign, and one without any is empty', (t) => {
  t.deepEqual(readImageConfig({ Env: ['A=b=c', 'B=', 'C'] }).env, { A: 'b=c', B: '', C: '' })
})

test('the numbers of a check are those the engine goes by, and the shortest period is none', (t) => {
  const check = (more: object) =>
    readImageConfig({ Healthcheck: { Test: ['CMD', 'x'], ...more } }).healthcheck
  const usual = { disabled: false, test: ['CMD', 'x'], interval: 30_000, timeout: 30_000, retries: 3 }
  t.deepEqual(check({}), { ...usual, startPeriod: 0 })
  t.deepEqual(check({ Interval: 0, StartPeriod: 1e6 }), { ...usual, startPeriod: 0 })
  t.like(check({ Interval: 45e9, StartPeriod: 2e9, StartInterval: 5e8 }), {
    interval: 45_000,
    startPeriod: 2000,
    startInterval: 500,
  })
  t.deepEqual(check({ Test: ['NONE'] }), { disabled: true })
  t.is(check({ Test: [] }), undefined)
})

test('what Cove has no word for is told, unless it is as everybody has it', (t) => {
  const usual = {
    PidMode: '',
    IpcMode: 'private',
    Runtime: 'runc',
    GroupAdd: null,
    CpuShares: 0,
    AutoRemove: false,
  }
  t.deepEqual(readSettings({ HostConfig: { ...usual, SecurityOpt: ['no-new-privileges'] } }).further, [])
  const rare = { PidMode: 'host', GroupAdd: ['video'], CpuShares: 512, SecurityOpt: ['apparmor=mine'] }
  const root = {
    Config: { Domainname: 'shop.test' },
    HostConfig: { ...usual, ...rare },
    Mounts: [
      { Destination: '/m', Propagation: 'rshared' },
      { Destination: '/n', Propagation: 'rprivate' },
    ],
    NetworkSettings: {
      Networks: { front: { IPAMConfig: { IPv4Address: '10.9.0.5' } }, bridge: { IPAMConfig: null } },
    },
  }
  t.deepEqual(readSettings(root).further, [
    'Config.Domainname shop.test',
    'HostConfig.PidMode host',
    'HostConfig.GroupAdd ["video"]',
    'HostConfig.CpuShares 512',
    'HostConfig.SecurityOpt apparmor=mine',
    'propagation rshared of the mount at /m',
    'address 10.9.0.5 in network front',
  ])
})

test('versions are compared by number', (t) => {
  t.deepEqual(['1.9', '1.41', '1.43', '1.44', '1.100', '2.0', ''].map(hasStartInterval), [
    ...[false, false, false],
    ...[true, true, true],
    false,
  ])
})

test('ports that the engine picked apart for both families of addresses are both told', (t) => {
  const binding = (HostIp: string, HostPort: string) => ({ HostIp, HostPort })
  const ports = (...bindings: object[]) =>
    readContainer({ NetworkSettings: { Ports: { '80/tcp': bindings } } }).ports
  const port = { containerPort: 80, protocol: 'tcp' } as const
  t.deepEqual(ports(binding('0.0.0.0', '8080'), binding('::', '8080')), [{ ...port, hostPort: 8080 }])
  t.deepEqual(ports(binding('0.0.0.0', '8080'), binding('::', '8081')), [
    { ...port, hostPort: 8080 },
    { ...port, hostPort: 8081, hostIP: '::' },
  ])
})
