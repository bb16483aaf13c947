/** A plain HTTPS client of a test: one connection per request, whole answers, or the raw message to read slowly. */
import type { IncomingMessage } from 'node:http'
import { type RequestOptions, request } from 'node:https'

export interface Client {
  readonly port: number
  readonly ca: string
  /** Absent: no client certificate. */
  readonly identity?: { readonly cert: string; readonly key: string }
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface Call extends RequestOptions {
  readonly body?: string | Uint8Array
}

/** Resolves with the head of the answer; its body is not read. */
export function open(
  client: Client,
  path: string,
  { body, ...options }: Call = {},
): Promise<IncomingMessage> {
  const { port, ca, identity } = client
  return new Promise((resolve, reject) => {
    const call = request(
      { host: '127.0.0.1', port, ca, path, agent: false, ...identity, ...options },
      resolve,
    )
    call.on('error', reject)
    call.end(body)
  })
}

export async function ask(client: Client, path: string, call: Call = {}): Promise<Answer> {
  const message = await open(client, path, call)
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(Buffer.from(chunk))
  const headers = Object.entries(message.headers).map(([name, value]) => [name, String(value)])
  return {
    status: message.statusCode ?? 0,
    headers: Object.fromEntries(headers),
    body: Buffer.concat(chunks),
  }
}
