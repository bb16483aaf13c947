/** The files of Builds, from where they are to the disk: real servers of repositories and files, folders, and evil archives. */
import { chmod, mkdir, readdir, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import {
  type Clock,
  ManualClock,
  silentLogger,
  systemClock,
  systemRandom,
} from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Secret } from '#pkg/apis/core.ts'
import { type ArchiveHeader, encodeHeader, paddingOf } from '#pkg/build/context/header.ts'
import { packInline } from '#pkg/build/context/inline.ts'
import { summarise } from '#pkg/build/context/normalise.ts'
import { Client } from '#pkg/client/rest.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { type Answering, makeRepository, serveHttp, serveSmart } from '#test/helpers/gitservers.ts'
import { compress, gather } from '#test/helpers/imagearchive.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { build, secret } from '#test/helpers/world.ts'
import type { OpOf } from '../../ops.ts'
import type { ContextSource, StoredContext } from '../port.ts'
import { BuildSources } from './buildsources.ts'

interface Given {
  readonly clock?: Clock
  readonly secrets?: readonly Secret[]
  readonly body?: ApiResponse['body']
  readonly status?: number
  readonly directory?: string
  readonly whyNoRoom?: () => Promise<string | undefined>
}

interface Scene {
  readonly sources: BuildSources
  readonly directory: string
  /** How often something was told. */
  readonly told: () => number
  fetch(source: ContextSource, more?: Partial<OpOf<'fetchContext'>>): Promise<StoredContext>
  /** What the archive of it has: path, mode and text or target, line by line. */
  list(context: StoredContext): Promise<string[]>
}

const signal = new AbortController().signal

async function scene(t: ExecutionContext, given: Given = {}): Promise<Scene> {
  const { clock = systemClock(), secrets = [], body = '', status = 200 } = given
  const directory = given.directory ?? (await makeTempDir(t, 'sources'))
  let told = 0
  const sources = new BuildSources({
    ambient: { clock, random: systemRandom(), log: silentLogger },
    client: new Client(() => Promise.resolve({ status, headers: {}, body }), 'test'),
    directory,
    programs: { searchPath: process.env['PATH'] ?? '', environment: {}, endGroup },
    credentials: {
      secretOf: (key) => secrets.find(({ metadata }) => `${metadata.namespace}/${metadata.name}` === key),
      registries: () => [],
    },
    ...(given.whyNoRoom !== undefined && { whyNoRoom: given.whyNoRoom }),
    onChange: () => {
      told++
    },
  })
  await sources.recall()
  t.teardown(() => sources.close())
  const fetch = (source: ContextSource, more: Partial<OpOf<'fetchContext'>> = {}) =>
    sources.fetchContext(
      {
        type: 'fetchContext',
        build: { namespace: 'default', name: 'web' },
        source,
        maxBytes: 10 * 1024 ** 2,
        ignore: [],
        dockerfile: 'Dockerfile',
        ...more,
      },
      undefined,
      signal,
    )
  const list = async ({ digest }: StoredContext) => {
    const { entries, texts } = await summarise(await sources.open(digest), {
      maxBytes: 2 ** 40,
      texts: { has: () => true } as unknown as ReadonlySet<string>,
    })
    return entries
      .map(({ path, mode, linkname }) =>
        `${path} ${mode.toString(8)} ${linkname ?? texts[path] ?? ''}`.trim(),
      )
      .sort()
  }
  return { sources, directory, told: () => told, fetch, list }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function refused(t: ExecutionContext, work: Promise<unknown>): Promise<StatusError> {
  const error = await t.throwsAsync(work)
  if (!(error instanceof StatusError)) throw new Error(`no StatusError: ${error?.message}`)
  return error
}

const files = { Dockerfile: 'FROM scratch\nCOPY . /\n', 'src/main.c': 'int main;' }

async function packed(of: Readonly<Record<string, string>> = files): Promise<Buffer> {
  return await gather(packInline(of))
}

async function serve(t: ExecutionContext, answer: Answering): Promise<string> {
  return (await serveHttp(t, {}, answer)).url
}

function tarAt(url: string, revision = 'etag:"1"'): Extract<ContextSource, { type: 'tar' }> {
  return { type: 'tar', url, revision }
}

/** An archive of these headers; files are of zeros. */
function archive(headers: readonly Partial<ArchiveHeader>[]): Buffer {
  const usual = { path: 'a', type: 'file' as const, mode: 0o644, size: 0, mtime: 0 }
  const blocks = headers.map((header) => {
    const whole = { ...usual, ...header }
    return Buffer.concat([encodeHeader(whole), Buffer.alloc(whole.size + paddingOf(whole.size))])
  })
  return Buffer.concat([...blocks, Buffer.alloc(1024)])
}

test('files of a manifest are a context, with the same name on every machine', async (t) => {
  const { fetch, list } = await scene(t)
  const context = await fetch({ type: 'inline', files })
  t.is(context.digest, (await (await scene(t)).fetch({ type: 'inline', files })).digest)
  t.deepEqual([context.files, context.bytes], [2, 31])
  t.is(context.dockerfiles['Dockerfile'], files.Dockerfile)
  t.deepEqual(await list(context), [
    'Dockerfile 644 FROM scratch\nCOPY . /\n'.trim(),
    'src/main.c 644 int main;',
  ])
  t.deepEqual((await fetch({ type: 'empty' })).files, 0)
})

test('an upload is taken as it is, however much is to be ignored', async (t) => {
  const { fetch } = await scene(t, { body: await packed() })
  const source = { type: 'upload', namespace: 'default', upload: `tree:${'a'.repeat(64)}` } as const
  const error = await refused(t, fetch(source, { ignore: ['src'] }))
  t.is(error.reason, 'InvalidSpec')
  const { digest } = await (await scene(t)).fetch({ type: 'inline', files })
  const { files: count } = await fetch({ ...source, upload: digest }, { ignore: ['src'] })
  t.is(count, 2)
})

test('an upload that the server does not have is not taken for none', async (t) => {
  const body = JSON.stringify({
    kind: 'Status',
    status: 'Failure',
    reason: 'NotFound',
    code: 404,
    message: 'no',
  })
  const { fetch } = await scene(t, { body, status: 404 })
  const upload = `tree:${'a'.repeat(64)}`
  t.is(
    (await refused(t, fetch({ type: 'upload', namespace: 'default', upload }))).reason,
    'SourceUnavailable',
  )
})

test('an archive is the same context in every packing', async (t) => {
  const plain = await packed()
  const packings = [plain, ...(['gzip', 'bzip2', 'xz'] as const).map((name) => compress(name, plain))]
  const { fetch } = await scene(t)
  const { digest } = await fetch({ type: 'inline', files })
  for (const [at, bytes] of packings.entries()) {
    const url = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytes))
    const context = await fetch(tarAt(`${url}/${at}`))
    t.is(context.digest, digest)
    t.is(context.dockerfiles['Dockerfile'], files.Dockerfile)
  }
})

test('what a .dockerignore, that of the Dockerfile, or the Build leaves out is left out of an archive, wherever they stand in it', async (t) => {
  const all = {
    ...files,
    'b.log': 'b',
    'c.tmp': 'c',
    '.dockerignore': '*.log\nDockerfile\n',
  }
  const bytes = await packed(all)
  const url = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytes))
  const { fetch, list } = await scene(t)
  const context = await fetch(tarAt(url), { ignore: ['*.tmp', '# not this'] })
  t.deepEqual(
    (await list(context)).map((line) => line.split(' ')[0]),
    ['.dockerignore', 'src/main.c'],
  )
  t.is(context.dockerfiles['Dockerfile'], files.Dockerfile, 'its text is known all the same')
  const own = { ...all, 'Dockerfile.dockerignore': 'src\n' }
  const other = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytesOf))
  const bytesOf = await packed(own)
  t.false((await list(await fetch(tarAt(other)))).some((line) => line.startsWith('src')))
})

const evil: Readonly<Record<string, readonly Partial<ArchiveHeader>[]>> = {
  'an absolute path': [{ path: '/etc/passwd' }],
  'a path that leaves': [{ path: 'a/../../b' }],
  'a file below a link': [
    { path: 'l', type: 'symlink', linkname: '/etc' },
    { path: 'l/passwd', size: 1 },
  ],
  'a further name of what is not there': [{ path: 'l', type: 'link', linkname: '../x' }],
}

for (const [what, headers] of Object.entries(evil))
  test(`an archive with ${what} is refused, and nothing of it stays`, async (t) => {
    const bytes = compress('gzip', archive([{ path: 'fine', size: 1 }, ...headers]))
    const url = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytes))
    const { fetch, directory, sources } = await scene(t)
    const error = await refused(t, fetch(tarAt(url)))
    t.is(error.reason, 'InvalidSpec')
    t.is(sources.facts().contexts.size, 0)
    t.deepEqual(await readdir(join(directory, 'contexts', 'trees')), [])
    t.deepEqual(await readdir(join(directory, 'contexts', 'aside')), [])
  })

test('what is no archive, breaks off or is damaged is refused', async (t) => {
  const gzip = compress('gzip', await packed())
  const { fetch } = await scene(t)
  for (const bytes of [Buffer.from('<html>'), Buffer.alloc(0), gzip.subarray(0, gzip.length - 20)]) {
    const url = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytes))
    t.is((await refused(t, fetch(tarAt(url)))).reason, 'InvalidSpec')
  }
})

test('a bomb is given up when it is larger than allowed, and so is an archive that says so, or does not end', async (t) => {
  const bomb = compress('gzip', archive([{ path: 'zeros', size: 65 * 1024 ** 2 }]))
  t.true(bomb.length < 100_000)
  const url = await serve(t, (request, response) => {
    response.setHeader('etag', '"1"')
    if (request.url === '/bomb') response.end(bomb)
    else if (request.url === '/said') response.setHeader('content-length', 8 * 1024 ** 4).end()
    else response.end(bomb)
  })
  const { fetch } = await scene(t)
  t.like(await refused(t, fetch(tarAt(`${url}/bomb`))), {
    reason: 'ContextTooLarge',
    message:
      'the context has more than 64Mi, with what is ignored; spec.maxContextBytes is 10Mi: leave out what is not needed with a .dockerignore, or allow more',
  })
  t.is((await refused(t, fetch(tarAt(`${url}/said`)))).reason, 'ContextTooLarge')
  const small = await fetch({ type: 'inline', files })
  t.is(small.bytes, 31)
  const error = await refused(t, fetch({ type: 'inline', files }, { maxBytes: 30 }))
  t.is(error.reason, 'ContextTooLarge', 'also when it is here for somebody who allows more')
})

test('an archive that has changed since it was asked about is not taken, and one with another digest never', async (t) => {
  const bytes = await packed()
  const url = await serve(t, (_request, response) => response.setHeader('etag', '"2"').end(bytes))
  const { fetch } = await scene(t)
  t.is((await refused(t, fetch(tarAt(url)))).reason, 'Conflict')
  t.is((await refused(t, fetch(tarAt(url, `sha256:${'0'.repeat(64)}`)))).reason, 'Conflict')
  const sha256 = '0'.repeat(64)
  const error = await refused(t, fetch({ ...tarAt(url, `sha256:${sha256}`), sha256 }))
  t.is(error.reason, 'InvalidSpec')
  t.regex(error.message, /the sha256 of http.* is [0-9a-f]{64}, not 0{64}/)
})

test('a server that is silent is given up', async (t) => {
  const clock = new ManualClock()
  const came = Promise.withResolvers<void>()
  const url = await serve(t, () => came.resolve())
  const { fetch } = await scene(t, { clock })
  const work = refused(t, fetch(tarAt(url)))
  await came.promise
  await clock.advance(61_000)
  t.is((await work).reason, 'SourceUnavailable')
})

test('a commit is a context without what git keeps, and is known by its commit', async (t) => {
  const root = await makeTempDir(t)
  const repository = await makeRepository(root)
  const commit = await repository.commit({
    ...files,
    'x/a.log': '',
    '.dockerignore': '**/*.log',
    l: '-> src',
  })
  const { url } = await serveSmart(t, root, { login: { username: 'me', password: 'secret' } })
  const login = secret('login', { username: 'me', password: 'secret' })
  const { fetch, list } = await scene(t, { secrets: [login] })
  const source = { type: 'git', url: `${url}/repo.git`, commit, secret: 'default/login' } as const
  const context = await fetch(source)
  t.is(context.revision, commit)
  t.deepEqual(
    (await list(context)).map((line) => line.split(' ')[0]),
    ['.dockerignore', 'Dockerfile', 'l', 'src', 'src/main.c', 'x'],
  )
  t.deepEqual(await list(await fetch({ ...source, subdirectory: 'src' }, { dockerfile: 'x' })), [
    'main.c 644 int main;',
  ])
})

test('a Dockerfile may be a link within its context, and none out of it', async (t) => {
  const folder = await makeTempDir(t)
  await mkdir(join(folder, 'docker'))
  await writeFile(join(folder, 'docker/web'), 'FROM web')
  await symlink('docker/web', join(folder, 'Dockerfile'))
  await symlink('/etc/hostname', join(folder, 'Dockerfile.out'))
  const { sources, fetch } = await scene(t)
  sources.follow({ builds: [hosted(folder)], bases: [] })
  const source = await answered(sources, 'uid-Build-web')
  t.is((await fetch(source)).dockerfiles['Dockerfile'], 'FROM web')
  const out = hosted(folder, { dockerfile: 'Dockerfile.out' })
  sources.follow({ builds: [out], bases: [] })
  const other = await answered(sources, 'uid-Build-web')
  t.is((await fetch(other, { dockerfile: 'Dockerfile.out' })).dockerfiles['Dockerfile.out'], undefined)
  const bytes = archive([
    { path: 'docker/web', size: 3 },
    { path: 'Dockerfile', type: 'symlink', linkname: 'docker/web' },
  ])
  const url = await serve(t, (_request, response) => response.setHeader('etag', '"1"').end(bytes))
  t.is((await fetch(tarAt(url))).dockerfiles['Dockerfile'], '\0\0\0')
})

function hosted(hostPath: string, spec: Record<string, unknown> = {}): Build {
  return build('web', { context: { hostPath }, dockerfileInline: undefined, ...spec })
}

async function answered(
  sources: BuildSources,
  uid: string,
  isNew: (source: ContextSource) => boolean = () => true,
): Promise<ContextSource> {
  return await eventually(() => {
    const { source, failure } = sources.facts().sources.get(uid) ?? {}
    if (source === undefined || !isNew(source)) throw new Error(failure?.message ?? 'not answered')
    return source
  })
}

async function failed(sources: BuildSources, uid: string) {
  return await eventually(() => {
    const { failure } = sources.facts().sources.get(uid) ?? {}
    if (failure === undefined) throw new Error('not answered')
    return failure
  })
}

test('a folder of the node is another context when a file is, and not when it was touched', async (t) => {
  const folder = await makeTempDir(t)
  await writeFile(join(folder, 'Dockerfile'), 'FROM a')
  await writeFile(join(folder, 'main.c'), 'one')
  await symlink('main.c', join(folder, 'link'))
  await writeFile(join(folder, '.dockerignore'), '*.log\nDockerfile')
  const { sources, fetch, list } = await scene(t)
  sources.follow({ builds: [hosted(folder)], bases: [] })
  const uid = 'uid-Build-web'
  const first = await answered(sources, uid)
  const context = await fetch(first)
  t.deepEqual(await list(context), [
    '.dockerignore 644 *.log\nDockerfile',
    'link 777 main.c',
    'main.c 644 one',
  ])
  t.is(context.dockerfiles['Dockerfile'], 'FROM a')
  await utimes(join(folder, 'main.c'), 1, 1)
  await writeFile(join(folder, 'x.log'), 'ignored')
  const { at = 0 } = sources.facts().sources.get(uid) ?? {}
  sources.poke(uid)
  await eventually(() => {
    if ((sources.facts().sources.get(uid)?.at ?? 0) <= at) throw new Error('not asked again')
  })
  t.deepEqual(sources.facts().sources.get(uid)?.source, first)
  await writeFile(join(folder, 'main.c'), 'two')
  const second = await answered(sources, uid, (source) => !same(source, first))
  t.not((await fetch(second)).digest, context.digest)
  await chmod(join(folder, 'main.c'), 0o755)
  // Which is looked at in intervals: no watch tells of it.
  sources.poke(uid)
  const third = await answered(sources, uid, (source) => !same(source, second))
  await writeFile(join(folder, 'Dockerfile'), 'FROM b')
  const fourth = await answered(sources, uid, (source) => !same(source, third))
  t.is((await fetch(fourth)).dockerfiles['Dockerfile'], 'FROM b')
  t.is((await refused(t, fetch(third))).reason, 'Conflict', 'what it was is not to be had any more')
})

function same(a: ContextSource, b: ContextSource): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

test('a folder that is not there is waited for', async (t) => {
  const root = await makeTempDir(t)
  const folder = join(root, 'late')
  const { sources } = await scene(t)
  sources.follow({ builds: [hosted(folder)], bases: [] })
  t.is((await failed(sources, 'uid-Build-web')).reason, 'SourceUnavailable')
  await mkdir(join(root, 'new'))
  await writeFile(join(root, 'new/Dockerfile'), 'FROM a')
  await rename(join(root, 'new'), folder)
  await answered(sources, 'uid-Build-web')
})

test('a ref and an archive are asked about, and told when they have moved', async (t) => {
  const root = await makeTempDir(t)
  const repository = await makeRepository(root)
  const first = await repository.commit(files)
  const git = await serveSmart(t, root)
  let etag = '"1"'
  const web = await serve(t, (_request, response) => response.setHeader('etag', etag).end('archive'))
  const repo = build('repo', { context: { git: { url: `${git.url}/repo.git`, ref: 'main' } } })
  const tar = build('tar', { context: { tar: { url: `${web}/a.tar` } } })
  const { sources, told } = await scene(t)
  sources.follow({ builds: [repo, tar], bases: [] })
  t.like(await answered(sources, 'uid-Build-repo'), { type: 'git', commit: first, ref: 'main' })
  t.like(await answered(sources, 'uid-Build-tar'), { revision: 'etag:"1"' })
  t.true(told() >= 2)
  const second = await repository.commit({ 'src/main.c': 'two' })
  etag = '"2"'
  sources.poke('uid-Build-repo')
  sources.poke('uid-Build-tar')
  t.like(
    await answered(sources, 'uid-Build-repo', (source) => source.type === 'git' && source.commit !== first),
    {
      commit: second,
    },
  )
  await answered(
    sources,
    'uid-Build-tar',
    (source) => source.type === 'tar' && source.revision === 'etag:"2"',
  )
})

test('an archive whose server tells no ETag is told by its time when that is certain, else by its bytes', async (t) => {
  let bytes = 'one'
  const now = Date.now()
  let modified: string | undefined
  const asked: string[] = []
  const web = await serve(t, (request, response) => {
    asked.push(request.method ?? '')
    if (modified !== undefined) response.setHeader('last-modified', modified)
    if (request.method === 'HEAD' && modified === undefined) response.writeHead(405).end()
    else response.end(bytes)
  })
  const tar = build('tar', { context: { tar: { url: web } } })
  const { sources } = await scene(t)
  sources.follow({ builds: [tar], bases: [] })
  const first = await answered(sources, 'uid-Build-tar')
  t.regex(first.type === 'tar' ? first.revision : '', /^sha256:/)
  t.deepEqual(asked, ['HEAD', 'GET'])
  bytes = 'two'
  sources.poke('uid-Build-tar')
  await answered(sources, 'uid-Build-tar', (source) => !same(source, first))
  modified = new Date(now - 60_000).toUTCString()
  sources.poke('uid-Build-tar')
  const timed = await answered(
    sources,
    'uid-Build-tar',
    (s) => s.type === 'tar' && s.revision.startsWith('modified:'),
  )
  t.true(timed.type === 'tar' && timed.revision.includes(modified))
  modified = new Date(Date.now() + 5000).toUTCString()
  sources.poke('uid-Build-tar')
  await answered(sources, 'uid-Build-tar', (s) => s.type === 'tar' && s.revision.startsWith('sha256:'))
})

test('what is wrong with a place is told beside what was known of it', async (t) => {
  const root = await makeTempDir(t)
  await (await makeRepository(root)).commit(files)
  const { url } = await serveSmart(t, root)
  const context = (more: object) => ({ context: { git: { url: `${url}/repo.git`, ...more } } })
  const { sources } = await scene(t)
  const builds = [
    build('nope', context({ ref: 'nope' })),
    build('login', context({ secret: 'missing' })),
    build('ssh', { context: { git: { url: 'git@127.0.0.1:x' } } }),
  ]
  sources.follow({ builds, bases: [] })
  const failureOf = (uid: string) => failed(sources, uid)
  t.is((await failureOf('uid-Build-nope')).reason, 'RefNotFound')
  t.is((await failureOf('uid-Build-login')).message, 'Secret default/missing is not there')
  t.is((await failureOf('uid-Build-ssh')).reason, 'InvalidSpec')
})

test('several Builds with one context fetch it once', async (t) => {
  let fetched = 0
  const bytes = await packed()
  const url = await serve(t, (_request, response) => {
    fetched++
    response.setHeader('etag', '"1"').end(bytes)
  })
  const { fetch } = await scene(t)
  const all = await Promise.all([fetch(tarAt(url)), fetch(tarAt(url)), fetch(tarAt(url))])
  t.is(new Set(all.map(({ digest }) => digest)).size, 1)
  t.is(fetched, 1)
})

test('nothing is fetched to a disk that has no room, and what fills it is broken off and leaves nothing', async (t) => {
  let isFull = true
  async function* body() {
    isFull = true
    for (let file = 0; ; file++) {
      const header = { path: `f${file}`, type: 'file', mode: 0o644, size: 1000, mtime: 0 } as const
      yield Buffer.concat([encodeHeader(header), Buffer.alloc(header.size + paddingOf(header.size))])
      await setTimeout(5)
    }
  }
  const whyNoRoom = async () => (isFull ? 'no room for a context' : undefined)
  const { fetch, directory, sources } = await scene(t, { body: body(), whyNoRoom })
  const upload = `tree:${'a'.repeat(64)}`
  const asked = () => fetch({ type: 'upload', namespace: 'default', upload })
  t.like(await refused(t, asked()), { reason: 'NoSpace', message: 'no room for a context' })
  isFull = false
  t.like(await refused(t, asked()), { reason: 'NoSpace', message: 'no room for a context' })
  t.deepEqual(await readdir(join(directory, 'contexts', 'aside')), [])
  t.is(sources.facts().contexts.size, 0)
})
