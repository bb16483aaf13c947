/** `cove server` from the sources as a process of its own on a data directory, to be killed and started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { namespaceKind } from '#pkg/apis/core.ts'
import { type HttpsTransport, httpsTransport } from '#pkg/client/https.ts'
import { loadKubeconfig, type ServerConfig } from '#pkg/client/kubeconfig.ts'
import { Client } from '#pkg/client/rest.ts'
import { parseYaml } from '#pkg/manifest/yaml.ts'
import { eventually } from './eventually.ts'
import { endWithUs } from './guard.ts'
import { collect, type Output } from './kubectl.ts'
import { bareEnv } from './processenv.ts'
import { freePort } from './registry.ts'
import type { Teardown } from './tempdir.ts'

export const coveProgram = fileURLToPath(new URL('../../cmd/cove/main.ts', import.meta.url))

const noSignal = new AbortController().signal

/** One command of `cove`, as a process of its own. */
export function runCove(home: string, words: readonly string[]): Promise<Output> {
  const env = { ...bareEnv(), HOME: home }
  return collect(spawn(process.execPath, [coveProgram, ...words], { env }), '')
}

export interface CoveServerOptions {
  readonly home: string
  readonly dataDir: string
  /** Where it listens; absent: elsewhere at each start. */
  readonly address?: string
}

export class CoveServer {
  readonly dataDir: string
  readonly #home: string
  readonly #address: string | undefined
  readonly #output: string[] = []
  #child: ChildProcess | undefined
  #transport: HttpsTransport | undefined
  #target: ServerConfig | undefined

  constructor(t: Teardown, { home, dataDir, address }: CoveServerOptions) {
    this.#address = address
    this.#home = home
    this.dataDir = dataDir
    t.teardown(() => this.end('SIGKILL'))
  }

  /** Of the process that runs now. */
  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Where it answers, and the administrator's identity. */
  get target(): ServerConfig {
    if (this.#target === undefined) throw new Error('the server is not started')
    return this.#target
  }

  /** Over HTTPS, as the administrator. */
  get client(): Client {
    return new Client(this.transport, 'test')
  }

  get transport(): HttpsTransport {
    if (this.#transport === undefined) throw new Error('the server is not started')
    return this.#transport
  }

  /** As whoever the token stands for, without a certificate. */
  withToken(token: string): HttpsTransport {
    if (this.#target === undefined) throw new Error('the server is not started')
    const { server, ca } = this.#target
    return httpsTransport({ server, token, ...(ca !== undefined && { ca }) })
  }

  /** Resolves when the API answers. */
  async start(): Promise<void> {
    const address = this.#address ?? `127.0.0.1:${await freePort()}`
    const words = ['server', '--data-dir', this.dataDir, '--listen', address, '--log-level', 'debug']
    const env = { ...bareEnv(), HOME: this.#home }
    const child = spawn(process.execPath, [coveProgram, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    endWithUs(child)
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => this.#output.push(data.toString()))
    this.#child = child
    await eventually(() => this.#connect(address), { pauseMs: 50, what: 'the server' })
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.#transport?.close()
    this.#transport = undefined
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** Everything it has written, over every start. */
  log(): string {
    return this.#output.join('')
  }

  async #connect(address: string): Promise<void> {
    const path = join(this.dataDir, 'admin.kubeconfig')
    const target = await loadKubeconfig({
      explicit: path,
      home: this.#home,
      directory: this.#home,
      readFile: (file) => readFile(file, 'utf8'),
      parseYaml,
    })
    if (!target.server.endsWith(address)) throw new Error(`${path} is of an earlier start: ${this.log()}`)
    const transport = httpsTransport(target)
    try {
      await new Client(transport, 'test').get(namespaceKind, { name: 'default' }, noSignal)
    } catch (error) {
      transport.close()
      throw error
    }
    this.#transport = transport
    this.#target = target
  }
}
