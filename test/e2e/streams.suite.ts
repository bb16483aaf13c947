/** exec, attach, cp, port-forward and logs of the run before, by the CLI as a process against a real engine. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { ExecutionContext, TestFn } from 'ava'
import { type CoveOptions, program, sharedCove, type TestCove } from '#test/helpers/cove.ts'
import { bareEnv } from '#test/helpers/processenv.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { inTerminal, type Step } from '#test/helpers/terminal.ts'

const mebibyte = 1024 ** 2

interface Ran {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

export function streamsSuite(test: TestFn, options: CoveOptions): void {
  const cove = sharedCove(test, options)
  const titled = (title: string, body: (t: ExecutionContext, scene: Scene) => Promise<void>) =>
    test(title, async (t) => {
      await body(t, await makeScene(cove()))
      t.pass()
    })

  titled(
    'a command sends 20 MB through and back, its exit code is the own, its streams stay apart',
    async (t, scene) => {
      await scene.running('web')
      const data = randomBytes(20 * mebibyte)
      const began = performance.now()
      const echoed = await cli(scene, ['exec', '-i', 'web', '--', 'cat'], data)
      t.log(`20 MB each way in ${Math.round(performance.now() - began)} ms, start of the CLI included`)
      assert.equal(echoed.code, 0, echoed.stderr)
      assert.equal(digest(echoed.stdout), digest(data))
      const apart = await cli(scene, ['exec', 'web', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])
      assert.equal(apart.stdout.toString(), 'out\n')
      assert.equal(apart.stderr, 'err\ncommand terminated with exit code 7\n')
      assert.equal(apart.code, 7)
      const counted = await cli(scene, ['exec', '-i', 'web', '--', 'wc', '-c'], data)
      assert.equal(counted.stdout.toString().trim(), String(data.length))
      const latency: number[] = []
      for (let round = 0; round < 3; round++) {
        const start = performance.now()
        await cli(scene, ['exec', 'web', '--', 'true'])
        latency.push(Math.round(performance.now() - start))
      }
      t.log(`exec of true: ${latency.join(', ')} ms, start of the CLI included`)
    },
  )

  titled('what cannot be done is told in a sentence', async (_t, scene) => {
    const none = await cli(scene, ['exec', 'nosuch', '--', 'true'])
    assert.equal(none.code, 1)
    assert.match(none.stderr, /^Error from server \(NotFound\): containers\.cove\.run "nosuch" not found/)
    await scene.run('once', { command: ['sh', '-c', 'exit 3'], restartPolicy: 'Never' })
    await scene.until('once', { exitCode: 3 })
    const ended = await cli(scene, ['exec', 'once', '--', 'true'])
    assert.match(ended.stderr, /container "once" is not running: it ended with exit code 3/)
    assert.equal((await cli(scene, ['exec', 'once'])).code, 2)
    await scene.running('web')
    const missing = await cli(scene, ['exec', 'web', '--', 'no-such-program'])
    assert.equal(missing.code, 126)
    assert.match(missing.stdout.toString(), /executable file not found/)
  })

  titled(
    'a terminal has its size, follows its changes, passes Ctrl-C on and is given back',
    async (t, scene) => {
      await scene.running('web')
      const words = ['exec', '-it', 'web', '--', 'sh']
      const session = await terminal(scene, words, [
        { after: '# ', type: 'stty size; echo first\r' },
        { after: 'first\r\n', resize: [33, 101] },
        { after: '# ', type: 'sleep 100\r' },
        { after: 'sleep 100\r\n', type: '\x03' },
        { after: '# ', type: 'stty size; exit 9\r' },
      ])
      t.log(session.output)
      assert.match(session.output, /24 80\r\n/)
      assert.match(session.output, /33 101\r\n/)
      assert.equal(session.code, 9)
      assert.equal(session.restored, true)
    },
  )

  titled('who attaches sees what is written and is read', async (t, scene) => {
    await scene.running('echo', { command: ['cat'], stdin: true })
    const child = background(t, scene, ['attach', '-i', 'echo'])
    child.stdin.write('hello\n')
    const [seen] = await once(child.stdout, 'data')
    assert.equal(String(seen), 'hello\n')
    child.kill('SIGINT')
    await once(child, 'exit')
    await scene.running('shell', { command: ['sh'], stdin: true, tty: true })
    const session = await terminal(
      scene,
      ['attach', '-it', '--yes', 'shell'],
      [
        { after: 'enter.\r\n', type: '\r' },
        { after: '# ', type: 'echo $((20+3)); exit 4\r' },
      ],
    )
    assert.match(session.output, /23\r\n/)
    assert.equal(session.restored, true)
  })

  titled('files and directories with odd names go in and come out as they were', async (t, scene) => {
    await scene.running('web')
    const here = await makeTempDir(t, 'cp')
    const odd = join(here, 'odd dir:ü')
    await mkdir(join(odd, 'in ner', 'empty'), { recursive: true })
    await writeFile(join(odd, "it's $HOME \n.txt"), 'odd')
    await writeFile(join(odd, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 })
    await writeFile(join(odd, 'x'.repeat(150)), 'long')
    const big = randomBytes(20 * mebibyte)
    await writeFile(join(odd, 'in ner', 'big'), big)
    await symlink('run.sh', join(odd, 'link'))
    await ok(scene, ['cp', odd, 'web:/srv'])
    const listed = await ok(scene, ['exec', 'web', '--', 'ls', '-l', '/srv'])
    assert.match(listed, /-rwxr-xr-x.* run\.sh/)
    await ok(scene, ['cp', 'web:/srv', join(here, 'back')])
    for (const [name, text] of Object.entries({ "it's $HOME \n.txt": 'odd', ['x'.repeat(150)]: 'long' }))
      assert.equal(await readFile(join(here, 'back', name), 'utf8'), text)
    assert.equal(digest(await readFile(join(here, 'back', 'in ner', 'big'))), digest(big))
    assert.equal(await readlink(join(here, 'back', 'link')), 'run.sh')
    await ok(scene, ['cp', join(odd, 'run.sh'), 'web:/srv/in ner'])
    await ok(scene, ['cp', join(odd, 'run.sh'), 'web:/srv/other name'])
    assert.equal(await ok(scene, ['exec', 'web', '--', 'cat', '/srv/in ner/run.sh']), '#!/bin/sh\n')
    await ok(scene, ['cp', 'container/web:/srv/other name', `${here}/`])
    assert.equal(await readFile(join(here, 'other name'), 'utf8'), '#!/bin/sh\n')
    const none = await cli(scene, ['cp', 'web:/no/such/file', here])
    assert.equal(none.code, 1)
    assert.match(none.stderr, /Could not find the file \/no\/such\/file/)
    assert.equal((await cli(scene, ['cp', join(here, 'nothing'), 'web:/srv'])).code, 1)
    assert.match((await cli(scene, ['cp', odd, 'web:/no/where/at/all'])).stderr, /error|Error/)
  })

  titled('a link that leads out of what is copied stays out', async (t, scene) => {
    await scene.running('web', {
      command: [
        'sh',
        '-c',
        'mkdir /d; ln -s /etc/passwd /d/out; ln -s ../.. /d/up; echo a > /d/a; exec sleep 86400',
      ],
    })
    const here = await makeTempDir(t, 'cp')
    const copied = await cli(scene, ['cp', 'web:/d', join(here, 'd')])
    assert.equal(copied.code, 0, copied.stderr)
    assert.match(copied.stderr, /skipping symlink that leads out: .*out -> \/etc\/passwd/)
    assert.equal(await readFile(join(here, 'd', 'a'), 'utf8'), 'a\n')
    await assert.rejects(readlink(join(here, 'd', 'up')))
  })

  titled(
    'a forwarded port carries many connections, large answers and both ends of each',
    async (t, scene) => {
      const script =
        'mkdir -p /www; head -c 20971520 /dev/zero > /www/big; echo hi > /www/small; exec httpd -f -p 8080 -h /www'
      await scene.create('Network', 'inner', { spec: {} })
      await scene.running('web', { command: ['sh', '-c', script], networks: [{ name: 'inner' }] })
      const child = background(t, scene, ['port-forward', 'web', ':8080', ':9999'])
      const port = await forwarded(child.stdout)
      const url = `http://127.0.0.1:${port}`
      await scene.eventually('httpd', async () =>
        assert.equal(await (await fetch(`${url}/small`)).text(), 'hi\n'),
      )
      const texts = await Promise.all(
        Array.from({ length: 20 }, async () =>
          (await fetch(`${url}/small`, { headers: { connection: 'close' } })).text(),
        ),
      )
      assert.deepEqual(new Set(texts), new Set(['hi\n']))
      const began = performance.now()
      const big = await (await fetch(`${url}/big`)).arrayBuffer()
      t.log(`20 MB out of a forwarded port in ${Math.round(performance.now() - began)} ms`)
      assert.equal(big.byteLength, 20 * mebibyte)
      // The request ends before it is answered.
      const half = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      half.end('GET /small HTTP/1.0\r\n\r\n')
      assert.match(String(await buffer(half)), /hi\n$/)
      child.kill('SIGINT')
      await once(child, 'exit')
    },
  )

  titled('a port nobody listens on is told, and the others go on', async (t, scene) => {
    await scene.running('web')
    const child = background(t, scene, ['port-forward', 'web', ':9999'])
    const port = await forwarded(child.stdout)
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    const [words] = await once(child.stderr, 'data')
    assert.match(String(words), /nothing answers on port 9999 of container "web" \(.*ECONNREFUSED/)
    child.kill('SIGINT')
    await once(child, 'exit')
  })

  titled('the log of the run before outlives a crash, and is apart from the run now', async (_t, scene) => {
    const script =
      'test -e /tmp/x && { echo second; exec sleep 86400; }; mkdir -p /tmp/x; echo first; sleep 0.2; exit 3'
    await scene.running('web', { command: ['sh', '-c', script] })
    await scene.until('web', { restartCount: 1 })
    await scene.eventually('both logs', async () => {
      assert.equal(await ok(scene, ['logs', 'web']), 'second\n')
      assert.equal(await ok(scene, ['logs', '-p', 'web']), 'first\n')
    })
    await scene.running('fresh')
    const none = await cli(scene, ['logs', '-p', 'fresh'])
    assert.match(none.stderr, /previous terminated container "fresh" in pod "fresh" not found/)
  })

  titled('a client that is killed ends the input of its command', async (t, scene) => {
    await scene.running('web')
    const child = background(t, scene, [
      'exec',
      '-i',
      'web',
      '--',
      'sh',
      '-c',
      'echo ready; cat; echo ended > /ended',
    ])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await scene.eventually('the end', async () =>
      assert.equal(await ok(scene, ['exec', 'web', '--', 'cat', '/ended']), 'ended\n'),
    )
  })
}

function start({ cove, namespace }: Scene, words: readonly string[]) {
  const env = environment(cove)
  const [command = '', ...rest] = words
  return spawn(process.execPath, [program, command, '-n', namespace, ...rest], { env })
}

/** Goes with the test at the latest. */
function background(t: ExecutionContext, scene: Scene, words: readonly string[]) {
  const child = start(scene, words)
  t.teardown(() => child.kill('SIGKILL'))
  return child
}

function environment({ kubeconfig }: TestCove) {
  return { ...bareEnv(), HOME: process.env['HOME'], KUBECONFIG: kubeconfig }
}

async function cli(scene: Scene, words: readonly string[], input: Uint8Array | string = ''): Promise<Ran> {
  const child = start(scene, words)
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    buffer(child.stdout),
    buffer(child.stderr),
    once(child, 'exit'),
  ])
  return { code, stdout, stderr: stderr.toString() }
}

async function ok(scene: Scene, words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cli(scene, words)
  assert.equal(code, 0, `${words.join(' ')}: ${stderr}`)
  return stdout.toString()
}

function terminal({ cove, namespace }: Scene, words: readonly string[], steps: readonly Step[]) {
  const [command = '', ...rest] = words
  const argv = [process.execPath, program, command, '-n', namespace, ...rest]
  return inTerminal(argv, steps, { ...environment(cove), TERM: 'xterm' })
}

/** The port of the first line of a port-forward. */
async function forwarded(stdout: NodeJS.ReadableStream): Promise<number> {
  const [line] = await once(stdout, 'data')
  return Number(/^Forwarding from 127\.0\.0\.1:(\d+) -> /.exec(String(line))?.[1])
}

function digest(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
