/**
 * exec, attach and port-forward of Pods: which protocol the client speaks, whether it may and what it asks for, and
 * then its streams joined with those of the node. Until the node has agreed nothing is sent, so that a refusal is an
 * answer of HTTP with a Status, the same for both protocols: kubectl shows the one of its second try.
 */
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import { badRequest, isReason, messageOf, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import { framesType, inputHeader, inputStream } from '#pkg/apimachinery/frames.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Guard } from '../access/authorize.ts'
import type { Upgrade } from '../door/listen.ts'
import type { Surface } from '../http/answer.ts'
import { late } from './inbox.ts'
import { channelInput, SpdyCommand, serveChannels, type WantedStreams } from './podcommand.ts'
import { type ForwardTarget, forwardOverChannels, forwardOverSpdy, isPort } from './podforward.ts'
import type { ContainerNode, FindNode } from './proxy.ts'
import { type BytePipe, socketPipe } from './spdyconnection.ts'
import type { UpgradeRoute } from './upgrade.ts'
import {
  acceptWebSocket,
  checkHandshake,
  isWebSocket,
  type MessageSocket,
  offeredProtocols,
} from './websocket.ts'

export interface PodStreamsOptions {
  readonly findNode: FindNode
  readonly guard: Guard
  readonly clock: Clock
  readonly log: Logger
}

const streamPath = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/(exec|attach|portforward)$/
/** The framing is the same; the newer one can also say that stdin has ended. */
const channelProtocols = ['v5.channel.k8s.io', 'v4.channel.k8s.io']
/** The newest that servers of Kubernetes speak over SPDY. */
const spdyProtocols = ['v4.channel.k8s.io', 'v5.channel.k8s.io']
const forwardProtocol = 'portforward.k8s.io'
const tunnelProtocol = `SPDY/3.1+${forwardProtocol}`
const pods = { group: '', plural: 'pods' } as const

export interface PodPath {
  readonly namespace: string
  readonly name: string
}

/** One upgrade of a client that may have it. */
interface Call extends PodStreamsOptions {
  readonly upgrade: Upgrade
  /** On the node. */
  readonly path: string
  readonly node: ContainerNode
}

export function podStreams(options: PodStreamsOptions): UpgradeRoute {
  return { path: streamPath, take: (upgrade) => take(upgrade, options) }
}

/** What to tell a client that asks for streams without an upgrade. */
export function podStreamsByUpgradeOnly(): Surface {
  return ({ path }) => {
    if (streamPath.test(path)) throw badRequest('Upgrade request required')
    return undefined
  }
}

async function take(upgrade: Upgrade, options: PodStreamsOptions): Promise<ApiResponse | undefined> {
  const { request, user } = upgrade
  // Over WebSocket it is a GET, and still no reading: it is allowed as the creation of a stream is.
  await options.guard({ ...request, method: 'POST' }, user)
  const [, namespace = '', name = '', subresource] = streamPath.exec(request.path) ?? []
  const pod = { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) }
  checkContainer(request.query, pod)
  const path = `/containers/${namespace}/${name}/${subresource}`
  const call = { ...options, upgrade, path, node: await nodeOfPod(options.findNode, pod) }
  return subresource === 'portforward' ? forward(call) : command(call)
}

/** The node that runs what the Pod shows. Throws NotFound of the Pod. */
export async function nodeOfPod(findNode: FindNode, { namespace, name }: PodPath): Promise<ContainerNode> {
  try {
    return await findNode(namespace, name)
  } catch (error) {
    throw isReason(error, 'NotFound') ? notFound(pods, name) : error
  }
}

/** A Pod has one container, and it has the Pod's name. */
export function checkContainer(query: URLSearchParams, { name }: PodPath): void {
  const container = query.get('container') ?? ''
  if (container !== '' && container !== name)
    throw badRequest(`container ${container} is not valid for pod ${name}`)
}

async function command(call: Call): Promise<ApiResponse | undefined> {
  const { upgrade, node, path, clock } = call
  const { request } = upgrade
  const wanted = wantedStreams(request)
  const protocol = isWebSocket(upgrade) ? channelProtocol(upgrade) : spdyProtocol(upgrade, spdyProtocols)
  const source = Promise.withResolvers<AsyncIterable<Uint8Array>>()
  try {
    const answer = await ask(node, {
      method: 'POST',
      path,
      query: commandQuery(request, wanted),
      headers: { 'content-type': framesType, [inputHeader]: inputStream },
      input: late(source.promise),
      signal: request.signal,
    })
    if (answer.status !== 200) return answer
    if (isWebSocket(upgrade)) {
      const socket = await acceptWebSocket(upgrade, protocol, clock)
      source.resolve(channelInput(socket))
      background(call, serveChannels(socket, answer.body))
    } else {
      const client = new SpdyCommand(acceptSpdy(upgrade, protocol), wanted, clock)
      source.resolve(client.input())
      background(call, client.serve(answer.body))
    }
    return undefined
  } finally {
    // Of a command that came to nothing: the node must not wait for what nobody will send.
    source.resolve(nothing())
  }
}

async function forward(call: Call): Promise<ApiResponse | undefined> {
  const { upgrade, node, path, log, clock } = call
  const { signal, query } = upgrade.request
  const target: ForwardTarget = { transport: node.transport, path, signal, log }
  if (!isWebSocket(upgrade)) {
    const protocol = spdyProtocol(upgrade, [forwardProtocol])
    background(call, forwardOverSpdy(acceptSpdy(upgrade, protocol), target))
    return undefined
  }
  checkHandshake(upgrade)
  if (offeredProtocols(upgrade).includes(tunnelProtocol)) {
    const socket = await acceptWebSocket(upgrade, tunnelProtocol, clock)
    background(call, forwardOverSpdy(messagePipe(socket), target))
    return undefined
  }
  const protocol = channelProtocol(upgrade)
  const ports = askedPorts(query)
  const socket = await acceptWebSocket(upgrade, protocol, clock)
  background(call, forwardOverChannels(socket, ports, target))
  return undefined
}

/** Where one message ends and the next begins means nothing. */
function messagePipe(socket: MessageSocket): BytePipe {
  return {
    input: socket.messages,
    write: (data) => socket.send(data),
    close: () => socket.close(),
  }
}

/** Goes on when the upgrade has been answered; what breaks it is the client's loss and the log's news. */
function background({ log, path, upgrade }: Call, work: Promise<void>): void {
  work.catch((error: unknown) => {
    log.debug('streams of a pod broke off', { path, error: messageOf(error) })
    upgrade.socket.destroy()
  })
}

/** The node's refusal is the client's: it is whole, a Status, and worded for people. */
async function ask(node: ContainerNode, request: ApiRequest): Promise<ApiResponse> {
  const answer = await node.transport(request)
  if (answer.status === 200) return answer
  const chunks: Buffer[] = []
  const { body } = answer
  if (typeof body === 'string' || body instanceof Uint8Array) chunks.push(Buffer.from(body))
  else for await (const chunk of body) chunks.push(Buffer.from(chunk))
  return {
    status: answer.status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.concat(chunks),
  }
}

function channelProtocol(upgrade: Upgrade): string {
  checkHandshake(upgrade)
  const offered = offeredProtocols(upgrade)
  const protocol = channelProtocols.find((known) => offered.includes(known))
  if (protocol === undefined)
    throw badRequest(
      `unable to upgrade: offered are [${offered.join(' ')}], spoken is ${channelProtocols.join(', ')}`,
    )
  return protocol
}

function spdyProtocol({ request: { headers, method } }: Upgrade, known: readonly string[]): string {
  const asked = headers['upgrade'] ?? ''
  if (asked.toLowerCase() !== 'spdy/3.1' || (method !== 'POST' && method !== 'GET'))
    throw badRequest(`cannot upgrade to "${asked}": this path speaks websocket and SPDY/3.1`)
  const offered = (headers['x-stream-protocol-version'] ?? '').split(',').map((name) => name.trim())
  const protocol = known.find((name) => offered.includes(name))
  if (protocol === undefined)
    throw new StatusError(
      'Forbidden',
      `unable to upgrade: offered are [${offered.join(' ')}], spoken is ${known.join(', ')}`,
    )
  return protocol
}

function acceptSpdy({ socket, head }: Upgrade, protocol: string): BytePipe {
  if (head.length > 0) socket.unshift(head)
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  )
  return socketPipe(socket)
}

/** Throws BadRequest, in Kubernetes' words, for streams that do not go together. */
function wantedStreams({ query, path }: ApiRequest): WantedStreams {
  const wanted = {
    stdin: isTrue(query, 'stdin'),
    stdout: isTrue(query, 'stdout'),
    stderr: isTrue(query, 'stderr'),
    tty: isTrue(query, 'tty'),
  }
  if (!wanted.stdin && !wanted.stdout && !wanted.stderr)
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr')
  if (path.endsWith('/exec') && query.getAll('command').length === 0)
    throw badRequest('you must specify at least one command for the container')
  return { ...wanted, stderr: wanted.stderr && !wanted.tty }
}

function commandQuery({ query, path }: ApiRequest, wanted: WantedStreams): URLSearchParams {
  const command = path.endsWith('/exec') ? query.getAll('command').map((word) => ['command', word]) : []
  const streams = Object.entries(wanted).flatMap(([name, is]) => (is ? [[name, 'true']] : []))
  return new URLSearchParams([...command, ...streams])
}

/** Kubernetes' reading of booleans: clients also send "false". */
function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value === 'true' || value === '1'
}

/** `ports=80&ports=81`, or `ports=80,81`. */
function askedPorts(query: URLSearchParams): number[] {
  const texts = query.getAll('ports').flatMap((text) => text.split(','))
  const ports = texts.map(Number)
  if (ports.length === 0) throw badRequest('query parameter "ports" is required')
  const wrong = ports.findIndex((port) => !isPort(port))
  if (wrong >= 0) throw badRequest(`"${texts[wrong]}" is no port`)
  if (ports.length > 100) throw badRequest('at most 100 ports may be forwarded at once')
  return ports
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
