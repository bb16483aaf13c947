/** The built executable as `cove server` for a benchmark, and connections to it that cost the asking side little. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/registry.ts'
import { stop } from './running.ts'

const executable = resolve(import.meta.dirname, '../../bin/cove')

export interface Serving {
  readonly pid: number
  readonly dataDir: string
  /** How long it took from the start of the process until /readyz answered ok. */
  readonly readyMs: number
  connect(): Promise<Connection>
}

interface Access {
  readonly port: number
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Runs `work` beside a `cove server` on data that goes afterwards. */
export async function withServer(work: (serving: Serving) => Promise<void>): Promise<void> {
  await withDataDir((dataDir) => serveOn(dataDir, work))
}

export async function withDataDir(work: (dataDir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'cove-bench-'))
  try {
    await work(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** The same on data that stays; nobody else may use it meanwhile. */
export async function serveOn(dataDir: string, work: (serving: Serving) => Promise<void>): Promise<void> {
  const port = await freePort()
  const env = { ...process.env, HOME: dataDir }
  const words = ['server', '--data-dir', dataDir, '--listen', `127.0.0.1:${port}`]
  const log: string[] = []
  const started = performance.now()
  const server = spawn(executable, words, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  server.stderr.on('data', (chunk) => log.push(String(chunk)))
  try {
    const access = await ready(server, dataDir, port)
    const readyMs = performance.now() - started
    await work({ pid: server.pid ?? 0, dataDir, readyMs, connect: () => open(access) })
  } catch (error) {
    throw new Error(`with the log of cove server:\n${log.join('').slice(-4000)}`, { cause: error })
  } finally {
    await stop(server)
  }
}

async function ready(server: ChildProcess, dataDir: string, port: number): Promise<Access> {
  return eventually(
    async () => {
      if (server.exitCode !== null) throw new Error(`cove server ended with ${server.exitCode}`)
      const access = await readAccess(join(dataDir, 'admin.kubeconfig'), port)
      const connection = await open(access)
      const { status } = await connection.ask('GET', '/readyz')
      connection.close()
      if (status !== 200) throw new Error(`/readyz answers ${status}`)
      return access
    },
    { timeoutMs: 120_000, pauseMs: 20, what: 'the start of cove server' },
  )
}

async function readAccess(kubeconfig: string, port: number): Promise<Access> {
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  const text = (from: Record<string, string> | undefined, name: string) =>
    Buffer.from(from?.[name] ?? '', 'base64').toString()
  const [user, cluster] = [users[0]?.user, clusters[0]?.cluster]
  return {
    port,
    ca: text(cluster, 'certificate-authority-data'),
    cert: text(user, 'client-certificate-data'),
    key: text(user, 'client-key-data'),
  }
}

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** One TLS connection with one request at a time, taken apart by hand: a library's client costs more than the server. */
export class Connection {
  readonly #socket: TLSSocket
  #pending: Buffer[] = []
  #expected = 0
  #head: { status: number; start: number } | undefined
  #answered: ((answer: Answer) => void) | undefined
  #failed: ((error: Error) => void) | undefined
  #listener: ((chunk: Buffer) => void) | undefined

  constructor(socket: TLSSocket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', (error) => this.#failed?.(error))
    socket.on('close', () => this.#failed?.(new Error('the server closed the connection')))
  }

  ask(method: string, path: string, body?: string, type = 'application/json'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#answered = resolve
      this.#failed = reject
      const content =
        body === undefined ? '' : `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
      const head = `${method} ${path} HTTP/1.1\r\nHost: cove\r\nUser-Agent: bench\r\nAccept: application/json\r\n${content}\r\n`
      this.#socket.write(head + (body ?? ''))
    })
  }

  /** From now on every chunk goes to the listener as it comes: for watches. */
  listen(path: string, listener: (chunk: Buffer) => void): void {
    this.#listener = listener
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: cove\r\nUser-Agent: bench\r\nAccept: application/json\r\n\r\n`,
    )
  }

  close(): void {
    this.#failed = undefined
    this.#socket.destroy()
  }

  #take(chunk: Buffer): void {
    if (this.#listener !== undefined) {
      this.#listener(chunk)
      return
    }
    this.#pending.push(chunk)
    this.#expected -= chunk.length
    if (this.#head !== undefined && this.#expected > 0) return
    const all = Buffer.concat(this.#pending)
    this.#pending = [all]
    this.#head ??= this.#readHead(all)
    if (this.#head === undefined || this.#expected > 0) return
    const { status, start } = this.#head
    this.#pending = []
    this.#head = undefined
    this.#expected = 0
    this.#answered?.({ status, body: all.subarray(start) })
  }

  #readHead(all: Buffer): { status: number; start: number } | undefined {
    const end = all.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const text = all.toString('latin1', 0, end)
    const start = end + 4
    this.#expected = start + Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0) - all.length
    return { status: Number(text.slice(9, 12)), start }
  }
}

async function open({ port, ca, cert, key }: Access): Promise<Connection> {
  const socket = connect({ host: '127.0.0.1', port, ca, cert, key })
  await once(socket, 'secureConnect')
  return new Connection(socket)
}
