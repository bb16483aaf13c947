/** A machine that has joined, with a node's own rights and no more, reads all that a Build names; and is heard when asked. */
import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { build, built, imageOf, makeBuildScene, shell } from '#test/helpers/builds.ts'
import { startCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeKubectl } from '#test/helpers/kubectl.ts'
import { invite, makeMachine } from '#test/helpers/machine.ts'

test('everything that a Build can name reaches it on a machine that has joined', async (t) => {
  const cove = await startCove(t, { alone: true })
  const machine = await makeMachine(t, cove)
  await machine.start(...(await invite(cove, machine)).words)
  const scene = await makeBuildScene(cove)
  await scene.create('Secret', 'token', { stringData: { value: 'swordfish' } })
  await scene.create('Secret', 'other', { stringData: { value: 'hidden' } })
  await scene.create('Network', 'inner')
  const folder = join(machine.dir, 'site')
  await mkdir(folder)
  await writeFile(join(folder, 'page'), 'from the folder')
  const dockerfile = `FROM ${baseImage}\nCOPY page /page\nRUN --mount=type=secret,id=t cat /run/secrets/t > /seen\n`
  await writeFile(join(folder, 'Dockerfile'), dockerfile)
  const manifest = {
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata: { name: 'site', namespace: scene.namespace },
    spec: { context: { path: folder }, secrets: [{ id: 't', secret: 'token', key: 'value' }] },
  }
  const applied = await cove.cli(['apply', '-f', '-'], JSON.stringify(manifest))
  t.is(applied.code, 0, applied.stderr)
  await built(scene, 'site')
  t.is(await shell(scene, imageOf(scene, 'site'), 'cat /page /seen'), 'from the folderswordfish')
  await build(scene, 'joined', ['RUN ip addr'], { network: 'inner' })
  const path = `/apis/cove.run/v1/namespaces/${scene.namespace}/builds/joined/log?tailLines=1`
  const kubectl = makeKubectl({
    kubeconfigPath: join(machine.dir, 'agent/node.kubeconfig'),
    dir: machine.dir,
  })
  const inside = ['-n', scene.namespace, 'get']
  t.is((await kubectl.ok([...inside, 'build', 'site', '-o', 'name'])).trim(), 'build.cove.run/site')
  await kubectl.ok([...inside, 'secret', 'token'])
  const refused = await kubectl.run([...inside, 'secret', 'other'])
  t.regex(refused.stderr, /no relationship found/)
  const log = await cove.client.stream({ method: 'GET', path }, new AbortController().signal)
  let text = ''
  if (typeof log.body === 'string') text = log.body
  else if (log.body instanceof Uint8Array) text = Buffer.from(log.body).toString()
  else for await (const chunk of log.body) text += Buffer.from(chunk).toString()
  t.regex(text, /^built sha256:/)
  await scene.delete('Build', 'site')
  await scene.gone('Build', 'site')
  await eventually(async () => assert.equal((await kubectl.run([...inside, 'secret', 'token'])).code, 1), {
    timeoutMs: 20_000,
    pauseMs: 100,
    what: 'the end of the right to a Secret',
  })
})
