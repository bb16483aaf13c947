import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { readSources } from './sources.ts'

async function makeTree(t: ExecutionContext): Promise<string> {
  const root = await makeTempDir(t, 'sources')
  await mkdir(join(root, 'dir/deep'), { recursive: true })
  await mkdir(join(root, 'empty'))
  for (const name of ['dir/b.yml', 'dir/a.yaml', 'dir/c.json', 'dir/readme.md', 'dir/deep/d.yaml'])
    await writeFile(join(root, name), name)
  return root
}

function read(directory: string, targets: readonly string[], recursive = false) {
  const readStdin = async () => 'from stdin'
  return readSources(targets, { directory, recursive, readStdin, signal: new AbortController().signal })
}

test('a directory gives its manifests by name, those below it only when asked', async (t) => {
  const root = await makeTree(t)
  const names = async (recursive: boolean) =>
    (await read(root, ['dir'], recursive)).map(({ name, text }) => [name, text])
  const flat = ['dir/a.yaml', 'dir/b.yml', 'dir/c.json'].map((name) => [name, name])
  t.deepEqual(await names(false), flat)
  t.deepEqual(await names(true), [...flat, ['dir/deep/d.yaml', 'dir/deep/d.yaml']])
})

test('files, standard input and URLs keep the order in which they are named', async (t) => {
  const root = await makeTree(t)
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/x.yaml' ? 200 : 404
    response.end('from afar')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  t.deepEqual(await read(root, ['dir/b.yml', '-', `${url}/x.yaml`]), [
    { name: 'dir/b.yml', text: 'dir/b.yml' },
    { name: '-', text: 'from stdin' },
    { name: `${url}/x.yaml`, text: 'from afar' },
  ])
  await t.throwsAsync(read(root, [`${url}/y.yaml`]), { message: /the server answered 404/ })
})

test('what is not there is named', async (t) => {
  const root = await makeTree(t)
  await t.throwsAsync(read(root, ['nosuch.yaml']), { message: 'the path "nosuch.yaml" does not exist' })
  await t.throwsAsync(read(root, ['empty']), { message: 'no *.yaml, *.yml or *.json files in "empty"' })
})
