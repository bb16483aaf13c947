import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readImage } from './dockerimagesview.ts'
import { readListed } from './dockerlooksview.ts'
import { makeContainerBody, makeUpdateBody, wholeSeconds } from './dockerspec.ts'
import { readContainer, readEvent } from './dockerview.ts'
import { type ContainerCreate, usualSecurity } from './port.ts'

const limits = { cpus: 0, memoryBytes: 0, pids: 0 }
const create: ContainerCreate = {
  name: 'web',
  image: 'web:1',
  env: {},
  labels: {},
  ports: [],
  mounts: [],
  networks: [],
  limits,
}

test('what is not asked for is left to the image', (t) => {
  const body = makeContainerBody(create)
  for (const key of ['Entrypoint', 'Cmd', 'WorkingDir', 'User', 'Healthcheck', 'NetworkingConfig']) {
    t.false(key in body, key)
  }
})

test('a disabled health check is said to the engine, for the image may have one', (t) => {
  const body = makeContainerBody({ ...create, healthcheck: { disabled: true } })
  t.deepEqual(body['Healthcheck'], { Test: ['NONE'] })
})

test('health check numbers are nanoseconds, and 0 is the engine default and not that of the image', (t) => {
  const check = {
    disabled: false,
    test: ['CMD', 'true'],
    interval: 0,
    timeout: 250,
    retries: 0,
    startPeriod: 1.5,
  } as const
  t.deepEqual(makeContainerBody({ ...create, healthcheck: check })['Healthcheck'], {
    Test: ['CMD', 'true'],
    Interval: 30_000_000_000,
    Timeout: 250_000_000,
    Retries: 3,
    StartPeriod: 1_500_000,
  })
})

test('one container port may be published several times', (t) => {
  const body = makeContainerBody({
    ...create,
    ports: [
      { containerPort: 80, protocol: 'tcp', hostPort: 8080 },
      { containerPort: 80, protocol: 'tcp', hostIP: '127.0.0.1' },
    ],
  })
  t.like(body, {
    ExposedPorts: { '80/tcp': {} },
    HostConfig: {
      PortBindings: {
        '80/tcp': [
          { HostIp: '', HostPort: '8080' },
          { HostIp: '127.0.0.1', HostPort: '' },
        ],
      },
    },
  })
})

test('the network of the host is a mode and takes no endpoint', (t) => {
  const body = makeContainerBody({ ...create, networks: [{ network: 'host', aliases: [] }] })
  t.like(body, { HostConfig: { NetworkMode: 'host' } })
  t.false('NetworkingConfig' in body)
})

test('rights are said to the engine in its own words, and the usual ones not at all', (t) => {
  const body = (security: object) =>
    makeContainerBody({ ...create, security: { ...usualSecurity, ...security } })
  t.like(makeContainerBody(create), { HostConfig: { Privileged: undefined, SecurityOpt: undefined } })
  t.like(body({}), {
    HostConfig: { Privileged: false, ReadonlyRootfs: false, CapAdd: undefined, SecurityOpt: undefined },
  })
  t.like(
    body({
      privileged: true,
      readOnlyRootFilesystem: true,
      capabilities: { add: ['CHOWN'], drop: ['ALL'] },
      allowPrivilegeEscalation: false,
      seccomp: 'unconfined',
    }),
    {
      HostConfig: {
        Privileged: true,
        ReadonlyRootfs: true,
        CapAdd: ['CHOWN'],
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges', 'seccomp=unconfined'],
      },
    },
  )
})

test('rights are read however an engine writes them, and what it adds of its own is no right', (t) => {
  const read = (HostConfig: object) => readContainer({ HostConfig }).security
  t.deepEqual(read({ SecurityOpt: ['label=disable'], CapAdd: null, CapDrop: [] }), usualSecurity)
  t.false(read({ SecurityOpt: ['no-new-privileges:true'] }).allowPrivilegeEscalation)
  t.false(read({ SecurityOpt: ['no-new-privileges=true'] }).allowPrivilegeEscalation)
  t.true(read({ SecurityOpt: ['no-new-privileges:false'] }).allowPrivilegeEscalation)
  t.is(read({ SecurityOpt: ['seccomp:unconfined'] }).seccomp, 'unconfined')
  t.is(read({ SecurityOpt: ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'] }).seccomp, 'default')
  t.deepEqual(read({ CapAdd: ['CAP_CHOWN'], CapDrop: ['ALL'] }).capabilities, {
    add: ['CHOWN'],
    drop: ['ALL'],
  })
})

test('whoever joined a network at create is networked as on the bridge', (t) => {
  const mode = (NetworkMode: string) => readContainer({ HostConfig: { NetworkMode } }).networkMode
  t.deepEqual(['default', 'bridge', 'shop.front', 'host', 'none', 'container:1a'].map(mode), [
    'bridge',
    'bridge',
    'bridge',
    'host',
    'none',
    'container:1a',
  ])
})

test('an update leaves no swap beyond the memory limit and refuses to lift a limit', (t) => {
  const current = { cpus: 1, memoryBytes: 100, pids: 10 }
  t.deepEqual(makeUpdateBody(current, { cpus: 0.5, memoryBytes: 50, pids: 0 }), {
    NanoCpus: 500_000_000,
    Memory: 50,
    MemorySwap: 50,
    PidsLimit: 0,
    RestartPolicy: { Name: 'no' },
  })
  const error = t.throws(() => makeUpdateBody(current, { ...current, cpus: 0 }))
  t.true(isReason(error, 'InvalidSpec'))
})

test('a started second of a grace period is a whole one', (t) => {
  t.deepEqual([0, 1, 1000, 1001].map(wholeSeconds), [0, 1, 1, 2])
})

test('what the engine adds to a container is taken away again', (t) => {
  const observed = readContainer({
    Id: '51c7bcba9f3a17393cec444bff7164cc',
    Name: '/web',
    State: { Status: 'running', StartedAt: '2026-01-01T00:00:00.5Z', FinishedAt: '0001-01-01T00:00:00Z' },
    HostConfig: {
      RestartPolicy: { Name: '' },
      PidsLimit: -1,
      PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '' }] },
    },
    NetworkSettings: {
      Networks: { front: { Aliases: ['web', '51c7bcba9f3a', 'host-name'], IPAddress: '10.0.0.2' } },
      Ports: {
        '80/tcp': [
          { HostIp: '0.0.0.0', HostPort: '49153' },
          { HostIp: '::', HostPort: '49153' },
          { HostIp: '127.0.0.1', HostPort: '8080' },
        ],
        '81/udp': null,
      },
    },
  })
  t.is(observed.name, 'web')
  t.is(observed.startedAt, '2026-01-01T00:00:00.5Z')
  t.is(observed.finishedAt, undefined)
  t.is(observed.restartPolicy, 'no')
  t.is(observed.limits.pids, 0)
  t.deepEqual(observed.requestedPorts, [{ containerPort: 80, protocol: 'tcp' }])
  t.deepEqual(observed.networks, [{ network: 'front', aliases: ['web'], ip: '10.0.0.2' }])
  t.deepEqual(observed.ports, [
    { containerPort: 80, protocol: 'tcp', hostPort: 49_153 },
    { containerPort: 80, protocol: 'tcp', hostPort: 8080, hostIP: '127.0.0.1' },
  ])
})

test('answers without the expected members read as empty values', (t) => {
  for (const answer of [undefined, null, 'text', [], {}, { State: null, Config: 7, Mounts: {} }]) {
    t.like(readContainer(answer), {
      id: '',
      state: 'created',
      labels: {},
      networks: [],
      ports: [],
      mounts: [],
    })
    t.like(readImage(answer), { id: '', references: [], digests: [] })
    t.is(readEvent(answer), undefined)
  }
})

test('tmpfs mounts of either spelling are seen, mounts of unknown types are not', (t) => {
  const observed = readContainer({
    HostConfig: { Tmpfs: { '/b': 'size=64k,ro' } },
    Mounts: [
      { Type: 'npipe', Source: 'x', Destination: '/z' },
      { Type: 'tmpfs', Source: '', Destination: '/c', RW: true },
      {
        Type: 'volume',
        Name: 'data',
        Source: '/var/lib/docker/volumes/data/_data',
        Destination: '/a',
        RW: true,
      },
    ],
  })
  t.deepEqual(observed.mounts, [
    { type: 'volume', source: 'data', target: '/a', readOnly: false },
    { type: 'tmpfs', source: '', target: '/b', readOnly: true, sizeBytes: 65_536 },
    { type: 'tmpfs', source: '', target: '/c', readOnly: false },
  ])
})

test('the name of a container is not that of a link to it, and dangling images have no references', (t) => {
  t.is(readListed({ Id: 'abc', Names: ['/other/alias', '/web'] }).name, 'web')
  const dangling = { Id: 'sha256:1', RepoTags: ['<none>:<none>'], RepoDigests: ['<none>@<none>'], Created: 1 }
  t.like(readImage(dangling), { references: [], digests: [], createdAt: '1970-01-01T00:00:01.000Z' })
})

test('the event of a container that joins a network names both', (t) => {
  const Actor = { ID: 'net1', Attributes: { name: 'front', container: 'c1' } }
  t.deepEqual(readEvent({ Type: 'network', Action: 'connect', Actor }), {
    type: 'network',
    action: 'connect',
    id: 'net1',
    name: 'front',
    container: 'c1',
  })
})
