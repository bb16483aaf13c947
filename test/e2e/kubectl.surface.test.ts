/** What people type: the real kubectl against a server with TLS and storage on disk. One server, a namespace per test. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import test, { type ExecutionContext } from 'ava'
import { silentLogger, systemClock, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { eventKind } from '#pkg/apis/event.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { issueNodeIdentity } from '#pkg/apiserver/access/pki.ts'
import { dialTunnel, serveThroughTunnel } from '#pkg/client/tunnel.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask } from '#test/helpers/https.ts'
import type { Kubectl } from '#test/helpers/kubectl.ts'
import { kubectlWorld } from '#test/helpers/kubectlworld.ts'

const world = kubectlWorld(test)

const signal = new AbortController().signal

function manifest(name: string, spec: Record<string, unknown> = {}, labels?: Record<string, string>): string {
  return JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, ...(labels !== undefined && { labels }) },
    spec: { image: 'nginx:1.27', ...spec },
  })
}

/** A Node is there before its certificate is made, and what it runs names it. */
function nodeText(name: string): string {
  return JSON.stringify({ apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name }, spec: {} })
}

async function read(kubectl: Kubectl, ...args: string[]) {
  return JSON.parse(await kubectl.ok(['get', ...args, '-o', 'json']))
}

test('api-resources and api-versions list every kind', async (t) => {
  const { kubectl } = world()
  const resources = await kubectl.ok(['api-resources'])
  for (const kind of kinds) t.regex(resources, new RegExp(`^${kind.plural} .*\\b${kind.kind}$`, 'm'))
  t.regex(resources, /^containers +ctr +cove\.run\/v1 +true +Container$/m)
  const versions = (await kubectl.ok(['api-versions'])).trim().split('\n')
  const served = ['v1', 'cove.run/v1', 'rbac.authorization.k8s.io/v1', 'authorization.k8s.io/v1']
  for (const version of served) t.true(versions.includes(version), version)
})

test('version tells both sides without a warning about skew', async (t) => {
  const { stdout, stderr, code } = await world().kubectl.run(['version'])
  t.is(code, 0)
  t.regex(stdout, /Server Version: v1\.32\.0\+cove\.0\.1\.0/)
  t.is(stderr, '')
})

test('explain describes a field and what is below it', async (t) => {
  const text = await world().kubectl.ok(['explain', 'container.spec.healthcheck'])
  t.regex(text, /FIELD: healthcheck <Object>/)
  t.regex(text, /Exactly one of command, shell, http, tcp, disabled\./)
  t.regex(text, /enum: Restart, Recreate, None/)
  t.regex(text, /Default: "30s"\./)
})

test('explain --recursive walks a kind to its leaves', async (t) => {
  const text = await world().kubectl.ok(['explain', 'ctr', '--recursive'])
  for (const line of [
    /^ {2}metadata\t<ObjectMeta>$/m,
    /^ {8}memory\t<Quantity>$/m,
    /containerPort\t<integer> -required-/,
  ])
    t.regex(text, line)
})

test('get prints a table, more of it with -o wide, and every other format', async (t) => {
  const kubectl = await world().inNamespace('formats')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  const lines = (await kubectl.ok(['get', 'ctr'])).split('\n')
  t.regex(lines[0] ?? '', /^NAME +READY +STATUS +HEALTH +RESTARTS +IMAGE +PORTS +AGE *$/)
  t.regex(lines[1] ?? '', /^web +Unknown +Pending +0 +nginx:1\.27 +\d+s *$/)
  t.regex(await kubectl.ok(['get', 'ctr', '-o', 'wide']), /NODE +IP +CONTAINER ID +COMMAND/)
  t.is(await kubectl.ok(['get', 'ctr', '-o', 'name']), 'container.cove.run/web\n')
  t.is(await kubectl.ok(['get', 'ctr/web', '-o', 'jsonpath={.spec.image}']), 'nginx:1.27')
  t.regex(await kubectl.ok(['get', 'containers.cove.run', 'web', '-o', 'yaml']), /^kind: Container$/m)
  t.is((await read(kubectl, 'ctr')).items.length, 1)
})

test('labels select, and -A looks into every namespace', async (t) => {
  const kubectl = await world().inNamespace('selecting')
  await kubectl.ok(['apply', '-f', '-'], manifest('one', {}, { app: 'selected' }))
  await kubectl.ok(['apply', '-f', '-'], manifest('two', {}, { app: 'other' }))
  t.is(await kubectl.ok(['get', 'ctr', '-l', 'app=selected', '-o', 'name']), 'container.cove.run/one\n')
  const everywhere = await world().kubectl.ok(['get', 'ctr', '-A', '-l', 'app in (selected, none)'])
  t.regex(everywhere, /^NAMESPACE +NAME/)
  t.regex(everywhere, /^selecting +one /m)
})

test('get -w prints changes as they happen', async (t) => {
  const kubectl = await world().inNamespace('watching')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  const child = kubectl.start(['get', 'ctr', '-w', '-o', 'name'])
  const lines = createInterface({ input: child.stdout ?? process.stdin })[Symbol.asyncIterator]()
  t.is((await lines.next()).value, 'container.cove.run/web')
  await kubectl.ok(['label', 'ctr', 'web', 'a=b'])
  t.is((await lines.next()).value, 'container.cove.run/web')
  await kubectl.ok(['apply', '-f', '-'], manifest('second'))
  t.is((await lines.next()).value, 'container.cove.run/second')
  child.kill()
  await once(child, 'close')
})

test('apply creates, leaves alone, changes, and takes out what left the manifest', async (t) => {
  const kubectl = await world().inNamespace('applying')
  const apply = (text: string) => kubectl.ok(['apply', '-f', '-'], text)
  const both = {
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
    user: 'app',
  }
  t.regex(await apply(manifest('web', both)), /web created$/m)
  const first = await read(kubectl, 'ctr', 'web')
  t.regex(await apply(manifest('web', both)), /web unchanged$/m)
  t.is((await read(kubectl, 'ctr', 'web')).metadata.resourceVersion, first.metadata.resourceVersion)
  t.regex(await apply(manifest('web', { env: [{ name: 'A', value: '9' }] })), /web configured$/m)
  const { spec, metadata } = await read(kubectl, 'ctr', 'web')
  t.deepEqual(spec.env, [{ name: 'A', value: '9' }])
  t.is(spec.user, undefined)
  t.is(metadata.generation, 2)
})

test('apply keeps list items that somebody else has added', async (t) => {
  const kubectl = await world().inNamespace('merging')
  await kubectl.ok(['apply', '-f', '-'], manifest('web', { env: [{ name: 'A', value: '1' }] }))
  const added = { spec: { env: [{ name: 'OTHER', value: 'x' }] } }
  await kubectl.ok(['patch', 'ctr', 'web', '-p', JSON.stringify(added)])
  await kubectl.ok(['apply', '-f', '-'], manifest('web', { env: [{ name: 'A', value: '2' }] }))
  const { spec } = await read(kubectl, 'ctr', 'web')
  const values = spec.env.map(({ name, value }: { name: string; value: string }) => `${name}=${value}`)
  t.deepEqual(values.toSorted(), ['A=2', 'OTHER=x'])
})

for (const [kind, resource] of [
  ['ConfigMap', 'cm'],
  ['Secret', 'secret'],
] as const) {
  test(`apply of a ${kind} merges twice`, async (t) => {
    const kubectl = await world().inNamespace(`twice-${resource}`)
    const apply = (data: Record<string, string>) =>
      kubectl.ok(
        ['apply', '-f', '-'],
        JSON.stringify({ apiVersion: 'v1', kind, metadata: { name: 'c' }, data }),
      )
    t.regex(await apply({ a: 'MQ==', b: 'Mg==' }), /created$/m)
    t.regex(await apply({ a: 'Mw==', b: 'Mg==' }), /configured$/m)
    t.regex(await apply({ a: 'Mw==' }), /configured$/m)
    t.deepEqual((await read(kubectl, resource, 'c')).data, { a: 'Mw==' })
  })
}

test('diff tells with its code whether something would change, and changes nothing', async (t) => {
  const kubectl = await world().inNamespace('differing')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  t.is((await kubectl.run(['diff', '-f', '-'], manifest('web'))).code, 0)
  const { code, stdout } = await kubectl.run(['diff', '-f', '-'], manifest('web', { image: 'nginx:1.28' }))
  t.is(code, 1)
  t.regex(stdout, /^\+ {2}image: nginx:1\.28$/m)
  t.is((await read(kubectl, 'ctr', 'web')).spec.image, 'nginx:1.27')
})

test('delete waits until the object is gone', async (t) => {
  const kubectl = await world().inNamespace('deleting')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  t.regex(await kubectl.ok(['delete', 'ctr', 'web', '--timeout=20s']), /"web" deleted/)
  const { code, stderr } = await kubectl.run(['get', 'ctr', 'web'])
  t.is(code, 1)
  t.regex(stderr, /^Error from server \(NotFound\): containers\.cove\.run "web" not found/)
})

test('an unknown field is refused with its path', async (t) => {
  const kubectl = await world().inNamespace('strict')
  const { code, stderr } = await kubectl.run(['apply', '-f', '-'], manifest('web', { imgae: 'x' }))
  t.is(code, 1)
  t.regex(stderr, /unknown field "spec\.imgae"/)
})

test('invalid values are listed one by one', async (t) => {
  const kubectl = await world().inNamespace('invalid')
  const spec = { image: 'Not Good', restartPolicy: 'Sometimes' }
  const { code, stderr } = await kubectl.run(['apply', '-f', '-'], manifest('web', spec))
  t.is(code, 1)
  t.regex(stderr, /The Container "web" is invalid:/)
  t.regex(stderr, /^\* spec\.image: /m)
  t.regex(stderr, /^\* spec\.restartPolicy: .*Always.*OnFailure.*Never/m)
})

test('label and annotate change metadata and no generation', async (t) => {
  const kubectl = await world().inNamespace('labelling')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  await kubectl.ok(['label', 'ctr', 'web', 'tier=front'])
  await kubectl.ok(['annotate', 'ctr', 'web', 'note=hello'])
  const { metadata } = await read(kubectl, 'ctr', 'web')
  t.is(metadata.labels.tier, 'front')
  t.is(metadata.annotations.note, 'hello')
  t.is(metadata.generation, 1)
})

test('wait resolves when a condition comes true', async (t) => {
  const kubectl = await world().inNamespace('waiting')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  const waiting = kubectl.ok(['wait', '--for=condition=Ready', 'ctr/web', '--timeout=20s'])
  const ready = {
    type: 'Ready',
    status: 'True',
    reason: 'Running',
    message: '',
    lastTransitionTime: '2026-01-01T00:00:00Z',
    observedGeneration: 1,
  }
  const name = { namespace: 'waiting', name: 'web', subresource: 'status' } as const
  const status = { conditions: [ready], observedGeneration: 1 }
  await world().server.client.patch(containerKind, name, { status }, signal)
  t.regex(await waiting, /condition met/)
  t.is((await kubectl.run(['wait', '--for=condition=Healthy', 'ctr/web', '--timeout=1s'])).code, 1)
})

test('describe shows the object and its events', async (t) => {
  const kubectl = await world().inNamespace('describing')
  await kubectl.ok(['apply', '-f', '-'], manifest('web'))
  const { metadata } = await read(kubectl, 'ctr', 'web')
  await recordEvent(t, metadata.uid)
  const text = await kubectl.ok(['describe', 'ctr', 'web'])
  t.regex(text, /^Name: +web$/m)
  t.regex(text, /Image: +nginx:1\.27/)
  t.regex(text, /Normal +Pulled .*agent +Pulled image nginx:1\.27/)
})

async function recordEvent(t: ExecutionContext, uid: string): Promise<void> {
  const now = new Date().toISOString().replace(/\.\d+/, '')
  const involvedObject = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    namespace: 'describing',
    name: 'web',
    uid,
  }
  const value = {
    apiVersion: 'v1',
    kind: 'Event' as const,
    metadata: { name: 'web.1', namespace: 'describing' },
    involvedObject,
    reason: 'Pulled',
    message: 'Pulled image nginx:1.27',
    type: 'Normal' as const,
    count: 1,
    firstTimestamp: now,
    lastTimestamp: now,
    source: { component: 'agent' },
  }
  await t.notThrowsAsync(world().server.client.create(eventKind, value, signal))
}

test('logs of a container whose node is away say so', async (t) => {
  const kubectl = await world().inNamespace('logging')
  await kubectl.ok(['apply', '-f', '-'], manifest('web', { nodeName: 'edge-9' }))
  const path = '/apis/cove.run/v1/namespaces/logging/containers/web/log'
  const name = { namespace: 'logging', name: 'web', subresource: 'status' } as const
  await world().server.client.patch(containerKind, name, { status: { containerID: 'c1' } }, signal)
  const { code, stderr } = await kubectl.run(['get', '--raw', path])
  t.is(code, 1)
  t.regex(stderr, /node "edge-9" cannot be reached/)
})

test('the log of a container comes from its node, through the connection that the agent opened', async (t) => {
  const { server } = world()
  const kubectl = await world().inNamespace('tunnelled')
  await kubectl.ok(['apply', '-f', '-'], manifest('web', { nodeName: 'edge-2' }))
  const name = { namespace: 'tunnelled', name: 'web', subresource: 'status' } as const
  await server.client.patch(containerKind, name, { status: { containerID: 'c1' } }, signal)
  await kubectl.ok(['create', '-f', '-'], nodeText('edge-2'))
  const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const identity = await issueNodeIdentity(server.pki.ca, 'edge-2', {
    now: Date.now(),
    random: ambient.random,
  })
  const to = { server: server.url, nodeName: 'edge-2', ca: server.pki.ca.cert }
  const agent = new AbortController()
  const serving = serveThroughTunnel({
    dial: dialTunnel({ ...to, identity: () => identity, clock: ambient.clock }),
    handler: async ({ path, query }) => ({
      status: 200,
      headers: { 'content-type': 'text/plain' },
      body: `${path} ${query}\n`,
    }),
    signal: agent.signal,
    ...ambient,
  })
  t.teardown(async () => {
    agent.abort()
    await serving
  })
  const path = '/apis/cove.run/v1/namespaces/tunnelled/containers/web/log?tailLines=2'
  const text = await eventually(() => kubectl.ok(['get', '--raw', path]))
  t.is(text, '/containers/tunnelled/web/log tailLines=2\n')
})

test('create namespace, configmap and secret work, which kubectl sends as protobuf', async (t) => {
  const { kubectl } = world()
  await kubectl.ok(['create', 'namespace', 'typed'])
  const scoped = ['-n', 'typed']
  await kubectl.ok([...scoped, 'create', 'configmap', 'c', '--from-literal=a=1', '--from-literal=empty='])
  await kubectl.ok([...scoped, 'create', 'secret', 'generic', 's', '--from-literal=password=hü'])
  t.deepEqual((await read(kubectl, ...scoped, 'cm', 'c')).data, { a: '1', empty: '' })
  const secret = await read(kubectl, ...scoped, 'secret', 's')
  t.is(secret.type, 'Opaque')
  t.is(Buffer.from(secret.data.password, 'base64').toString(), 'hü')
  t.is((await kubectl.run(['create', 'namespace', 'Not_Good'])).code, 1)
})

test('auth can-i and whoami answer for the user who asks', async (t) => {
  const { kubectl } = world()
  t.is(await kubectl.ok(['auth', 'can-i', 'delete', 'containers.cove.run']), 'yes\n')
  t.regex(await kubectl.ok(['auth', 'whoami']), /Username +cove-admin/)
  const asBob = await kubectl.run(['auth', 'can-i', 'get', 'secrets', '--as', 'bob'])
  t.is(asBob.code, 1)
  t.regex(asBob.stdout, /^no/)
})

test('nobody gets in without a certificate, or with a token instead', async (t) => {
  const { kubectl, server } = world()
  const stranger = { port: Number(new URL(server.url).port), ca: server.pki.ca.cert }
  const answer = await ask(stranger, '/api/v1/secrets')
  t.is(answer.status, 403)
  const { message } = JSON.parse(String(answer.body))
  t.regex(message, /secrets is forbidden: User "system:anonymous" cannot list resource "secrets"/)
  t.is((await ask(stranger, '/livez')).status, 200)
  const elsewhere = ['--kubeconfig', '/dev/null', '--server', server.url, '--insecure-skip-tls-verify']
  const { code, stderr } = await kubectl.run([
    ...elsewhere,
    '--token',
    'x',
    'get',
    '--raw',
    '/api/v1/secrets',
  ])
  t.is(code, 1)
  t.regex(stderr, /You must be logged in to the server|Unauthorized/)
})

test('a node, with its own certificate, may not create what it runs', async (t) => {
  const { kubectl, server } = world()
  const dir = server.dir
  await kubectl.ok(['create', '-f', '-'], nodeText('edge-1'))
  const { cert, key } = await issueNodeIdentity(server.pki.ca, 'edge-1', {
    now: Date.now(),
    random: systemRandom(),
  })
  await writeFile(join(dir, 'node.crt'), cert)
  await writeFile(join(dir, 'node.key'), key)
  const user = ['--client-certificate', join(dir, 'node.crt'), '--client-key', join(dir, 'node.key')]
  const trust = ['--kubeconfig', '/dev/null', '--server', server.url, '--insecure-skip-tls-verify']
  t.is(
    (await kubectl.run([...trust, ...user, 'get', 'ctr', '-A', '--field-selector=spec.nodeName=edge-1']))
      .code,
    0,
  )
  const { code, stderr } = await kubectl.run(
    [...trust, ...user, '-n', 'default', 'create', '-f', '-'],
    manifest('web'),
  )
  t.is(code, 1)
  t.regex(stderr, /User "system:node:edge-1" cannot create resource "containers" in API group "cove.run"/)
})
