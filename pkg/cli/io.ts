/** All that a command may know of the world: the process behind it, or a test. Nothing below touches either. */
import type { Clock, Random } from '#pkg/apimachinery/ambient.ts'
import type { TerminalSize } from '#pkg/apimachinery/frames.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import type { Upgrade } from '#pkg/client/https.ts'
import type { ServerConfig } from '#pkg/client/kubeconfig.ts'

export interface Output {
  /** Resolves when more may be written. Rejects with a BrokenPipe when nobody reads any more. */
  write(text: string | Uint8Array): Promise<void>
  readonly isTTY: boolean
  /** Of the terminal; 80 when there is none. */
  readonly columns: number
}

/** Standard input as it comes, and the terminal behind it. */
export interface Terminal {
  /** Whether standard input is one. */
  readonly isTTY: boolean
  /** Undefined when there is none. */
  size(): TerminalSize | undefined
  /** Calls `changed` at each change of the size; the returned function ends that. */
  onResize(changed: () => void): () => void
  /** Hands over every key as it is, Ctrl-C too; the returned function gives the terminal back as it was. */
  raw(): () => void
  /** Standard input, to be read once. */
  input(): AsyncIterable<Uint8Array>
}

export interface Io {
  readonly stdout: Output
  readonly stderr: Output
  readStdin(): Promise<string>
  readonly terminal: Terminal
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  readonly home: string
  readonly clock: Clock
  /** Not guessable: secrets are made of it. */
  readonly random: Random
  /** Aborts on the first SIGINT or SIGTERM, with an AbortError whose message is the signal's name. */
  readonly signal: AbortSignal
  /** Undefined when there is no such file. */
  readFile(path: string): Promise<string | undefined>
  connect(target: ServerConfig): Promise<Connection>
  readonly version: string
}

export interface Connection {
  readonly transport: Transport
  /** Absent: this connection carries requests and answers only. */
  readonly upgrade?: Upgrade
  close(): void
}

/** The reader of our output has gone, as `head` does: no error, nothing to say, nothing more to do. */
export class BrokenPipe extends Error {
  constructor(options?: ErrorOptions) {
    super('nobody reads the output any more', options)
    this.name = 'BrokenPipe'
  }
}
