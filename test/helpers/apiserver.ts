/** A whole API server on storage in memory, with its own clock, for tests; and requests to it in few words. */
import {
  type Ambient,
  type Logger,
  ManualClock,
  seededRandom,
  silentLogger,
} from '#pkg/apimachinery/ambient.ts'
import {
  type ApiResponse,
  inProcess,
  readAll,
  type Transport,
  type UserInfo,
} from '#pkg/apimachinery/transport.ts'
import { type ApiServer, type ApiServerOptions, makeApiServer } from '#pkg/apiserver/server.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { Storage } from '#pkg/storage/port.ts'

export const admin: UserInfo = { name: 'admin', groups: ['system:masters', 'system:authenticated'] }

export interface TestServer {
  readonly server: ApiServer
  readonly storage: Storage
  readonly clock: ManualClock
  readonly transport: Transport
  readonly close: () => Promise<void>
}

export interface TestServerOptions extends Partial<Omit<ApiServerOptions, 'ambient'>> {
  readonly log?: Logger
  /** When several servers share a storage, each needs names of its own. */
  readonly seed?: number
}

export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { log = silentLogger, seed = 1, storage = openInProcessStorage(), ...rest } = options
  const clock = new ManualClock()
  const ambient: Ambient = { clock, random: seededRandom(seed), log }
  const server = makeApiServer({ ...rest, storage, ambient })
  await server.start(new AbortController().signal)
  const close = async () => {
    await server.close()
    await storage.close()
  }
  return { server, storage, clock, transport: inProcess(server.handler, admin), close }
}

export interface CallOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

const contentTypes: Readonly<Record<string, string>> = { PATCH: 'application/merge-patch+json' }

/** `GET /api/v1/namespaces?limit=5`. The body is sent as JSON unless it is a string already. */
export function call(transport: Transport, line: string, options: CallOptions = {}): Promise<ApiResponse> {
  const [method = '', url = ''] = line.split(' ')
  const [path = '', query = ''] = url.split('?')
  const { body, headers = {}, signal = new AbortController().signal } = options
  return transport({
    method,
    path,
    query: new URLSearchParams(query),
    headers: {
      accept: 'application/json',
      'content-type': contentTypes[method] ?? 'application/json',
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    signal,
  })
}

/** The answer's code, headers and decoded body. */
export async function ask(transport: Transport, line: string, options: CallOptions = {}) {
  const { status, headers, body } = await call(transport, line, options)
  const text = await readAll(body)
  return { status, headers, body: decode(text) }
}

/** Answers are read as tests expect them; what is not there is undefined and fails their assertions. */
// biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
function decode(text: string): any {
  return text === '' ? undefined : JSON.parse(text)
}
