/** `cove port-forward`: ports of this machine that lead into a container, for as long as the command runs. */
import { createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { findContainer } from '../containername.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import type { Io } from '../io.ts'
import type { Context, Session } from '../session.ts'
import { streamPath } from '../streaming.ts'

interface Forward {
  /** 0: any free one. */
  readonly local: number
  readonly remote: number
}

export async function run({ io, args, session: open }: Context): Promise<number> {
  const [first, ...ports] = args.positionals
  if (first === undefined) throw new UsageError('name a container', 'port-forward')
  if (ports.length === 0) throw new UsageError('name at least one port: LOCAL:REMOTE', 'port-forward')
  const forwards = ports.map(parsePorts)
  const addresses = (args.text('address') ?? '127.0.0.1').split(',')
  const { name, session } = await findContainer(first, await open())
  await session.client.get(containerKind, { namespace: session.namespace, name }, session.signal)
  const servers: Server[] = []
  try {
    for (const address of addresses)
      for (const forward of forwards)
        servers.push(await listen({ io, session, name, address: localAddress(address), ...forward }))
    await aborted(io.signal)
  } finally {
    for (const server of servers) server.close()
  }
  return exitCodes.interrupted
}

function localAddress(address: string): string {
  return address === 'localhost' ? '127.0.0.1' : address
}

/** `8080:80`, `80` for the same on both sides, `:80` for any free one here. */
function parsePorts(text: string): Forward {
  const [, local, remote] = /^(?:(\d{0,5}):)?(\d{1,5})$/.exec(text) ?? []
  const to = Number(remote)
  const from = local === undefined ? to : Number(local)
  if (remote === undefined || to < 1 || to > 65_535 || from > 65_535)
    throw new UsageError(`invalid port "${text}": LOCAL:REMOTE is expected`, 'port-forward')
  return { local: from, remote: to }
}

interface Listening extends Forward {
  readonly io: Io
  readonly session: Session
  readonly name: string
  readonly address: string
}

async function listen(listening: Listening): Promise<Server> {
  const { io, address, local, remote } = listening
  const server = createServer(
    { allowHalfOpen: true, noDelay: true },
    (socket) => void serve(listening, socket),
  )
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new CliError(`unable to listen on ${address}:${local}: ${messageOf(cause)}`, { cause }))
    })
    server.listen({ host: address, port: local }, resolve)
  })
  const bound = server.address()
  const port = bound !== null && typeof bound === 'object' ? bound.port : local
  const host = address.includes(':') ? `[${address}]` : address
  await io.stdout.write(`Forwarding from ${host}:${port} -> ${remote}\n`)
  return server
}

/** One that fails is told and ends; the others go on. */
async function serve({ io, session, name, remote, local }: Listening, socket: Socket): Promise<void> {
  const closed = new AbortController()
  socket.on('error', () => closed.abort())
  socket.once('close', () => closed.abort())
  try {
    const path = streamPath(session.namespace, name, 'portforward')
    const query = new URLSearchParams({ port: String(remote) })
    const signal = AbortSignal.any([io.signal, closed.signal])
    const far = await session.open({ method: 'POST', path, query }, signal)
    await Promise.all([pump(socket, far), pump(far, socket)])
  } catch (error) {
    socket.destroy()
    if (closed.signal.aborted || io.signal.aborted) return
    await io.stderr.write(
      `error: a connection to port ${local === 0 ? remote : local} failed: ${messageOf(error)}\n`,
    )
  }
}

/** One direction; its end is passed on, and so is its breaking off. */
async function pump(from: Duplex, to: Duplex): Promise<void> {
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      if (to.destroyed) return
      if (!to.write(chunk)) await drained(to)
    }
    to.end()
  } catch (error) {
    to.destroy()
    throw error
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
