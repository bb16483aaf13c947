/** Files beside manifests on their way to the server: from `cove apply` to the server's disk, and kills in between. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { imageKind } from '#pkg/apis/image.ts'
import { decode, startCove, type TestCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { tar } from '#test/helpers/tar.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const never = new AbortController().signal
const digestOf = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`
const uploadPath = (digest: string) => `/apis/cove.run/v1/namespaces/default/uploads/${digest}`

/** Nothing of it needs a node. */
const startServer = (t: ExecutionContext) => startCove(t, { alone: true })

function manifest(path: string, name = 'app'): string {
  return `apiVersion: cove.run/v1
kind: Image
metadata:
  name: ${name}
spec:
  reference: ${name}:1
  source:
    rootfs:
      path: ${path}
      message: from a file
`
}

async function ok(cove: TestCove, words: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await cove.cli(words, input)
  assert.equal(code, 0, `cove ${words.join(' ')}: ${stdout}${stderr}`)
  return `${stdout}${stderr}`
}

async function status(cove: TestCove, digest: string): Promise<string> {
  try {
    await cove.client.stream({ method: 'HEAD', path: uploadPath(digest) }, never)
    return 'there'
  } catch (error) {
    return error instanceof Error && 'reason' in error ? String(error.reason) : String(error)
  }
}

async function uploadedFiles(cove: TestCove): Promise<string[]> {
  const found = await readdir(join(cove.dataDir, 'uploads'), { recursive: true, withFileTypes: true })
  return found.filter((entry) => entry.isFile()).map(({ name }) => name)
}

test('a file beside a manifest is uploaded once, and stands in the object by its digest', async (t) => {
  const cove = await startServer(t)
  const dir = await makeTempDir(t, 'files')
  await mkdir(join(dir, 'files'))
  const content = randomBytes(5 * 1024 ** 2)
  const file = join(dir, 'app.yaml')
  await writeFile(join(dir, 'files/root.tar'), content)
  await writeFile(file, manifest('./files/root.tar'))
  const digest = digestOf(content)

  // Says what would be, and sends nothing.
  t.regex(await ok(cove, ['apply', '-f', file, '--dry-run=client']), /created \(dry run\)/)
  const diff = await cove.cli(['diff', '-f', file])
  t.is(diff.code, 1)
  t.regex(diff.stdout, /image\.cove\.run\/app: added/)
  t.is(await status(cove, digest), 'NotFound')

  const first = await ok(cove, ['apply', '-f', file])
  t.regex(first, /\.\/files\/root\.tar: uploaded \(5/)
  t.regex(first, /app created/)
  const { spec } = await cove.client.get(imageKind, { namespace: 'default', name: 'app' }, never)
  t.is(spec.source?.rootfs?.upload, digest)
  t.is(spec.source?.rootfs?.path, undefined)
  const stored = await readFile(join(cove.dataDir, 'uploads/default', digest.slice(7)))
  t.true(stored.equals(content))

  const again = await ok(cove, ['apply', '-f', file])
  t.regex(again, /app unchanged/)
  t.notRegex(again, /uploaded/)
  t.is((await cove.cli(['diff', '-f', file])).code, 0)

  await writeFile(join(dir, 'files/root.tar'), 'another one')
  const changed = await ok(cove, ['apply', '-f', file])
  t.regex(changed, /app configured/)
  t.regex(changed, /root\.tar: uploaded/)
})

test('a Container is made from a file beside its manifest, on a node that is apart', async (t) => {
  const cove = await startCove(t, { apart: true })
  const dir = await makeTempDir(t, 'made')
  const root = tar([{ name: 'bin/busybox', mode: 0o755, data: await readFile('/bin/busybox') }])
  await writeFile(join(dir, 'root.tar'), root)
  const container = { apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name: 'web' } }
  const command = ['/bin/busybox', 'sleep', '1000']
  const file = join(dir, 'app.yaml')
  const spec = { imageFrom: { image: 'app' }, command }
  const image = manifest('root.tar').replace('app:1', `made-${cove.mark}:1`)
  await writeFile(file, `${image}---\n${JSON.stringify({ ...container, spec })}\n`)
  await ok(cove, ['apply', '-f', file, '--wait', '--timeout', '60s'])
  const { status } = await cove.client.get(imageKind, { namespace: 'default', name: 'app' }, never)
  t.is(status?.phase, 'Ready')
  t.deepEqual(status?.layers, [digestOf(root)])
  const inspected = await cove.raw.request('GET', '/containers/web/json')
  t.is(decode(inspected.json()).Image, status?.id)
})

test('a file whose manifest comes through a pipe is looked for here, and one that is missing is told by its line', async (t) => {
  const cove = await startServer(t)
  const dir = await makeTempDir(t, 'piped')
  await writeFile(join(dir, 'root.tar'), 'content')
  t.regex(await ok(cove, ['apply', '-f', '-'], manifest(join(dir, 'root.tar'))), /uploaded/)
  const missing = await cove.cli(['apply', '-f', '-'], manifest(join(dir, 'nothing.tar')))
  t.not(missing.code, 0)
  t.regex(
    missing.stderr,
    /standard input: document 1, line 9: spec\.source\.rootfs\.path: cannot read ".*nothing\.tar": there is no such file/,
  )
  const folder = await cove.cli(['apply', '-f', '-'], manifest(dir))
  t.regex(folder.stderr, /is no file/)
})

test('kubectl is told that a path is for cove apply', async (t) => {
  const cove = await startServer(t)
  const file = join(await makeTempDir(t, 'kubectl'), 'app.yaml')
  await writeFile(file, manifest('./root.tar'))
  const { code, stderr } = await cove.kubectl.run(['apply', '-f', file])
  t.is(code, 1)
  t.regex(stderr, /spec\.source\.rootfs\.path: .*is for `cove apply`, which uploads the file/)
})

test('a file that is larger than the server takes is refused before it is sent', async (t) => {
  const cove = await startCove(t, { alone: true, serverWords: ['--max-upload', '1Mi'] })
  const dir = await makeTempDir(t, 'large')
  await writeFile(join(dir, 'root.tar'), Buffer.alloc(64 * 1024 ** 2))
  const { code, stderr } = await cove.cli(['apply', '-f', '-'], manifest(join(dir, 'root.tar')))
  t.is(code, 1)
  t.regex(stderr, /the file is larger than 1.*, which this server takes at most; see --max-upload/)
  t.deepEqual(await uploadedFiles(cove), [])
})

test('a server that is killed while a file is sent has nothing of it afterwards, and takes it then', async (t) => {
  const cove = await startServer(t)
  const content = randomBytes(8 * 1024 ** 2)
  const digest = digestOf(content)
  const more = Promise.withResolvers<void>()
  const halting = async function* () {
    yield content.subarray(0, content.length / 2)
    await more.promise
    yield content.subarray(content.length / 2)
  }
  const put = (input: AsyncIterable<Uint8Array>) =>
    cove.client.json({ method: 'PUT', path: uploadPath(digest), input }, never)
  const broken = t.throwsAsync(put(halting()))
  await eventually(async () => assert.match((await uploadedFiles(cove)).join(), /^\.partial-/), {
    timeoutMs: 20_000,
    what: 'the file that is being written',
  })
  t.is(await status(cove, digest), 'NotFound')
  await cove.kill('SIGKILL')
  more.resolve()
  await broken
  t.is((await uploadedFiles(cove)).length, 1)
  await cove.restart()
  t.deepEqual(await uploadedFiles(cove), [])
  t.is(await status(cove, digest), 'NotFound')
  const whole = async function* () {
    yield content
  }
  await put(whole())
  await cove.kill('SIGKILL')
  await cove.restart()
  t.is(await status(cove, digest), 'there')
  t.deepEqual(await uploadedFiles(cove), [digest.slice(7)])
})
