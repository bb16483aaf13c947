/**
 * Nothing secret is told: not in the logs of server and agent, not in the audit log, in no event, description, status or
 * error, whatever goes wrong with Secrets, registries and tokens. Against a whole `cove up` that logs all it can.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { collect, type Output } from '#test/helpers/kubectl.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test, { serverWords: ['--log-level', 'debug'] })
const stdin = ['-f', '-']
const patience = { timeoutMs: 30_000, pauseMs: 100 }

/** A value that is nowhere else, and every way to find it again: as it is, and in base64 wherever it begins. */
function makeMarker() {
  const marker = `MARK${randomBytes(12).toString('hex')}`
  // The characters at both ends also depend on what stands beside it.
  const inBase64 = [0, 1, 2].map((shift) =>
    Buffer.from('x'.repeat(shift) + marker)
      .toString('base64')
      .replace(/=+$/, '')
      .slice(shift === 0 ? 0 : shift + 1, -2),
  )
  return { marker, traces: [marker, ...inBase64] }
}

const { marker, traces } = makeMarker()
const base64 = (text: string) => Buffer.from(text).toString('base64')

function clean(t: ExecutionContext, where: string, text: string): void {
  for (const trace of traces) {
    const at = text.indexOf(trace)
    t.is(at, -1, `${where} tells: ${text.slice(Math.max(0, at - 200), at + 60)}`)
  }
}

function secret(name: string, fields: object): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, ...fields })
}

function container(name: string, spec: object): string {
  const metadata = { name }
  return JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Container', metadata, spec })
}

/** Commands in the scene's namespace; what they print is kept. */
function teller({ namespace, cove: { kubectl } }: Scene) {
  const told: (Output & { readonly words: string })[] = []
  const run = async (args: readonly string[], input?: string) => {
    const output = await kubectl.run(['-n', namespace, ...args], input)
    told.push({ ...output, words: args.join(' ') })
    return output
  }
  return { run, told }
}

type Run = ReturnType<typeof teller>['run']

/** Secrets as people make them. */
async function makeSecrets(t: ExecutionContext, run: Run): Promise<void> {
  const login = ['--docker-server=127.0.0.1:1', '--docker-username=me', `--docker-password=${marker}`]
  const made = [
    await run(['create', 'secret', 'generic', 'plain', `--from-literal=password=${marker}`]),
    await run(['create', 'secret', 'docker-registry', 'login', ...login]),
    await run(['create', ...stdin], secret('text', { stringData: { password: marker } })),
    await run(['apply', ...stdin], secret('applied', { stringData: { password: marker } })),
    await run(
      ['apply', '--server-side', '--field-manager=one', ...stdin],
      secret('owned', { stringData: { password: marker } }),
    ),
    await run(
      ['create', ...stdin],
      secret('pair', { type: 'kubernetes.io/tls', stringData: { 'tls.key': marker, 'tls.crt': marker } }),
    ),
    await run(['label', 'secret', 'plain', 'a=b']),
    await run(['annotate', 'secret', 'text', 'a=b']),
  ]
  for (const { code, stderr } of made) t.is(code, 0, stderr)
}

/** Writes of Secrets that are refused, each for another reason. */
async function makeMistakes(t: ExecutionContext, run: Run, namespace: string): Promise<void> {
  const create = (fields: object) => run(['create', ...stdin], secret('wrong', fields))
  const patch = (type: string, change: unknown) =>
    run(['patch', 'secret', 'plain', `--type=${type}`, '-p', JSON.stringify(change)])
  const raw = (body: string) =>
    run(['create', '--raw', `/api/v1/namespaces/${namespace}/secrets`, ...stdin], body)
  const refused = [
    await create({ data: { password: `not base64: ${marker}` } }),
    await create({ data: { 'not a key': base64(marker) } }),
    await create({ data: [marker] }),
    await create({ data: { password: [base64(marker)] } }),
    await create({ stringData: marker }),
    await create({ stringData: { password: { inside: marker } } }),
    await create({ immutable: marker }),
    await create({ stringData: { password: marker }, pasword: marker }),
    await create({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': marker } }),
    await run(['create', ...stdin], secret('plain', { stringData: { password: marker } })),
    await raw(`{"kind":"Secret","stringData":{"password":"${marker}"`),
    await raw(`{"kind":"Secret","stringData":{"password":${marker}}}`),
    await raw(`${marker}`),
    await raw(`{"metadata":{"name":"x"},"stringData":{"a":"${marker}","a":"${marker}"}}`),
    await run(
      ['apply', '--server-side', '--field-manager=two', ...stdin],
      secret('owned', { stringData: { password: `${marker}2` } }),
    ),
    await patch('json', [{ op: 'test', path: '/data/password', value: marker }]),
    await patch('json', [{ op: 'replace', path: '/data/none', value: marker }]),
    await patch('json', [{ op: marker, path: '/data/none' }]),
    await patch('merge', { data: { password: marker.slice(0, 5) + marker } }),
    await patch('merge', { stringData: { password: 7 }, data: { password: { a: marker } } }),
    await patch('merge', { metadata: { resourceVersion: '1' }, data: { password: base64(marker) } }),
  ]
  for (const { code, stdout } of refused) t.is(code, 1, stdout)
  const short = await raw('{"kind":"Secret","stringData":{"password":hunter2}}')
  t.regex(short.stderr, /the body is not JSON: Unexpected token 'h'\n$/)
}

/** Containers that want what is in Secrets, and get it, or not. */
async function makeContainers(t: ExecutionContext, run: Run, scene: Scene): Promise<void> {
  const from = (name: string, key: string) => ({
    name: 'PASSWORD',
    valueFrom: { secretKeyRef: { name, key } },
  })
  await scene.running('holder', {
    env: [from('plain', 'password')],
    mounts: [{ secret: 'plain', mountPath: '/secret' }],
  })
  const image = '127.0.0.1:1/none:1'
  const wanting = await run(
    ['create', ...stdin],
    container('wanting', { image, env: [from('plain', 'none')] }),
  )
  t.is(wanting.code, 0, wanting.stderr)
  const pulling = container('pulling', { image, imagePullSecrets: [{ name: 'login' }] })
  t.is((await run(['create', ...stdin], pulling)).code, 0)
  const reason = 'jsonpath={.status.conditions[?(@.type=="Ready")].reason}'
  await eventually(async () => {
    const { stdout } = await run(['get', 'ctr', 'wanting', '-o', reason])
    if (stdout === '') throw new Error('it says nothing yet')
  }, patience)
}

/** Everything that people look at and that others may read. */
async function everythingTold(run: Run): Promise<void> {
  for (const { plural, group, kind } of servedKinds) {
    const type = group === '' ? plural : `${plural}.${group}`
    await run(['describe', type])
    await run(['get', type, '-o', 'wide', '--show-labels'])
    if (kind !== 'Secret') await run(['get', type, '-A', '-o', 'yaml', '--show-managed-fields'])
  }
  await run(['events'])
  await run(['get', 'secrets', '-o', 'custom-columns=FIELDS:.metadata.managedFields'])
}

test('nothing secret is told by logs, audit, events, descriptions and errors', async (t) => {
  const scene = await makeScene(cove())
  const { run, told } = teller(scene)
  await makeSecrets(t, run)
  await makeMistakes(t, run, scene.namespace)
  await makeContainers(t, run, scene)
  await everythingTold(run)
  for (const name of ['plain', 'applied']) {
    const { stdout } = await cove().cli(['describe', 'secret', name, '-n', scene.namespace])
    clean(t, `cove describe secret ${name}`, stdout)
  }
  for (const { words, stdout, stderr } of told) {
    clean(t, `the output of ${words}`, stdout)
    clean(t, `the errors of ${words}`, stderr)
  }
  clean(t, 'the log', cove().log())
  clean(t, 'the audit log', await readFile(join(cove().dataDir, 'audit.log'), 'utf8'))
  // What is looked for would be found: whoever may read a Secret reads it.
  const { stdout } = await cove().kubectl.run(['-n', scene.namespace, 'get', 'secret', 'plain', '-o', 'yaml'])
  t.true(traces.some((trace) => stdout.includes(trace)))
  t.is(await scene.exec('holder', ['cat', '/secret/password']), marker)
})

test('tokens are told to nobody but who asked for them', async (t) => {
  const { kubectl, log, dataDir, cli } = cove()
  const scene = await makeScene(cove())
  await kubectl.ok(['-n', scene.namespace, 'create', 'serviceaccount', 'ci'])
  const token = (await kubectl.ok(['-n', scene.namespace, 'create', 'token', 'ci'])).trim()
  const own = ['--kubeconfig=/dev/null', `--server=${await serverOf()}`, '--insecure-skip-tls-verify']
  const used = await kubectl.run([...own, `--token=${token}`, 'get', 'ctr', '-A', '-v=8'])
  t.regex(used.stderr, /system:serviceaccount/)
  const damaged = `${token.slice(0, -6)}AAAAAA`
  t.regex((await kubectl.run([...own, `--token=${damaged}`, 'get', 'ctr'])).stderr, /must be logged in/)
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } }
  t.is(
    await kubectl.ok(['create', ...stdin, '-o', 'jsonpath={.status.authenticated}'], JSON.stringify(review)),
    'true',
  )
  const invitation = await cli(['token', 'create'])
  const [, join6 = '', joinSecret = ''] = /\b([a-z0-9]{6})\.([a-z0-9]{16})\b/.exec(invitation.stdout) ?? []
  t.is(join6.length, 6, invitation.stderr)
  const audit = await readFile(join(dataDir, 'audit.log'), 'utf8')
  const events = await kubectl.ok(['get', 'events', '-A', '-o', 'yaml'])
  for (const [where, text] of Object.entries({ log: log(), audit, events, stderr: used.stderr }))
    for (const told of [token, token.split('.')[2] ?? '', damaged, joinSecret])
      t.false(text.includes(told), where)
})

/** Where the server listens, as kubectl knows it. */
async function serverOf(): Promise<string> {
  const env = { ...process.env, KUBECONFIG: cove().kubeconfig }
  const args = ['config', 'view', '-o', 'jsonpath={.clusters[0].cluster.server}']
  return (await collect(spawn('kubectl', args, { env }), '')).stdout
}
