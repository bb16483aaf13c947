import test from 'ava'
import { kinds } from '#pkg/apis/kinds.ts'
import { parseArgs } from '../args.ts'
import { UsageError } from '../errors.ts'
import { runFlags } from './flags.ts'
import { runManifests } from './manifest.ts'

const env = { HERE: 'from here', PATH: '/bin' }
const common = [{ name: 'namespace', short: 'n', type: 'text', help: '' }] as const

function manifestsOf(line: string, envFiles: readonly string[] = []) {
  const words = [...line.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''))
  const args = parseArgs(words, [...runFlags, ...common], { command: 'run', firstEnds: true })
  return runManifests({ args, name: args.text('name') ?? 'c', env, directory: '/here', envFiles })
}

function specOf(line: string, envFiles?: readonly string[]) {
  const { restartPolicy, image, ...spec } = manifestsOf(line, envFiles).container.spec
  return spec
}

const mapped: readonly (readonly [string, Record<string, unknown>])[] = [
  ['bb', {}],
  ['bb sh -c -x --rm', { args: ['sh', '-c', '-x', '--rm'] }],
  ['-it bb', { stdin: true, stdinOnce: true, tty: true }],
  ['-itd bb', { stdin: true, tty: true }],
  ['-d bb', {}],
  ['--entrypoint /x bb a b', { command: ['/x'], args: ['a', 'b'] }],
  ["--entrypoint '' bb a b", { command: ['a', 'b'] }],
  ['-w /srv -u 1:2 -h box bb', { workingDir: '/srv', user: '1:2', hostname: 'box' }],
  [
    '-e A=1 -e HERE -e NOWHERE -e B= -e A=2 bb',
    {
      env: [
        { name: 'A', value: '2' },
        { name: 'HERE', value: 'from here' },
        { name: 'B', value: '' },
      ],
    },
  ],
  ['-p 80 bb', { ports: [{ containerPort: 80 }] }],
  ['-p 8080:80 bb', { ports: [{ containerPort: 80, hostPort: 8080 }] }],
  [
    '-p 127.0.0.1:53:5353/udp bb',
    { ports: [{ containerPort: 5353, hostPort: 53, hostIP: '127.0.0.1', protocol: 'UDP' }] },
  ],
  ['-p 127.0.0.1::80 bb', { ports: [{ containerPort: 80, hostIP: '127.0.0.1' }] }],
  ['-p [::1]:81:80 bb', { ports: [{ containerPort: 80, hostPort: 81, hostIP: '::1' }] }],
  [
    '-p 9000-9001:80-81 bb',
    {
      ports: [
        { containerPort: 80, hostPort: 9000 },
        { containerPort: 81, hostPort: 9001 },
      ],
    },
  ],
  ['-P bb', { publishAll: true }],
  ['-v data:/d bb', { mounts: [{ mountPath: '/d', volume: 'data' }] }],
  ['-v data:/d:ro bb', { mounts: [{ mountPath: '/d', volume: 'data', readOnly: true }] }],
  ['-v /srv:/d bb', { mounts: [{ mountPath: '/d', hostPath: '/srv' }] }],
  ['-v ./x:/d:rw bb', { mounts: [{ mountPath: '/d', hostPath: '/here/x' }] }],
  [
    '--mount type=bind,src=/a,dst=/b,ro bb',
    { mounts: [{ mountPath: '/b', hostPath: '/a', readOnly: true }] },
  ],
  ['--mount source=data,target=/d bb', { mounts: [{ mountPath: '/d', volume: 'data' }] }],
  [
    '--mount type=tmpfs,target=/t,tmpfs-size=1m --tmpfs /u:size=64k,noexec bb',
    {
      mounts: [
        { mountPath: '/t', tmpfs: { sizeLimit: '1Mi' } },
        { mountPath: '/u', tmpfs: { sizeLimit: '64Ki' } },
      ],
    },
  ],
  ['--network host bb', { networkMode: 'host' }],
  ['--net container:web bb', { networkMode: 'container:web' }],
  ['--network front --network-alias www bb', { networks: [{ name: 'front', aliases: ['www'] }] }],
  [
    '--network name=front,alias=www --network back bb',
    { networks: [{ name: 'front', aliases: ['www'] }, { name: 'back' }] },
  ],
  ['--add-host db:10.0.0.1 --add-host x=::1 bb', { extraHosts: ['db:10.0.0.1', 'x:::1'] }],
  [
    '--dns 9.9.9.9 --dns-search lan --dns-opt ndots:2 bb',
    { dns: { servers: ['9.9.9.9'], searches: ['lan'], options: ['ndots:2'] } },
  ],
  [
    '--link db:database --link web bb',
    { links: [{ container: 'db', alias: 'database' }, { container: 'web' }] },
  ],
  ['--rm bb', { ttlSecondsAfterFinished: 0 }],
  ['--stop-signal INT --stop-timeout 3 bb', { stopSignal: 'INT', terminationGracePeriodSeconds: 3 }],
  ['--pull always --init --node n1 bb', { imagePullPolicy: 'Always', init: true, nodeName: 'n1' }],
  [
    '-m 1.5g --cpus 0.5 --pids-limit 9 --shm-size 64m bb',
    { resources: { limits: { cpu: '0.5', memory: '1610612736', pids: 9 } }, shmSize: '64Mi' },
  ],
  ['--pids-limit -1 -m 6MB bb', { resources: { limits: { memory: '6Mi' } } }],
  [
    '--cap-add CAP_NET_ADMIN --cap-drop all --read-only --security-opt no-new-privileges bb',
    {
      securityContext: {
        readOnlyRootFilesystem: true,
        allowPrivilegeEscalation: false,
        capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] },
      },
    },
  ],
  [
    '--privileged --security-opt seccomp=unconfined bb',
    { securityContext: { privileged: true, seccompProfile: { type: 'Unconfined' } } },
  ],
  ['--device /dev/fuse --device /dev/x:r bb', { devices: ['/dev/fuse', '/dev/x:/dev/x:r'] }],
  [
    '--ulimit nofile=1024:2048 --sysctl net.core.somaxconn=9 bb',
    { ulimits: { nofile: '1024:2048' }, sysctls: { 'net.core.somaxconn': '9' } },
  ],
  [
    '--log-driver json-file --log-opt max-size=1m bb',
    { logging: { driver: 'json-file', options: { 'max-size': '1m' } } },
  ],
  [
    "--health-cmd 'test -e /x' --health-interval 5s --health-retries 2 bb",
    { healthcheck: { shell: 'test -e /x', interval: '5s', retries: 2 } },
  ],
  ["-l 'com.example/text=any text, really' bb", { labels: { 'com.example/text': 'any text, really' } }],
  ['--no-healthcheck bb', { healthcheck: { disabled: true } }],
]

for (const [line, expected] of mapped) {
  test(`\`cove run ${line}\` means what docker run means by it`, (t) => {
    t.deepEqual(specOf(line), expected)
  })
}

test('every field that is mapped to is one of the schema', (t) => {
  const schema = kinds.find(({ kind }) => kind === 'Container')?.schema.properties?.['spec']?.properties ?? {}
  const fields = mapped.flatMap(([line]) => Object.keys(specOf(line)))
  t.deepEqual(
    fields.filter((field) => !Object.hasOwn(schema, field)),
    [],
  )
})

test('restart policies: none unless asked for', (t) => {
  const policy = (line: string) => manifestsOf(line).container.spec['restartPolicy']
  t.is(policy('bb'), 'Never')
  t.is(policy('-d --restart=always bb'), 'Always')
  t.is(policy('--restart unless-stopped bb'), 'Always')
  t.is(policy('--restart on-failure bb'), 'OnFailure')
})

test('a file of variables comes before those of the command line', (t) => {
  t.deepEqual(specOf('-e A=3 bb', ['# a comment\n\nA=1\nB=x y \nHERE\r\n']), {
    env: [
      { name: 'A', value: '3' },
      { name: 'B', value: 'x y ' },
      { name: 'HERE', value: 'from here' },
    ],
  })
})

test('names, labels and named Volumes become objects', (t) => {
  const { container, volumes } = manifestsOf('--name web -n shop -l app=web -v a:/a -v a:/b -v /x:/y bb')
  t.deepEqual(container.metadata, { name: 'web', namespace: 'shop', labels: { app: 'web' } } as never)
  t.deepEqual(
    volumes.map(({ kind, metadata }) => [kind, metadata]),
    [['Volume', { name: 'a', namespace: 'shop' }]],
  )
})

const refusals: readonly (readonly [string, RegExp])[] = [
  ['', /name an image/],
  ['--rm --restart always bb', /conflicting options: --restart and --rm/],
  ['--restart on-failure:3 bb', /Cove does not count/],
  ['--restart sometimes bb', /one of no, always/],
  ['-v /d bb', /a Volume needs a name: NAME:\/PATH/],
  ['-v data:/d:z bb', /there is no option "z"/],
  ['-p 80:90:100:110 bb', /\[IP:\]\[HOST:\]PORT/],
  ['-p 8000-8010:80 bb', /one length/],
  ['-p 80:80 -p 81:80 bb', /port 80\/tcp is published twice/],
  ['--network host --network front bb', /goes with no other network/],
  ['--network-alias x bb', /--network-alias needs/],
  ['--memory lots bb', /such as 64m/],
  ['--security-opt apparmor=x bb', /no-new-privileges and seccomp=unconfined/],
  ['--health-interval 5s bb', /needs --health-cmd/],
  ['--platform linux/arm64 bb', /there is no --platform here: .* --node/],
  ['--gpus all bb', /--device/],
  ['--volumes-from x bb', /name the same Volumes with -v/],
  ['-a stdout bb', /there is no --attach here/],
  ['--image=bb web', /the image is the first argument/],
  ['web --image=bb', /flags stand before the image/],
  ['--nmae x bb', /unknown flag: --nmae \(did you mean --name\?\)/],
]

for (const [line, message] of refusals) {
  test(`\`cove run ${line}\` is refused with what to do instead`, (t) => {
    const error = t.throws(() => manifestsOf(line), { instanceOf: UsageError })
    t.regex(error.message, message)
  })
}

test('a range of ports ends where ports do', (t) => {
  for (const ports of ['1-99999999999', '80-99999:80-99999', '65536', '99999:80'])
    t.throws(() => specOf(`-p ${ports} bb`), { instanceOf: UsageError, message: /ports end at 65535/ })
})
