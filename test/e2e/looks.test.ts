/** What nodes tell of containers, by the CLI and the real kubectl, against docker's own client and the engine beside Cove. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { program, sharedCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect, type Output } from '#test/helpers/kubectl.ts'
import { bareEnv } from '#test/helpers/processenv.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { inTerminal } from '#test/helpers/terminal.ts'

const cove = sharedCove(test)
/** Writes a file, and removes one that its image has. */
const busy = 'echo hello > /made-here; rm /bin/wc; while :; do :; done'

interface World {
  readonly t: ExecutionContext
  readonly scene: Scene
  /** A command of the CLI in the scene's namespace. */
  readonly run: (command: string, ...words: readonly string[]) => Promise<Output>
  /** One that must succeed; resolves with its output. */
  readonly ok: (command: string, ...words: readonly string[]) => Promise<string>
  /** Docker's own client. */
  readonly docker: (...words: readonly string[]) => Promise<string>
}

function titled(title: string, body: (world: World) => Promise<void>): void {
  test(title, async (t) => {
    const scene = await makeScene(cove())
    const run = (command: string, ...words: readonly string[]) =>
      cove().cli([command, '-n', scene.namespace, ...words])
    const ok = async (command: string, ...words: readonly string[]) => {
      const { code, stdout, stderr } = await run(command, ...words)
      t.is(code, 0, `cove ${command} ${words.join(' ')}: ${stderr}`)
      return stdout
    }
    const docker = async (...words: readonly string[]) => {
      const env = { PATH: process.env['PATH'], DOCKER_HOST: cove().engine }
      const { code, stdout, stderr } = await collect(spawn('docker', words, { env }), '')
      assert.equal(code, 0, `docker ${words.join(' ')}: ${stderr}`)
      return stdout
    }
    await body({ t, scene, run, ok, docker })
  })
}

const rowsOf = (text: string) =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/))

titled('processes of a container have the ids of its host, beside what it uses', async ({ t, scene, ok }) => {
  await scene.running('web', { command: ['sleep', '1234'] })
  const { State } = await scene.inspect('web')
  for (const words of [['container', 'web'], ['container/web'], ['web']]) {
    const [usage = '', processes = ''] = (await ok('top', ...words)).split('\n\n')
    t.regex(usage, /^NAME +CPU % +MEM USAGE \/ LIMIT .*\nweb +\d/)
    t.regex(processes, new RegExp(`^UID +PID .*\\nroot +${State.Pid} .*sleep 1234\\n$`))
  }
})

titled(
  'memory in use is what docker stats shows, and processor time what a loop takes',
  async ({ t, scene, ok, docker }) => {
    await scene.running('busy', { command: ['sh', '-c', busy], resources: { limits: { cpu: '300m' } } })
    await scene.running('idle', {
      command: ['sh', '-c', 'head -c 20000000 /dev/zero | tail -c 20000000 | sleep 86400'],
    })
    const name = scene.engineName('idle')
    await eventually(
      async () => {
        const shown =
          (await docker('stats', '--no-stream', '--format', '{{.MemUsage}}', name)).split(' ')[0] ?? ''
        const theirs = parseQuantity(shown.replace(/i?B$/, (unit) => (unit === 'iB' ? 'i' : ''))) ?? 0
        const rows = rowsOf(await ok('top', 'containers', '--no-headers'))
        const [, , memory = ''] = rows.find(([found]) => found === 'idle') ?? []
        const ours = parseQuantity(memory) ?? 0
        assert.ok(theirs > 1_000_000, `docker says ${shown}`)
        assert.ok(Math.abs(ours - theirs) < theirs / 10, `${memory} beside ${shown}`)
      },
      { timeoutMs: 20_000, pauseMs: 100, what: 'the same memory' },
    )
    const [first] = rowsOf(await ok('top', 'containers', '--no-headers', '--sort-by', 'cpu'))
    t.is(first?.[0], 'busy')
    const cores = parseQuantity(first?.[1] ?? '') ?? 0
    // Other tests may leave it less than its limit.
    t.true(cores > 0.02 && cores < 0.45, first?.[1])
  },
)

titled('kubectl top knows Pods and nodes', async ({ t, scene }) => {
  await scene.running('web', {}, { labels: { app: 'web' } })
  const { kubectl, nodeName } = cove()
  const pods = await kubectl.ok(['top', 'pods', '-n', scene.namespace, '-l', 'app=web'])
  t.regex(pods, /^NAME +CPU\(cores\) +MEMORY\(bytes\) *\nweb +\d+m +\d+Mi *\n$/)
  t.regex(await kubectl.ok(['top', 'pod', 'web', '-n', scene.namespace, '--containers']), /\nweb +web +\d+m /)
  t.regex(
    await kubectl.ok(['top', 'pods', '-A', '--no-headers']),
    new RegExp(`^${scene.namespace} +web `, 'm'),
  )
  const nodes = await kubectl.ok(['top', 'nodes'])
  t.regex(nodes, new RegExp(`^NAME .*\\n${nodeName} +\\d+m +\\d+% +\\d+Mi +\\d+% *\\n$`))
  t.regex(await kubectl.ok(['top', 'node', nodeName, '--no-headers']), new RegExp(`^${nodeName} `))
  const missing = await kubectl.run(['top', 'pod', 'none', '-n', scene.namespace])
  t.is(missing.stderr.trim(), 'Error from server (NotFound): podmetrics.metrics.k8s.io "none" not found')
})

titled('cove top nodes shows the machine, and its share', async ({ t, ok }) => {
  const [header, row] = rowsOf(await ok('top', 'nodes'))
  t.deepEqual(header, ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)'])
  t.is(row?.[0], cove().nodeName)
  t.regex(row?.slice(1).join(' ') ?? '', /^\d+m \d+% [\d.]+[MG]i \d+%$/)
})

titled('stats are lines on a pipe and one table on a terminal', async ({ t, scene, ok }) => {
  await scene.running('web')
  await scene.run('done', { command: ['true'], restartPolicy: 'Never' })
  await scene.until('done', { exitCode: 0 })
  const once = rowsOf(await ok('stats', '--no-stream'))
  t.deepEqual(once[0], ['NAME', 'CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET I/O', 'BLOCK I/O', 'PIDS'])
  t.deepEqual(
    once.slice(1).map(([name]) => name),
    ['web'],
  )
  const named = rowsOf(await ok('stats', '--no-stream', 'web', 'done'))
  t.deepEqual(named[2], ['done', '--', '-- / --', '--', '-- / --', '-- / --', '--'])
  const env = { ...bareEnv(), KUBECONFIG: cove().kubeconfig }
  const child = spawn(process.execPath, [program, 'stats', 'web', '-n', scene.namespace], { env })
  let text = ''
  child.stdout.on('data', (data) => {
    text += data
    if (text.split('\n').length > 3) child.kill('SIGINT')
  })
  const { code } = await collect(child, '')
  t.is(code, 0)
  t.regex(text, /^NAME .*\nweb .*\nweb /)
  t.false(text.includes('\u001b'))
  const words = [process.execPath, program, 'stats', '-n', scene.namespace]
  const terminal = await inTerminal(words, [{ after: 'web', type: '\x03' }], env)
  t.true(terminal.output.includes('\u001b[H\u001b[JNAME '))
  t.regex(terminal.output, /\r\nweb +\d/)
  t.is(terminal.code, 0)
})

titled('ps shows what is managed and what is not, and whose it is', async ({ t, scene, ok, docker }) => {
  const { mark, nodeName } = cove()
  const healthcheck = { command: ['true'], interval: '1s' }
  const id = await scene.running('web', { healthcheck, ports: [{ containerPort: 80, hostIP: '127.0.0.1' }] })
  await scene.run('failed', { command: ['sh', '-c', 'exit 7'], restartPolicy: 'Never' })
  await scene.until('failed', { exitCode: 7 })
  const Labels = { 'cove-test/owner': mark, 'com.docker.compose.project': 'shop' }
  await scene.stranger(`compose-${mark}`, { Labels })
  await scene.stranger(`lonely-${mark}`)
  await scene.eventually('a healthy container', async () => {
    assert.match(await ok('ps', '--no-headers'), /Up .* \(healthy\)/)
  })
  const text = await ok('ps', '-a')
  const header = text.split('\n')[0]?.split(/ {2,}/)
  t.deepEqual(header, [
    'CONTAINER ID',
    'IMAGE',
    'COMMAND',
    'CREATED',
    'STATUS',
    'PORTS',
    'NAMES',
    'OWNER',
    'NODE',
    'HEALTH',
  ])
  const line = (name: string) => text.split('\n').find((each) => each.includes(` ${name} `)) ?? ''
  t.regex(
    line(scene.engineName('web')),
    new RegExp(`^${id.slice(0, 12)} .* container ${scene.namespace}/web +${nodeName} +healthy$`),
  )
  t.regex(line(scene.engineName('failed')), /Exited \(7\) .* ago/)
  t.regex(line(`compose-${mark}`), / compose shop /)
  t.regex(line(`lonely-${mark}`), / - +node-/)
  const theirs = await docker('ps', '-a', '--format', '{{.Names}} {{.Status}}', '--filter', `id=${id}`)
  t.true(theirs.startsWith(`${scene.engineName('web')} Up`))
  t.false((await ok('ps')).includes(scene.engineName('failed')))
  const managed = (await ok('ps', '-aq', '--managed', '--node', nodeName)).trim().split('\n')
  t.true(managed.includes(id.slice(0, 12)))
  t.regex(await ok('ps', '-q', '--no-trunc'), new RegExp(`^${id}$`, 'm'))
})

titled('every command about a container takes the beginning of its id', async ({ t, scene, run, ok }) => {
  const id = await scene.running('web', { command: ['sh', '-c', 'echo said; exec sleep 86400'] })
  t.is(await ok('logs', id.slice(0, 12)), 'said\n')
  t.is(await ok('logs', id.slice(0, 8)), await ok('logs', 'web'))
  t.is(await ok('exec', id.slice(0, 12), '--', 'echo', 'hi'), 'hi\n')
  t.is(await ok('inspect', id), await ok('inspect', 'web'))
  const { code, stdout } = await cove().cli(['port', id.slice(0, 12)])
  t.deepEqual([code, stdout], [0, ''])
  const missing = await run('logs', '0000000000')
  t.is(missing.stderr, 'Error from server (NotFound): containers.cove.run "0000000000" not found\n')
})

titled('inspect is what the engine says', async ({ t, scene, run, ok, docker }) => {
  await scene.running('web', { env: [{ name: 'WORD', value: 'said' }] })
  const [ours] = JSON.parse(await ok('inspect', 'web'))
  const [theirs] = JSON.parse(await docker('inspect', scene.engineName('web')))
  t.deepEqual(ours.Config, theirs.Config)
  t.deepEqual(ours.HostConfig, theirs.HostConfig)
  t.is(await ok('inspect', 'web', '-o', 'jsonpath={.State.Pid}'), String(theirs.State.Pid))
  const some = await run('inspect', 'web', 'none')
  t.is(some.code, 1)
  t.is(JSON.parse(some.stdout).length, 1)
  t.regex(some.stderr, /"none" not found/)
})

titled('ports are where docker port says they are', async ({ t, scene, run, ok, docker }) => {
  const ports = [
    { containerPort: 80 },
    { containerPort: 53, protocol: 'UDP' },
    { containerPort: 81, hostIP: '127.0.0.1' },
  ]
  await scene.running('web', { ports })
  t.is(await ok('port', 'web'), await docker('port', scene.engineName('web')))
  for (const port of ['80', '80/tcp', '53/udp'])
    t.is(await ok('port', 'web', port), await docker('port', scene.engineName('web'), port))
  const missing = await run('port', 'web', '99')
  t.deepEqual([missing.code, missing.stderr], [1, "error: no public port '99' published for web\n"])
})

titled('changes, an export and a commit have what was written', async ({ t, scene, run, ok, docker }) => {
  await scene.running('web', { command: ['sh', '-c', busy] })
  const changes = await scene.eventually('the changes', async () => {
    const text = await ok('changes', 'web')
    assert.match(text, /D \/bin\/wc/)
    return text
  })
  t.is(changes, 'C /bin\nD /bin/wc\nA /made-here\n')
  t.is(await ok('diff', 'container', 'web'), changes)
  t.deepEqual(
    changes.trim().split('\n').toSorted(),
    (await docker('diff', scene.engineName('web'))).trim().split('\n').toSorted(),
  )

  const directory = await makeTempDir(t, 'export')
  await mkdir(directory, { recursive: true })
  const file = join(directory, 'web.tar')
  t.is(await ok('export', 'web', '-o', file), '')
  const env = { PATH: process.env['PATH'] }
  const listed = await collect(spawn('tar', ['tf', file], { env }), '')
  t.is(listed.code, 0, listed.stderr)
  t.regex(listed.stdout, /^made-here$/m)
  const piped = await collect(
    spawn(process.execPath, [program, 'export', 'container', 'web', '-n', scene.namespace], {
      env: { ...env, KUBECONFIG: cove().kubeconfig },
    }),
    '',
  )
  t.is(piped.stdout, await readFile(file, 'utf8'))

  const reference = `cove-test/${cove().mark}-kept:1`
  const id = (
    await ok('commit', 'web', reference, '-a', 'me', '-m', 'why', '-c', 'CMD ["cat", "/made-here"]')
  ).trim()
  const [image] = JSON.parse(await docker('image', 'inspect', reference))
  t.is(image.Id, id)
  t.like(image, { Author: 'me', Comment: 'why' })
  t.deepEqual(image.Config.Cmd, ['cat', '/made-here'])
  const refused = await run('commit', 'web', 'UPPER')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /image reference "UPPER"/)
})

titled('an archive is not written to a terminal', async ({ t, scene }) => {
  await scene.running('web')
  const env = { ...bareEnv(), KUBECONFIG: cove().kubeconfig }
  const { output } = await inTerminal(
    [process.execPath, program, 'export', 'web', '-n', scene.namespace],
    [],
    env,
  )
  t.regex(output, /error: an archive is nothing for a terminal/)
})

titled('a signal reaches the process', async ({ t, scene, run, ok }) => {
  const script = 'trap "echo got usr1" USR1; while :; do sleep 0.05; done'
  await scene.running('web', { command: ['sh', '-c', script] })
  t.is(await ok('kill', '-s', 'USR1', 'web'), 'web\n')
  await scene.eventually('the signal', async () => assert.equal(await ok('logs', 'web'), 'got usr1\n'))
  const refused = await run('kill', '-s', 'NONSENSE', 'web')
  t.is(refused.code, 1)
  t.regex(refused.stderr, /Invalid signal: NONSENSE/)
  await scene.running('once', { command: ['sleep', '86400'], restartPolicy: 'Never' })
  await ok('kill', 'container', 'once')
  await scene.until('once', { exitCode: 137 })
  const ended = await run('kill', 'once')
  t.regex(ended.stderr, /container "once" is not running: it ended with exit code 137/)
})

titled(
  'who may only look sees neither environment nor files, and nobody of a namespace sees the node',
  async ({ t, scene }) => {
    await scene.running('web')
    const { kubectl } = cove()
    const at = ['-n', scene.namespace]
    for (const role of ['view', 'edit', 'admin'])
      await kubectl.ok([
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--user=${role}-${scene.namespace}`,
        ...at,
      ])
    const may = async (role: string, verb: string, resource: string, subresource = '') => {
      const words = ['auth', 'can-i', verb, resource, `--subresource=${subresource}`]
      return (await kubectl.run([...words, `--as=${role}-${scene.namespace}`, ...at])).stdout.trim() === 'yes'
    }
    const get = (role: string, look: string) => may(role, 'get', 'containers.cove.run', look)
    for (const look of ['stats', 'changes', 'ports']) t.true(await get('view', look), look)
    for (const look of ['top', 'inspect', 'export']) {
      t.false(await get('view', look), look)
      t.true(await get('edit', look), look)
    }
    t.false(await may('view', 'create', 'containers.cove.run', 'kill'))
    t.true(await may('edit', 'create', 'containers.cove.run', 'kill'))
    for (const role of ['view', 'edit', 'admin']) {
      t.false(await may(role, 'create', 'containers.cove.run', 'commit'))
      t.false(await may(role, 'get', 'nodes.cove.run', 'containers'))
      t.true(await may(role, 'list', 'pods.metrics.k8s.io'))
    }
    const operator = `operator-${scene.namespace}`
    const resources = '--resource=nodes.cove.run,nodes.cove.run/containers'
    await kubectl.ok(['create', 'clusterrole', operator, '--verb=get,list', resources])
    const binding = ['clusterrolebinding', operator, `--clusterrole=${operator}`]
    await kubectl.ok(['create', ...binding, `--user=operator-${scene.namespace}`])
    t.true(await may('operator', 'get', 'nodes.cove.run', 'containers'))
    const asViewer = (path: string) => kubectl.run(['get', '--raw', path, `--as=view-${scene.namespace}`])
    const base = `/apis/cove.run/v1/namespaces/${scene.namespace}/containers/web`
    t.is((await asViewer(`${base}/stats`)).code, 0)
    t.regex((await asViewer(`${base}/inspect`)).stderr, /cannot get resource "containers\/inspect"/)
    t.regex(
      (await asViewer(`/apis/cove.run/v1/nodes/${cove().nodeName}/containers`)).stderr,
      /cannot get resource "nodes\/containers"/,
    )
  },
)
