/** A relay in front of a TCP port of this machine that can break connections anywhere, and refuse new ones. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Random } from '#pkg/apimachinery/ambient.ts'
import type { Teardown } from './tempdir.ts'

export interface CuttingProxyOptions {
  /** Where to relay to. */
  readonly port: () => number
  readonly random: Random
  /** A connection breaks when it has carried as many bytes to its client: between these two. */
  readonly after: readonly [number, number]
}

export class CuttingProxy {
  readonly #options: CuttingProxyOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Connections that were broken on the way. */
  cuts = 0
  cutting = false
  refusing = false

  constructor(options: CuttingProxyOptions) {
    this.#options = options
    this.#server = createServer((client) => this.#relay(client))
  }

  static async start(t: Teardown, options: CuttingProxyOptions): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(options)
    proxy.#server.listen(0, '127.0.0.1')
    await once(proxy.#server, 'listening')
    t.teardown(async () => {
      proxy.breakAll()
      proxy.#server.close()
    })
    return proxy
  }

  get port(): number {
    const address = this.#server.address() as AddressInfo
    return address.port
  }

  /** Breaks every connection there is now. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  #relay(client: Socket): void {
    if (this.refusing) return void client.resetAndDestroy()
    const { port, random, after } = this.#options
    const upstream = connect({ host: '127.0.0.1', port: port() })
    let left = after[0] + Math.floor(random.next() * (after[1] - after[0]))
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket)
      socket.on('error', end)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    client.on('data', (data) => upstream.write(data))
    upstream.on('data', (data: Buffer) => {
      if (!this.cutting || data.length < left) {
        left -= this.cutting ? data.length : 0
        client.write(data)
        return
      }
      this.cuts++
      upstream.destroy()
      // What was carried so far arrives, and then the end, or a reset; the rest never does.
      const reset = random.next() < 0.5
      client.end(data.subarray(0, left), () => (reset ? client.resetAndDestroy() : end()))
    })
  }
}
