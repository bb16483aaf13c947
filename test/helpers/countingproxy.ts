/** A relay in front of a registry that remembers what it is asked and when. */
import { once } from 'node:events'
import { createServer, request as send } from 'node:http'

export interface CountedRequest {
  /** ms since the epoch. */
  readonly at: number
  /** `HEAD /v2/app/manifests/1` */
  readonly line: string
}

export interface CountingProxy {
  /** `127.0.0.1:PORT`, the first part of references. */
  readonly address: string
  /** The oldest first. */
  readonly seen: readonly CountedRequest[]
  stop(): Promise<void>
}

/** `target`: `127.0.0.1:PORT`. */
export async function startCountingProxy(target: string): Promise<CountingProxy> {
  const seen: CountedRequest[] = []
  const [host, port] = target.split(':')
  const server = createServer((incoming, outgoing) => {
    const { method = 'GET', url: path = '/', headers } = incoming
    seen.push({ at: Date.now(), line: `${method} ${path}` })
    const onward = send({ host, port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    incoming.pipe(onward)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    address: `127.0.0.1:${address.port}`,
    seen,
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
