/** kubectl's look at Pods, and its streams into them, against real containers of `cove up`. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'ava'
import { sharedCove, startCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect } from '#test/helpers/kubectl.ts'
import { otherKubectls } from '#test/helpers/kubectls.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)
const sh = (line: string) => ['sh', '-c', line]
/** Hex, so that it is text and still cannot be guessed or compressed much. */
const bytes = (count: number) => randomBytes(count / 2).toString('hex')
const megabytes = 5
const within = { timeoutMs: 20_000, pauseMs: 50 }

/** kubectl in the scene's namespace; `program` is another one than that on the PATH. */
function kubectlOf({ namespace, cove: { kubeconfig, dataDir } }: Scene, program = 'kubectl') {
  const env = { ...process.env, KUBECONFIG: kubeconfig }
  const start = (args: readonly string[]) =>
    spawn(program, ['--cache-dir', join(dataDir, 'kubectl-cache'), '-n', namespace, ...args], { env })
  const run = (args: readonly string[], input = '') => collect(start(args), input)
  const ok = async (args: readonly string[], input?: string) => {
    const { code, stdout, stderr } = await run(args, input)
    assert.equal(code, 0, `kubectl ${args.join(' ')}: ${stderr}${stdout}`)
    return stdout
  }
  return { start, run, ok }
}

/** Lines of a command as they come. */
async function* linesOf(child: ChildProcess): AsyncGenerator<string> {
  if (child.stdout === null) throw new Error('its output is not a pipe')
  yield* createInterface(child.stdout)
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of linesOf(child)) return line
  return ''
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

test('get and describe show a Container as a Pod', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  const id = await scene.running(
    'web',
    { resources: { limits: { memory: '64Mi' } } },
    { labels: { app: 'x' } },
  )
  const { State, NetworkSettings } = await scene.inspect('web')
  const [head = '', row = ''] = (await kubectl.ok(['get', 'pods', '-o', 'wide'])).split('\n')
  t.deepEqual(head.split(/ +/), ['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE', 'IP', 'NODE'])
  const cells = row.split(/ +/)
  t.deepEqual(cells.slice(0, 4), ['web', '1/1', 'Running', '0'])
  t.deepEqual(cells.slice(5), [NetworkSettings.Networks.bridge.IPAddress, cove().nodeName])
  t.is((await kubectl.ok(['get', 'po', '-l', 'app=x', '--no-headers'])).split(/ +/)[0], 'web')
  t.is(await kubectl.ok(['get', 'pods', '--field-selector', 'status.phase!=Running', '-o', 'name']), '')
  const pod = JSON.parse(await kubectl.ok(['get', 'pod', 'web', '-o', 'json']))
  t.is(pod.status.containerStatuses[0].containerID, `docker://${id}`)
  t.is(Date.parse(pod.status.startTime), Math.floor(Date.parse(State.StartedAt) / 1000) * 1000)
  const yaml = await kubectl.ok(['get', 'pod', 'web', '-o', 'yaml'])
  t.regex(yaml, /^kind: Pod$/m)
  const described = await kubectl.ok(['describe', 'pod', 'web'])
  for (const words of [
    /^Status: +Running$/m,
    /^Controlled By: +Container\/web$/m,
    /memory: +64Mi/,
    /State: +Running/,
  ])
    t.regex(described, words)
  t.regex(described, /Normal +Started|Normal +Scheduled|Normal +Created/)
  t.regex(await kubectl.ok(['explain', 'pod.spec.containers.image']), /FIELD: image <string>/)
})

test('get -w follows a Container as a Pod from Pending to Running to its end', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  const watching = kubectl.start(['get', 'pods', '-w', '--no-headers'])
  const seen: string[] = []
  const following = (async () => {
    for await (const line of linesOf(watching)) seen.push(line.split(/ +/)[2] ?? '')
  })()
  await scene.run('once', { command: sh('until [ -e /go ]; do sleep 0.1; done'), restartPolicy: 'Never' })
  await eventually(() => assert.ok(seen.includes('Running')), within)
  await scene.exec('once', ['touch', '/go'])
  await eventually(() => assert.equal(seen.at(-1), 'Completed'), within)
  await scene.delete('Container', 'once')
  await scene.gone('Container', 'once')
  await stop(watching)
  await following
  await t.notThrowsAsync(kubectl.ok(['wait', '--for=delete', 'pod/once', '--timeout=10s']))
})

test('a Pod cannot be written, and kubectl says what to write instead', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web')
  const refused = await kubectl.run(['delete', 'pod', 'web'])
  t.is(refused.code, 1)
  t.regex(refused.stderr, /write those instead, as with "kubectl delete containers\.cove\.run web"/)
  t.true((await scene.inspect('web')).State.Running)
  await kubectl.ok(['delete', 'containers.cove.run', 'web'])
  await scene.vanished('web')
})

test('logs: whole, followed, its end, since, with times, cut', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  const command = sh(
    'for n in 1 2 3; do echo line $n; done; until [ -e /go ]; do sleep 0.1; done; echo last; sleep 86400',
  )
  await scene.running('web', { command })
  await scene.eventually('the log', async () =>
    assert.equal(await kubectl.ok(['logs', 'web']), 'line 1\nline 2\nline 3\n'),
  )
  t.is(await kubectl.ok(['logs', 'web', '-c', 'web', '--tail=1']), 'line 3\n')
  t.is(await kubectl.ok(['logs', 'web', '--limit-bytes=6']), 'line 1')
  t.regex(
    await kubectl.ok(['logs', 'web', '--tail=1', '--timestamps']),
    /^\d{4}-\d\d-\d\dT[\d:.]+Z line 3\n$/,
  )
  t.regex(await kubectl.ok(['logs', 'web', '--since=10m', '--prefix']), /^\[pod\/web\/web\] line 1$/m)
  const wrong = await kubectl.run(['logs', 'web', '-c', 'other'])
  t.regex(wrong.stderr, /container other is not valid for pod web/)
  const following = kubectl.start(['logs', '-f', '--tail=1', 'web'])
  const lines: string[] = []
  const reading = (async () => {
    for await (const line of linesOf(following)) lines.push(line)
  })()
  await eventually(() => assert.deepEqual(lines, ['line 3']), within)
  await scene.exec('web', ['touch', '/go'])
  await eventually(() => assert.deepEqual(lines, ['line 3', 'last']), within)
  await stop(following)
  await reading
})

test('logs -p shows the run before, and says when there was none', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web', {
    command: sh('echo run $(cat /proc/sys/kernel/random/uuid); until [ -e /go ]; do sleep 0.1; done; rm /go'),
  })
  const none = await kubectl.run(['logs', '-p', 'web'])
  t.is(none.code, 1)
  t.regex(none.stderr, /previous terminated container "web" in pod "web" not found/)
  const first = await scene.eventually('the log', async () => {
    const text = await kubectl.ok(['logs', 'web'])
    assert.match(text, /^run \S+\n$/)
    return text
  })
  await scene.exec('web', ['touch', '/go'])
  await scene.until('web', ({ restartCount = 0, phase }) => {
    assert.ok(restartCount > 0)
    assert.equal(phase, 'Running')
  })
  t.is(await kubectl.ok(['logs', '-p', 'web']), first)
})

test('exec: output, exit code, five megabytes in and out, errors', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web')
  t.deepEqual(await kubectl.run(['exec', 'web', '--', ...sh('echo out; echo err >&2; exit 3')]), {
    stdout: 'out\n',
    stderr: 'err\ncommand terminated with exit code 3\n',
    code: 3,
  })
  const data = bytes(megabytes * 2 ** 20)
  t.true((await kubectl.ok(['exec', '-i', 'web', '--', 'cat'], data)) === data)
  const missing = await kubectl.run(['exec', 'web', '--', '/no/such/program'])
  t.not(missing.code, 0)
  t.regex(missing.stdout + missing.stderr, /no such file|not found/)
  const none = await kubectl.run(['exec', 'other', '--', 'true'])
  t.regex(none.stderr, /pods "other" not found/)
})

for (const [version, program] of otherKubectls()) {
  test(`exec and port-forward work with kubectl ${version}`, async (t) => {
    const scene = await makeScene(cove())
    const kubectl = kubectlOf(scene, program)
    await scene.running('web', { command: ['nc', '-ll', '-p', '8080', '-e', 'cat'] })
    const told = await kubectl.run(['exec', 'web', '--', ...sh('echo out; echo err >&2; exit 3')])
    t.deepEqual([told.stdout, told.code], ['out\n', 3])
    const data = bytes(2 ** 20)
    t.true((await kubectl.ok(['exec', '-i', 'web', '--', 'cat'], data)) === data)
    const missing = await kubectl.run(['exec', 'web', '-c', 'other', '--', 'true'])
    t.not(missing.code, 0)
    const forwarding = kubectl.start(['port-forward', 'web', ':8080'])
    try {
      const port = await forwardedPort(forwarding)
      t.true((await throughPort(port, data)) === data)
    } finally {
      await stop(forwarding)
    }
  })
}

test('nothing of output that comes at once is lost, with many at a time', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web')
  const rounds = Number(process.env['COVE_TEST_EXECS'] ?? 24)
  const lost: string[] = []
  const queue = Array.from({ length: rounds }, (_, index) => index)
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const { stdout, stderr, code } = await kubectl.run(['exec', 'web', '--', 'echo', `round ${next}`])
      if (stdout !== `round ${next}\n` || code !== 0) lost.push(`${next}: ${code} ${stdout}${stderr}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  t.deepEqual(lost, [])
})

test('exec -it gives a terminal that has the size of the own one, and follows it', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web')
  const dir = await makeTempDir(t, 'pty')
  // Without a size stty fails; it comes soon after the start.
  const until = (size: string) =>
    `until [ "$(stty size 2>/dev/null)" = "${size}" ]; do sleep 0.1; done; stty size`
  const inside = `${until('33 101')}; ${until('40 120')}; exit 7`
  await writeFile(join(dir, 'inside'), inside)
  const kubectl = `kubectl --kubeconfig ${cove().kubeconfig} -n ${scene.namespace}`
  const session = [
    'stty rows 33 cols 101',
    `(until [ -e ${dir}/go ]; do sleep 0.1; done; stty rows 40 cols 120 </dev/tty) &`,
    `${kubectl} exec -it web -- sh -c "$(cat ${dir}/inside)"`,
  ].join('\n')
  await writeFile(join(dir, 'session'), session)
  const child = spawn('script', ['-qfec', `sh ${dir}/session`, '/dev/null'])
  let text = ''
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString()
  })
  const ended = once(child, 'close')
  await eventually(() => assert.match(text, /^33 101\r$/m), within)
  await writeFile(join(dir, 'go'), '')
  const [code] = await ended
  t.regex(text, /^40 120\r$/m)
  t.is(code, 7)
})

test('attach shows what the container writes, and ends with it', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  const command = sh('until [ -e /end ]; do echo tick; sleep 0.1; done; echo bye')
  await scene.running('web', { command, restartPolicy: 'Never' })
  const attached = kubectl.start(['attach', 'web'])
  const lines: string[] = []
  const reading = (async () => {
    for await (const line of linesOf(attached)) lines.push(line)
  })()
  const ended = once(attached, 'close')
  await eventually(() => assert.ok(lines.length > 3, lines.join('\n')), within)
  await scene.exec('web', ['touch', '/end'])
  const [code] = await ended
  await reading
  t.is(code, 0)
  t.is(lines.at(-1), 'bye')
})

test('attach -it talks to the terminal of a container', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('term', { command: ['sh'], stdin: true, tty: true })
  const kubectl = `kubectl --kubeconfig ${cove().kubeconfig} -n ${scene.namespace}`
  const child = spawn('script', ['-qfec', `${kubectl} attach -it term`, '/dev/null'])
  let text = ''
  child.stdout.on('data', (data: Buffer) => {
    text += data.toString()
  })
  const ended = once(child, 'close')
  await eventually(() => assert.match(text, /try pressing enter/), within)
  child.stdin.write('echo said $((6*7)); exit\n')
  await ended
  t.regex(text, /said 42/)
})

test('cp carries files and directories both ways', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web')
  const dir = await makeTempDir(t, 'cp')
  const data = bytes(2 ** 20)
  await writeFile(join(dir, 'there'), data)
  await kubectl.ok(['cp', join(dir, 'there'), 'web:/there'])
  t.is(await scene.exec('web', sh('wc -c </there')), String(data.length))
  await scene.exec('web', ['mkdir', '/folder'])
  await scene.exec('web', ['cp', '/there', '/folder/file'])
  await kubectl.ok(['cp', 'web:/folder', join(dir, 'folder')])
  t.true((await readFile(join(dir, 'folder', 'file'), 'utf8')) === data)
})

test('port-forward carries many connections at once, five megabytes among them', async (t) => {
  const scene = await makeScene(cove())
  const kubectl = kubectlOf(scene)
  await scene.running('web', { command: ['nc', '-ll', '-p', '8080', '-e', 'cat'] })
  const forwarding = kubectl.start(['port-forward', 'pod/web', ':8080'])
  try {
    const port = await forwardedPort(forwarding)
    const texts = [
      bytes(megabytes * 2 ** 20),
      ...Array.from({ length: 7 }, (_, index) => bytes(1000 * (index + 1))),
    ]
    const back = await Promise.all(texts.map((text) => throughPort(port, text)))
    t.true(texts.every((text, index) => text === back[index]))
    t.is(await throughPort(port, 'again'), 'again')
  } finally {
    await stop(forwarding)
  }
})

test('streams reach a node of its own through the tunnel that its agent dialled', async (t) => {
  const apart = await startCove(t, { apart: true })
  const scene = await makeScene(apart)
  const kubectl = kubectlOf(scene)
  await scene.running('web', { command: ['nc', '-ll', '-p', '8080', '-e', 'cat'] })
  const told = await kubectl.run(['exec', 'web', '--', ...sh('echo out; exit 3')])
  t.deepEqual([told.stdout, told.code], ['out\n', 3])
  const data = bytes(megabytes * 2 ** 20)
  t.true((await kubectl.ok(['exec', '-i', 'web', '--', 'cat'], data)) === data)
  const forwarding = kubectl.start(['port-forward', 'web', ':8080'])
  try {
    const port = await forwardedPort(forwarding)
    t.true((await throughPort(port, data)) === data)
  } finally {
    await stop(forwarding)
  }
})

async function forwardedPort(forwarding: ChildProcess): Promise<number> {
  const line = await firstLine(forwarding)
  const port = /127\.0\.0\.1:(\d+) ->/.exec(line)?.[1]
  if (port === undefined) throw new Error(`port-forward says "${line}"`)
  return Number(port)
}

/** Sends it all, ends, and resolves with all that comes back. */
async function throughPort(port: number, text: string): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.end(text)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
