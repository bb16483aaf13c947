/**
 * The promises of the engine port, held by every engine: the simulated one and a real Docker Engine. Each test
 * makes its own things under names of its own, so tests may run beside each other on one engine.
 */
import type { ExecutionContext, TestFn } from 'ava'
import type { RegistryCredentials } from '#pkg/engine/port.ts'
import { buildPromises } from './engine.builds.ts'
import { imagePromises } from './engine.images.ts'
import { lookPromises } from './engine.looks.ts'
import { neighbourPromises } from './engine.neighbours.ts'
import { securityPromises } from './engine.security.ts'
import { settingsPromises } from './engine.settings.ts'
import { streamPromises } from './engine.streams.ts'
import { programs, settingsArgv } from './engineprograms.ts'
import {
  collect,
  create,
  type EngineUnderTest,
  fails,
  makeCreate,
  makeNetwork,
  makeNetworkCreate,
  makeVolumeCreate,
  mustInspect,
  never,
  noLimits,
  output,
  run,
  untilHealth,
  untilState,
} from './enginesubject.ts'

export type OpenEngine = () => Promise<EngineUnderTest>

/** A promise that an engine cannot keep, by the test's title, and why. */
export type Exemptions = Readonly<Record<string, string>>

export type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

const mebibyte = 1024 ** 2

export function engineSuite(test: TestFn, open: OpenEngine, exemptions: Exemptions = {}): void {
  for (const [title, body] of Object.entries({
    ...promises,
    ...buildPromises,
    ...imagePromises,
    ...lookPromises,
    ...neighbourPromises,
    ...securityPromises,
    ...settingsPromises,
    ...streamPromises,
  })) {
    const reason = exemptions[title]
    if (reason !== undefined) {
      test.skip(`${title} (not here: ${reason})`, () => undefined)
      continue
    }
    test(title, async (t) => {
      const on = await open()
      try {
        await body(t, on)
      } finally {
        await on.cleanup()
      }
    })
  }
}

const promises: Record<string, Body> = {
  async 'the engine says what it is'(t, { engine }) {
    const info = await engine.info()
    t.not(info.id, '')
    t.not(info.hostname, '')
    t.regex(info.apiVersion, /^1\.\d+$/)
    t.true(info.cpus >= 1)
    t.true(info.memoryBytes > mebibyte)
  },

  async 'a created container shows everything it was created with'(t, on) {
    const { engine } = on
    const network = await makeNetwork(on)
    const volume = on.uniqueName()
    const hostPort = await on.freePort()
    const ports = [
      { containerPort: 80, protocol: 'tcp', hostPort },
      { containerPort: 81, protocol: 'udp', hostPort, hostIP: '127.0.0.1' },
      { containerPort: 82, protocol: 'tcp' },
    ] as const
    const create = makeCreate(on, {
      entrypoint: ['sh'],
      cmd: ['-c', 'sleep 86400'],
      labels: { 'cove.test/a': 'b', empty: '' },
      ports,
      mounts: [
        { type: 'bind', source: on.existingPath, target: '/m1', readOnly: true },
        { type: 'tmpfs', target: '/m2', sizeBytes: mebibyte, readOnly: false },
        { type: 'volume', source: volume, target: '/m3', readOnly: false },
      ],
      networks: [{ network, aliases: ['web', 'www'] }],
      limits: { cpus: 0.5, memoryBytes: 64 * mebibyte, pids: 50 },
    })
    const { id } = await engine.createContainer(create)
    const observed = await mustInspect(on, create.name)
    const images = await engine.listImages()
    t.is(observed.id, id)
    t.is(observed.name, create.name)
    t.is(observed.image, on.image)
    t.is(images.find(({ references }) => references.includes(on.image))?.id, observed.imageID)
    t.deepEqual(observed.labels, create.labels)
    t.is(observed.state, 'created')
    t.is(observed.pid, 0)
    t.is(observed.startedAt, undefined)
    t.is(observed.finishedAt, undefined)
    t.is(observed.error, '')
    t.is(observed.health, undefined)
    t.deepEqual(observed.command, ['sh', '-c', 'sleep 86400'])
    t.deepEqual(observed.networks, [{ network, aliases: ['web', 'www'], ip: '' }])
    t.deepEqual(observed.ports, [])
    t.deepEqual(observed.requestedPorts, ports)
    t.deepEqual(observed.mounts, [
      { type: 'bind', source: on.existingPath, target: '/m1', readOnly: true },
      { type: 'tmpfs', source: '', target: '/m2', readOnly: false, sizeBytes: mebibyte },
      { type: 'volume', source: volume, target: '/m3', readOnly: false },
    ])
    t.deepEqual(observed.limits, create.limits)
    t.is(observed.restartPolicy, 'no')
    t.false(observed.tty)
    t.deepEqual(await mustInspect(on, id), observed)
    const listed = (await engine.listContainers()).find((one) => one.id === id)
    t.like(listed, { id, name: create.name, labels: create.labels })
  },

  async 'environment, working directory and user reach the process'(t, on) {
    const settings = { env: { GREETING: 'hi there' }, workingDir: '/tmp/here', user: '12' }
    const name = await run(on, { cmd: settingsArgv, ...settings })
    await untilState(on, name, 'exited')
    t.is((await output(on, name)).stdout, 'hi there|/tmp/here|12\n')
  },

  async 'a container without a network is on the default bridge'(t, on) {
    const name = await run(on)
    const observed = await mustInspect(on, name)
    t.deepEqual(
      observed.networks.map(({ network }) => network),
      ['bridge'],
    )
    t.not(observed.networks[0]?.ip, '')
  },

  async 'start and stop lead through the states and may be repeated'(t, on) {
    const name = await run(on, { cmd: programs.polite.argv })
    const running = await mustInspect(on, name)
    t.is(running.state, 'running')
    t.true(running.pid > 0)
    t.truthy(running.startedAt)
    await on.engine.startContainer(name)
    t.is((await mustInspect(on, name)).pid, running.pid)
    await on.settle(on.engine.stopContainer(name, 10_000))
    const stopped = await mustInspect(on, name)
    t.is(stopped.state, 'exited')
    t.is(stopped.exitCode, 7)
    t.is(stopped.pid, 0)
    t.truthy(stopped.finishedAt)
    await on.settle(on.engine.stopContainer(name, 10_000))
    t.is((await mustInspect(on, name)).finishedAt, stopped.finishedAt)
  },

  async 'a process that ignores the stop signal is killed after the grace period'(t, on) {
    const name = await run(on)
    await on.settle(on.engine.stopContainer(name, 1000))
    const stopped = await mustInspect(on, name)
    t.is(stopped.state, 'exited')
    t.is(stopped.exitCode, 137)
  },

  async 'a process that ends leaves its exit code'(t, on) {
    const name = await run(on, { cmd: programs.failing.argv })
    const ended = await untilState(on, name, 'exited')
    t.is(ended.exitCode, 3)
    t.false(ended.oomKilled)
  },

  async 'a restart gives a new process, also to a container that does not run'(t, on) {
    const name = await run(on, { cmd: programs.polite.argv })
    const before = await mustInspect(on, name)
    await on.settle(on.engine.restartContainer(name, 5000))
    const after = await mustInspect(on, name)
    t.is(after.id, before.id)
    t.is(after.state, 'running')
    t.not(after.pid, before.pid)
    await on.settle(on.engine.stopContainer(name, 5000))
    await on.settle(on.engine.restartContainer(name, 5000))
    t.is((await mustInspect(on, name)).state, 'running')
  },

  async 'pausing holds a running container, and only such a one'(t, on) {
    const name = await run(on)
    await on.engine.pauseContainer(name)
    t.is((await mustInspect(on, name)).state, 'paused')
    await fails(t, 'Conflict', on.engine.pauseContainer(name))
    await fails(t, 'Conflict', on.engine.startContainer(name))
    await on.engine.unpauseContainer(name)
    t.is((await mustInspect(on, name)).state, 'running')
    await fails(t, 'Conflict', on.engine.unpauseContainer(name))
    await on.settle(on.engine.stopContainer(name, 0))
    await fails(t, 'Conflict', on.engine.pauseContainer(name))
  },

  async 'a name belongs to one container and can change hands'(t, on) {
    const first = await create(on)
    const second = await create(on)
    const free = on.uniqueName()
    await fails(t, 'NameInUse', on.engine.createContainer(makeCreate(on, { name: first })))
    await fails(t, 'NameInUse', on.engine.renameContainer(first, second))
    const { id } = await mustInspect(on, first)
    await on.engine.renameContainer(first, free)
    t.is((await mustInspect(on, free)).id, id)
    t.is(await on.engine.inspectContainer(first), undefined)
    await on.engine.renameContainer(second, first)
    t.not((await mustInspect(on, first)).id, id)
  },

  async 'the beginning of an id is no name'(t, on) {
    const name = await create(on)
    const { id } = await mustInspect(on, name)
    t.is(await on.engine.inspectContainer(id.slice(0, 12)), undefined)
  },

  async 'limits change in place but core and memory limits cannot be lifted'(t, on) {
    const limits = { cpus: 0.5, memoryBytes: 64 * mebibyte, pids: 50 }
    const name = await run(on, { limits })
    const before = await mustInspect(on, name)
    for (const wanted of [
      { cpus: 0.25, memoryBytes: 128 * mebibyte, pids: 60 },
      { cpus: 1, memoryBytes: 32 * mebibyte, pids: 0 },
    ]) {
      await on.engine.updateContainer(name, wanted)
      t.deepEqual((await mustInspect(on, name)).limits, wanted)
    }
    await fails(t, 'InvalidSpec', on.engine.updateContainer(name, { ...limits, cpus: 0 }))
    await fails(t, 'InvalidSpec', on.engine.updateContainer(name, { ...limits, memoryBytes: 0 }))
    const after = await mustInspect(on, name)
    t.is(after.pid, before.pid)
    t.is(after.restartPolicy, 'no')
  },

  async 'a running container can be removed'(t, on) {
    const name = await run(on)
    await on.engine.removeContainer(name, { anonymousVolumes: true })
    t.is(await on.engine.inspectContainer(name), undefined)
  },

  async 'calls for a container that is not there are NotFound'(t, on) {
    const name = on.uniqueName()
    const { engine } = on
    t.is(await engine.inspectContainer(name), undefined)
    await fails(t, 'NotFound', engine.startContainer(name))
    await fails(t, 'NotFound', engine.stopContainer(name, 0))
    await fails(t, 'NotFound', engine.restartContainer(name, 0))
    await fails(t, 'NotFound', engine.pauseContainer(name))
    await fails(t, 'NotFound', engine.unpauseContainer(name))
    await fails(t, 'NotFound', engine.renameContainer(name, on.uniqueName()))
    await fails(t, 'NotFound', engine.updateContainer(name, noLimits))
    await fails(t, 'NotFound', engine.removeContainer(name, { anonymousVolumes: true }))
    await fails(t, 'NotFound', engine.connectNetwork(name, { network: await makeNetwork(on), aliases: [] }))
    await fails(t, 'NotFound', output(on, name))
  },

  async 'anonymous volumes go with their container when told so, named ones never'(t, on) {
    const named = on.uniqueName()
    const mounts = [
      { type: 'volume', source: named, target: '/named', readOnly: false },
      { type: 'volume', source: '', target: '/anonymous', readOnly: false },
    ] as const
    const sources: string[] = []
    for (const anonymousVolumes of [true, false]) {
      const name = await create(on, { mounts })
      const observed = await mustInspect(on, name)
      const anonymous = observed.mounts.find(({ target }) => target === '/anonymous')?.source ?? ''
      t.regex(anonymous, /^[0-9a-f]{64}$/)
      sources.push(anonymous)
      await on.engine.removeContainer(name, { anonymousVolumes })
    }
    const volumes = (await on.engine.listVolumes()).map(({ name }) => name)
    t.deepEqual(
      [named, ...sources].map((source) => volumes.includes(source)),
      [true, false, true],
    )
    await on.engine.removeVolume(sources[1] ?? '')
  },

  async 'one that runs is not removed by who asks for what has ended'(t, on) {
    const name = await create(on, {})
    await on.engine.startContainer(name)
    const removal = { anonymousVolumes: false, ifEnded: true } as const
    await fails(t, 'Conflict', on.engine.removeContainer(name, removal))
    await on.engine.stopContainer(name, 0)
    await on.engine.removeContainer(name, removal)
    t.is(await on.engine.inspectContainer(name), undefined)
  },

  async 'volumes keep what they were made with and stay while they are used'(t, on) {
    const volume = makeVolumeCreate(on)
    await on.engine.createVolume(volume)
    await on.engine.createVolume(volume)
    const observed = (await on.engine.listVolumes()).filter(({ name }) => name === volume.name)
    t.is(observed.length, 1)
    t.deepEqual(observed[0]?.labels, volume.labels)
    t.is(observed[0]?.driver, 'local')
    t.not(observed[0]?.mountpoint, '')
    const mounts = [{ type: 'volume', source: volume.name, target: '/v', readOnly: true }] as const
    const user = await create(on, { mounts })
    await fails(t, 'InUse', on.engine.removeVolume(volume.name))
    await on.engine.removeContainer(user, { anonymousVolumes: true })
    await on.engine.removeVolume(volume.name)
    await fails(t, 'NotFound', on.engine.removeVolume(volume.name))
    await fails(t, 'InvalidSpec', on.engine.createVolume({ ...volume, driver: 'no-such-driver' }))
  },

  async 'a missing bind source refuses the create'(t, on) {
    const mounts = [{ type: 'bind', source: on.missingPath, target: '/m', readOnly: false }] as const
    await fails(t, 'MountSourceMissing', create(on, { mounts }))
  },

  async 'networks keep what they were made with and stay while they are used'(t, on) {
    const network = makeNetworkCreate(on)
    const { id } = await on.engine.createNetwork(network)
    const observed = (await on.engine.listNetworks()).find(({ name }) => name === network.name)
    t.is(observed?.id, id)
    t.is(observed?.driver, 'bridge')
    t.deepEqual(observed?.labels, network.labels)
    t.true(observed?.internal)
    t.is(observed?.subnets.length, 1)
    await fails(t, 'NameInUse', on.engine.createNetwork(network))
    await fails(
      t,
      'InvalidSpec',
      on.engine.createNetwork({ ...network, name: on.uniqueName(), driver: 'no-such' }),
    )
    const user = await run(on, { networks: [{ network: network.name, aliases: [] }] })
    await fails(t, 'InUse', on.engine.removeNetwork(network.name))
    await on.engine.removeContainer(user, { anonymousVolumes: true })
    await on.engine.removeNetwork(network.name)
    await fails(t, 'NotFound', on.engine.removeNetwork(network.name))
  },

  async 'the predefined networks are there and cannot be removed'(t, on) {
    const names = (await on.engine.listNetworks()).map(({ name }) => name)
    for (const name of ['bridge', 'host', 'none']) t.true(names.includes(name), name)
    await fails(t, 'InvalidSpec', on.engine.removeNetwork('bridge'))
  },

  async 'only the first network is attached by the create, others are connected before or after the start'(
    t,
    on,
  ) {
    const [first, second, third] = [await makeNetwork(on), await makeNetwork(on), await makeNetwork(on)]
    const networks = [
      { network: first, aliases: ['one'] },
      { network: second, aliases: ['two', 'zwei'] },
    ]
    const name = await create(on, { networks })
    t.deepEqual(
      (await mustInspect(on, name)).networks.map(({ network }) => network),
      [first],
    )
    await on.engine.connectNetwork(name, { network: second, aliases: ['two', 'zwei'] })
    await on.engine.startContainer(name)
    await on.engine.connectNetwork(name, { network: third, aliases: [] })
    const running = await mustInspect(on, name)
    const attached = [...running.networks].sort((a, b) => a.aliases.length - b.aliases.length)
    t.deepEqual(
      attached.map(({ network, aliases }) => [network, aliases]),
      [
        [third, []],
        [first, ['one']],
        [second, ['two', 'zwei']],
      ],
    )
    for (const { ip } of attached) t.regex(ip, /^\d+\.\d+\.\d+\.\d+$/)
    await fails(t, 'NameInUse', on.engine.connectNetwork(name, { network: third, aliases: [] }))
    await on.engine.disconnectNetwork(name, third)
    await fails(t, 'NotFound', on.engine.disconnectNetwork(name, third))
    await fails(t, 'NotFound', on.engine.connectNetwork(name, { network: on.uniqueName(), aliases: [] }))
    t.is((await mustInspect(on, name)).networks.length, 2)
  },

  async 'a start on a network that is gone is NotFound'(t, on) {
    const network = await makeNetwork(on)
    const name = await create(on, { networks: [{ network, aliases: [] }] })
    await on.engine.removeNetwork(network)
    await fails(t, 'NotFound', on.engine.startContainer(name))
    t.is((await mustInspect(on, name)).state, 'created')
  },

  async 'published ports show while the container runs'(t, on) {
    const hostPort = await on.freePort()
    const ports = [
      { containerPort: 80, protocol: 'tcp', hostPort },
      { containerPort: 81, protocol: 'tcp' },
    ] as const
    const name = await run(on, { ports })
    const running = await mustInspect(on, name)
    t.deepEqual(
      running.ports.find(({ containerPort }) => containerPort === 80),
      ports[0],
    )
    t.true((running.ports.find(({ containerPort }) => containerPort === 81)?.hostPort ?? 0) > 1024)
    await on.settle(on.engine.stopContainer(name, 0))
    const stopped = await mustInspect(on, name)
    t.deepEqual(stopped.ports, [])
    t.deepEqual(stopped.requestedPorts, ports)
  },

  async 'a host port belongs to one running container'(t, on) {
    const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: await on.freePort() }] as const
    const holder = await run(on, { ports })
    const other = await create(on, { ports })
    await fails(t, 'HostPortInUse', on.engine.startContainer(other))
    const refused = await mustInspect(on, other)
    t.is(refused.state, 'created')
    t.not(refused.error, '')
    await on.settle(on.engine.stopContainer(holder, 0))
    await on.engine.startContainer(other)
    const started = await mustInspect(on, other)
    t.is(started.state, 'running')
    t.is(started.error, '')
  },

  async 'a host port that a process holds cannot be published'(t, on) {
    const hostPort = await on.freePort()
    const release = await on.occupyPort(hostPort)
    const name = await create(on, { ports: [{ containerPort: 80, protocol: 'tcp', hostPort }] })
    await fails(t, 'HostPortInUse', on.engine.startContainer(name))
    await release()
    await on.engine.startContainer(name)
    t.is((await mustInspect(on, name)).state, 'running')
  },

  async 'a program that is not there or cannot be run fails the start'(t, on) {
    for (const { argv } of [programs.missing, programs.notInPath, programs.notExecutable]) {
      const name = await create(on, { cmd: argv })
      await fails(t, 'ExecutableNotFound', on.engine.startContainer(name))
      t.is((await mustInspect(on, name)).state, 'created')
    }
  },

  async 'what no engine can make is InvalidSpec'(t, on) {
    const mount = { type: 'volume', source: on.uniqueName(), target: '/same', readOnly: false } as const
    await fails(t, 'InvalidSpec', create(on, { name: 'not a name' }))
    await fails(t, 'InvalidSpec', create(on, { limits: { ...noLimits, memoryBytes: mebibyte } }))
    await fails(t, 'InvalidSpec', create(on, { limits: { ...noLimits, cpus: 10_000 } }))
    await fails(t, 'InvalidSpec', create(on, { mounts: [mount, mount] }))
    await fails(t, 'InvalidSpec', create(on, { mounts: [{ ...mount, target: 'relative' }] }))
    const { cmd: _, ...withoutCommand } = makeCreate(on)
    await fails(t, 'InvalidSpec', on.engine.createContainer(withoutCommand))
  },

  async 'images are found by reference and id, and tagged'(t, on) {
    const reference = `${on.uniqueName()}:v1`
    await on.engine.tagImage(on.image, reference)
    const image = (await on.engine.listImages()).find(({ references }) => references.includes(reference))
    t.true(image?.references.includes(on.image))
    t.regex(image?.id ?? '', /^sha256:[0-9a-f]{64}$/)
    const name = await create(on, { image: image?.id ?? '' })
    t.is(image?.id, (await mustInspect(on, name)).imageID)
    const missing = `${on.uniqueName()}:v1`
    await fails(t, 'ImageNotFound', on.engine.tagImage(missing, reference))
    await fails(t, 'ImageNotFound', create(on, { image: missing }))
  },

  async 'a pull brings the image and may be repeated'(t, on) {
    const { open, protected: secured, account } = on.pulls
    for (const [reference, credentials] of [[open], [open], [secured, account]] as const) {
      await on.settle(
        on.engine.pullImage(reference, { signal: never(), ...(credentials && { credentials }) }),
      )
      const images = await on.engine.listImages()
      const pulled = images.find(({ references }) => references.includes(reference))
      t.truthy(pulled, reference)
      const repository = reference.slice(0, reference.lastIndexOf(':'))
      t.true(pulled?.digests.some((digest) => digest.startsWith(`${repository}@sha256:`)))
    }
  },

  async 'a failed pull says why'(t, on) {
    const { missing, protected: secured, account, unreachable } = on.pulls
    const pull = (reference: string, credentials?: RegistryCredentials) =>
      on.settle(on.engine.pullImage(reference, { signal: never(), ...(credentials && { credentials }) }))
    await fails(t, 'ImageNotFound', pull(missing))
    await fails(t, 'RegistryUnauthorized', pull(secured))
    await fails(t, 'RegistryUnauthorized', pull(secured, { ...account, password: 'wrong' }))
    await fails(t, 'RegistryUnavailable', pull(unreachable))
    await fails(t, 'InvalidSpec', pull('UPPER/case'))
  },

  async 'an aborted pull rejects with the reason of its signal'(t, on) {
    const reason = new Error('not wanted any more')
    const pull = on.engine.pullImage(on.pulls.open, { signal: AbortSignal.abort(reason) })
    t.is(await t.throwsAsync(on.settle(pull)), reason)
  },

  async 'health goes from starting over unhealthy to healthy with the check'(t, on) {
    const events = collect(on)
    const name = await run(on, {
      cmd: programs.lateReady.argv,
      healthcheck: {
        disabled: false,
        test: ['CMD-SHELL', 'test -e /ready'],
        interval: 300,
        timeout: 5000,
        retries: 2,
        startPeriod: 0,
      },
    })
    t.is((await mustInspect(on, name)).health?.status, 'starting')
    const unhealthy = await untilHealth(on, name, 'unhealthy')
    t.true((unhealthy.health?.failingStreak ?? 0) >= 2)
    t.true((unhealthy.health?.log.at(-1)?.exitCode ?? 0) > 0)
    const healthy = await untilHealth(on, name, 'healthy')
    t.is(healthy.health?.failingStreak, 0)
    t.is(healthy.health?.log.at(-1)?.exitCode, 0)
    t.true((healthy.health?.log.length ?? 0) <= 5)
    await on.until(() => {
      if (!events.actions(name).includes('health_status: healthy')) throw new Error('no event yet')
    })
    await events.end()
  },

  async 'a disabled check leaves a container without health'(t, on) {
    const name = await run(on, { healthcheck: { disabled: true } })
    t.is((await mustInspect(on, name)).health, undefined)
  },

  async 'events tell the life of a container from the call on'(t, on) {
    const events = collect(on)
    const name = await run(on, { cmd: programs.polite.argv })
    const { id } = await mustInspect(on, name)
    await on.settle(on.engine.stopContainer(name, 5000))
    await on.engine.removeContainer(name, { anonymousVolumes: true })
    const interesting = ['create', 'start', 'die', 'stop', 'destroy']
    const seen = () => events.actions(name).filter((action) => interesting.includes(action))
    await on.until(() => {
      if (seen().length < interesting.length) throw new Error(`saw ${seen()}`)
    })
    t.deepEqual(seen(), interesting)
    t.true(events.seen.filter((event) => event.name === name).every((event) => event.id === id))
    await events.end()
  },

  async 'events tell of volumes and networks'(t, on) {
    const events = collect(on)
    const volume = makeVolumeCreate(on)
    await on.engine.createVolume(volume)
    await on.engine.removeVolume(volume.name)
    const network = await makeNetwork(on)
    await on.engine.removeNetwork(network)
    await on.until(() => {
      if (!events.actions(network).includes('destroy')) throw new Error('not yet')
    })
    t.deepEqual(events.actions(volume.name), ['create', 'destroy'])
    t.deepEqual(events.actions(network), ['create', 'destroy'])
    await events.end()
  },

  async 'logs keep stdout and stderr apart and in order'(t, on) {
    const name = await run(on, { cmd: programs.talking.argv })
    await untilState(on, name, 'exited')
    t.deepEqual(await output(on, name), { stdout: 'one\ntwo\nthree\n', stderr: 'oops\n' })
    t.deepEqual(await output(on, name, { follow: true }), { stdout: 'one\ntwo\nthree\n', stderr: 'oops\n' })
  },

  async 'logs begin where they are asked to and carry times on request'(t, on) {
    const name = await run(on, { cmd: programs.ticking.argv })
    await untilState(on, name, 'exited')
    t.is((await output(on, name, { tail: 2 })).stdout, 'tick 3\ntick 4\n')
    t.is((await output(on, name, { tail: 0 })).stdout, '')
    const timed = (await output(on, name, { timestamps: true })).stdout.trim().split('\n')
    const times = timed.map((line) => line.split(' ')[0] ?? '')
    t.true(times.every((time) => !Number.isNaN(Date.parse(time))))
    t.is((await output(on, name, { since: times[3] ?? '' })).stdout, 'tick 3\ntick 4\n')
  },

  async 'followed logs end with the container'(t, on) {
    const name = await run(on, { cmd: programs.ticking.argv })
    const { stdout } = await on.settle(output(on, name, { follow: true }))
    t.is(stdout, 'tick 0\ntick 1\ntick 2\ntick 3\ntick 4\n')
    t.is((await untilState(on, name, 'exited')).exitCode, 0)
  },

  async 'followed logs end without an error when their signal aborts'(t, on) {
    const name = await run(on)
    const controller = new AbortController()
    const following = output(on, name, { follow: true, signal: controller.signal })
    await on.engine.info()
    controller.abort()
    t.deepEqual(await on.settle(following), { stdout: '', stderr: '' })
  },

  async 'sixteen calls at once all come back'(t, on) {
    const names = await Promise.all(Array.from({ length: 16 }, () => create(on)))
    const observed = await Promise.all(names.map((name) => mustInspect(on, name)))
    t.deepEqual(
      observed.map(({ name }) => name),
      names,
    )
  },
}
