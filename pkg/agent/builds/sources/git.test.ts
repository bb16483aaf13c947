/** Repositories as contexts, on servers as there are: git's own over HTTP, plain files over HTTP, ssh; and such as hang. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { type Clock, ManualClock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeRepository, serveDumb, serveHttp, serveSmart, serveSsh } from '#test/helpers/gitservers.ts'
import { makeCertificates } from '#test/helpers/registry.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { checkOut, resolveCommit } from './git.ts'
import { type GitLogin, parseGitAddress } from './gitaddress.ts'
import { type GitSession, git, tryGit } from './gitprogram.ts'

interface Asked {
  readonly login?: GitLogin
  readonly authorities?: string
  readonly clock?: Clock
  readonly signal?: AbortSignal
  readonly mostBytes?: number
  readonly environment?: Readonly<Record<string, string>>
}

async function session(t: ExecutionContext, url: string, asked: Asked = {}): Promise<GitSession> {
  const address = parseGitAddress(url)
  return {
    place: {
      address,
      login: asked.login ?? address.login,
      secret: asked.login && 'shop/login',
      ...(asked.authorities !== undefined && { authorities: asked.authorities }),
    },
    programs: {
      clock: asked.clock ?? systemClock(),
      searchPath: process.env['PATH'] ?? '',
      environment: asked.environment ?? {},
      endGroup,
    },
    directory: await makeTempDir(t, 'git'),
    signal: asked.signal ?? new AbortController().signal,
    patience: 60_000,
    mostBytes: asked.mostBytes ?? 1024 ** 3,
  }
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

async function failure(work: Promise<unknown>): Promise<StatusError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof StatusError)) throw new Error(`no StatusError: ${String(error)}`)
  return error
}

const servers = { smart: serveSmart, dumb: serveDumb } as const

for (const [name, serve] of Object.entries(servers)) {
  test(`a ref means what it means on a ${name} server now: default branch, branch, tag, commit`, async (t) => {
    const root = await makeTempDir(t)
    const repository = await makeRepository(root)
    const first = await repository.commit({ 'a.txt': 'one' })
    await repository.git('tag', '-a', 'v1', '-m', 'one')
    const second = await repository.commit({ 'a.txt': 'two' })
    const side = await repository.commit({ 'b.txt': 'side' }, 'dev/side')
    await repository.git('tag', 'dev')
    await repository.push()
    const { url } = await serve(t, root)
    const ask = async (ref?: string) => await resolveCommit(ref, await session(t, `${url}/repo.git`))
    t.is(await ask(), second)
    t.is(await ask('HEAD'), second)
    t.is(await ask('main'), second)
    t.is(await ask('v1'), first)
    t.is(await ask('dev/side'), side)
    t.is(await ask('refs/heads/main'), second)
    t.is(await ask(second), second)
    t.is(await ask(second.slice(0, 8)), second)
    t.is(await ask(first.slice(0, 8)), first)
    const nope = await failure(ask('nope'))
    t.is(nope.reason, 'RefNotFound')
    t.is(nope.message, `${url}/repo.git has no branch, tag or commit nope`)
    t.is((await failure(ask('0123abcd'))).reason, 'RefNotFound')
  })

  test(`the files of any commit come from a ${name} server as git has them`, async (t) => {
    const root = await makeTempDir(t)
    const repository = await makeRepository(root)
    const first = await repository.commit({ 'a.txt': 'one', 'sub/b.txt': 'b', link: '-> a.txt' })
    await repository.git('update-index', '--chmod=+x', 'sub/b.txt')
    await repository.git('commit', '--quiet', '-m', 'mode')
    const second = await repository.git('rev-parse', 'HEAD')
    await repository.commit({ 'a.txt': 'three' })
    const { url } = await serve(t, root)
    const place = `${url}/repo.git`
    const folder = await checkOut({ commit: second, ref: 'main' }, await session(t, place))
    t.deepEqual((await readdir(folder)).sort(), ['.git', 'a.txt', 'link', 'sub'])
    t.is(await readFile(join(folder, 'a.txt'), 'utf8'), 'one')
    t.is(await readlink(join(folder, 'link')), 'a.txt')
    t.is((await stat(join(folder, 'a.txt'))).mode & 0o777, 0o644)
    t.is((await stat(join(folder, 'sub/b.txt'))).mode & 0o777, 0o755)
    t.is((await stat(join(folder, 'sub'))).mode & 0o777, 0o755)
    const before = await checkOut({ commit: first }, await session(t, place))
    t.is((await stat(join(before, 'sub/b.txt'))).mode & 0o777, 0o644)
    const sub = await checkOut({ commit: first, subdirectory: './sub/' }, await session(t, place))
    t.deepEqual(await readdir(sub), ['b.txt'])
  })

  test(`a folder that a ${name} server's repository does not have is refused, and so is a file in its place`, async (t) => {
    const root = await makeTempDir(t)
    const repository = await makeRepository(root)
    const commit = await repository.commit({ 'a.txt': 'one', up: '-> ..' })
    const { url } = await serve(t, root)
    for (const subdirectory of ['nope', 'a.txt', 'up', 'a*']) {
      const work = checkOut({ commit, ref: 'main', subdirectory }, await session(t, `${url}/repo.git`))
      const error = await failure(work)
      t.is(error.reason, 'InvalidSpec')
      t.is(error.message, `${url}/repo.git at main has no folder "${subdirectory}"`)
    }
  })

  test(`a password is shown to the ${name} server that asks for it, and told nowhere`, async (t) => {
    const root = await makeTempDir(t)
    const repository = await makeRepository(root)
    const commit = await repository.commit({ 'a.txt': 'one' })
    const login = { username: 'me', password: `pa"$(id)'s\\s` }
    const { url, asked } = await serve(t, root, { login })
    const place = `${url}/repo.git`
    const basic = { type: 'basic', ...login } as const
    t.is(await resolveCommit('main', await session(t, place, { login: basic })), commit)
    const folder = await checkOut({ commit }, await session(t, place, { login: basic }))
    t.is(await readFile(join(folder, 'a.txt'), 'utf8'), 'one')
    const config = await readFile(join(folder, '.git/config'), 'utf8')
    t.false(config.includes('me') || config.includes('pa"'))
    t.true(asked.some(({ authorization }) => authorization !== undefined))
    const inAddress = place.replace('//', `//me:${encodeURIComponent(login.password)}@`)
    t.is(await resolveCommit('main', await session(t, inAddress)), commit)
    const none = await failure(session(t, place).then((each) => resolveCommit('main', each)))
    t.is(none.reason, 'SourceUnavailable')
    t.regex(none.message, /spec\.context\.git\.secret names none/)
    const wrong = { ...basic, password: 'wrong-one' }
    const refused = await failure(
      session(t, place, { login: wrong }).then((each) => resolveCommit('main', each)),
    )
    t.regex(refused.message, /Authentication failed.*asked with Secret shop\/login/)
    t.false(refused.message.includes('wrong-one'))
  })
}

test('what proves a right is shown to no host that is led to', async (t) => {
  const root = await makeTempDir(t)
  await (await makeRepository(root)).commit({ 'a.txt': 'one' })
  const login = { username: 'me', password: 'secret' }
  const other = await serveSmart(t, root, { login })
  const first = await serveHttp(t, { login }, (request, response) => {
    response.writeHead(302, { location: `${other.url}${request.url}` }).end()
  })
  const asked = session(t, `${first.url}/repo.git`, { login: { type: 'basic', ...login } })
  t.is((await failure(asked.then((each) => resolveCommit('main', each)))).reason, 'SourceUnavailable')
  t.true(other.asked.length > 0)
  t.true(other.asked.every(({ authorization }) => authorization === undefined))
})

test('a password is in no argument of any process, and in the environment of git only', async (t) => {
  const login = { username: 'me', password: 'very-secret-word' }
  const held = Promise.withResolvers<void>()
  const { url, asked } = await serveHttp(t, {}, (_request, response) => {
    held.promise.then(
      () => response.writeHead(500).end(),
      () => undefined,
    )
  })
  const work = failure(
    session(t, `${url}/repo.git`, { login: { type: 'basic', ...login } }).then((each) =>
      resolveCommit('main', each),
    ),
  )
  await eventually(() => {
    if (asked.length === 0) throw new Error('not asked')
  })
  const processes = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(
    processes.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
  )
  t.true(lines.some((line) => line.includes('ls-remote') && line.includes(url)))
  t.false(lines.some((line) => line.includes('very-secret-word')))
  held.resolve()
  await work
})

test('ssh is shown the key of the Secret, and its host has to be the one of known_hosts', async (t) => {
  const root = await makeTempDir(t)
  const repository = await makeRepository(root)
  const commit = await repository.commit({ 'a.txt': 'one', 'sub/b.txt': 'b' })
  const server = await serveSsh(t, await makeTempDir(t, 'sshd'))
  const url = `${server.url}${repository.path}`
  const login = { type: 'key', ...server } as const
  t.is(await resolveCommit(undefined, await session(t, url, { login })), commit)
  const using = await session(t, url, { login })
  const folder = await checkOut({ commit, subdirectory: 'sub' }, using)
  t.deepEqual(await readdir(folder), ['b.txt'])
  t.deepEqual(await readdir(using.directory), ['repository'], 'the key is gone')
  const other = await serveSsh(t, await makeTempDir(t, 'sshd'))
  const stranger = { ...login, knownHosts: other.knownHosts }
  const unknown = await failure(
    session(t, url, { login: stranger }).then((each) => resolveCommit('main', each)),
  )
  t.is(unknown.reason, 'SourceUnavailable')
  t.regex(unknown.message, /Host key verification failed/)
  const wrong = { ...login, privateKey: other.privateKey }
  const denied = await failure(session(t, url, { login: wrong }).then((each) => resolveCommit('main', each)))
  t.regex(denied.message, /Permission denied.*asked with Secret shop\/login/)
})

test('submodules come along, from servers and never from files of the node', async (t) => {
  const root = await makeTempDir(t)
  const library = await makeRepository(root, 'library')
  await library.commit({ 'lib.txt': 'lib' })
  const repository = await makeRepository(root)
  const login = { username: 'me', password: 'secret' }
  const { url } = await serveSmart(t, root, { login })
  await repository.commit({ 'a.txt': 'one' })
  const address = library.path
  await repository.git('submodule', '--quiet', 'add', address, 'sub/lib')
  await repository.git('config', '-f', '.gitmodules', 'submodule.sub/lib.url', '../library.git')
  const commit = await repository.commit({})
  const place = `${url}/repo.git`
  const basic = { type: 'basic', ...login } as const
  const folder = await checkOut({ commit }, await session(t, place, { login: basic }))
  t.is(await readFile(join(folder, 'sub/lib/lib.txt'), 'utf8'), 'lib')
  const part = await checkOut({ commit, subdirectory: 'sub' }, await session(t, place, { login: basic }))
  t.is(await readFile(join(part, 'lib/lib.txt'), 'utf8'), 'lib')
  await repository.git('config', '-f', '.gitmodules', 'submodule.sub/lib.url', address)
  const local = await repository.commit({})
  const error = await failure(
    session(t, place, { login: basic }).then((each) => checkOut({ commit: local }, each)),
  )
  t.is(error.reason, 'SourceUnavailable')
  t.regex(error.message, /not allowed/)
})

test('a host that hangs is given up, and git with all that it has started is gone', async (t) => {
  const clock = new ManualClock()
  const silent = createServer()
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    silent.close()
  })
  const address = silent.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  const came = new Promise((resolve) => silent.once('connection', resolve))
  const work = failure(
    session(t, `http://127.0.0.1:${port}/repo.git`, { clock }).then((each) => resolveCommit('main', each)),
  )
  await came
  t.true((await programsOn(port)) > 0)
  await clock.advance(61_000)
  const error = await work
  t.is(error.reason, 'SourceUnavailable')
  t.is(error.message, 'git is not done after 60 s')
  await eventually(async () => {
    if ((await programsOn(port)) > 0) throw new Error('there are some')
  })
})

test('who breaks it off is told so, and nothing goes on', async (t) => {
  const { url, asked } = await serveHttp(t, {}, () => {})
  const abort = new AbortController()
  const work = session(t, `${url}/repo.git`, { signal: abort.signal }).then((each) =>
    resolveCommit('main', each),
  )
  await eventually(() => {
    if (asked.length === 0) throw new Error('not asked')
  })
  abort.abort(new Error('the Build is gone'))
  await t.throwsAsync(work, { message: 'the Build is gone' })
  t.is(await programsOn(url.split(':').at(-1) ?? ''), 0)
})

test('a repository that is too large is given up, packed or unpacked', async (t) => {
  const root = await makeTempDir(t)
  const repository = await makeRepository(root)
  const commit = await repository.commit({ zeros: '0'.repeat(3_000_000) })
  const { url } = await serveSmart(t, root)
  const places = [
    [{ mostBytes: 2_000_000 }, {}],
    [{}, { mostFileBytes: 2_000_000 }],
  ] as const
  for (const [bounds, most] of places) {
    const work = session(t, `${url}/repo.git`, bounds).then((each) => checkOut({ commit, ...most }, each))
    const error = await failure(work)
    t.is(error.reason, 'ContextTooLarge')
    t.regex(error.message, /files of the repository are 2\.9Mi: more than 1\.9Mi are not unpacked/)
  }
})

test('hooks, filters, configuration of the machine and commands of a repository are not run', async (t) => {
  const root = await makeTempDir(t)
  const repository = await makeRepository(root)
  const mark = join(root, 'mark')
  const commit = await repository.commit({
    '.gitattributes': '* filter=evil\n',
    '.gitconfig': `[filter "evil"]\n smudge = touch ${mark}\n`,
    '.gitmodules': `[submodule "x"]\n path = x\n url = ${repository.path}\n update = !touch ${mark}\n`,
    'a.txt': 'one',
  })
  const { url } = await serveSmart(t, root)
  const using = await session(t, `${url}/repo.git`, { environment: { HOME: root } })
  const result = await checkOut({ commit }, using).catch((error: unknown) => error)
  t.true(typeof result === 'string' || isReason(result, 'SourceUnavailable'))
  await t.throwsAsync(stat(mark), { code: 'ENOENT' })
})

test('git trusts the authorities that the agent trusts, and is told of no other settings', async (t) => {
  const folder = await makeTempDir(t)
  await writeFile(join(folder, 'git'), '#!/bin/sh\nenv\n', { mode: 0o755 })
  const environment = { SSL_CERT_FILE: '/ca.pem', HTTPS_PROXY: 'http://proxy.example' }
  const using = await session(t, 'https://127.0.0.1:1/repo.git', { environment })
  const searchPath = `${folder}:${using.programs.searchPath}`
  const env = await git([], { session: { ...using, programs: { ...using.programs, searchPath } } })
  const lines = new Set(env.split('\n'))
  for (const line of ['HTTPS_PROXY=http://proxy.example', 'GIT_ALLOW_PROTOCOL=https'])
    t.true(lines.has(line), line)
  const { output } = await tryGit(['config', 'http.sslCAInfo'], { session: using })
  t.is(output.toString(), '/ca.pem\n')
  t.true(lines.has('GIT_CONFIG_GLOBAL=/dev/null') && lines.has('GIT_CONFIG_NOSYSTEM=1'))
  t.true(lines.has(`HOME=${using.directory}`))
})

test('who vouches for a server of its own is said by its Secret, and counts for that server only', async (t) => {
  const root = await makeTempDir(t)
  const files = await makeTempDir(t)
  const authorities = await makeCertificates(files)
  const [key, cert] = await Promise.all(['key.pem', 'cert.pem'].map((name) => readFile(join(files, name))))
  if (key === undefined || cert === undefined) throw new Error('no certificate')
  const commit = await (await makeRepository(root)).commit({ 'a.txt': 'one' })
  const { url } = await serveSmart(t, root, { tls: { key, cert } })
  const place = `${url}/repo.git`
  const distrusted = await failure(session(t, place).then((each) => resolveCommit('main', each)))
  t.is(distrusted.reason, 'SourceUnavailable')
  t.regex(distrusted.message, /certificate.*ca\.crt of the Secret that spec\.context\.git\.secret names/)
  const trusting = await session(t, place, { authorities })
  t.is(await resolveCommit('main', trusting), commit)
  t.is(await readFile(join(await checkOut({ commit }, trusting), 'a.txt'), 'utf8'), 'one')
  t.deepEqual(await readdir(trusting.directory), ['repository'])
  const elsewhere = parseGitAddress('https://git.example/repo.git')
  const other = { ...trusting, place: { ...trusting.place, address: elsewhere } }
  const matching = await tryGit(['config', '--get-urlmatch', 'http.sslCAInfo', place], { session: other })
  t.is(matching.output.toString(), '')
})

test('a node without git says so', async (t) => {
  const using = await session(t, 'https://127.0.0.1:1/repo.git')
  const empty = await mkdtemp(join(using.directory, 'path-'))
  const programs = { ...using.programs, searchPath: empty }
  const error = await failure(resolveCommit('main', { ...using, programs }))
  t.is(error.message, 'there is no program git on the node')
})

async function programsOn(port: number | string): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args'])
  return stdout.split('\n').filter((line) => /git/.test(line) && line.includes(`:${port}/`)).length
}
