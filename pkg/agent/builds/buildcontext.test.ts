/** The archive that is sent: the stored one as it is, or with the Dockerfile added where COPY does not see it. */
import test from 'ava'
import { encodeHeader, paddingOf, trailerBytes } from '#pkg/build/context/header.ts'
import { readArchive } from '#pkg/build/context/readarchive.ts'
import { addedName, contextOf } from './buildcontext.ts'

async function* archive(files: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
  for (const [path, text] of Object.entries(files)) {
    const content = Buffer.from(text)
    yield encodeHeader({ path, type: 'file', mode: 0o755, size: content.length, mtime: 12 })
    yield content
    yield Buffer.alloc(paddingOf(content.length))
  }
  yield Buffer.alloc(trailerBytes)
}

async function sent(
  files: Readonly<Record<string, string>> | undefined,
  order: { readonly dockerfile: string; readonly dockerfilePath?: string },
  text = order.dockerfile,
) {
  const open = async () => archive(files ?? {})
  const context = files === undefined ? {} : { context: 'tree:1' }
  const { archive: all, dockerfile } = await contextOf({ ...order, ...context }, text, { open })
  const found: Record<string, string> = {}
  for await (const { header, content } of readArchive(all)) {
    const chunks: Uint8Array[] = []
    for await (const chunk of content) chunks.push(chunk)
    found[header.path] = Buffer.concat(chunks).toString()
  }
  return { dockerfile, found }
}

test('a Dockerfile that is in the context is used where it is', async (t) => {
  const files = { 'a/Dockerfile': 'FROM a', 'b.txt': 'b' }
  const { dockerfile, found } = await sent(files, { dockerfile: 'FROM a', dockerfilePath: 'a/Dockerfile' })
  t.is(dockerfile, 'a/Dockerfile')
  t.deepEqual(found, files)
})

test('one that is not, or that was changed, is added and hidden', async (t) => {
  const order = { dockerfile: 'FROM a', dockerfilePath: 'Dockerfile' }
  const files = { Dockerfile: 'FROM a', 'b.txt': 'b' }
  const changed = await sent(files, order, 'FROM a\nLABEL a=b\n')
  t.is(changed.dockerfile, addedName)
  t.deepEqual(changed.found, {
    ...files,
    '.dockerignore': `.dockerignore\n${addedName}\n`,
    [addedName]: 'FROM a\nLABEL a=b\n',
  })
})

test('a .dockerignore of the context stays where it is and as it is, with a line more', async (t) => {
  const long = '# nobody keeps it in memory\n'.repeat(50_000)
  const { found } = await sent({ a: '1', '.dockerignore': long, b: '2' }, { dockerfile: 'FROM a' })
  t.deepEqual(Object.keys(found), ['a', '.dockerignore', 'b', addedName])
  t.is(found['.dockerignore'], `${long}\n${addedName}\n`)
})

test('without files there is nothing but the Dockerfile', async (t) => {
  const { found } = await sent(undefined, { dockerfile: 'FROM a' })
  t.deepEqual(Object.keys(found).sort(), [addedName, '.dockerignore'].sort())
})
