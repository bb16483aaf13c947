/** What a command runs with: the world, its arguments, and a connection made when it is first needed. */
import { Duplex } from 'node:stream'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { framesProtocol } from '#pkg/apimachinery/frames.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { loadKubeconfig, type ServerConfig } from '#pkg/client/kubeconfig.ts'
import { Client, decodeFailure } from '#pkg/client/rest.ts'
import { withSlowAnswers } from '#pkg/client/slowanswers.ts'
import { withWarnings } from '#pkg/client/warnings.ts'
import type { Args } from './args.ts'
import { CliError, locally } from './errors.ts'
import type { Connection, Io } from './io.ts'

export interface Context {
  readonly io: Io
  readonly args: Args
  /** Connects on first use. */
  session(): Promise<Session>
}

export interface Session {
  /** What the server warns of is printed as it comes. */
  readonly client: Client
  /** A connection to a path of streams (frames.ts), both directions open. Throws the StatusError of a refusal. */
  open(request: StreamRequest, signal?: AbortSignal): Promise<Duplex>
  /** Warnings that have been printed, or told in other words: each is told once. */
  readonly warned: Set<string>
  readonly signal: AbortSignal
  readonly clock: Clock
  /** --namespace, else the context's. */
  readonly namespace: string
  readonly server: string
  /** The authority that the server is trusted by, in PEM. */
  readonly ca?: string
}

/** For what is put right because of a Ctrl-C, which must not take that back too. */
export function unhurried(session: Session): Session {
  return { ...session, signal: new AbortController().signal }
}

export interface StreamRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly query: URLSearchParams
}

export interface SessionOwner {
  session(): Promise<Session>
  /** Ends the connection if there is one. */
  close(): void
}

/**
 * Writes of `cove apply` carry kubectl's manager name: both keep the last applied manifest in the same
 * annotation, and a field must not change hands because the other tool was used.
 */
export const fieldManager = 'kubectl-client-side-apply'

export interface SessionOptions {
  /** Whether it is said when the server lets people wait. */
  readonly tellsWaits?: true
}

/** What no answer should take; ms. */
const slowMs = 1000

export function makeSessionOwner(io: Io, args: Args, { tellsWaits }: SessionOptions = {}): SessionOwner {
  let connection: Connection | undefined
  let session: Promise<Session> | undefined
  const open = async (): Promise<Session> => {
    const config = await locally(() => readServerConfig(io, args))
    const made = await locally(() => io.connect(config))
    connection = made
    const warned = new Set<string>()
    const warn = async (text: string) => {
      if (!warned.has(text)) await io.stderr.write(`Warning: ${text}\n`)
      warned.add(text)
    }
    const tell = () => io.stderr.write(`Waiting for the server at ${config.server}\n`)
    const asked =
      tellsWaits === undefined
        ? made.transport
        : withSlowAnswers(made.transport, { clock: io.clock, afterMs: slowMs, tell })
    return {
      client: new Client(withWarnings(asked, warn), fieldManager),
      open: (request, signal = io.signal) => openStream(made, request, signal),
      warned,
      signal: io.signal,
      clock: io.clock,
      namespace: args.text('namespace') ?? config.namespace,
      server: config.server,
      ...(config.ca !== undefined && { ca: config.ca }),
    }
  }
  return {
    session: () => {
      session ??= open()
      return session
    },
    close: () => connection?.close(),
  }
}

async function readServerConfig(io: Io, args: Args): Promise<ServerConfig> {
  const explicit = args.text('kubeconfig')
  const context = args.text('context')
  const environment = io.env['KUBECONFIG']
  return loadKubeconfig({
    ...(explicit !== undefined && { explicit }),
    ...(context !== undefined && { context }),
    ...(environment !== undefined && { environment }),
    home: io.home,
    directory: io.cwd,
    readFile: (path) => io.readFile(path),
    parseYaml: async (text) => (await import('#pkg/manifest/yaml.ts')).parseYaml(text),
  })
}

async function openStream(
  { upgrade }: Connection,
  request: StreamRequest,
  signal: AbortSignal,
): Promise<Duplex> {
  if (upgrade === undefined) throw new CliError('this connection to the server carries no streams')
  const answer = await upgrade(
    { ...request, headers: { accept: 'application/json' }, signal },
    framesProtocol,
  )
  if (answer instanceof Duplex) return answer
  throw decodeFailure(answer.status, await readAll(answer.body))
}
