/** A machine joins by a token, becomes a node and renews itself; programs are known by tokens of ServiceAccounts. */
import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import test, { type ExecutionContext } from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { ensurePki } from '#pkg/apiserver/access/pki.ts'
import { caPin } from '#pkg/client/capin.ts'
import { type Daemon, startCove, type TestCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { invite, makeMachine } from '#test/helpers/machine.ts'
import { freePort } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const patience = { timeoutMs: 45_000, pauseMs: 100 }
const noSignal = new AbortController().signal

async function untilReady(cove: TestCove): Promise<void> {
  await eventually(
    async () => {
      const { status } = await cove.client.get(nodeKind, { name: cove.nodeName }, noSignal)
      assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
    },
    { ...patience, what: 'the node' },
  )
}

async function untilLogged(agent: Daemon, text: RegExp, times = 1): Promise<void> {
  const count = async () => assert.ok((agent.log().match(new RegExp(text, 'g')) ?? []).length >= times)
  await eventually(count, { ...patience, what: `"${text.source}" in the log:\n${agent.log()}` })
}

test.serial('a machine joins by a token, runs containers, and needs no token afterwards', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  const { token, words } = await invite(cove, machine)
  await machine.start(...words)
  await untilLogged(machine.agent, /joined/)
  const commandLine = await readFile(`/proc/${machine.agent.pid}/cmdline`, 'utf8')
  t.false(commandLine.includes(token.slice(7)))
  const scene = await makeScene(cove)
  await scene.running('web')
  await scene.eventually('the log', async () => {
    const { code, stderr } = await cove.cli(['logs', '-n', scene.namespace, 'web'])
    assert.equal(code, 0, stderr)
  })

  const files = await readdir(join(machine.dir, 'agent'))
  t.true(files.includes('node.kubeconfig'))
  t.is((await stat(join(machine.dir, 'agent/node.kubeconfig'))).mode & 0o777, 0o600)
  const before = await scene.inspect('web')
  await machine.agent.end('SIGTERM')
  const deleted = await cove.cli(['token', 'delete', token.slice(0, 6)])
  t.is(deleted.code, 0, deleted.stderr)
  await machine.start()
  await scene.call('POST', `/containers/${before.Id}/kill`)
  await scene.until('web', { restartCount: 1 })
  for (const log of [cove.log(), machine.agent.log()]) t.false(log.includes(token.slice(7)))
})

test.serial('an agent that is killed while it joins joins when it is started again', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  const { words } = await invite(cove, machine)
  // Before anything was asked, and when the server has signed what the agent may not have kept yet.
  for (const moment of [
    () => machine.agent.log().includes('cove agent'),
    () => cove.log().includes('signed'),
  ]) {
    await machine.start(...words)
    await eventually(async () => assert.ok(moment()), { ...patience, pauseMs: 1 })
    await machine.agent.end('SIGKILL')
  }
  await machine.start(...words)
  await untilReady(cove)
  t.pass()
})

test.serial('an agent waits for a server that is not there yet, and joins it when it comes', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  const { words } = await invite(cove, machine)
  await cove.kill('SIGTERM')
  await machine.start(...words)
  await untilLogged(machine.agent, /cannot join yet/)
  await cove.restart()
  await untilReady(cove)
  t.pass()
})

test.serial('a server that is not the pinned one is sent nothing', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  const { token, words } = await invite(cove, machine)
  const dir = join(await makeTempDir(t, 'other'), 'pki')
  const pki = await ensurePki(dir, { hosts: [], now: Date.now(), random: seededRandom(5) })
  const received: Buffer[] = []
  const other = createTlsServer({ cert: pki.server.cert + pki.ca.cert, key: pki.server.key }, (socket) => {
    socket.on('data', (data) => received.push(Buffer.from(data)))
    socket.on('error', (error) => t.log(error.message))
  })
  const port = await freePort()
  await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
  t.teardown(async () => void other.close())
  const elsewhere = words.map((word) => (word.startsWith('https:') ? `https://127.0.0.1:${port}` : word))
  await machine.start(...elsewhere)
  t.is(await machine.agent.ended(), 1)
  t.regex(machine.agent.log(), /is not the server with the authority/)
  t.is(Buffer.concat(received).toString(), '')
  t.false(machine.agent.log().includes(token.slice(7)))
  // The very same machine takes the server once the pin is its own.
  await machine.agent.end('SIGTERM')
  const pinned = elsewhere.map((word) => (word.startsWith('sha256:') ? caPin(pki.ca.cert) : word))
  await machine.start(...pinned)
  await eventually(async () => assert.match(Buffer.concat(received).toString(), /Bearer/), patience)
})

test.serial('tokens that are not good end the agent with a sentence that says what to do', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  const { words, token } = await invite(cove, machine)
  const file = join(machine.dir, 'token')
  const refused = async (content: string, message: RegExp) => {
    await writeFile(file, content)
    await machine.start(...words)
    t.is(await machine.agent.ended(), 1)
    t.regex(machine.agent.log(), message)
    await machine.agent.end('SIGTERM')
  }
  await refused('nonsense', /not of the form ID\.SECRET/)
  await refused(`${token.slice(0, -1)}${token.endsWith('0') ? '1' : '0'}`, /cove token create/)
  const taken = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: cove.nodeName } } as const
  await cove.client.create(nodeKind, { ...taken, spec: { unschedulable: false } }, noSignal)
  await refused(token, new RegExp(`cove token create --node ${cove.nodeName}`))
  const own = await invite(cove, machine, '--node', cove.nodeName)
  await machine.start(...own.words)
  await untilReady(cove)
})

test.serial(
  'a node renews its certificate again and again without a restart, and says what to do once it has ended',
  async (t) => {
    const cove = await startCove(t, { alone: true, serverWords: ['--node-certificate-lifetime', '20s'] })
    const machine = await makeMachine(t, cove)
    await machine.start(...(await invite(cove, machine)).words)
    await untilLogged(machine.agent, /certificate of this node renewed/, 2)
    const scene = await makeScene(cove)
    await scene.running('web')
    // Its connections are new ones: only the renewed certificate opens them.
    await cove.kill('SIGTERM')
    await cove.restart()
    await scene.running('api')
    await cove.kill('SIGTERM')
    await untilLogged(machine.agent, /certificate of this node has expired/)
    await machine.agent.end('SIGTERM')
    // It starts all the same, and looks after what it has.
    await machine.start()
    const advice = new RegExp(`goes on by itself: .*cove token create --node ${cove.nodeName}`)
    await untilLogged(machine.agent, advice)
    const web = await scene.inspect('web')
    await scene.call('POST', `/containers/${web.Id}/kill`)
    await scene.eventually('the restart', async () => {
      const { Id, State } = await scene.inspect('web')
      assert.deepEqual([Id, State.Running], [web.Id, true])
      assert.notEqual(State.StartedAt, web.State.StartedAt)
    })
    await machine.agent.end('SIGTERM')
    // Without a copy it could do nothing.
    const copy = join(machine.dir, 'agent/node.copy')
    await rename(copy, `${copy}.aside`)
    await machine.start()
    t.is(await machine.agent.ended(), 1)
    t.regex(machine.agent.log(), /does not know this node any more/)
    await rename(`${copy}.aside`, copy)
    await cove.restart()
    const again = await invite(cove, machine, '--node', cove.nodeName)
    await machine.agent.end('SIGTERM')
    await machine.start(...again.words)
    await untilLogged(machine.agent, /joined/, 2)
    await untilReady(cove)
    await scene.until('web', { restartCount: 1 })
  },
)

/** kubectl as nobody: it knows the server and its authority only. */
async function bareKubectl(t: ExecutionContext, cove: TestCove) {
  const dir = await makeTempDir(t, 'bare')
  const server = JSON.parse(await readFile(cove.kubeconfig, 'utf8')).clusters[0].cluster
  await mkdir(dir, { recursive: true })
  const path = join(dir, 'ca.pem')
  await writeFile(path, Buffer.from(server['certificate-authority-data'], 'base64'))
  return (token: string, ...words: string[]) =>
    cove.kubectl.run([
      '--kubeconfig=/dev/null',
      `--server=${server.server}`,
      `--certificate-authority=${path}`,
      `--token=${token}`,
      ...words,
    ])
}

test.serial(
  'kubectl makes an account and a token, asks with it, and is nobody when the account is gone',
  async (t) => {
    const cove = await startCove(t, { alone: true })
    const kubectl = await bareKubectl(t, cove)
    await cove.kubectl.ok(['create', 'serviceaccount', 'ci'])
    t.regex(await cove.kubectl.ok(['get', 'sa', 'ci']), /^NAME +AGE\nci /)
    const token = (await cove.kubectl.ok(['create', 'token', 'ci', '--duration=10m'])).trim()
    const whoami = await kubectl(token, 'auth', 'whoami', '-o', 'json')
    t.is(
      JSON.parse(whoami.stdout).status.userInfo.username,
      'system:serviceaccount:default:ci',
      whoami.stderr,
    )
    t.regex((await kubectl(token, 'api-resources')).stdout, /serviceaccounts +sa /)
    t.regex((await kubectl(token, 'get', 'secrets')).stderr, /system:serviceaccount:default:ci" cannot list/)
    t.regex((await kubectl(`${token}x`, 'get', 'secrets')).stderr, /must be logged in/)
    await cove.kubectl.ok(['delete', 'serviceaccount', 'ci'])
    t.regex((await kubectl(token, 'auth', 'whoami')).stderr, /must be logged in/)
    t.false(cove.log().includes(token))
  },
)

test.serial('cove takes a token from a kubeconfig, and refuses a login that it cannot do', async (t) => {
  const cove = await startCove(t, { alone: true })
  await cove.kubectl.ok(['create', 'serviceaccount', 'ci'])
  const dir = await makeTempDir(t, 'tokens')
  await writeFile(join(dir, 'token'), await cove.kubectl.ok(['create', 'token', 'ci']))
  const config = JSON.parse(await readFile(cove.kubeconfig, 'utf8'))
  const as = async (user: unknown) => {
    config.users[0].user = user
    await writeFile(join(dir, 'kubeconfig'), JSON.stringify(config))
    return cove.cli(['get', 'secrets', '--kubeconfig', join(dir, 'kubeconfig')])
  }
  t.regex((await as({ tokenFile: 'token' })).stderr, /User "system:serviceaccount:default:ci" cannot list/)
  t.regex((await as({ token: 'nonsense' })).stderr, /You must be logged in/)
  t.regex((await as({ exec: { command: 'login' } })).stderr, /"exec", which cove does not support/)
})

test.serial('client-node makes accounts and tokens, and asks whose they are', async (t) => {
  const { AuthenticationV1Api, CoreV1Api, KubeConfig } = await import('@kubernetes/client-node')
  const cove = await startCove(t, { alone: true })
  const config = new KubeConfig()
  config.loadFromFile(cove.kubeconfig)
  const core = config.makeApiClient(CoreV1Api)
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci' } }
  await core.createNamespacedServiceAccount({ namespace: 'default', body: account })
  const { status } = await core.createNamespacedServiceAccountToken({
    name: 'ci',
    namespace: 'default',
    body: { spec: { audiences: ['vault'] } },
  })
  const review = await config.makeApiClient(AuthenticationV1Api).createTokenReview({
    body: { spec: { token: status?.token ?? '', audiences: ['vault'] } },
  })
  t.true(review.status?.authenticated)
  t.is(review.status?.user?.username, 'system:serviceaccount:default:ci')
  t.deepEqual(review.status?.audiences, ['vault'])
})

test.serial('a Secret for a token is filled, works, and goes with its account', async (t) => {
  const cove = await startCove(t, { alone: true })
  const kubectl = await bareKubectl(t, cove)
  const metadata = { name: 'ci', annotations: { 'kubernetes.io/service-account.name': 'ci' } }
  const secret = { apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/service-account-token', metadata }
  await cove.kubectl.ok(['apply', '-f', '-'], JSON.stringify(secret))
  await cove.kubectl.ok(['create', 'serviceaccount', 'ci'])
  const data = await eventually(async () => {
    const { data } = JSON.parse(await cove.kubectl.ok(['get', 'secret', 'ci', '-o', 'json']))
    assert.deepEqual(Object.keys(data ?? {}).toSorted(), ['ca.crt', 'namespace', 'token'])
    return data
  }, patience)
  const token = Buffer.from(data.token, 'base64').toString()
  t.regex((await kubectl(token, 'auth', 'whoami')).stdout, /system:serviceaccount:default:ci/)
  await cove.kubectl.ok(['delete', 'serviceaccount', 'ci'])
  t.regex((await kubectl(token, 'auth', 'whoami')).stderr, /must be logged in/)
  await eventually(async () => {
    assert.match((await cove.kubectl.run(['get', 'secret', 'ci'])).stderr, /not found/)
  }, patience)
})

test.serial('an expired join token goes by itself, and the namespace of the tokens stays', async (t) => {
  const cove = await startCove(t, { alone: true })
  for (const [ttl, description] of [
    ['1h', 'long'],
    ['1s', 'short'],
  ] as const) {
    const { code, stderr } = await cove.cli(['token', 'create', '--ttl', ttl, '--description', description])
    t.is(code, 0, stderr)
  }
  await eventually(async () => {
    const { stdout } = await cove.cli(['token', 'list'])
    assert.match(stdout, /long/)
    assert.doesNotMatch(stdout, /short/)
  }, patience)
  t.regex((await cove.kubectl.run(['delete', 'namespace', 'kube-system'])).stderr, /may not be deleted/)
})
