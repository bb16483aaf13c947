/**
 * A real engine for tests: where it is, a base image that needs no network, and a raw line to its API that shares
 * no code with Cove, so that tests can act behind Cove's back and look with a witness of their own.
 */
import { readFile } from 'node:fs/promises'
import { Agent, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { tar } from './tar.ts'

export interface RawAnswer {
  readonly status: number
  readonly text: string
  /** The body as it came. */
  readonly bytes: Uint8Array
  /** The body as JSON; throws when it is none. */
  json(): unknown
}

export interface RawEngine {
  /** One call, e.g. `request('POST', '/containers/x/kill')`; an object is sent as JSON, bytes as a tar archive. */
  request(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<RawAnswer>
  /** Reads an endless answer line by line until it is told to stop. Resolves when the answer has begun. */
  follow(path: string, onLine: (line: string) => void): Promise<() => void>
  close(): void
}

export const baseImage = 'cove-test/busybox:1'

const dockerfile = [
  'FROM scratch',
  'COPY busybox /bin/busybox',
  'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
  '',
].join('\n')

/** The engine that tests may use: $DOCKER_HOST or the usual socket. */
export function testEngineHost(): string {
  return process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock'
}

export function rawEngine(host: string): RawEngine {
  const agent = new Agent({ keepAlive: true })
  const target = host.startsWith('unix://') ? { socketPath: host.slice('unix://'.length) } : tcpTarget(host)
  return {
    close: () => agent.destroy(),
    follow: (path, onLine) => follow({ ...target, path }, onLine),
    async request(method, path, body, extra = {}) {
      const isTar = body instanceof Uint8Array
      const data = body === undefined || isTar ? body : JSON.stringify(body)
      const type = isTar ? 'application/x-tar' : 'application/json'
      const length = data === undefined ? 0 : Buffer.byteLength(data)
      const headers = { 'Content-Type': type, 'Content-Length': length, ...extra }
      return await send({ ...target, agent, method, path, headers }, data)
    },
  }
}

/** The answer's JSON, or an error with the engine's words when the call failed. */
export async function mustRequest(engine: RawEngine, method: string, path: string, body?: unknown) {
  const answer = await engine.request(method, path, body)
  if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
  return answer.text === '' ? undefined : answer.json()
}

/** Makes the base image from the machine's static busybox when it is not there yet; safe to call at once from many processes. */
export async function ensureBaseImage(host: string): Promise<string> {
  const engine = rawEngine(host)
  try {
    const found = await engine.request('GET', `/images/${baseImage}/json`)
    if (found.status === 200) return baseImage
    const context = tar([
      { name: 'Dockerfile', mode: 0o644, data: Buffer.from(dockerfile) },
      { name: 'busybox', mode: 0o755, data: await readFile('/bin/busybox') },
    ])
    // Without the cache, of which others may be removing a layer at this moment.
    const built = await engine.request('POST', `/build?nocache=1&t=${encodeURIComponent(baseImage)}`, context)
    // A failing step comes with status 200, inside the stream.
    if (built.status !== 200 || built.text.includes('"errorDetail"')) {
      throw new Error(`cannot build ${baseImage}: ${built.status} ${built.text}`)
    }
    return baseImage
  } finally {
    engine.close()
  }
}

function tcpTarget(host: string): { host: string; port: number } {
  const url = new URL(host.replace(/^tcp:/, 'http:'))
  return { host: url.hostname, port: Number(url.port) || 2375 }
}

function send(options: Parameters<typeof request>[1] & object, data: string | Uint8Array | undefined) {
  return new Promise<RawAnswer>((resolve, reject) => {
    const outgoing = request(options, (answer) => readAnswer(answer).then(resolve, reject))
    outgoing.on('error', reject)
    outgoing.end(data)
  })
}

function follow(options: Parameters<typeof request>[1] & object, onLine: (line: string) => void) {
  return new Promise<() => void>((resolve, reject) => {
    const outgoing = request(options, (answer) => {
      const lines = createInterface(answer).on('line', onLine)
      // Only an end that was not asked for is a failure.
      const broken = (error: Error) => {
        if (!outgoing.destroyed) throw error
      }
      answer.on('error', broken)
      lines.on('error', broken)
      resolve(() => outgoing.destroy())
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

async function readAnswer(answer: IncomingMessage): Promise<RawAnswer> {
  const pieces: Uint8Array[] = []
  for await (const piece of answer) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  const text = bytes.toString()
  return { status: answer.statusCode ?? 0, text, bytes, json: () => JSON.parse(text) as unknown }
}
