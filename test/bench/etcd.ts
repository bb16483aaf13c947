/** Debian's etcd for a benchmark, asked by gRPC written by hand: a client library would cost more than etcd itself. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { join } from 'node:path'
import { eventually } from '../helpers/eventually.ts'
import { freePort } from '../helpers/registry.ts'
import { stop } from './running.ts'
import { withDataDir } from './serving.ts'

export interface Etcd {
  readonly pid: number
  put(key: string, value: string): Promise<void>
  /** Resolves to the size of the answer in bytes. */
  get(key: string): Promise<number>
  /** Every key with the prefix. */
  list(prefix: string): Promise<number>
}

/** Runs `work` beside an etcd of its own, every write synced as by default. */
export async function withEtcd(work: (etcd: Etcd) => Promise<void>): Promise<void> {
  await withDataDir(async (dir) => {
    const client = `http://127.0.0.1:${await freePort()}`
    const peer = `http://127.0.0.1:${await freePort()}`
    const words = [
      '--data-dir',
      join(dir, 'etcd'),
      '--listen-client-urls',
      client,
      '--advertise-client-urls',
      client,
    ]
    const peers = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer]
    const server = spawn('etcd', [...words, ...peers, '--initial-cluster', `default=${peer}`], {
      stdio: 'ignore',
    })
    try {
      const session = await eventually(() => opened(client), {
        timeoutMs: 20_000,
        pauseMs: 100,
        what: 'the start of etcd',
      })
      const etcd = over(session, server.pid ?? 0)
      // A new one has no leader at first.
      await eventually(() => etcd.put('/ready', ''), {
        timeoutMs: 20_000,
        pauseMs: 100,
        what: 'the first write',
      })
      await work(etcd)
      session.destroy()
    } finally {
      await stop(server)
      if (server.exitCode === null && server.signalCode === null) await once(server, 'exit')
    }
  })
}

async function opened(url: string): Promise<ClientHttp2Session> {
  const session = connect(url)
  await once(session, 'connect')
  session.on('error', (error) => {
    throw error
  })
  return session
}

function over(session: ClientHttp2Session, pid: number): Etcd {
  return {
    pid,
    put: async (key, value) => {
      await call(session, 'Put', Buffer.concat([field(1, key), field(2, value)]))
    },
    get: (key) => call(session, 'Range', field(1, key)),
    list: (prefix) => {
      const end = prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1)
      return call(session, 'Range', Buffer.concat([field(1, prefix), field(2, end)]))
    },
  }
}

/** A field of bytes in protobuf: key, length, content. */
function field(number: number, text: string): Buffer {
  const content = Buffer.from(text)
  return Buffer.concat([Buffer.of((number << 3) | 2), varint(content.length), content])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.of(...bytes, rest)
}

function call(session: ClientHttp2Session, method: string, message: Buffer): Promise<number> {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  message.copy(frame, 5)
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/etcdserverpb.KV/${method}`,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    let size = 0
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    stream.on('trailers', (trailers) => {
      if (Number(trailers['grpc-status']) !== 0) reject(new Error(`etcd: ${trailers['grpc-message']}`))
    })
    stream.on('end', () => resolve(size))
    stream.on('error', reject)
    stream.end(frame)
  })
}
