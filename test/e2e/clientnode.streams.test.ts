/** @kubernetes/client-node: objects, Pods, and streams into them, against real containers of `cove up`. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import {
  Attach,
  CoreV1Api,
  Cp,
  Exec,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  Log,
  makeInformer,
  PatchStrategy,
  PortForward,
  type V1Pod,
  type V1Status,
} from '@kubernetes/client-node'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeScene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)
const sh = (line: string) => ['sh', '-c', line]
const within = { timeoutMs: 20_000, pauseMs: 50 }

function config(): KubeConfig {
  const made = new KubeConfig()
  made.loadFromFile(cove().kubeconfig)
  return made
}

/** A stream that keeps what is written to it. */
function sink() {
  const stream = new PassThrough()
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  return { stream, text: () => Buffer.concat(chunks).toString() }
}

/** Runs a command to its end. */
async function exec(namespace: string, command: readonly string[], input?: string) {
  const [out, err] = [sink(), sink()]
  const ended = Promise.withResolvers<V1Status>()
  const stdin = input === undefined ? null : Readable.from([Buffer.from(input)])
  await new Exec(config()).exec(
    namespace,
    'web',
    'web',
    [...command],
    out.stream,
    err.stream,
    stdin,
    false,
    ended.resolve,
  )
  return { status: await ended.promise, stdout: out.text(), stderr: err.text() }
}

test('Exec gives output, exit code, and takes megabytes of input', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web')
  const told = await exec(scene.namespace, sh('echo out; echo err >&2; exit 3'))
  t.deepEqual([told.stdout, told.stderr], ['out\n', 'err\n'])
  t.like(told.status, { status: 'Failure', reason: 'NonZeroExitCode' })
  t.is(told.status.details?.causes?.[0]?.message, '3')
  const data = randomBytes(2 ** 21).toString('hex')
  const echoed = await exec(scene.namespace, ['cat'], data)
  t.true(echoed.stdout === data)
  t.is(echoed.status.status, 'Success')
})

test('Attach shows what the container writes', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: sh('while true; do echo tick; sleep 0.1; done') })
  const out = sink()
  const socket = await new Attach(config()).attach(
    scene.namespace,
    'web',
    'web',
    out.stream,
    null,
    null,
    false,
  )
  await eventually(() => assert.match(out.text(), /tick\ntick\n/), within)
  socket.close()
  await once(socket, 'close')
  t.pass()
})

test('Log reads and follows', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', {
    command: sh('echo one; echo two; until [ -e /go ]; do sleep 0.1; done; echo last'),
    restartPolicy: 'Never',
  })
  const out = sink()
  await new Log(config()).log(scene.namespace, 'web', 'web', out.stream, {
    follow: true,
    tailLines: 1,
    previous: false,
    pretty: false,
    timestamps: false,
  })
  await eventually(() => assert.equal(out.text(), 'two\n'), within)
  await scene.exec('web', ['touch', '/go'])
  await eventually(() => assert.equal(out.text(), 'two\nlast\n'), within)
  // Aborting would end this process: the library leaves the error of its own stream to nobody.
  await finished(out.stream)
  const api = config().makeApiClient(CoreV1Api)
  t.is(await api.readNamespacedPodLog({ name: 'web', namespace: scene.namespace, limitBytes: 3 }), 'one')
})

test('PortForward carries a connection', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: ['nc', '-ll', '-p', '8080', '-e', 'cat'] })
  const [out, err, input] = [sink(), sink(), new PassThrough()]
  const socket = await new PortForward(config()).portForward(
    scene.namespace,
    'web',
    [8080],
    out.stream,
    err.stream,
    input,
  )
  if (typeof socket === 'function') throw new Error('it was not asked to try again')
  const data = randomBytes(2 ** 20).toString('hex')
  input.write(data)
  await eventually(() => assert.equal(out.text().length, data.length), within)
  t.true(out.text() === data)
  t.is(err.text(), '')
  socket.close()
})

test('Cp carries files both ways', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web')
  const dir = await makeTempDir(t, 'cp')
  const data = randomBytes(2 ** 20).toString('hex')
  await mkdir(join(dir, 'there'))
  await writeFile(join(dir, 'there', 'file'), data)
  const cp = new Cp(config())
  await scene.exec('web', ['mkdir', '/folder'])
  await cp.cpToPod(scene.namespace, 'web', 'web', join(dir, 'there'), '/folder')
  await scene.eventually('the copy', async () =>
    assert.equal(await scene.exec('web', sh('wc -c </folder/file')), String(data.length)),
  )
  // It resolves when the copying has begun.
  await cp.cpFromPod(scene.namespace, 'web', 'web', 'folder', join(dir, 'back'), '/')
  await eventually(
    async () => assert.ok((await readFile(join(dir, 'back', 'folder', 'file'), 'utf8')) === data),
    within,
  )
  t.pass()
})

test('an informer of Pods follows Containers', async (t) => {
  const scene = await makeScene(cove())
  const { namespace } = scene
  const api = config().makeApiClient(CoreV1Api)
  const list = () => api.listNamespacedPod({ namespace })
  const informer = makeInformer<V1Pod>(config(), `/api/v1/namespaces/${namespace}/pods`, list)
  const seen: string[] = []
  for (const verb of ['add', 'update', 'delete'] as const)
    informer.on(verb, (pod) => seen.push(`${verb} ${pod.metadata?.name} ${pod.status?.phase}`))
  await informer.start()
  await scene.running('web')
  await eventually(() => assert.ok(seen.includes('update web Running'), seen.join(', ')), within)
  await scene.delete('Container', 'web')
  await eventually(() => assert.match(seen.at(-1) ?? '', /^delete web/), within)
  await informer.stop()
  t.is(seen[0], 'add web Pending')
})

test('KubernetesObjectApi creates, reads, patches and deletes a Container', async (t) => {
  const scene = await makeScene(cove())
  const api = KubernetesObjectApi.makeApiClient(config())
  const of = { apiVersion: 'cove.run/v1', kind: 'Container' }
  const metadata = { name: 'web', namespace: scene.namespace }
  const create: KubernetesObject & { spec: unknown } = {
    ...of,
    metadata,
    spec: { image: baseImage, command: ['sleep', '86400'], terminationGracePeriodSeconds: 0 },
  }
  await api.create(create)
  await scene.ready('web')
  const labelled = { ...of, metadata: { ...metadata, labels: { app: 'x' } } }
  await api.patch(labelled, undefined, undefined, undefined, undefined, PatchStrategy.MergePatch)
  const read = await api.read({ ...of, metadata })
  t.deepEqual(read.metadata?.labels, { app: 'x' })
  await api.delete({ ...of, metadata })
  await scene.vanished('web')
})
