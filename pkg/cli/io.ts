/** All that a command may know of the world: the process behind it, or a test. Nothing below touches either. */
import type { Clock, Random } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import type { ServerConfig } from '#pkg/client/kubeconfig.ts'

export interface Output {
  /** Resolves when more may be written. Rejects with a BrokenPipe when nobody reads any more. */
  write(text: string | Uint8Array): Promise<void>
  readonly isTTY: boolean
  /** Of the terminal; 80 when there is none. */
  readonly columns: number
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readStdin(): Promise<string>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  readonly clock: Clock
  /** Not guessable: secrets are made of it. */
  readonly random: Random
  /** Aborts on SIGINT and SIGTERM. */
  readonly signal: AbortSignal
  /** Undefined when there is no such file. */
  readFile(path: string): Promise<string | undefined>
  connect(target: ServerConfig): Promise<Connection>
  readonly version: string
}

export interface Connection {
  readonly transport: Transport
  close(): void
}

/** The reader of our output has gone, as `head` does: no error, nothing to say, nothing more to do. */
export class BrokenPipe extends Error {
  constructor(options?: ErrorOptions) {
    super('nobody reads the output any more', options)
    this.name = 'BrokenPipe'
  }
}
