/** Files out of containers, by the engine's own archives. */
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { channels, decodeFrames, decodeStatus } from '#pkg/apimachinery/frames.ts'
import { unpack } from './archive.ts'
import { CliError } from './errors.ts'
import type { Io } from './io.ts'
import type { Session } from './session.ts'
import { mustSucceed, streamPath } from './streaming.ts'

/** A path inside of a container. */
export interface Remote {
  readonly name: string
  readonly path: string
}

/** The same, of a Container that is there. */
export interface RemoteFile extends Remote {
  readonly session: Session
}

/** To `to`, or into it when that is a directory. */
export async function download(io: Io, { session, name, path }: RemoteFile, to: string): Promise<void> {
  const into = (await isDirectory(to)) ? join(to, basename(path) || name) : to
  const socket = await openArchive(session, 'GET', { name, path })
  const skipped: string[] = []
  const target = await unpack(into, (link) => skipped.push(link))
  await pipeline(archiveOf(socket), target)
  socket.destroy()
  for (const link of skipped) await io.stderr.write(`warning: skipping symlink that leads out: ${link}\n`)
}

/** Throws what the other side could not do. */
export async function* archiveOf(socket: Duplex): AsyncGenerator<Uint8Array> {
  for await (const { channel, data } of decodeFrames(socket)) {
    if (channel === channels.stdout) yield data
    if (channel === channels.status) return mustSucceed(decodeStatus(data))
  }
  throw new CliError('the connection to the server broke off')
}

export function openArchive(
  session: Session,
  method: 'GET' | 'PUT',
  { name, path }: Remote,
): Promise<Duplex> {
  const query = new URLSearchParams({ path })
  return session.open({ method, path: streamPath(session.namespace, name, 'archive'), query })
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false
    throw error
  }
}
