/** A registry that answers what a test tells it to, over HTTP on loopback, and remembers what it was asked. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'

export interface StubAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

/** What to answer; 'hang' says nothing, 'reset' breaks the connection. */
export type Answering = (asked: Asked) => StubAnswer | 'hang' | 'reset'

export interface Asked {
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly authorization: string | undefined
  readonly accept: string | undefined
}

export interface RegistryStub {
  /** `127.0.0.1:PORT` */
  readonly address: string
  readonly asked: Asked[]
  answer(answering: Answering): void
  stop(): Promise<void>
}

export async function startRegistryStub(): Promise<RegistryStub> {
  const asked: Asked[] = []
  let answering: Answering = () => ({})
  const server = createServer((request, response) => {
    const question = questionOf(request)
    asked.push(question)
    respond(response, answering(question))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    address: `127.0.0.1:${address.port}`,
    asked,
    answer: (next) => {
      answering = next
    },
    stop: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function questionOf({ method = '', url = '', headers }: IncomingMessage): Asked {
  return { method, target: url, authorization: headers.authorization, accept: headers.accept }
}

function respond(response: ServerResponse, answer: StubAnswer | 'hang' | 'reset'): void {
  if (answer === 'hang') return
  if (answer === 'reset') response.destroy()
  else response.writeHead(answer.status ?? 200, answer.headers).end(answer.body ?? '{}')
}
