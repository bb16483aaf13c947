/** Contexts beside manifests, as `cove apply` reads them. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, systemClock } from '#pkg/apimachinery/ambient.ts'
import { summarise } from '#pkg/build/context/normalise.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { problemText } from '#pkg/manifest/place.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { resolveFiles } from '../localfiles.ts'
import { readingProgress } from './contextprogress.ts'
import { contextCacheDirectory } from './contexts.ts'

const run = promisify(execFile)
const signal = new AbortController().signal

async function make(t: ExecutionContext, files: Readonly<Record<string, string>>) {
  const cwd = await makeTempDir(t, 'contexts')
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, path)), { recursive: true })
    await writeFile(join(cwd, path), text)
  }
  return cwd
}

/** `spec`: lines below `spec:`. */
async function resolve(cwd: string, spec: readonly string[], file = 'build.yaml') {
  const text = ['kind: Build', 'apiVersion: cove.run/v1', 'metadata: {name: web}', 'spec:']
  const indented = spec.map((line) => `  ${line}`)
  const { documents } = decodeManifest({ name: file, text: [...text, ...indented].join('\n') })
  const stderr = { write: async () => {}, isTTY: false, columns: 80 }
  const env = { XDG_CACHE_HOME: join(cwd, '.cache') }
  const world = { cwd, signal, stderr, home: '/nowhere', env, clock: systemClock(), random: seededRandom(1) }
  const found = await resolveFiles(documents, world)
  const [upload] = [...found.files.values()].flat()
  return {
    told: found.problems.map((problem) => problemText(problem).replaceAll(cwd, '')),
    warned: found.warnings.map(({ message }) => message),
    spec: Object(found.documents[0]?.value).spec,
    upload,
  }
}

async function pathsOf(upload: Awaited<ReturnType<typeof resolve>>['upload']): Promise<string[]> {
  const sent = upload?.open?.(signal)
  if (sent === undefined) throw new Error('nothing is sent')
  const { entries, digest, archiveBytes } = await summarise(sent, { maxBytes: 1e9 })
  if (digest !== upload?.digest || archiveBytes !== upload.bytes) throw new Error('it was to be another one')
  return entries.map(({ path }) => path)
}

test('a folder becomes what is in it, and the Dockerfile goes along', async (t) => {
  const cwd = await make(t, {
    'app/Dockerfile': 'FROM scratch\nCOPY a /\n',
    'app/a': 'x',
    'app/b.md': 'y',
    'app/c': 'z',
    'app/.dockerignore': '*.md\nDockerfile\n',
  })
  const { told, spec, upload } = await resolve(cwd, ['context: {path: app}', 'ignore: [c]'])
  t.deepEqual(told, [])
  t.is(spec.dockerfileInline, 'FROM scratch\nCOPY a /\n')
  t.deepEqual(spec.context, { upload: upload?.digest })
  t.deepEqual(await pathsOf(upload), ['.dockerignore', 'a'])
})

test('a Dockerfile may lie outside, be called dockerfile, or stand in the manifest', async (t) => {
  const cwd = await make(t, { 'Dockerfile.php': 'FROM php', 'app/dockerfile': 'FROM small', 'app/a': '' })
  const outside = await resolve(cwd, ['context: {path: app}', 'dockerfile: ../Dockerfile.php'])
  t.deepEqual([outside.told, outside.spec.dockerfileInline], [[], 'FROM php'])
  t.is((await resolve(cwd, ['context: {path: app}'])).spec.dockerfileInline, 'FROM small')
  const inline = await resolve(cwd, ['context: {path: app}', 'dockerfileInline: FROM bb'])
  t.deepEqual([inline.told, inline.spec.dockerfileInline], [[], 'FROM bb'])
  t.is(inline.upload?.digest, outside.upload?.digest)
})

test('a .dockerignore of the Dockerfile goes before that of the folder', async (t) => {
  const cwd = await make(t, {
    'app/x.Dockerfile': 'FROM bb',
    'app/x.Dockerfile.dockerignore': 'a\n*.Dockerfile*',
    'app/.dockerignore': 'b',
    'app/a': '',
    'app/b': '',
  })
  for (const dockerfile of ['x.Dockerfile', './x.Dockerfile', join(cwd, 'app/x.Dockerfile')]) {
    const { upload } = await resolve(cwd, ['context: {path: app}', `dockerfile: ${dockerfile}`])
    t.deepEqual(await pathsOf(upload), ['.dockerignore', 'b'], dockerfile)
  }
  await run('tar', ['-cf', join(cwd, 'a.tar'), '-C', join(cwd, 'app'), '.'])
  const { upload, told } = await resolve(cwd, ['context: {path: a.tar}', 'dockerfile: ./x.Dockerfile'])
  t.deepEqual([told, (await pathsOf(upload)).sort()], [[], ['.dockerignore', 'b']])
})

test('an archive, packed or not, is the folder that it was made of', async (t) => {
  const cwd = await make(t, {
    'app/Dockerfile': 'FROM scratch\nCOPY d/a /\n',
    'app/d/a': 'x',
    'app/b': '',
    'app/.dockerignore': 'b\n',
  })
  const folder = await resolve(cwd, ['context: {path: app}'])
  for (const [name, flag] of [
    ['a.tar', '-cf'],
    ['a.tgz', '-czf'],
    ['a.tar.bz2', '-cjf'],
    ['a.tar.xz', '-cJf'],
  ] as const) {
    await run('tar', [flag, join(cwd, name), '-C', join(cwd, 'app'), '.'])
    const { told, spec, upload } = await resolve(cwd, [`context: {path: ${name}}`])
    t.deepEqual([told, spec], [[], folder.spec], name)
    t.deepEqual((await pathsOf(upload)).sort(), ['.dockerignore', 'Dockerfile', 'd', 'd/a'])
  }
})

test('what cannot come to a good end is told with its place, all at once', async (t) => {
  const dockerfile = [
    'FROM scratch',
    'COPY gone /',
    'COPY a.log /',
    'COPY no*pe /',
    'COPY ../up /',
    'EXPOSE x',
    '',
  ]
  const cwd = await make(t, {
    'app/Dockerfile': dockerfile.join('\n'),
    'app/a.log': '',
    'app/.dockerignore': '*.log',
  })
  const { told, upload, spec } = await resolve(cwd, ['context: {path: app}'])
  t.is(upload, undefined)
  t.deepEqual(spec.context, { path: 'app' })
  const text = told.join('\n')
  t.regex(text, /Dockerfile: line 2, column 6: COPY gone: there is no such file in the context$/m)
  t.regex(
    text,
    /line 3, column 6: COPY a.log: there is no such file in the context: .dockerignore, or spec.ignore, leaves it out/,
  )
  t.regex(text, /line 4, column 6: COPY no\*pe: no file of the context matches/)
  t.regex(text, /line 5, column 6: .*outside/)
  t.regex(text, /line 6, /)
  const unread = await resolve(await make(t, { Dockerfile: 'FORM x' }), ['context: {path: .}'])
  t.regex(unread.told[0] ?? '', /Dockerfile: line 1: unknown instruction: FORM \(did you mean FROM\?\)/)
})

test('what is missing, too large or from elsewhere is told before anything is read or sent', async (t) => {
  const cwd = await make(t, {
    'app/Dockerfile': 'FROM scratch',
    'app/a': 'x'.repeat(2000),
    'bad/Dockerfile': 'FROM a',
  })
  t.deepEqual((await resolve(cwd, ['context: {path: none}'])).told, [
    'build.yaml: document 1, line 5: spec.context.path: cannot read "/none": there is no such file or folder',
  ])
  t.regex(
    (await resolve(cwd, ['context: {path: .}'])).told[0] ?? '',
    /spec.dockerfile: cannot read "\/Dockerfile": there is no/,
  )
  const large = await resolve(cwd, ['context: {path: app}', 'maxContextBytes: 1k'])
  t.regex(large.told[0] ?? '', /spec.context.path: ContextTooLarge: the context has .* in 2 files/)
  const remote = await resolve(cwd, ['context: {path: app}'], 'https://example.com/build.yaml')
  t.regex(remote.told[0] ?? '', /names a file here, which a manifest from elsewhere may not/)
  await run('mkfifo', [join(cwd, 'bad/pipe')])
  t.regex((await resolve(cwd, ['context: {path: bad}'])).told[0] ?? '', /"pipe" is a named pipe/)
})

test('what is remembered lies where the user wants caches', (t) => {
  t.is(contextCacheDirectory({ env: { XDG_CACHE_HOME: '/c' }, home: '/h' }), '/c/cove/contexts')
  for (const env of [{}, { XDG_CACHE_HOME: '' }, { XDG_CACHE_HOME: 'relative' }])
    t.is(contextCacheDirectory({ env, home: '/h' }), '/h/.cache/cove/contexts')
})

test('reading that takes a while is drawn on a terminal, and told once elsewhere', async (t) => {
  const told = async (isTTY: boolean) => {
    const clock = new ManualClock()
    const written: string[] = []
    const write = async (text: string | Uint8Array) => {
      written.push(String(text))
    }
    const stderr = { isTTY, columns: 60, write }
    const { onRead, end } = readingProgress('.', { clock, stderr })
    for (const read of [1, 2, 3, 4]) {
      await onRead(read, 4)
      await clock.advance(400)
    }
    await end()
    return written
  }
  t.deepEqual(await told(false), ['context .: reading\n'])
  t.deepEqual(
    (await told(true)).map((text) => text.replace('\r\u001b[K', '')),
    [
      'context .: reading [============            ] 50%',
      'context .: reading [==================      ] 75%',
      'context .: reading [========================] 100%',
      '',
    ],
  )
})
