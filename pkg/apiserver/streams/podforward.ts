/**
 * Port-forwards of a client: each connection that it makes becomes one request to the node, raw bytes both ways. Over
 * SPDY a connection is a pair of streams, over channels a pair of channels; what goes wrong is told on the second.
 */
import type { Logger } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { decodeStatus, inputHeader, inputStream, rawType } from '#pkg/apimachinery/frames.ts'
import { readAll, type Transport } from '#pkg/apimachinery/transport.ts'
import { Inbox } from './inbox.ts'
import { type BytePipe, SpdyConnection, type SpdyStream } from './spdyconnection.ts'
import type { MessageSocket } from './websocket.ts'

export interface ForwardTarget {
  readonly transport: Transport
  /** On the node: `/containers/NAMESPACE/NAME/portforward`. */
  readonly path: string
  /** Aborts when the client has gone. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** One connection of the client. */
interface Forwarded {
  readonly port: number
  readonly input: AsyncIterable<Uint8Array>
  write(data: Uint8Array): Promise<void>
  /** The node's side has ended; undefined: well. */
  end(failure: string | undefined): Promise<void>
  /** Aborts when the client has dropped this connection. */
  readonly signal: AbortSignal
}

/** Serves the pairs of streams that the client opens. Resolves when it has gone. */
export async function forwardOverSpdy(pipe: BytePipe, target: ForwardTarget): Promise<void> {
  const pairs = new Map<string, { error?: SpdyStream; data?: SpdyStream }>()
  const running = new Set<Promise<void>>()
  const connection = new SpdyConnection(pipe, (stream) => {
    const id = stream.headers['requestid'] ?? String(stream.id)
    const pair = pairs.get(id) ?? {}
    const both = { ...pair, [stream.headers['streamtype'] === 'error' ? 'error' : 'data']: stream }
    pairs.set(id, both)
    const { error, data } = both
    if (error === undefined || data === undefined) return
    pairs.delete(id)
    const done = forward(ofStreams(error, data), target).then(() => {
      connection.forget(error)
      connection.forget(data)
      running.delete(done)
    })
    running.add(done)
  })
  try {
    await connection.run()
  } finally {
    await Promise.all(running)
    await pipe.close()
  }
}

function ofStreams(error: SpdyStream, data: SpdyStream): Forwarded {
  return {
    port: Number(data.headers['port']),
    input: data.input,
    write: (bytes) => data.write(bytes),
    signal: data.signal,
    async end(failure) {
      if (failure !== undefined) await error.write(Buffer.from(failure))
      await data.end()
      await error.end()
      await data.input.return()
      await error.input.return()
    },
  }
}

/**
 * Serves the ports of one WebSocket that speaks vN.channel.k8s.io: of the Nth port channel 2N carries data and 2N+1
 * what went wrong; the first message of each channel is the port. Resolves when all have ended.
 */
export async function forwardOverChannels(
  socket: MessageSocket,
  ports: readonly number[],
  target: ForwardTarget,
): Promise<void> {
  const dropped = new AbortController()
  const inputs = ports.map(() => new Inbox())
  const connections = ports.map((port, index): Forwarded => {
    const send = (channel: number, data: Uint8Array) =>
      socket.send(Buffer.concat([Uint8Array.of(channel), data]))
    return {
      port,
      input: inputs[index] ?? new Inbox(),
      write: (data) => send(2 * index, data),
      signal: dropped.signal,
      end: async (failure) => {
        if (failure !== undefined) await send(2 * index + 1, Buffer.from(failure))
        await inputs[index]?.return()
      },
    }
  })
  for (const [index, port] of ports.entries())
    for (const channel of [2 * index, 2 * index + 1])
      await socket.send(Uint8Array.of(channel, port & 0xff, port >> 8))
  const reading = readChannels(socket, inputs).finally(() => dropped.abort())
  await Promise.all(connections.map((connection) => forward(connection, target)))
  await socket.close()
  await reading
}

async function readChannels(socket: MessageSocket, inputs: readonly Inbox[]): Promise<void> {
  for await (const message of socket.messages) {
    const channel = message[0] ?? 0
    const input = channel % 2 === 0 ? inputs[channel / 2] : undefined
    input?.push(message.subarray(1))
    await input?.room()
  }
  for (const input of inputs) input.end()
}

async function forward(connection: Forwarded, target: ForwardTarget): Promise<void> {
  const { port } = connection
  try {
    await relay(connection, target)
    await connection.end(undefined)
  } catch (error) {
    const dropped = connection.signal.aborted || target.signal.aborted
    if (!dropped) target.log.debug('port-forward failed', { port, error: messageOf(error) })
    await connection.end(dropped ? undefined : `error forwarding port ${port}: ${messageOf(error)}`)
  }
}

async function relay(connection: Forwarded, { transport, path, signal }: ForwardTarget): Promise<void> {
  const { port, input } = connection
  if (!isPort(port)) throw badRequest(`"${port}" is no port`)
  const answer = await transport({
    method: 'POST',
    path,
    query: new URLSearchParams({ port: String(port) }),
    headers: { 'content-type': rawType, [inputHeader]: inputStream },
    input,
    signal: AbortSignal.any([signal, connection.signal]),
  })
  const { body } = answer
  if (answer.status !== 200) {
    const { message } = decodeStatus(Buffer.from(await readAll(body)))
    throw new StatusError('ServiceUnavailable', message ?? `the node answered ${answer.status}`)
  }
  if (typeof body === 'string' || body instanceof Uint8Array) await connection.write(Buffer.from(body))
  else for await (const chunk of body) await connection.write(Buffer.from(chunk))
}

export function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 65_535
}
