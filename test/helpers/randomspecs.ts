/** Images that bring much or little, and specs of Containers for them, drawn at random; all of them run. */
import fc from 'fast-check'
import type { ImageConfig } from '#pkg/engine/settings.ts'

/** What is not said of the image is empty. */
export interface Drawn {
  readonly image: Partial<ImageConfig>
  readonly spec: Readonly<Record<string, unknown>>
}

const sleep = '/bin/sleep'

/** Every way in which entry points and commands of image and spec go together. */
const program = fc.constantFrom<Drawn>(
  { image: {}, spec: { command: [sleep, '86400'] } },
  { image: {}, spec: { args: [sleep, '86400'] } },
  { image: { cmd: [sleep, '86400'] }, spec: {} },
  { image: { cmd: [sleep, '86400'] }, spec: { args: [] } },
  { image: { cmd: ['true'] }, spec: { args: [sleep, '7200'] } },
  { image: { entrypoint: [sleep], cmd: ['86400'] }, spec: {} },
  { image: { entrypoint: [sleep], cmd: ['86400'] }, spec: { args: ['7200'] } },
  { image: { entrypoint: ['true'], cmd: ['x'] }, spec: { command: [sleep], args: ['7200'] } },
  { image: { entrypoint: ['true'], cmd: ['x'] }, spec: { command: [sleep, '7200'] } },
)

const check = fc.record({
  disabled: fc.constant(false as const),
  test: fc.constantFrom(['CMD', 'true'], ['CMD-SHELL', 'true']),
  interval: fc.constantFrom(30_000, 60_000),
  timeout: fc.constantFrom(30_000, 5_000),
  retries: fc.constantFrom(3, 5),
  startPeriod: fc.constantFrom(0, 10_000),
})

const image: fc.Arbitrary<Partial<ImageConfig>> = fc.record(
  {
    user: fc.constantFrom('7', '7:8', '0'),
    env: fc.dictionary(fc.constantFrom('A', 'B', 'C_D'), fc.constantFrom('', '1', 'two words', 'x=y')),
    labels: fc.dictionary(fc.constantFrom('team', 'org.test/x'), fc.constantFrom('', 'y')),
    workingDir: fc.constantFrom('/', '/tmp', '/srv/app'),
    volumes: fc.subarray(['/data', '/cache']),
    exposedPorts: fc.subarray(['80/tcp', '53/udp']),
    stopSignal: fc.constantFrom('SIGQUIT', '15', 'TERM'),
    healthcheck: fc.oneof(check, fc.constant({ disabled: true } as const)),
  },
  { requiredKeys: [] },
)

const mounts = fc.subarray([
  { tmpfs: { sizeLimit: '1Mi' }, mountPath: '/cache' },
  { tmpfs: {}, mountPath: '/t/', readOnly: false },
  { hostPath: '/tmp/', mountPath: '/of-the-node', readOnly: true },
  { configMap: 'conf', mountPath: '/conf' },
])

const healthcheck = fc.constantFrom<Record<string, unknown>>(
  { disabled: true },
  { shell: 'true' },
  { command: ['true'], interval: '45s', timeout: '4s', retries: 1, startPeriod: '20s' },
)

const rights = fc.constantFrom<Record<string, unknown>>(
  { privileged: true },
  { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
  { capabilities: { drop: ['ALL'], add: ['CHOWN', 'NET_ADMIN'] } },
  { seccompProfile: { type: 'Unconfined' } },
)

/** What goes with every way of networking. */
const own = fc.record(
  {
    env: fc.constantFrom([{ name: 'A', value: '2' }], [{ name: 'B', value: '' }]),
    user: fc.constantFrom('9', '9:10'),
    workingDir: fc.constantFrom('/tmp', '/var/', '/'),
    stdin: fc.boolean(),
    tty: fc.boolean(),
    init: fc.boolean(),
    stopSignal: fc.constantFrom('SIGINT', 'QUIT', '2'),
    mounts,
    healthcheck,
    securityContext: rights,
    devices: fc.subarray(['/dev/null:/dev/nothing', '/dev/zero:/dev/zeros:r']),
    ulimits: fc.constantFrom<Record<string, unknown>>({ nofile: 512 }, { nproc: '100:200', core: 0 }),
    shmSize: fc.constantFrom('1Mi', '128Mi'),
    logging: fc.constantFrom<Record<string, unknown>>(
      {},
      { driver: 'local' },
      { options: { 'max-size': '1m' } },
    ),
    resources: fc.constantFrom<Record<string, unknown>>(
      { limits: { memory: '64Mi' } },
      { limits: { cpu: '500m', pids: 50 } },
    ),
  },
  { requiredKeys: [] },
)

/** What only a network of its own allows. */
const networked = fc.record(
  {
    hostname: fc.constantFrom('inside', 'a.b'),
    extraHosts: fc.constantFrom(['db:10.0.0.9', 'node:host-gateway']),
    dns: fc.constantFrom({ servers: ['10.0.0.53'] }, { searches: ['shop.test'], options: ['ndots:2'] }),
    sysctls: fc.constant({ 'net.ipv4.ip_unprivileged_port_start': '80' }),
    publishAll: fc.boolean(),
    ports: fc.constantFrom([{ containerPort: 80 }], [{ containerPort: 80, hostIP: '127.0.0.1' }]),
  },
  { requiredKeys: [] },
)

const networking = fc.oneof(networked, fc.constantFrom({ networkMode: 'host' }, { networkMode: 'none' }))

export const drawn: fc.Arbitrary<Drawn> = fc.record({ program, image, own, networking }).map((parts) => ({
  image: { ...parts.image, ...parts.program.image },
  spec: { ...parts.own, ...parts.networking, ...parts.program.spec },
}))

/** The lines of a Dockerfile that make such an image. */
export function dockerfileLines(config: Partial<ImageConfig>): string[] {
  const { env = {}, labels = {}, volumes = [], exposedPorts = [], entrypoint, cmd } = config
  const pairs = (word: string, values: Readonly<Record<string, string>>) =>
    Object.entries(values).map(([name, value]) => `${word} ${name}=${JSON.stringify(value)}`)
  const one = (word: string, value: string | undefined) => (value === undefined ? [] : [`${word} ${value}`])
  return [
    ...pairs('ENV', env),
    ...pairs('LABEL', labels),
    ...one('WORKDIR', config.workingDir),
    ...volumes.map((path) => `VOLUME ${path}`),
    ...exposedPorts.map((port) => `EXPOSE ${port}`),
    ...one('STOPSIGNAL', config.stopSignal),
    ...one('HEALTHCHECK', healthcheckLine(config)),
    ...one('USER', config.user),
    ...one('ENTRYPOINT', entrypoint && JSON.stringify(entrypoint)),
    ...one('CMD', cmd && JSON.stringify(cmd)),
  ]
}

function healthcheckLine({ healthcheck: check }: Partial<ImageConfig>): string | undefined {
  if (check === undefined) return undefined
  if (check.disabled) return 'NONE'
  const { interval, timeout, retries, startPeriod, test } = check
  const times = { interval, timeout, 'start-period': startPeriod }
  const given = Object.entries(times).filter(([, value]) => value > 0)
  const flags = given.map(([name, value]) => `--${name}=${value / 1000}s`)
  const command = test[0] === 'CMD' ? JSON.stringify(test.slice(1)) : test[1]
  return [...flags, `--retries=${retries}`, 'CMD', command].join(' ')
}
