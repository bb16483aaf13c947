/** Every example is applied as its README says, on the real engine: it converges, and a second apply changes nothing. */
import { execFile } from 'node:child_process'
import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { startCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { freePort, startRegistry } from '#test/helpers/registry.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)

/** Where READMEs say that a registry is. */
const registryOfExamples = '127.0.0.1:5000'

/** In a namespace and on ports of its own, so that a demo on the same machine is not in the way. */
async function adapt(
  text: string,
  { namespace, registry }: { namespace: string; registry: string },
): Promise<{ text: string; ports: number[] }> {
  const ports: number[] = []
  let adapted = text
    .replaceAll(registryOfExamples, registry)
    .replaceAll('localhost/default/', `localhost/${namespace}/`)
  for (const [whole] of text.matchAll(/hostPort: \d+/g)) {
    const port = await freePort()
    ports.push(port)
    adapted = adapted.replace(whole, `hostPort: ${port}`)
  }
  const space = `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${namespace}\n---\n`
  return { text: space + adapted, ports }
}

/** With what READMEs say to put there first. */
async function copyOf(t: ExecutionContext, example: string): Promise<string> {
  const directory = await makeTempDir(t, 'example')
  await cp(join(root, 'examples', example), directory, { recursive: true })
  const readme = await readFile(join(directory, 'README.md'), 'utf8')
  if (readme.includes('hack/toolchain.sh'))
    await run(join(root, 'hack/toolchain.sh'), [join(directory, 'toolchain')])
  return directory
}

/** `repository:tag` of what is taken from that registry. */
function imagesIn(text: string): string[] {
  const found = text.matchAll(/reference: 127\.0\.0\.1:5000\/(\S+:\S+)/g)
  return [...found].map(([, name = '']) => name)
}

/** A registry that has these images; returns its address. None is started when there are none. */
async function publish(t: ExecutionContext, names: readonly string[], engine: string): Promise<string> {
  if (names.length === 0) return registryOfExamples
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  for (const name of names) await registry.push(engine, 'cove-demo/busybox:1', name)
  return registry.address
}

for (const example of await readdir(join(root, 'examples'))) {
  test(`the example ${example} converges, serves, and is unchanged when applied again`, async (t) => {
    const cove = await startCove(t)
    await run(join(root, 'hack/base-image.sh'), ['cove-demo/busybox:1'], {
      env: { ...process.env, DOCKER_HOST: cove.engine },
    })
    const namespace = `ex-${cove.mark}`
    const directory = await copyOf(t, example)
    const files = (await readdir(directory)).filter((file) => file.endsWith('.yaml'))
    for (const file of files) {
      const written = await readFile(join(directory, file), 'utf8')
      const registry = await publish(t, imagesIn(written), cove.engine)
      const { text, ports } = await adapt(written, { namespace, registry })
      const manifest = join(directory, file)
      await writeFile(manifest, text)
      const apply = ['apply', '-n', namespace, '-f', manifest]
      const first = await cove.cli([...apply, '--wait', '--timeout', '120s'])
      t.is(first.code, 0, first.stderr)
      for (const port of ports) {
        const answer = await eventually(() => fetch(`http://127.0.0.1:${port}/`), {
          timeoutMs: 10_000,
          what: 'the page',
        })
        t.is(answer.status, 200)
      }
      const second = await cove.cli(apply)
      const lines = second.stdout.trim().split('\n')
      t.true(
        lines.every((line) => line.endsWith(' unchanged')),
        second.stdout,
      )
      const gone = await cove.cli(['delete', '-n', namespace, '-f', manifest])
      t.is(gone.code, 0, gone.stderr)
    }
  })
}

test('a changed file of the example 02-build is on its page when apply --wait is done', async (t) => {
  const cove = await startCove(t)
  const namespace = `ex2-${cove.mark}`
  const directory = await copyOf(t, '02-build')
  const manifest = join(directory, 'site.yaml')
  const { text, ports } = await adapt(await readFile(manifest, 'utf8'), { namespace, registry: '' })
  await writeFile(manifest, text)
  const apply = ['apply', '-n', namespace, '-f', manifest, '--wait', '--timeout', '120s']
  const page = join(directory, 'site/public/index.html')
  const before = await readFile(page, 'utf8')
  for (const html of [before, before.replace('Built by Cove', 'Built twice')]) {
    await writeFile(page, html)
    const { code, stderr } = await cove.cli(apply)
    t.is(code, 0, stderr)
    t.is(await (await fetch(`http://127.0.0.1:${ports[0]}/`)).text(), html)
  }
})
