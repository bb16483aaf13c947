/**
 * A door in front of an engine's socket that counts the calls which change something, and lets a test do something
 * before one of them is passed on, or before its answer is.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { makeTempDir, type Teardown } from './tempdir.ts'

export interface Strike {
  /** Which of the changing calls from now on, counted from 1. */
  readonly call: number
  /** Whether the call reaches the engine, whole or in part; its answer never arrives. */
  readonly when: 'before' | 'during' | 'after'
  /** Ends whoever is calling. */
  readonly act: () => void
}

/** Looking is no change; health checks are not asked for here. */
const changes = /^\/v[\d.]+\/((containers|networks|volumes|images|build)\/|commit\b)/

export class EngineProxy {
  readonly #upstream: string
  readonly #server: Server
  #strike: Strike | undefined
  /** Changing calls since it was last armed, in the engine's words. */
  calls: string[] = []

  constructor(upstream: string) {
    this.#upstream = upstream
    this.#server = createServer((incoming, answer) => {
      // Whoever calls may be gone at any time; that is the purpose.
      this.#relay(incoming, answer).catch(() => answer.destroy())
    })
  }

  /** `host` is what a `--engine` takes. */
  static async start(t: Teardown, engine: string): Promise<{ proxy: EngineProxy; host: string }> {
    const path = join(await makeTempDir(t, 'engine'), 'engine.sock')
    const proxy = new EngineProxy(engine.replace(/^unix:\/\//, ''))
    proxy.#server.listen(path)
    await once(proxy.#server, 'listening')
    t.teardown(async () => {
      proxy.#server.closeAllConnections()
      proxy.#server.close()
    })
    return { proxy, host: `unix://${path}` }
  }

  /** Counts anew; without a strike only that. */
  arm(strike?: Strike): void {
    this.calls = []
    this.#strike = strike
  }

  /** Whether the call it was armed for has come. */
  get struck(): boolean {
    return this.#strike === undefined
  }

  async #relay(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = incoming
    const strike = method !== 'GET' && changes.test(url) ? this.#count(`${method} ${url}`) : undefined
    if (strike?.when === 'before') {
      strike.act()
      return void answer.destroy()
    }
    if (strike?.when === 'during') incoming.once('data', () => strike.act())
    const outgoing = request({ socketPath: this.#upstream, method, path: url, headers: incoming.headers })
    answer.on('close', () => outgoing.destroy())
    const arrived = once(outgoing, 'response') as Promise<[IncomingMessage]>
    const [[response]] = await Promise.all([arrived, pipeline(incoming, outgoing)])
    if (strike?.when === 'during') response.once('data', () => strike.act())
    if (strike?.when === 'after') {
      response.resume()
      await once(response, 'end')
      strike.act()
      return void answer.destroy()
    }
    answer.writeHead(response.statusCode ?? 502, response.headers)
    answer.flushHeaders()
    await pipeline(response, answer)
  }

  #count(call: string): Strike | undefined {
    this.calls.push(call)
    const strike = this.#strike
    if (strike === undefined || this.calls.length !== strike.call) return undefined
    this.#strike = undefined
    return strike
  }
}
