/** Answers as HTTP writes them, where Node's server does not do it. */
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { discard, isWhole } from '#pkg/apimachinery/wire.ts'

export function lengthOf(status: number, body: string | Uint8Array): Record<string, string> {
  if (status === 204 || status === 304) return {}
  return { 'content-length': String(Buffer.byteLength(body)) }
}

/** The answer of HTTP for a socket that Node's server has let go of. */
export async function refusalBytes(answer: ApiResponse): Promise<Uint8Array> {
  const body = isWhole(answer.body) ? Buffer.from(answer.body) : Buffer.alloc(0)
  await discard(answer.body)
  const headers = { ...answer.headers, connection: 'close', 'content-length': String(body.length) }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${answer.status} Refused\r\n${lines.join('\r\n')}\r\n\r\n`),
    body,
  ])
}
