/** What people know of Docker holds: what an image says of its containers, and how what cannot be is told. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { type Fields, makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

interface Row {
  readonly what: string
  readonly dockerfile: readonly string[]
  readonly spec?: Fields
  readonly log: readonly string[]
}

const redis = 'RUN mkdir -p /etc && echo "redis:x:999:999::/:/bin/sh" > /etc/passwd'
const script = [
  'RUN printf \'#!/bin/sh\\nif [ "$1" = serve ]; then echo prepared; set -- echo served; fi\\nexec "$@"\\n\' > /entry.sh',
  'RUN chmod +x /entry.sh',
  'ENTRYPOINT ["/entry.sh"]',
  'CMD ["serve"]',
]

const images: readonly Row[] = [
  { what: 'a shell expands variables', dockerfile: ['CMD echo $HOME'], log: ['/'] },
  { what: 'without a shell nobody does', dockerfile: ['CMD ["/bin/echo","$HOME"]'], log: ['$HOME'] },
  { what: 'the last CMD counts', dockerfile: ['CMD echo first', 'CMD echo last'], log: ['last'] },
  { what: 'relative WORKDIRs add up', dockerfile: ['WORKDIR /a', 'WORKDIR b', 'CMD pwd'], log: ['/a/b'] },
  {
    what: 'workingDir takes the place of WORKDIR',
    dockerfile: ['WORKDIR /a', 'CMD pwd'],
    spec: { workingDir: '/tmp' },
    log: ['/tmp'],
  },
  {
    what: 'a relative program is looked for in WORKDIR',
    dockerfile: ['WORKDIR /app', 'RUN cp /bin/busybox ./echo', 'CMD ["./echo","here"]'],
    log: ['here'],
  },
  { what: 'USER by name', dockerfile: [redis, 'USER redis', 'CMD id -u'], log: ['999'] },
  {
    what: 'user takes the place of USER',
    dockerfile: [redis, 'USER redis', 'CMD id -u; id -g'],
    spec: { user: '1234:55' },
    log: ['1234', '55'],
  },
  {
    what: 'env is added to ENV, and wins over it',
    dockerfile: ['ENV A=image B=image', 'CMD echo $A $B $C'],
    spec: {
      env: [
        { name: 'B', value: 'spec' },
        { name: 'C', value: 'new' },
      ],
    },
    log: ['image spec new'],
  },
  { what: 'a script gets CMD', dockerfile: script, log: ['prepared', 'served'] },
  {
    what: 'a script gets args instead',
    dockerfile: script,
    spec: { args: ['echo', 'other'] },
    log: ['other'],
  },
]

test.serial('what an image says is what runs, unless the spec says otherwise', async (t) => {
  const scene = await makeScene(cove())
  await Promise.all(
    images.map(async ({ dockerfile, spec }, index) => {
      const image = await scene.image(`of${index}`, dockerfile)
      await scene.run(`of${index}`, { image, command: undefined, restartPolicy: 'Never', ...spec })
    }),
  )
  for (const [index, { what, log }] of images.entries()) {
    const { status } = await scene.until(`of${index}`, { phase: 'Succeeded' })
    t.deepEqual(status?.lastTermination?.log, log, what)
  }
})

test.serial(
  'a VOLUME keeps data out of the container, is filled from the image, and goes with the Container',
  async (t) => {
    const scene = await makeScene(cove())
    const image = await scene.image('data', [
      'RUN mkdir /data && echo seed > /data/seed',
      'VOLUME /data /more',
    ])
    await scene.create('Volume', 'kept', { spec: { reclaimPolicy: 'Delete' } })
    await scene.running('bare', { image })
    await scene.running('named', { image, mounts: [{ volume: 'kept', mountPath: '/data' }] })

    await scene.exec('bare', ['sh', '-c', 'echo more > /data/written'])
    const changed: { Path: string }[] | null = await scene.call(
      'GET',
      `/containers/${scene.engineName('bare')}/changes`,
    )
    t.false((changed ?? []).some(({ Path }) => Path.startsWith('/data')))

    const volumes: { Name: string; Destination: string }[] = (await scene.inspect('bare')).Mounts
    t.deepEqual(volumes.map(({ Destination }) => Destination).sort(), ['/data', '/more'])
    for (const { Name } of volumes) t.regex(Name, /^[0-9a-f]{64}$/)

    const atData = (await scene.inspect('named')).Mounts.filter(
      ({ Destination }: { Destination: string }) => Destination === '/data',
    )
    t.deepEqual(
      atData.map(({ Name }: { Name: string }) => Name),
      [scene.engineName('kept')],
    )
    t.is(await scene.exec('named', ['cat', '/data/seed']), 'seed')

    await scene.delete('Container', 'bare')
    await scene.gone('Container', 'bare')
    for (const { Name } of volumes) t.is((await scene.raw.request('GET', `/volumes/${Name}`)).status, 404)
  },
)

test.serial(
  'a HEALTHCHECK of the image counts until NONE, the spec, or its exit code says otherwise',
  async (t) => {
    const scene = await makeScene(cove())
    const failing = 'HEALTHCHECK --interval=500ms --retries=1 CMD false'
    const sick = await scene.image('sick', [failing])
    const none = await scene.image('none', [failing, 'HEALTHCHECK NONE'])
    const check = (code: number) => ({
      shell: `exit ${code}`,
      interval: '500ms',
      retries: 1,
      onUnhealthy: 'None',
    })
    await scene.run('sick', { image: sick, healthcheck: undefined })
    for (const code of [0, 1, 2, 3]) await scene.run(`exit${code}`, { healthcheck: check(code) })

    for (const [name, spec] of [
      ['none', { image: none }],
      ['disabled', { image: sick, healthcheck: { disabled: true } }],
    ] as const) {
      await scene.running(name, spec)
      t.is((await scene.inspect(name)).State.Health, undefined, name)
      t.is((await scene.get('Container', name)).status.health, undefined, name)
    }
    await scene.until('exit0', { health: { status: 'healthy' } })
    for (const name of ['sick', 'exit1', 'exit2', 'exit3'])
      await scene.until(name, ({ conditions }) => {
        const { status, reason } = conditions?.find(({ type }) => type === 'Healthy') ?? {}
        assert.deepEqual([status, reason], ['False', 'CheckFailed'])
      })
  },
)

const refused: readonly { readonly spec: Fields; readonly reason: string; readonly message: RegExp }[] = [
  {
    spec: { securityContext: { capabilities: { add: ['NOSUCH'] } } },
    reason: 'InvalidSpec',
    message: /does not know it: mend spec\.securityContext\.capabilities \(NOSUCH\)$/,
  },
  {
    spec: { devices: ['/dev/no-such-device'] },
    reason: 'DeviceNotFound',
    message: /mend spec\.devices \(\/dev\/no-such-device\)$/,
  },
  { spec: { logging: { driver: 'no-such-driver' } }, reason: 'InvalidSpec', message: /mend spec\.logging/ },
  {
    spec: { sysctls: { 'net.core.nosuch': '1' } },
    reason: 'InvalidSpec',
    message: /mend spec\.sysctls \(net\.core\.nosuch\)$/,
  },
  {
    spec: { command: undefined },
    reason: 'InvalidSpec',
    message: /neither ENTRYPOINT nor CMD: say in spec\.command or spec\.args what to run$/,
  },
  {
    spec: { resources: { limits: { memory: '1Mi' } } },
    reason: 'InvalidSpec',
    message: /raise spec\.resources\.limits\.memory$/,
  },
  {
    spec: { mounts: [{ hostPath: '/no-such-path', mountPath: '/m' }] },
    reason: 'MountSourceMissing',
    message: /make that path on the node first/,
  },
  {
    spec: { user: 'nosuch' },
    reason: 'UserNotFound',
    message: /spec\.user "nosuch" is not in \/etc\/passwd/,
  },
]

test.serial('what the engine refuses is told with what to do about it, and the others go on', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('bystander')
  const { StartedAt } = (await scene.inspect('bystander')).State
  await Promise.all(refused.map(({ spec }, index) => scene.run(`bad${index}`, spec)))
  for (const [index, { reason, message }] of refused.entries())
    t.regex(await scene.notReady(`bad${index}`, reason), message)
  await scene.running('later')
  t.is((await scene.inspect('bystander')).State.StartedAt, StartedAt)
})
