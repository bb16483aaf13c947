/** TLS connections of a test that say what no client would say: bytes out, bytes in, and what came read as HTTP. */
import { once } from 'node:events'
import { connect, type SecureContext, type TLSSocket } from 'node:tls'

export interface Door {
  readonly port: number
  readonly ca: string
  /** Of the administrator; a shared context spares reading the certificates for every connection. */
  readonly context: SecureContext
}

export interface RawAnswer {
  /** 0: the connection was closed without an answer. */
  readonly status: number
  readonly head: string
  readonly body: string
}

export async function dial({ port, context }: Door): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port,
    secureContext: context,
    checkServerIdentity: () => undefined,
  })
  // The server closes when it wants to; what the other side was about to say then is lost.
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

/** Says it and reads until the server closes, or has answered as much as it announced. */
export async function say(door: Door, text: string | Uint8Array): Promise<RawAnswer> {
  const socket = await dial(door)
  socket.write(text)
  const answer = await hear(socket)
  socket.destroy()
  return answer
}

/** The first answer on a connection. */
export function hear(socket: TLSSocket): Promise<RawAnswer> {
  return new Promise((resolve) => {
    let text = ''
    const done = () => {
      socket.off('data', onData).off('close', done)
      resolve(readAnswer(text))
    }
    const onData = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (isComplete(text)) done()
    }
    socket.on('data', onData).on('close', done)
    if (socket.destroyed) done()
  })
}

/** A request with the headers that every one needs. */
export function requestText(method: string, path: string, body = '', type = 'application/json'): string {
  const content = body === '' ? '' : `Content-Type: ${type}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`
  return `${method} ${path} HTTP/1.1\r\nHost: cove\r\nAccept: application/json\r\n${content}\r\n${body}`
}

function isComplete(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return false
  const head = text.slice(0, end)
  const length = /content-length: (\d+)/i.exec(head)?.[1]
  if (length !== undefined) return text.length - end - 4 >= Number(length)
  return /transfer-encoding: chunked/i.test(head) && text.endsWith('\r\n0\r\n\r\n')
}

function readAnswer(text: string): RawAnswer {
  const end = text.indexOf('\r\n\r\n')
  const head = end < 0 ? text : text.slice(0, end)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body: end < 0 ? '' : text.slice(end + 4),
  }
}
