/** The CLI in process, with everything it writes kept; and a real API server behind HTTPS for it and for kubectl. */
import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  type Clock,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
} from '#pkg/apimachinery/ambient.ts'
import { inProcess, type Transport } from '#pkg/apimachinery/transport.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { userOf } from '#pkg/apiserver/access/authenticate.ts'
import { adminKubeconfig, ensurePki } from '#pkg/apiserver/access/pki.ts'
import { discovery } from '#pkg/apiserver/documents/discovery.ts'
import { openapi } from '#pkg/apiserver/documents/openapi.ts'
import { version } from '#pkg/apiserver/documents/version.ts'
import { listen } from '#pkg/apiserver/door/listen.ts'
import { firstOf } from '#pkg/apiserver/http/answer.ts'
import { makeApiServer } from '#pkg/apiserver/server.ts'
import { runCli } from '#pkg/cli/cli.ts'
import type { OtherCommand } from '#pkg/cli/help.ts'
import { BrokenPipe, type Io } from '#pkg/cli/io.ts'
import { httpsTransport } from '#pkg/client/https.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { admin } from './apiserver.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface CoveOptions {
  /** Absent: HTTPS as the kubeconfig says. */
  readonly transport?: Transport
  readonly kubeconfig: string
  readonly directory: string
  readonly clock?: Clock
  /** Commands that somebody else handles. */
  readonly others?: readonly OtherCommand[]
}

export interface RunOptions {
  readonly stdin?: string
  readonly signal?: AbortSignal
  readonly isTTY?: boolean
  /** Called with all of stdout so far, after each write. */
  readonly onOutput?: (stdout: string) => void
  /** Standard output breaks after so many writes. */
  readonly breakAfter?: number
}

export type Cove = (words: string, options?: RunOptions) => Promise<Result>

/** A `cove` for tests: words are separated by blanks, except inside single quotes. */
export function makeCove(options: CoveOptions): Cove {
  return async (words, run = {}) => {
    const written = { stdout: '', stderr: '' }
    const code = await runCli(splitWords(words), makeIo(options, run, written), {
      others: options.others ?? [],
    })
    return { code, ...written }
  }
}

function makeIo(options: CoveOptions, run: RunOptions, written: { stdout: string; stderr: string }): Io {
  let writes = 0
  const output = (name: 'stdout' | 'stderr') => ({
    isTTY: run.isTTY ?? false,
    columns: 100,
    async write(data: string | Uint8Array) {
      if (name === 'stdout' && writes++ === run.breakAfter) throw new BrokenPipe()
      written[name] += typeof data === 'string' ? data : Buffer.from(data).toString()
      if (name === 'stdout') run.onOutput?.(written.stdout)
    },
  })
  return {
    stdout: output('stdout'),
    stderr: output('stderr'),
    readStdin: async () => run.stdin ?? '',
    terminal: {
      isTTY: false,
      size: () => undefined,
      onResize: () => () => undefined,
      raw: () => () => undefined,
      async *input() {
        yield Buffer.from(run.stdin ?? '')
      },
    },
    env: { KUBECONFIG: options.kubeconfig },
    cwd: options.directory,
    home: options.directory,
    clock: options.clock ?? systemClock(),
    random: systemRandom(),
    signal: run.signal ?? new AbortController().signal,
    readFile: (path) => readFile(path, 'utf8').catch(() => undefined),
    connect: async (target) => {
      if (options.transport !== undefined) return { transport: options.transport, close: () => undefined }
      const transport = httpsTransport(target)
      return { transport, upgrade: transport.upgrade, close: transport.close }
    },
    version: 'test',
  }
}

export interface CliServer {
  readonly cove: Cove
  /** The real kubectl on the same server; never rejects. */
  readonly kubectl: Cove
  /** Requests of the admin, past HTTPS. */
  readonly transport: Transport
  readonly directory: string
  /** Writes files into `directory`; values are their texts. */
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>
  /** Text of the admin's kubeconfig. */
  readonly kubeconfig: () => Promise<string>
  /** What the server has been asked since the last call: `GET /apis/...`. */
  readonly requests: () => string[]
}

/** A whole API server on loopback, without agents: nothing changes an object but its callers. */
export async function startCliServer(t: Teardown): Promise<CliServer> {
  const directory = await makeTempDir(t, 'cli')
  const storage = openInProcessStorage()
  const ambient = { clock: systemClock(), random: systemRandom(), log: silentLogger }
  const surfaces = [
    firstOf(
      discovery(kinds),
      openapi({ kinds, version: '0.1.0' }),
      version({ version: '0.1.0', platform: 'linux/amd64' }),
    ),
  ]
  const server = makeApiServer({ storage, ambient, surfaces })
  await server.start(new AbortController().signal)
  const now = Date.now()
  const pki = await ensurePki(join(directory, 'pki'), { hosts: [], now, random: seededRandom(now % 1e6) })
  let asked: string[] = []
  const handler: typeof server.handler = (request, user) => {
    asked.push(`${request.method} ${request.path}`)
    return server.handler(request, user)
  }
  const listener = await listen({
    ...ambient,
    authenticate: userOf,
    handler,
    host: '127.0.0.1',
    port: 0,
    pki,
  })
  t.teardown(async () => {
    await listener.close()
    await server.close()
    await storage.close()
  })
  const url = `https://127.0.0.1:${listener.port}`
  const kubeconfig = join(directory, 'kubeconfig')
  await writeFile(kubeconfig, adminKubeconfig({ server: url, ca: pki.ca.cert, ...pki.admin }))
  return {
    cove: makeCove({ kubeconfig, directory }),
    kubectl: makeKubectl(kubeconfig, directory),
    transport: inProcess(server.handler, admin),
    directory,
    write: (files) => writeFiles(directory, files),
    kubeconfig: () => readFile(kubeconfig, 'utf8'),
    requests: () => {
      const seen = asked
      asked = []
      return seen
    },
  }
}

function makeKubectl(kubeconfig: string, directory: string): Cove {
  return (words, { stdin } = {}) =>
    new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: directory }
      const child = execFile(
        'kubectl',
        splitWords(words),
        { env, cwd: directory },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
          resolve({ code, stdout, stderr })
        },
      )
      child.stdin?.end(stdin ?? '')
    })
}

async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    const path = join(directory, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text)
  }
}

function splitWords(words: string): string[] {
  return [...words.matchAll(/(?:[^\s']|'[^']*')+/g)].map(([word]) => word.replaceAll("'", ''))
}
