/**
 * One TCP connection to a port of a container, its bytes as they are in both directions. The connection is made from
 * the node to the container's own address, so the port need not be published; a program that listens on the
 * container's loopback address only is not reached.
 */
import { connect as open, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { rawType } from '#pkg/apimachinery/frames.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { writeChunks } from '#pkg/apimachinery/wire.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { type Connect, mustRun, type Target } from './target.ts'

const connectWithinMs = 10_000

export async function portForward(target: Target): Promise<ApiResponse> {
  const { request, name } = target
  const port = portOf(request.query)
  mustRun(target)
  const holder = await addressHolder(target)
  const socket = await firstThatAnswers(target, addressesOf(name, holder), port)
  const { input, signal } = request
  const end = () => socket.destroy()
  signal.addEventListener('abort', end, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', end))
  if (signal.aborted) end()
  void send(socket, input, signal)
  return { status: 200, headers: { 'content-type': rawType }, body: read(socket, signal, name, port) }
}

function portOf(query: URLSearchParams): number {
  const text = query.get('port') ?? ''
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw badRequest(`port: "${text}" is not a number from 1 to 65535`)
  return port
}

/** One that shares the network of another container is reached there. */
async function addressHolder({
  engine,
  observed,
}: Pick<Target, 'engine' | 'observed'>): Promise<ObservedContainer> {
  const [mode, id = ''] = observed.networkMode.split(':')
  const owner = mode === 'container' ? await engine.inspectContainer(id) : undefined
  return owner === undefined ? observed : addressHolder({ engine, observed: owner })
}

/** One that shares the node's network is reached there. */
function addressesOf(name: string, { networks }: ObservedContainer): readonly string[] {
  const addresses = networks.map(({ network, ip }) => (network === 'host' ? '127.0.0.1' : ip))
  const known = addresses.filter((address) => address !== '')
  if (known.length === 0) throw badRequest(`container "${name}" has no address: it is in no network`)
  return known
}

async function firstThatAnswers(
  { request, clock, connect, name }: Target,
  addresses: readonly string[],
  port: number,
): Promise<Duplex> {
  const failures: string[] = []
  for (const address of addresses) {
    const slow = new AbortController()
    const cancel = clock.after(connectWithinMs, () => slow.abort(new Error('no answer within 10 s')))
    try {
      return await connect(address, port, AbortSignal.any([request.signal, slow.signal]))
    } catch (error) {
      request.signal.throwIfAborted()
      failures.push(`${address}: ${messageOf(slow.signal.aborted ? slow.signal.reason : error)}`)
    } finally {
      cancel()
    }
  }
  throw badRequest(`nothing answers on port ${port} of container "${name}" (${failures.join('; ')})`)
}

export const connectTo: Connect = (host, port, signal) =>
  new Promise((resolve, reject) => {
    const socket: Socket = open({ host, port, signal, allowHalfOpen: true, noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // Whoever reads or writes sees a later failure there; without a listener it would end this process.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })

/** The end of the input is the end of what the container reads; an input that breaks ends the connection. */
async function send(
  socket: Duplex,
  input: AsyncIterable<Uint8Array> | undefined,
  signal: AbortSignal,
): Promise<void> {
  try {
    if (input !== undefined) await writeChunks(socket, input, signal)
    socket.end()
  } catch (error) {
    socket.destroy(error instanceof Error ? error : new Error(messageOf(error)))
  }
}

async function* read(
  socket: Duplex,
  signal: AbortSignal,
  name: string,
  port: number,
): AsyncGenerator<Uint8Array> {
  try {
    yield* socket.iterator({ destroyOnReturn: false })
  } catch (cause) {
    if (signal.aborted) return
    const message = `the connection to port ${port} of container "${name}" broke: ${messageOf(cause)}`
    throw new StatusError('ServiceUnavailable', message, {}, { cause })
  }
}
