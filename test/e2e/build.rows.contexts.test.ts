/** What people know of docker build and its context holds for Builds: what is sent, from where, and what makes a new build. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { buildKind } from '#pkg/apis/build.ts'
import {
  attempt,
  build,
  buildFails,
  built,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
  shell,
  untilBuild,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { pushed, serveFiles } from '#test/helpers/images.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import type { Fields, Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)
const run = promisify(execFile)

type Files = Readonly<Record<string, string>>

async function write(directory: string, files: Files): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}

/** A folder with a manifest of one Build in it; its context is the folder `ctx` beside, unless `spec` says another. */
async function project(
  t: ExecutionContext,
  scene: Scene,
  { name, files, spec = {} }: { name: string; files: Files; spec?: Fields },
): Promise<{ directory: string; manifest: string }> {
  const directory = await makeTempDir(t, 'project')
  await write(join(directory, 'ctx'), files)
  const manifest = join(directory, 'build.yaml')
  const metadata = { name, namespace: scene.namespace }
  const object = {
    apiVersion: 'cove.run/v1',
    kind: 'Build',
    metadata,
    spec: { context: { path: 'ctx' }, ...spec },
  }
  await writeFile(manifest, JSON.stringify(object))
  return { directory, manifest }
}

async function apply(t: ExecutionContext, manifest: string): Promise<string> {
  const { code, stdout, stderr } = await cove().cli(['apply', '-f', manifest])
  t.is(code, 0, stderr)
  return stdout
}

const dockerfile = (...lines: readonly string[]) => `${[`FROM ${baseImage}`, ...lines].join('\n')}\n`

test('a folder is built, and once applied again nothing is built; a touched file is the same file', async (t) => {
  const scene = await makeBuildScene(cove())
  const files = { Dockerfile: dockerfile('COPY f /f'), f: 'one' }
  const tags = ['1', '2', 'latest'].map((tag) => `cove-test/${cove().mark}-folder:${tag}`)
  const { manifest, directory } = await project(t, scene, { name: 'web', files, spec: { tags } })
  await apply(t, manifest)
  const first = await built(scene, 'web')
  t.is(await shell(scene, tags[0] ?? '', 'cat /f'), 'one')
  const ids = await Promise.all(tags.map(async (tag) => (await inspectImage(scene, tag)).Id))
  t.deepEqual([...new Set(ids)], [first.image.id])
  t.regex(await apply(t, manifest), /unchanged/)
  const later = new Date(Date.now() + 60_000)
  await utimes(join(directory, 'ctx/f'), later, later)
  t.regex(await apply(t, manifest), /unchanged/)
  await writeFile(join(directory, 'ctx/f'), 'two')
  t.regex(await apply(t, manifest), /configured/)
  const second = await attempt(scene, 'web', 2)
  t.not(second.inputHash, first.inputHash)
  t.regex(second.cause ?? '', /context|changed/)
  await writeFile(join(directory, 'ctx/Dockerfile'), dockerfile('COPY f /g'))
  await apply(t, manifest)
  const third = await attempt(scene, 'web', 3)
  t.not(third.inputHash, second.inputHash)
  t.true((third.history?.length ?? 0) >= 2)
})

test('the same files elsewhere, from another time, are the same input and the same image', async (t) => {
  const scene = await makeBuildScene(cove())
  const files = { Dockerfile: dockerfile('COPY . /app/'), 'a/b': 'b', c: 'c' }
  const here = await project(t, scene, { name: 'here', files })
  const there = await project(t, scene, { name: 'there', files: {} })
  await cp(join(here.directory, 'ctx'), join(there.directory, 'ctx'), { recursive: true })
  await apply(t, here.manifest)
  await apply(t, there.manifest)
  const [one, other] = [await built(scene, 'here'), await built(scene, 'there')]
  t.is(one.inputs?.['context'], other.inputs?.['context'])
  t.is(one.revision, other.revision)
  const layers = async (name: string) => (await inspectImage(scene, imageOf(scene, name))).RootFS.Layers
  t.deepEqual(await layers('here'), await layers('there'))
})

for (const builder of ['Classic', 'BuildKit'])
  test(`modes, times, links and long names survive with ${builder}; owners are root`, async (t) => {
    const scene = await makeBuildScene(cove())
    const long = `${'long-'.repeat(30)}name`
    const files = { Dockerfile: dockerfile('COPY . /c/'), run: 'x', [`${long}/${long}`]: 'deep' }
    const { directory, manifest } = await project(t, scene, { name: 'modes', files, spec: { builder } })
    const context = join(directory, 'ctx')
    await chmod(join(context, 'run'), 0o750)
    await utimes(join(context, 'run'), new Date('2001-02-03T04:05:06Z'), new Date('2001-02-03T04:05:06Z'))
    await symlink('run', join(context, 'link'))
    await symlink('../../away', join(context, 'away'))
    await apply(t, manifest)
    await built(scene, 'modes')
    const seen = await shell(
      scene,
      imageOf(scene, 'modes'),
      `cd /c; stat -c '%a %u:%g %Y' run; readlink link; readlink away; cat ${long}/${long}`,
    )
    t.deepEqual(seen.split('\n'), ['750 0:0 981173106', 'run', '../../away', 'deep'])
  })

test('the Dockerfile may have any name and lie outside; COPY is from the context; a missing one is told of', async (t) => {
  const scene = await makeBuildScene(cove())
  const spec = { dockerfile: '../Dockerfile.php' }
  const { directory, manifest } = await project(t, scene, { name: 'outside', files: { f: 'ctx' }, spec })
  await write(directory, { 'Dockerfile.php': dockerfile('COPY f /f', 'COPY . /all/'), f: 'beside' })
  await apply(t, manifest)
  await built(scene, 'outside')
  t.is(await shell(scene, imageOf(scene, 'outside'), 'cat /f; ls -1 /all'), 'ctxf')
  const missing = await project(t, scene, { name: 'missing', files: { f: 'f' } })
  const answer = await cove().cli(['apply', '-f', missing.manifest])
  t.not(answer.code, 0)
  t.regex(answer.stderr, /Dockerfile/)
})

test('.dockerignore and spec.ignore keep files out; what is too large is told before it is sent', async (t) => {
  const scene = await makeBuildScene(cove())
  const files = {
    Dockerfile: dockerfile('COPY . /c/'),
    '.dockerignore': '*.gz\n!a.tar.gz\nsub\n',
    'a.tar.gz': 'a',
    'plain.gz': 'plain',
    'sub/x': 'x',
    'notes.md': 'notes',
  }
  const { manifest, directory } = await project(t, scene, {
    name: 'ignore',
    files,
    spec: { ignore: ['*.md'] },
  })
  await apply(t, manifest)
  const small = await built(scene, 'ignore')
  const names = (await shell(scene, imageOf(scene, 'ignore'), 'ls /c')).split(/\s+/)
  t.true(names.includes('a.tar.gz'))
  t.deepEqual(
    names.filter((name) => ['plain.gz', 'sub', 'notes.md'].includes(name)),
    [],
  )
  await writeFile(join(directory, 'ctx/big'), Buffer.alloc(5_000_000, 'x'))
  await apply(t, manifest)
  const large = await attempt(scene, 'ignore', 2)
  t.is((large.contextBytes ?? 0) - (small.contextBytes ?? 0), 5_000_000)
  const limited = await project(t, scene, { name: 'limited', files, spec: { maxContextBytes: '1Mi' } })
  await writeFile(join(limited.directory, 'ctx/big'), Buffer.alloc(5_000_000, 'x'))
  const answer = await cove().cli(['apply', '-f', limited.manifest])
  t.not(answer.code, 0)
  t.regex(answer.stderr, /ContextTooLarge|too large|more than|maxContextBytes/)
})

test('an archive is unpacked as what it is: all packings are the same context', async (t) => {
  const scene = await makeBuildScene(cove())
  const packed = await makeTempDir(t, 'packed')
  await write(join(packed, 'files'), { Dockerfile: dockerfile('COPY f /f'), f: 'packed' })
  const contexts: string[] = []
  for (const [name, flag] of [
    ['tar', '-cf'],
    ['tar.gz', '-czf'],
    ['tar.bz2', '-cjf'],
    ['tar.xz', '-cJf'],
  ] as const) {
    const object = name.replace('.', '-')
    const spec = { context: { path: `ctx.${name}` } }
    const { manifest, directory } = await project(t, scene, { name: object, files: {}, spec })
    await run('tar', [flag, join(directory, `ctx.${name}`), '-C', join(packed, 'files'), '.'])
    await apply(t, manifest)
    contexts.push((await built(scene, object)).inputs?.['context'] ?? '')
  }
  t.is(new Set(contexts).size, 1)
  t.not(contexts[0], '')
})

test('ADD unpacks an archive of the context and COPY does not', async (t) => {
  const scene = await makeBuildScene(cove())
  const lines = [
    'ADD a.tar.gz /x/gz/',
    'ADD a.tar.bz2 /x/bz2/',
    'ADD a.tar.xz /x/xz/',
    'ADD a.tar /x/tar/',
    'COPY a.tar.gz /c/',
    'ADD plain.gz /p/',
  ]
  for (const builder of ['Classic', 'BuildKit']) {
    const name = builder.toLowerCase()
    const { directory, manifest } = await project(t, scene, {
      name,
      files: { Dockerfile: dockerfile(...lines), 'in/f': 'f' },
      spec: { builder },
    })
    const context = join(directory, 'ctx')
    for (const [end, flag] of [
      ['tar', '-cf'],
      ['tar.gz', '-czf'],
      ['tar.bz2', '-cjf'],
      ['tar.xz', '-cJf'],
    ] as const)
      await run('tar', [flag, join(context, `a.${end}`), '-C', context, 'in'])
    await run('sh', ['-c', 'echo plain | gzip > plain.gz'], { cwd: context })
    await apply(t, manifest)
    const { warnings } = await built(scene, name)
    t.is(
      await shell(
        scene,
        imageOf(scene, name),
        'cat /x/gz/in/f /x/bz2/in/f /x/xz/in/f /x/tar/in/f; ls -1 /c /p',
      ),
      'ffff/c:\na.tar.gz\n\n/p:\nplain.gz',
    )
    t.false(warnings?.some(({ rule }) => rule === 'AddInsteadOfCopy') && warnings.length === 4)
  }
})

test('steps are numbered, told with their times, and come from the cache until one changes', async (t) => {
  const scene = await makeBuildScene(cove())
  const lines = (third: string) => [
    'RUN echo 1 > /1',
    `RUN echo ${scene.namespace}`,
    `RUN echo ${third} > /3`,
    'RUN echo 4 > /4',
  ]
  for (const builder of ['Classic', 'BuildKit']) {
    const name = builder.toLowerCase()
    const text = (third: string) => dockerfile(...lines(`${builder}-${third}`))
    const first = await build(scene, name, lines(`${builder}-a`), { builder })
    t.is(first.steps?.length, 5, JSON.stringify(first.steps))
    t.true(
      first.steps?.every(
        ({ state, seconds }) => (state === 'Done' && seconds !== undefined) || state === 'Cached',
      ),
    )
    t.is((await inspectImage(scene, imageOf(scene, name))).Id, first.image.id)
    await scene.patch('Build', name, { spec: { dockerfileInline: text('b') } })
    const second = await attempt(scene, name, 2)
    const states = second.steps?.slice(1).map(({ state }) => state)
    t.deepEqual(states, ['Cached', 'Cached', 'Done', 'Done'])
    await scene.patch('Build', name, { metadata: { annotations: { 'cove.run/build-requested': 'again' } } })
    const third = await attempt(scene, name, 3)
    t.true((third.cacheHits ?? 0) >= 4, JSON.stringify(third))
    t.regex(third.cause ?? '', /asked for/)
    await scene.patch('Build', name, {
      metadata: { annotations: { 'cove.run/build-requested': 'fresh no-cache' } },
    })
    const fourth = await attempt(scene, name, 4)
    t.deepEqual(
      fourth.steps?.slice(1).filter(({ state }) => state === 'Cached'),
      [],
    )
  }
})

test('each RUN of the classic builder is a container that goes, and a step that fails leaves none', async (t) => {
  const scene = await makeBuildScene(cove())
  const before = await scene.call('GET', '/containers/json?all=1')
  await createBuild(scene, 'bad', ['RUN echo fine > /x', 'RUN exit 3'], { builder: 'Classic' })
  await buildFails(scene, 'bad')
  const after: readonly { Id: string; Command: string }[] = await scene.call('GET', '/containers/json?all=1')
  const known = new Set(before.map(({ Id }: { Id: string }) => Id))
  t.deepEqual(
    after.filter(({ Id, Command }) => !known.has(Id) && Command.includes('exit 3')),
    [],
  )
})

test('a git repository is built at its default branch, at a ref, in a folder; a ref that is not there is told of', async (t) => {
  const scene = await makeBuildScene(cove())
  const repository = await makeTempDir(t, 'git')
  const git = (...words: string[]) =>
    run('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...words], { cwd: repository })
  await git('init', '-q', '-b', 'trunk')
  await write(repository, {
    Dockerfile: dockerfile('COPY f /f'),
    f: 'trunk',
    '8.14/Dockerfile': dockerfile('COPY g /f'),
    '8.14/g': 'folder',
  })
  await git('add', '.')
  await git('commit', '-qm', 'one')
  await git('checkout', '-qb', 'dev')
  await write(repository, { f: 'dev' })
  await git('commit', '-qam', 'two')
  await git('checkout', '-q', 'trunk')
  const url = `file://${repository}`
  for (const [name, more, expected] of [
    ['default', {}, 'trunk'],
    ['ref', { ref: 'dev' }, 'dev'],
    ['folder', { subdirectory: '8.14' }, 'folder'],
  ] as const) {
    await scene.create('Build', name, {
      spec: { context: { git: { url, ...more } }, triggers: { interval: '5s' } },
    })
    const { revision } = await built(scene, name)
    t.regex(revision ?? '', /^[0-9a-f]{7,}/)
    t.is(await shell(scene, imageOf(scene, name), 'cat /f'), expected)
  }
  await scene.create('Build', 'nope', { spec: { context: { git: { url, ref: 'nope' } } } })
  const { status } = await untilBuild(scene, 'nope', ({ conditions }) => {
    if (!findCondition(conditions, 'Ready')?.message?.includes('nope')) throw new Error('not told')
  })
  t.falsy(status.image)
  await write(repository, { f: 'moved' })
  await git('commit', '-qam', 'three')
  await attempt(scene, 'default', 2)
  t.is(await shell(scene, imageOf(scene, 'default'), 'cat /f'), 'moved')
})

test('an archive of a server is built, and built again when it is another one', async (t) => {
  const scene = await makeBuildScene(cove())
  const directory = await makeTempDir(t, 'tar')
  const archive = async (text: string) => {
    await write(join(directory, 'files'), { Dockerfile: dockerfile('COPY f /f'), f: text })
    await run('tar', ['-czf', join(directory, 'a.tgz'), '-C', join(directory, 'files'), '.'])
    return await readFile(join(directory, 'a.tgz'))
  }
  const answers = { '/context.tar.gz': { body: await archive('one') } }
  const server = await serveFiles(answers)
  t.teardown(() => server.close())
  const context = { tar: { url: `${server.base}/context.tar.gz` } }
  await scene.create('Build', 'tar', { spec: { context, triggers: { interval: '5s' } } })
  const first = await built(scene, 'tar')
  answers['/context.tar.gz'].body = await archive('two, which is longer')
  const second = await attempt(scene, 'tar', 2)
  t.not(second.inputHash, first.inputHash)
  t.is(await shell(scene, imageOf(scene, 'tar'), 'cat /f'), 'two, which is longer')
})

test('what is to be taken out of the image is written to the node, and no container is left', async (t) => {
  const scene = await makeBuildScene(cove())
  const to = join(await makeTempDir(t, 'out'), 'busybox')
  await build(scene, 'out', ['RUN true'], { outputs: [{ from: '/bin/busybox', to }] })
  await scene.eventually('the file', async () => {
    assert.equal((await stat(to)).size, (await stat('/bin/busybox')).size)
  })
  t.true((await readFile(to)).equals(await readFile('/bin/busybox')))
  await createBuild(scene, 'none', ['RUN true'], { outputs: [{ from: '/no/such', to }] })
  const { message } = await buildFails(scene, 'none', 'BuildFailed')
  t.is(message, 'spec.outputs: the image has no /no/such')
  const label = encodeURIComponent(
    JSON.stringify({ ancestor: [imageOf(scene, 'out'), imageOf(scene, 'none')] }),
  )
  t.deepEqual(await scene.call('GET', `/containers/json?all=1&filters=${label}`), [])
})

test('a base that moves in its registry makes a new build, in which its layers are the first', async (t) => {
  const scene = await makeBuildScene(cove())
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const base = await pushed(scene, registry, 'base:1', ['one'])
  await createBuild(scene, 'child', [`FROM ${base}`, 'RUN true'], { triggers: { interval: '5s' } })
  const first = await built(scene, 'child')
  await pushed(scene, registry, 'base:1', ['two'])
  const second = await attempt(scene, 'child', 2)
  t.regex(second.cause ?? '', /base .* moved/)
  t.not(second.image?.id, first.image.id)
  t.regex(await shell(scene, imageOf(scene, 'child'), 'ls /'), /made-two/)
})

test('what builds is what the API says it is', async (t) => {
  const scene = await makeBuildScene(cove())
  for (const builder of ['Classic', 'BuildKit']) {
    await build(scene, builder.toLowerCase(), ['RUN true'], { builder })
    const { status } = await cove().client.get(
      buildKind,
      { namespace: scene.namespace, name: builder.toLowerCase() },
      new AbortController().signal,
    )
    t.is(status?.builder, builder)
  }
})
