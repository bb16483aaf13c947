/** `cove run` and `cove create` as processes against a real engine: output, input, exit codes, terminals, signals. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import test from 'ava'
import { decode, program, sharedCove } from '#test/helpers/cove.ts'
import { environment, ok, oneByOne, run, terminal, wordsOf } from '#test/helpers/lines.ts'
import type { Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const titled = oneByOne(test, cove)

async function isGone(scene: Scene, name: string): Promise<void> {
  await scene.gone('Container', name)
  await scene.vanished(name)
}

titled('the output comes here, and the exit code is that of the program', async (t, scene) => {
  const began = performance.now()
  const talking = await run(scene, "run IMAGE sh -c 'echo hi; echo no >&2; exit 7'")
  t.log(`run of echo: ${Math.round(performance.now() - began)} ms, start of the CLI included`)
  assert.deepEqual(talking, { stdout: 'hi\n', stderr: 'no\n', code: 7 })
})

titled('nothing is lost between the start and the attachment, however short it runs', async (_t, scene) => {
  for (let round = 0; round < 3; round++) assert.equal(await ok(scene, 'run --rm IMAGE echo hi'), 'hi\n')
  const long = await ok(scene, 'run --rm IMAGE seq 1 20000')
  assert.equal(long.split('\n').length, 20_001)
})

titled('what is piped in is read to its end, and ends there', async (_t, scene) => {
  assert.equal(await ok(scene, 'run -i IMAGE sh', 'echo piped\n'), 'piped\n')
  assert.equal(await ok(scene, 'run -i --rm IMAGE wc -c', 'x'.repeat(300_000)), '300000\n')
  assert.equal((await run(scene, 'run -i --name none IMAGE cat')).stdout, '')
})

titled('--rm takes the Container away when it has ended, and others stay', async (_t, scene) => {
  await ok(scene, 'run --rm --name one IMAGE true')
  await isGone(scene, 'one')
  await ok(scene, 'run --name two IMAGE true')
  assert.equal((await scene.get('Container', 'two')).status.phase, 'Succeeded')
  const id = (await ok(scene, 'run -d --rm --name three IMAGE sleep 0.2')).trim()
  assert.match(id, /^[0-9a-f]{64}$/)
  await isGone(scene, 'three')
})

titled('-d prints the id of what runs', async (_t, scene) => {
  const id = (await ok(scene, 'run -d --name web -h box -e A=1 -p 80 -v data:/d IMAGE sleep 86400')).trim()
  const found = await scene.sees('web', { Id: id, State: { Running: true } })
  assert.equal(found.Config.Hostname, 'box')
  assert.deepEqual(found.HostConfig.RestartPolicy.Name, 'no')
  assert.equal((await scene.get('Volume', 'data')).status.phase, 'Ready')
})

titled('what the flags say is what the engine is given', async (_t, scene) => {
  const flags = [
    ...[
      '-h box --init --stop-signal INT --stop-timeout 3 --add-host db:10.0.0.1 --dns 9.9.9.9 --dns-search lan',
    ],
    ...['--ulimit nofile=100:200 --sysctl net.ipv4.ip_unprivileged_port_start=80 --shm-size 8m'],
    ...['--log-driver json-file --log-opt max-size=1m --device /dev/null:/dev/nothing -m 32m --cpus 0.5'],
    ...['--pids-limit 50 --cap-add NET_ADMIN --cap-drop MKNOD --read-only --security-opt no-new-privileges'],
    ...["--tmpfs /t:size=1m --health-cmd true --health-interval 5s -w /tmp -u 0:0 -l 'note=any text'"],
  ].join(' ')
  await ok(scene, `run -d --name all ${flags} IMAGE sleep 86400`)
  const { Config, HostConfig } = await scene.inspect('all')
  assert.partialDeepStrictEqual(Config, {
    Hostname: 'box',
    StopSignal: 'INT',
    Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9 },
    WorkingDir: '/tmp',
    User: '0:0',
    Labels: { note: 'any text' },
    Cmd: ['sleep', '86400'],
  })
  assert.partialDeepStrictEqual(HostConfig, {
    Init: true,
    ExtraHosts: ['db:10.0.0.1'],
    Dns: ['9.9.9.9'],
    DnsSearch: ['lan'],
    Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
    Sysctls: { 'net.ipv4.ip_unprivileged_port_start': '80' },
    ShmSize: 8 * 1024 ** 2,
    LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/nothing' }],
    Memory: 32 * 1024 ** 2,
    NanoCpus: 5e8,
    PidsLimit: 50,
    CapAdd: ['NET_ADMIN'],
    CapDrop: ['MKNOD'],
    ReadonlyRootfs: true,
    SecurityOpt: ['no-new-privileges'],
  })
})

titled('networks, links, and every exposed port', async (_t, scene) => {
  await scene.create('Network', 'front')
  const image = await scene.image('open', ['EXPOSE 80'])
  await ok(scene, `run -d --name web -P --network front --network-alias www ${image} sleep 86400`)
  const web = await scene.inspect('web')
  assert.ok(Number(web.NetworkSettings.Ports['80/tcp'][0].HostPort) > 0)
  const reached = await ok(scene, 'run --rm --network front IMAGE ping -c 1 www')
  assert.match(reached, /1 packets received/)
  await ok(scene, 'run -d --name db IMAGE sleep 86400')
  assert.match(await ok(scene, 'run --rm --link db:database IMAGE cat /etc/hosts'), /database/)
  const shared = await ok(scene, 'run --rm --network container:web IMAGE hostname -i')
  const [address] = Object.values(web.NetworkSettings.Networks).map((each) => decode(each).IPAddress)
  assert.equal(shared.trim(), address)
})

titled('on a terminal it is a shell, which ends with its container', async (t, scene) => {
  const session = await terminal(scene, 'run -it --rm --name shell IMAGE sh', [
    { after: '# ', type: 'stty size; echo $((20+3))\r' },
    { after: '23\r\n', resize: [33, 101] },
    { after: '# ', type: 'sleep 100\r' },
    { after: 'sleep 100\r\n', type: '\x03' },
    { after: '# ', type: 'stty size; exit 9\r' },
  ])
  t.log(session.output)
  assert.match(session.output, /24 80\r\n/)
  assert.match(session.output, /33 101\r\n/)
  assert.equal(session.code, 9)
  assert.equal(session.restored, true)
  await isGone(scene, 'shell')
})

titled('Ctrl-P Ctrl-Q leaves it running', async (t, scene) => {
  const session = await terminal(scene, 'run -it --name shell IMAGE sh', [
    { after: '# ', type: 'echo ready\r' },
    { after: 'ready\r\n', type: '\x10\x11' },
  ])
  t.log(session.output)
  assert.equal(session.code, 0)
  assert.equal(session.restored, true)
  await scene.sees('shell', { State: { Running: true } })
})

titled('without a terminal, Ctrl-C is passed on, and the program says how it ends', async (_t, scene) => {
  const script = "trap 'echo got it; exit 3' INT TERM; echo up; while true; do sleep 0.1; done"
  const words = wordsOf(scene, `run --name loop IMAGE sh -c`)
  const child = spawn(process.execPath, [program, ...words, script], {
    env: environment(scene.cove),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = text(child.stdout)
  await scene.until('loop', { phase: 'Running' })
  await scene.eventually('the first line', async () => {
    assert.match(await ok(scene, 'logs loop'), /up/)
  })
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  assert.equal(await output, 'up\ngot it\n')
  assert.equal(code, 3)
})

titled('whoever kills cove leaves a program that ends as it would, and --rm holds', async (_t, scene) => {
  const child = spawn(process.execPath, [program, ...wordsOf(scene, 'run --rm --name on IMAGE sleep 2')], {
    env: environment(scene.cove),
    stdio: 'ignore',
  })
  await scene.until('on', { phase: 'Running' })
  child.kill('SIGKILL')
  await scene.sees('on', { State: { Running: true } })
  await isGone(scene, 'on')
})

titled('Ctrl-C before the start takes everything back', async (_t, scene) => {
  const child = spawn(
    process.execPath,
    [program, ...wordsOf(scene, 'run --name no --network nosuch IMAGE true')],
    {
      env: environment(scene.cove),
      stdio: 'ignore',
    },
  )
  await scene.eventually('the Container', () => scene.get('Container', 'no'))
  child.kill('SIGINT')
  const [code] = await once(child, 'exit')
  assert.equal(code, 130)
  await scene.gone('Container', 'no')
})

titled('what cannot start is told at once, with the exit codes of docker run', async (_t, scene) => {
  const missing = await run(scene, 'run --name missing IMAGE no-such-program')
  assert.equal(missing.code, 127, missing.stderr)
  assert.match(missing.stderr, /^error: container missing does not start: .*no-such-program/)
  assert.equal((await scene.get('Container', 'missing')).spec.state, 'Stopped')
  const denied = await run(scene, 'run --rm --name denied IMAGE /etc')
  assert.equal(denied.code, 126, denied.stderr)
  await isGone(scene, 'denied')
  const image = await run(scene, 'run --pull never --name noimage cove-test/no-such-image:1')
  assert.equal(image.code, 125)
  assert.match(image.stderr, /no-such-image/)
  const flag = await run(scene, 'run --platform linux/arm64 IMAGE')
  assert.equal(flag.code, 125)
  assert.equal((await run(scene, 'run --rm --restart always IMAGE')).code, 125)
  const twice = await run(scene, 'run --name missing IMAGE true')
  assert.equal(twice.code, 125)
  assert.match(twice.stderr, /AlreadyExists/)
  const noTerminal = await run(scene, 'run -it IMAGE sh')
  assert.match(noTerminal.stderr, /the input device is not a TTY/)
})

titled('what create makes is started later as it is', async (_t, scene) => {
  const id = (await ok(scene, "create --name later IMAGE sh -c 'echo begun; sleep 86400'")).trim()
  await scene.sees('later', { Id: id, State: { Status: 'created' } })
  await scene.patchSpec('later', { state: 'Running' })
  await scene.sees('later', { Id: id, State: { Status: 'running' } })
  assert.equal(await ok(scene, 'logs later'), 'begun\n')
})

titled('--dry-run prints a manifest that apply takes', async (_t, scene) => {
  const manifest = await ok(scene, 'run --dry-run=client -o yaml --name web -v pages:/srv IMAGE sleep 9')
  assert.match(manifest, /^apiVersion: cove.run\/v1\nkind: Volume\n/)
  const applied = await ok(scene, 'apply --dry-run=server -f -', manifest)
  assert.match(applied, /container\.cove\.run\/web created/)
})
