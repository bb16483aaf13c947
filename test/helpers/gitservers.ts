/** Repositories, and servers of them: git's own backend over HTTP, plain files over HTTP, and sshd. All on loopback. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import { createServer as createSocket } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { eventually } from './eventually.ts'

const run = promisify(execFile)

export interface Repository {
  /** Bare; for servers. */
  readonly path: string
  git(...args: string[]): Promise<string>
  /** Writes the files and commits them on the branch; text `-> TARGET` makes a symbolic link. Resolves with the commit. */
  commit(files: Readonly<Record<string, string>>, branch?: string): Promise<string>
  push(): Promise<void>
}

const identity = {
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.org',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
}

/** `directory/NAME.git` is what is served; its default branch is `main`. */
export async function makeRepository(directory: string, name = 'repo'): Promise<Repository> {
  const path = join(directory, `${name}.git`)
  const work = join(directory, `${name}-work`)
  const env = { ...identity, PATH: process.env['PATH'] ?? '', HOME: directory }
  await mkdir(work, { recursive: true })
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', path], { env })
  await run('git', ['init', '--quiet', '--initial-branch=main', work], { env })
  const git = async (...args: string[]) => {
    const options = ['-c', 'protocol.file.allow=always']
    return (await run('git', ['-C', work, ...options, ...args], { env })).stdout.trim()
  }
  const push = async () => {
    await git('push', '--quiet', '--force', path, '+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*')
    await run('git', ['-C', path, 'update-server-info'], { env })
  }
  return {
    path,
    git,
    push,
    async commit(files, branch = 'main') {
      const known = await git('branch', '--list', branch)
      const head = await git('symbolic-ref', '--short', 'HEAD')
      if (head !== branch) await git('checkout', '--quiet', ...(known === '' ? ['-b'] : []), branch)
      for (const [file, text] of Object.entries(files)) {
        const to = join(work, file)
        await mkdir(dirname(to), { recursive: true })
        if (text.startsWith('-> ')) await symlink(text.slice(3), to)
        else await writeFile(to, text)
      }
      await git('add', '--all')
      await git('commit', '--quiet', '--allow-empty', '-m', 'a change')
      await push()
      return await git('rev-parse', 'HEAD')
    },
  }
}

export interface GitServer {
  /** Without a slash at its end. */
  readonly url: string
  /** `METHOD PATH` of what came, and what each had to show. */
  readonly asked: { readonly line: string; readonly authorization: string | undefined }[]
}

interface Serving {
  /** What each request has to show; absent: nothing. */
  readonly login?: { readonly username: string; readonly password: string }
  /** PEM; absent: it speaks HTTP. */
  readonly tls?: { readonly key: Buffer; readonly cert: Buffer }
}

/** Git's own program behind HTTP. */
export async function serveSmart(
  t: ExecutionContext,
  root: string,
  serving: Serving = {},
): Promise<GitServer> {
  const backend = join((await run('git', ['--exec-path'])).stdout.trim(), 'git-http-backend')
  return await serveHttp(t, serving, (request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    const child = spawn(backend, {
      env: {
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        PATH: process.env['PATH'] ?? '',
        PATH_INFO: decodeURIComponent(url.pathname),
        QUERY_STRING: url.search.slice(1),
        REQUEST_METHOD: request.method ?? '',
        CONTENT_TYPE: request.headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
        REMOTE_ADDR: '127.0.0.1',
      },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    child.stdin.on('error', () => undefined)
    request.pipe(child.stdin)
    void answerOf(child, response)
  })
}

async function answerOf(child: ChildProcess, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout ?? []) chunks.push(chunk)
  const all = Buffer.concat(chunks)
  const end = all.indexOf('\r\n\r\n')
  const headers = all.subarray(0, end).toString().split('\r\n')
  for (const [name = '', value = ''] of headers.map((line) => line.split(': ')))
    if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
    else response.setHeader(name, value)
  response.end(all.subarray(end + 4))
}

/** Files as they lie there, as any server of files would; what git calls dumb. */
export async function serveDumb(
  t: ExecutionContext,
  root: string,
  serving: Serving = {},
): Promise<GitServer> {
  return await serveHttp(t, serving, (request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://x')
    const file = createReadStream(join(root, decodeURIComponent(pathname)))
    file.on('error', () => {
      response.statusCode = 404
      response.end()
    })
    file.on('open', () => file.pipe(response))
  })
}

export type Answering = (request: IncomingMessage, response: ServerResponse) => void

export async function serveHttp(
  t: ExecutionContext,
  { login, tls }: Serving,
  answer: Answering,
): Promise<GitServer> {
  const asked: GitServer['asked'] = []
  const wanted =
    login === undefined
      ? undefined
      : `Basic ${Buffer.from(`${login.username}:${login.password}`).toString('base64')}`
  const answering: Answering = (request, response) => {
    const { authorization } = request.headers
    asked.push({ line: `${request.method} ${request.url}`, authorization })
    if (wanted === undefined || authorization === wanted) return answer(request, response)
    response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
  }
  const server = tls === undefined ? createServer(answering) : createSecureServer(tls, answering)
  const scheme = tls === undefined ? 'http' : 'https'
  return { url: `${scheme}://${await listen(t, server)}`, asked }
}

/** Resolves with its `HOST:PORT`. */
async function listen(t: ExecutionContext, server: Server | SecureServer): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  return `127.0.0.1:${typeof address === 'object' ? address?.port : ''}`
}

export interface SshServer {
  /** `ssh://USER@HOST:PORT`. */
  readonly url: string
  /** Of a user whom it lets in. */
  readonly privateKey: string
  readonly knownHosts: string
}

/** sshd on a port of its own, as whoever runs the test; its files are in `directory`. */
export async function serveSsh(t: ExecutionContext, directory: string): Promise<SshServer> {
  const [host, user, config, authorized] = ['host', 'user', 'sshd_config', 'authorized'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string]
  for (const key of [host, user]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  await writeFile(authorized, await readFile(`${user}.pub`), { mode: 0o600 })
  const port = await freePort()
  const lines = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${host}`,
    `AuthorizedKeysFile ${authorized}`,
    `PidFile ${join(directory, 'pid')}`,
    'StrictModes no',
    'UsePAM no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
  ]
  await writeFile(config, lines.join('\n'))
  // Where sshd keeps away from everything when it is root.
  if (process.getuid?.() === 0) await mkdir('/run/sshd', { recursive: true })
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => {
    server.kill()
  })
  let said = ''
  server.stderr.on('data', (chunk) => {
    said += String(chunk)
  })
  const listens = () => {
    if (!/Server listening/.test(said)) throw new Error(said)
  }
  await eventually(listens, { what: 'sshd listens' })
  const [type = '', key = ''] = (await readFile(`${host}.pub`, 'utf8')).split(' ')
  const name = (await run('id', ['-un'])).stdout.trim()
  return {
    url: `ssh://${name}@127.0.0.1:${port}`,
    privateKey: await readFile(user, 'utf8'),
    knownHosts: `[127.0.0.1]:${port} ${type} ${key}`,
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket()
  socket.listen(0, '127.0.0.1')
  await once(socket, 'listening')
  const address = socket.address()
  socket.close()
  await once(socket, 'close')
  return typeof address === 'object' ? (address?.port ?? 0) : 0
}
