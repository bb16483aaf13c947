/**
 * exec, attach, port-forward and archives of Containers: a connection that asks for `Upgrade: cove-frames` and is
 * joined with the node that holds the Container. It carries frames from then on (apimachinery/frames.ts), for a
 * port-forward the bytes themselves. What is refused, is refused with a Status before the upgrade.
 */
import type { Duplex } from 'node:stream'
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import { isAbort, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import {
  decodeFrames,
  encodeFrame,
  encodeStatus,
  failureStatus,
  framesProtocol,
  framesType,
  inputHeader,
  inputStream,
  rawType,
} from '#pkg/apimachinery/frames.ts'
import { type ApiRequest, type ApiResponse, readAll } from '#pkg/apimachinery/transport.ts'
import { isWhole, writeChunks } from '#pkg/apimachinery/wire.ts'
import type { Guard } from '../access/authorize.ts'
import type { Upgrade } from '../door/listen.ts'
import type { FindNode } from './proxy.ts'
import type { UpgradeRoute } from './upgrade.ts'

export interface ContainerStreamsOptions {
  readonly findNode: FindNode
  readonly guard: Guard
  readonly clock: Clock
  readonly log: Logger
}

const streamPath =
  /^\/apis\/cove\.run\/v1\/namespaces\/([^/]+)\/containers\/([^/]+)\/(exec|attach|portforward|archive)$/
const switching = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${framesProtocol}\r\n\r\n`
/** How long a client may take to hang up when everything has been said. */
const lingerMs = 10_000

export function containerStreams(options: ContainerStreamsOptions): UpgradeRoute {
  return { path: streamPath, take: (upgrade) => take(upgrade, options) }
}

async function take(upgrade: Upgrade, options: ContainerStreamsOptions): Promise<ApiResponse | undefined> {
  const { request, user, socket, head } = upgrade
  // Whatever its method, this is no reading; and who may run commands may copy files, for that is what a command can do.
  const path = request.path.replace(/\/archive$/, '/exec')
  await options.guard({ ...request, path, method: 'POST' }, user)
  const asked = request.headers['upgrade'] ?? ''
  if (asked.toLowerCase() !== framesProtocol)
    throw new StatusError('BadRequest', `cannot upgrade to "${asked}": this path speaks ${framesProtocol}`)
  const [, namespace = '', name = '', subresource = ''] = streamPath.exec(request.path) ?? []
  const node = await options.findNode(decodeURIComponent(namespace), decodeURIComponent(name))
  if (head.length > 0) socket.unshift(head)
  // A client that has nothing more to send may still have something to read.
  socket.allowHalfOpen = true
  const done = new AbortController()
  const raw = subresource === 'portforward'
  const answer = await node.transport({
    method: request.method,
    path: `/containers/${namespace}/${name}/${subresource}`,
    query: request.query,
    headers: { 'content-type': raw ? rawType : framesType, [inputHeader]: inputStream },
    input: incoming(socket, { raw, done: done.signal }),
    signal: AbortSignal.any([request.signal, done.signal]),
  })
  if (answer.status !== 200 || isWhole(answer.body)) return { ...answer, body: await readAll(answer.body) }
  socket.write(switching)
  const work = raw ? sendRaw(socket, answer.body, request) : sendFrames(socket, answer.body, done, options)
  work.catch((error: unknown) => {
    if (!isAbort(error))
      options.log.debug('stream broke off', { path: request.path, error: messageOf(error) })
    socket.destroy()
    done.abort()
  })
  return undefined
}

type Chunks = AsyncIterable<string | Uint8Array>

/** The connection is over when both directions are; one that breaks off must not look like one that ended. */
async function sendRaw(socket: Duplex, body: Chunks, { signal }: ApiRequest): Promise<void> {
  await writeChunks(socket, body, signal)
  socket.end()
}

/** The final Status ends the exchange, whatever the client still has to send. */
async function sendFrames(
  socket: Duplex,
  body: Chunks,
  done: AbortController,
  { clock }: ContainerStreamsOptions,
): Promise<void> {
  await writeChunks(socket, reframed(body), new AbortController().signal)
  done.abort()
  socket.end()
  // Closing with input unread would take back what was sent last.
  const cancel = clock.after(lingerMs, () => socket.destroy())
  socket.once('close', cancel)
  socket.on('readable', () => {
    while (socket.read() !== null);
  })
  while (socket.read() !== null);
}

/** Whole frames, so that one can be put after them when the node breaks off. */
async function* reframed(body: Chunks): AsyncGenerator<Uint8Array> {
  try {
    for await (const { channel, data } of decodeFrames(body)) yield encodeFrame(channel, data)
  } catch (error) {
    yield encodeStatus(failureStatus(error))
  }
}

/**
 * What the client sends, until `done`. The end of frames is a client that hung up, for it has to stay until it is
 * answered; the end of raw bytes is the end of one direction.
 */
async function* incoming(
  socket: Duplex,
  { raw, done }: { readonly raw: boolean; readonly done: AbortSignal },
): AsyncGenerator<Uint8Array> {
  while (!done.aborted) {
    const chunk: Uint8Array | null = socket.read()
    if (chunk !== null) yield chunk
    else if (socket.readableEnded && raw) return
    else if (socket.readableEnded || socket.destroyed) break
    else await readable(socket, done)
  }
  if (done.aborted) return
  socket.destroy()
  throw new StatusError('ServiceUnavailable', 'the client has hung up')
}

function readable(socket: Duplex, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const events = ['readable', 'end', 'close'] as const
    const done = () => {
      for (const event of events) socket.off(event, done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    for (const event of events) socket.on(event, done)
    signal.addEventListener('abort', done, { once: true })
  })
}
