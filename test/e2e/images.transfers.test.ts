/** Images on their way to nodes and away from them, by the CLI, with a real registry and docker's own client as witnesses. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { encodeRegistryAuth } from '#pkg/apis/registryauth.ts'
import { program, sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { collect, type Output } from '#test/helpers/kubectl.ts'
import { bareEnv } from '#test/helpers/processenv.ts'
import { startRegistry, type TestRegistry, testAccount } from '#test/helpers/registry.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { inTerminal } from '#test/helpers/terminal.ts'

const cove = sharedCove(test)
const registries: { open?: TestRegistry; secured?: TestRegistry } = {}

test.before(async () => {
  registries.open = await startRegistry()
  registries.secured = await startRegistry({ password: true })
})

test.after.always(async () => {
  await registries.open?.stop()
  await registries.secured?.stop()
})

function terminal(...words: readonly string[]) {
  const env = { ...bareEnv(), KUBECONFIG: cove().kubeconfig }
  return inTerminal([process.execPath, program, ...words], [], env)
}

interface World {
  readonly t: ExecutionContext
  readonly scene: Scene
  /** A repository of this test alone. */
  readonly repository: string
  readonly directory: string
  readonly run: (...words: readonly string[]) => Promise<Output>
  /** One that must succeed; resolves with its output. */
  readonly ok: (...words: readonly string[]) => Promise<string>
  /** A command line of a shell, in which `cove` is the CLI. */
  readonly shell: (line: string) => Promise<Output>
  /** What the engine itself says. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly image: (name: string) => Promise<any>
}

function titled(title: string, body: (world: World) => Promise<void>): void {
  test(title, async (t) => {
    const scene = await makeScene(cove())
    const repository = `cove-test/${cove().mark}-${scene.namespace}`
    const directory = await makeTempDir(t, 'images')
    const run = (...words: readonly string[]) => {
      const [first = '', ...rest] = words
      return cove().cli([first, '-n', scene.namespace, ...rest])
    }
    const ok = async (...words: readonly string[]) => {
      const { code, stdout, stderr } = await run(...words)
      t.is(code, 0, `cove ${words.join(' ')}: ${stderr}`)
      return stdout
    }
    const shell = (line: string) => {
      const env = { ...bareEnv(), HOME: directory, KUBECONFIG: cove().kubeconfig }
      const script = `set -o pipefail; cove() { '${process.execPath}' '${program}' "$@"; }; ${line}`
      return collect(spawn('bash', ['-c', script], { env, cwd: directory }), '')
    }
    const image = (name: string) => scene.call('GET', `/images/${name}/json`)
    await body({ t, scene, repository, directory, run, ok, shell, image })
  })
}

titled('what was saved is loaded with its name, id, settings and history', async (world) => {
  const { t, scene, repository, directory, run, ok, image } = world
  const built = await scene.image('a', ['ENV A=b', 'CMD ["sleep", "1"]'])
  await ok('tag', built, `${repository}:a`)
  await ok('tag', built, `${repository}:b`)
  const before = await image(`${repository}:a`)
  const history = await ok('history', '-q', `${repository}:a`)
  const file = join(directory, 'images.tar')
  await ok('save', repository, '-o', file)
  await ok('rmi', '-f', before.Id)
  t.is((await run('history', before.Id)).code, 1)
  t.deepEqual((await ok('load', '-q', '-i', file)).trimEnd().split('\n'), [
    `Loaded image: ${repository}:a`,
    `Loaded image: ${repository}:b`,
  ])
  const after = await image(`${repository}:b`)
  t.deepEqual([after.Id, after.Config.Cmd], [before.Id, ['sleep', '1']])
  t.is((await ok('history', '-q', `${repository}:a`)).split('\n').length, history.split('\n').length)
})

titled('an archive may be compressed, go through a pipe, and have no name', async (world) => {
  const { t, scene, repository, directory, ok, shell, image } = world
  const built = await scene.image('a')
  await ok('tag', built, `${repository}:a`)
  const { Id } = await image(`${repository}:a`)
  const file = join(directory, 'image.tar.gz')
  await ok('save', Id, '-o', file, '--compress')
  const written = await readFile(file)
  t.deepEqual([...written.subarray(0, 2)], [0x1f, 0x8b])
  t.true(gunzipSync(written).length > written.length)
  await ok('rmi', `${repository}:a`, built)
  t.is(await ok('load', '-q', '-i', file), `Loaded image ID: ${Id}\n`)
  await ok('tag', Id, `${repository}:a`)
  const piped = await shell(`cove save ${repository}:a | gzip | cove load -q`)
  t.deepEqual([piped.code, piped.stdout], [0, `Loaded image: ${repository}:a\n`], piped.stderr)
})

titled('what cannot be saved or loaded leaves nothing behind', async ({ t, directory, run, repository }) => {
  const file = join(directory, 'none.tar')
  const missing = await run('save', `${repository}:none`, '-o', file)
  t.is(missing.code, 1)
  t.regex(missing.stderr, /No such image/)
  await t.throwsAsync(stat(file), { code: 'ENOENT' })
  const broken = join(directory, 'broken.tar')
  await writeFile(broken, 'this is no archive')
  const refused = await run('load', '-i', broken)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /^Error from server \(InvalidSpec\)/)
  const absent = await run('load', '-i', join(directory, 'absent.tar'))
  t.deepEqual([absent.code, /cannot read/.test(absent.stderr)], [1, true])
})

titled('an archive is nothing for a terminal', async ({ t, scene }) => {
  const { code, output } = await terminal('save', '-n', scene.namespace, baseImage)
  t.is(code, 1)
  t.regex(output, /an archive is nothing for a terminal/)
})

titled('files become an image of one layer, from a file, a pipe or an address', async (world) => {
  const { t, scene, repository, directory, ok, shell, image } = world
  await scene.running('web', { command: ['sh', '-c', 'echo kept > /kept; exec sleep 86400'] })
  const file = join(directory, 'files.tar')
  await scene.eventually('the file', async () =>
    assert.equal(await scene.exec('web', ['cat', '/kept']), 'kept'),
  )
  await ok('export', 'web', '-o', file)
  const id = await ok('import', file, `${repository}:1`, '-c', 'CMD ["cat", "/kept"]', '-c', 'ENV A=b')
  const made = await image(`${repository}:1`)
  t.is(`${made.Id}\n`, id)
  t.deepEqual([made.RootFS.Layers.length, made.Config.Cmd], [1, ['cat', '/kept']])
  t.is(await ok('history', `${repository}:1`, '--format', '{{.Comment}}'), 'Imported from -\n')
  const piped = await shell(
    `cove export web -n ${scene.namespace} | cove import - ${repository}:2 -m 'by hand'`,
  )
  t.is(piped.code, 0, piped.stderr)
  t.is(await ok('history', `${repository}:2`, '--format', '{{.Comment}}'), 'by hand\n')
  const server = createServer(async (_request, response) => response.end(await readFile(file)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/files.tar`
  await ok('import', address, `${repository}:3`)
  t.is(await ok('history', `${repository}:3`, '--format', '{{.Comment}}'), `Imported from ${address}\n`)
})

titled('an image is pushed under the name of its registry, and pulled back from there', async (world) => {
  const { t, scene, ok, run, image } = world
  const { open } = registries
  assert.ok(open)
  const built = await scene.image('a', ['CMD ["sleep", "1"]'])
  const name = `${open.address}/${cove().mark}/${scene.namespace}`
  await ok('tag', built, `${name}:1`)
  const pushed = await ok('push', `${name}:1`)
  t.regex(pushed, new RegExp(`^The push refers to repository \\[${name}\\]\n`))
  const [, digest = ''] = /^1: digest: (sha256:[0-9a-f]{64}) size: \d+$/m.exec(pushed) ?? []
  const manifest = await fetch(`http://${open.address}/v2/${cove().mark}/${scene.namespace}/manifests/1`, {
    method: 'HEAD',
    headers: { accept: 'application/vnd.docker.distribution.manifest.v2+json' },
  })
  t.is(manifest.headers.get('docker-content-digest'), digest)
  t.is((await ok('images', '--digests', '--format', '{{.Digest}}', `${name}:1`)).trim(), digest)
  const { Id } = await image(`${name}:1`)
  await ok('rmi', `${name}:1`, built)
  const pulled = await ok('pull', `${name}:1`)
  const lines = pulled.trimEnd().split('\n')
  t.is(lines[0], `1: Pulling from ${cove().mark}/${scene.namespace}`)
  t.true(
    lines.some((line) => /^[0-9a-f]{12}: (Pull complete|Already exists)$/.test(line)),
    pulled,
  )
  t.deepEqual(lines.slice(-3), [
    `Digest: ${digest}`,
    `Status: Downloaded newer image for ${name}:1`,
    `${name}:1`,
  ])
  t.is((await image(`${name}:1`)).Id, Id)
  t.regex(await ok('pull', `${name}:1`), /Status: Image is up to date for /)
  t.is(await ok('pull', '-q', `${name}:1`), `${name}:1\n`)
  t.is(await ok('pull', '-q', `${name}@${digest}`), `${name}@${digest}\n`)
  const missing = await run('pull', `${name}:none`)
  t.is(missing.code, 1)
  t.regex(missing.stderr, /Error from server \(ImageNotFound\)/)
  await ok('rmi', `${name}:1`)
})

titled('without a tag it is latest alone, and -a is all of them', async ({ t, scene, ok, run, image }) => {
  const { open } = registries
  assert.ok(open)
  const built = await scene.image('a')
  const name = `${open.address}/${cove().mark}/${scene.namespace}`
  for (const tag of ['1', '2']) await ok('tag', built, `${name}:${tag}`)
  const refused = await run('push', name)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /No such image: .*:latest/)
  const pushed = await ok('push', '-a', name)
  t.regex(pushed, /^1: digest: sha256/m)
  t.regex(pushed, /^2: digest: sha256/m)
  await ok('rmi', `${name}:1`, `${name}:2`)
  await ok('pull', '-a', name)
  t.is((await image(`${name}:1`)).Id, (await image(`${name}:2`)).Id)
  await ok('rmi', `${name}:1`, `${name}:2`)
})

titled('a registry with a password is shown a Secret', async ({ t, scene, ok, run }) => {
  const { secured } = registries
  assert.ok(secured)
  const name = `${secured.address}/${cove().mark}/${scene.namespace}:1`
  const built = await scene.image('a')
  await ok('tag', built, name)
  const refused = await run('push', name)
  t.is(refused.code, 1)
  t.regex(refused.stderr, /RegistryUnauthorized/)
  const auths = { [secured.address]: testAccount }
  await scene.create('Secret', 'regcred', {
    type: 'kubernetes.io/dockerconfigjson',
    stringData: { '.dockerconfigjson': JSON.stringify({ auths }) },
  })
  t.regex(await ok('push', name, '--secret', 'regcred'), /^1: digest: sha256/m)
  await ok('rmi', name)
  t.is((await run('pull', name)).code, 1)
  t.is(await ok('pull', '-q', name, '--secret', 'regcred'), `${name}\n`)
  await ok('rmi', name)
  t.false(cove().log().includes(encodeRegistryAuth(testAccount)))
  const audit = await readFile(join(cove().dataDir, 'audit.log'), 'utf8')
  t.true(audit.includes('images/push'))
  t.false(audit.includes(encodeRegistryAuth(testAccount)))
})

titled('on a terminal each layer has a line of its own, which is written anew', async ({ t, scene, ok }) => {
  const { open } = registries
  assert.ok(open)
  const name = await open.push(
    cove().engine,
    await scene.image('a', ['RUN echo a > /a']),
    `${cove().mark}/tty:1`,
  )
  await ok('rmi', `cove-test/${cove().mark}-${scene.namespace}-a:1`)
  const { code, output } = await terminal('pull', name)
  t.is(code, 0, output)
  t.regex(output.replaceAll('\u001b', 'ESC'), /ESC\[\dA/)
  t.regex(output, /Status: Downloaded newer image/)
  await ok('rmi', name)
})
