/** What .dockerignore leaves out, held against docker's own client: the archive that it sends is the answer. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readFolder } from '#pkg/build/context/folder.ts'
import { makeIgnore } from '#pkg/build/context/ignore.ts'
import { parseIgnore } from '#pkg/build/context/ignorefile.ts'
import { summarise } from '#pkg/build/context/normalise.ts'
import { type DockerClient, startDockerClient } from '#test/helpers/dockerbuildclient.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const signal = new AbortController().signal
const maxBytes = 1e9

async function makeTree(t: ExecutionContext, paths: readonly string[]): Promise<string> {
  const root = await makeTempDir(t, 'ignore')
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), path)
  }
  return root
}

/** Both are sent whatever the patterns say, for the engine to read; it drops them again. */
const own = new Set(['Dockerfile', '.dockerignore'])
const besidesOwn = (paths: readonly string[]) => paths.filter((path) => !own.has(path)).sort()

async function ours(root: string, text: string): Promise<string[] | 'refused'> {
  try {
    const ignore = makeIgnore(parseIgnore(text))
    const { entries } = await readFolder({ root, ignore, maxBytes, clock: systemClock(), signal })
    return besidesOwn(entries.map(({ path }) => path))
  } catch (error) {
    if (isReason(error, 'BadRequest')) return 'refused'
    throw error
  }
}

async function dockers(client: DockerClient, root: string): Promise<string[] | 'refused'> {
  const { archive } = await client.build(root)
  if (archive === undefined) return 'refused'
  const chunks = async function* () {
    yield archive
  }
  const { entries } = await summarise(chunks(), { maxBytes })
  return besidesOwn(entries.map(({ path }) => path))
}

const tree = [
  'Dockerfile',
  'a',
  'a.md',
  'b.tar.gz',
  '.hidden',
  '^x',
  'x{1}',
  'with space',
  'sub/a',
  'sub/a.md',
  'sub/deep/a',
  'sub/deep/b.md',
  'sub/deep/er/a.go',
  'other/a.go',
  'other/[x]',
  'other/\\y',
  'ünï/ç',
  'node_modules/p/index.js',
  'sub/node_modules/q/index.js',
  'line\nbreak/a',
  '1/2',
  '😀',
]

const written = [
  '*.md\n!a.md',
  '*\n!sub/deep',
  '*\n!**/*.go',
  '**/node_modules',
  '**/*.md\n!sub/**/b.md',
  'sub/**',
  '**',
  '**/a',
  '**a',
  'sub**',
  '/sub/\n!/sub/a',
  '# comment\n  *.md  \n\n!  a.md',
  ' # no comment',
  '\ufeffa',
  '[a-c]\n^x*',
  '[^a]',
  '?',
  '??',
  'x{1}*',
  'other/[[]x]',
  'other/\\[x\\]',
  'other/\\\\y',
  '\\d',
  '[[:digit:]]',
  'sub/../a',
  './a',
  '../a',
  '.',
  '!',
  '!a',
  '[',
  '[]a]',
  '[a-',
  '[z-a]',
  'a\\',
  '\\q',
  'line*',
  'ü*',
  '*/ç',
  'sub\n!sub/deep/er\nsub/deep/er/a.go',
  'sub/*\n!sub/deep\nsub/deep/a',
  '*/*\n!other',
  '**/deep/**\n!sub/deep/a',
  '*|\na',
  '?/**/\\',
  's?b{1}*',
  '{1}*',
  'x{*',
  'x{2,1}*',
  '*{2}',
  'a|s*',
  '[{]*',
  'x{1001}*',
  'a\r\nb.tar.gz\r\n',
]

test('patterns that people write, and odd ones, mean what they mean to docker', async (t) => {
  const client = await startDockerClient(t)
  const root = await makeTree(t, tree)
  for (const text of written) {
    await writeFile(join(root, '.dockerignore'), text)
    t.deepEqual(await ours(root, text), await dockers(client, root), JSON.stringify(text))
  }
})

const part = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('a', 'sub', 'deep', 'other', 'a.md', 'er', 'a.go', '*', '**', '*.md'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('?', '[a-s]', '[^a]*', '^a', 's*b', '*.*', '**a', 'a**', '.', '..'),
  },
  { weight: 1, arbitrary: fc.string({ unit: fc.constantFrom(...'a*?[]^-\\!#. {}+$|(d'), maxLength: 5 }) },
)
const line = fc
  .record({
    before: fc.constantFrom('', '', '', '!', '/', '! ', ' ', '#'),
    parts: fc.array(part, { minLength: 1, maxLength: 4 }),
    after: fc.constantFrom('', '', '', '/', ' ', '/**'),
  })
  .map(({ before, parts, after }) => `${before}${parts.join('/')}${after}`)
const file = fc.array(line, { minLength: 1, maxLength: 5 }).map((lines) => lines.join('\n'))

test('any .dockerignore leaves out what docker leaves out, and is refused when docker refuses it', async (t) => {
  const client = await startDockerClient(t)
  const root = await makeTree(t, tree)
  await fc.assert(
    fc.asyncProperty(file, async (text) => {
      await writeFile(join(root, '.dockerignore'), text)
      const [found, wanted] = [await ours(root, text), await dockers(client, root)]
      if (JSON.stringify(found) !== JSON.stringify(wanted))
        throw new Error(`${JSON.stringify(text)}: ${JSON.stringify({ found, wanted })}`)
    }),
    { numRuns: 80 },
  )
  t.pass()
})
