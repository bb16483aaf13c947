/** An engine that says what a test makes it say, over a socket as a real one: for what a real one cannot be told to do. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type Clock, systemClock } from '#pkg/apimachinery/ambient.ts'
import { openDockerEngine } from '#pkg/engine/docker.ts'
import { makeTempDir, type Teardown } from './tempdir.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

export interface Serving {
  readonly clock?: Clock
  /** Whether `answer` also answers `/version`. */
  readonly isVersioned?: boolean
}

export async function serveEngine(
  t: Teardown,
  answer: Answer,
  { clock = systemClock(), isVersioned = false }: Serving = {},
) {
  const socket = join(await makeTempDir(t, 'docker'), 'engine.sock')
  const paths: string[] = []
  let sockets = 0
  const arrivals = new Set<() => void>()
  const server = createServer((request, response) => {
    if (request.url === '/version' && !isVersioned) return json(response, 200, { ApiVersion: '1.41' })
    paths.push(request.url ?? '')
    for (const arrived of arrivals) arrived()
    answer(request, response)
  })
  server.on('connection', () => {
    sockets += 1
  })
  server.listen(socket)
  await once(server, 'listening')
  const engine = await openDockerEngine({ host: `unix://${socket}`, clock })
  t.teardown(async () => {
    await engine.close()
    server.closeAllConnections()
    server.close()
  })
  const requested = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (paths.length < count) return
        arrivals.delete(look)
        resolve()
      }
      arrivals.add(look)
      look()
    })
  return { engine, requested, paths: () => paths, connections: () => sockets }
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
}
