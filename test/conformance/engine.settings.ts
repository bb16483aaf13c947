/** What the engine port promises of how a container is run: what was asked for is what it tells afterwards. */
import type { ExecutionContext } from 'ava'
import {
  create,
  type EngineUnderTest,
  fails,
  makeCreate,
  mustInspect,
  run,
  untilState,
} from './enginesubject.ts'

type Body = (t: ExecutionContext, on: EngineUnderTest) => Promise<void>

const asked = {
  hostname: 'inside',
  init: true,
  stopSignal: 'SIGQUIT',
  extraHosts: ['db:10.0.0.9', 'node:host-gateway'],
  dns: { servers: ['10.0.0.53'], searches: ['shop.test'], options: ['ndots:2'] },
  devices: [{ hostPath: '/dev/null', containerPath: '/dev/nothing', permissions: 'rw' }],
  ulimits: [{ name: 'nofile', soft: 512, hard: 1024 }],
  sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
  shmBytes: 16 * 1024 ** 2,
  logging: { driver: 'json-file', options: { 'max-size': '1m', 'max-file': '2' } },
} as const

export const settingsPromises: Record<string, Body> = {
  async 'how a container is run is told as it was asked for, before and after its start'(t, on) {
    const name = await create(on, { ...asked, stdin: true })
    const { settings } = await mustInspect(on, name)
    t.like(settings, { ...asked, stdin: true, publishAll: false })
    t.deepEqual(settings.further, [])
    await on.engine.startContainer(name)
    t.deepEqual((await mustInspect(on, name)).settings, settings)
  },

  async 'what nothing was said of is as the engine has it'(t, on) {
    const name = await run(on)
    const { id, settings } = await mustInspect(on, name)
    t.is(settings.hostname, id.slice(0, 12))
    t.is(settings.init, undefined)
    t.is(settings.stopSignal, '')
    t.deepEqual(settings.dns, { servers: [], searches: [], options: [] })
    t.deepEqual([settings.extraHosts, settings.devices, settings.ulimits, settings.sysctls], [[], [], [], {}])
    t.is(settings.shmBytes, 64 * 1024 ** 2)
    t.false(settings.publishAll)
    t.false(settings.stdin)
    t.deepEqual(settings.volumes, [])
    t.deepEqual(settings.further, [])
    t.is(settings.healthcheck, undefined)
  },

  async 'program, variables, directory and user are told as they were asked for'(t, on) {
    const cmd = ['-c', 'sleep 86400']
    const given = { entrypoint: ['sh'], cmd, env: { A: '1', B: 'x=y' }, workingDir: '/tmp', user: '12' }
    const { settings } = await mustInspect(on, await create(on, given))
    const { env, ...rest } = given
    t.like(settings, rest)
    t.like(settings.env, env)
  },

  async 'a health check is told in the numbers that the engine goes by'(t, on) {
    const test = ['CMD-SHELL', 'true']
    const given = { disabled: false, test, interval: 0, timeout: 2000, retries: 0, startPeriod: 0 } as const
    const told = (await mustInspect(on, await create(on, { healthcheck: given }))).settings.healthcheck
    t.deepEqual(told, { disabled: false, test, interval: 30_000, timeout: 2000, retries: 3, startPeriod: 0 })
    const without = await mustInspect(on, await create(on, { healthcheck: { disabled: true } }))
    t.deepEqual(without.settings.healthcheck, { disabled: true })
  },

  async 'an engine that knows no start interval of health checks refuses one'(t, on) {
    const test = ['CMD', 'true']
    const numbers = { interval: 1000, timeout: 1000, retries: 1, startPeriod: 1000, startInterval: 100 }
    const wanted = makeCreate(on, { healthcheck: { disabled: false, test, ...numbers } })
    const [, minor = 0] = (await on.engine.info()).apiVersion.split('.').map(Number)
    if (minor < 44) return await fails(t, 'InvalidSpec', on.engine.createContainer(wanted))
    await on.engine.createContainer(wanted)
    t.like((await mustInspect(on, wanted.name)).settings.healthcheck, { startInterval: 100 })
  },

  async 'a logging driver that is not there is an invalid spec'(t, on) {
    await fails(t, 'InvalidSpec', create(on, { logging: { driver: 'no-such-driver', options: {} } }))
  },

  async 'without anything exposed, publishing all publishes what was asked for alone'(t, on) {
    const ports = [{ containerPort: 80, protocol: 'tcp' }] as const
    const name = await run(on, { publishAll: true, ports })
    const observed = await untilState(on, name, 'running')
    t.true(observed.settings.publishAll)
    // Once, or once for each family of addresses where their ports differ.
    t.deepEqual(new Set(observed.ports.map(({ containerPort }) => containerPort)), new Set([80]))
    t.true(observed.ports.every(({ hostPort = 0 }) => hostPort > 0))
  },

  async 'an image says what it brings, and one that is not there says nothing'(
    t,
    { engine, image, uniqueName },
  ) {
    const config = await engine.inspectImage(image)
    t.like(config, {
      user: '',
      entrypoint: [],
      volumes: [],
      exposedPorts: [],
      workingDir: '',
      stopSignal: '',
    })
    const id = (await engine.listImages()).find(({ references }) => references.includes(image))?.id ?? ''
    t.deepEqual(await engine.inspectImage(id), config)
    t.is(await engine.inspectImage(`${uniqueName()}:1`), undefined)
  },
}
