/** `cove cp`: files and directories into a container and out of it, by the engine's own archives. */
import { stat } from 'node:fs/promises'
import { basename, posix, resolve } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { channels, encodeEnd, encodeFrame } from '#pkg/apimachinery/frames.ts'
import { drained } from '#pkg/apimachinery/wire.ts'
import { pack } from '../archive.ts'
import { findContainer } from '../containername.ts'
import { archiveOf, download, openArchive, type Remote, type RemoteFile } from '../downloading.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import type { Context, Session } from '../session.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const [from, to, more] = args.positionals
  if (from === undefined || to === undefined || more !== undefined)
    throw new UsageError('exactly two places are expected: FILE NAME:PATH, or NAME:PATH FILE', 'cp')
  const [source, target] = [remoteOf(from), remoteOf(to)]
  if (source !== undefined && target !== undefined)
    throw new UsageError('one of the two places must be on this machine', 'cp')
  if (source !== undefined) await download(io, await found(source, await open()), resolve(io.cwd, to))
  else if (target !== undefined) await upload(await found(target, await open()), resolve(io.cwd, from))
  else throw new UsageError('one of the two places must be in a container: NAME:PATH', 'cp')
  return exitCodes.ok
}

/** A local path may begin with `./` or `/` to hold a colon. */
function remoteOf(place: string): Remote | undefined {
  const colon = place.indexOf(':')
  if (colon <= 0 || /^[./]/.test(place)) return undefined
  // As kubectl takes it: a relative path begins at the root.
  return { name: place.slice(0, colon), path: posix.join('/', place.slice(colon + 1)) }
}

async function found({ name, path }: Remote, session: Session): Promise<RemoteFile> {
  return { ...(await findContainer(name, session)), path }
}

async function upload({ session, name, path }: RemoteFile, from: string): Promise<void> {
  const source = await stat(from).catch((cause: unknown) => {
    throw new CliError(`cannot read ${from}: ${messageOf(cause)}`, { cause })
  })
  const isThere = await isRemoteDirectory(session, { name, path })
  if (!isThere && path.endsWith('/') && !source.isDirectory())
    throw new CliError(`${name}:${path} is no directory`)
  const bare = path.replace(/(?<=.)\/+$/, '')
  const [directory, called] = isThere ? [path, basename(from)] : [posix.dirname(bare), posix.basename(bare)]
  const socket = await openArchive(session, 'PUT', { name, path: directory })
  const archive = await pack(from, called)
  const sending = send(archive, socket)
  try {
    await Promise.all([sending, drainStatus(socket)])
  } finally {
    archive.destroy()
    socket.destroy()
  }
}

async function send(archive: Readable, socket: Duplex): Promise<void> {
  for await (const data of archive) {
    if (!socket.writable) return
    if (!socket.write(encodeFrame(channels.stdin, data))) await drained(socket)
  }
  socket.write(encodeEnd(channels.stdin))
}

async function drainStatus(socket: Duplex): Promise<void> {
  for await (const data of archiveOf(socket)) void data
}

/** Only what is a directory, or leads to one, has something at `/.` */
async function isRemoteDirectory(session: Session, { name, path }: Remote): Promise<boolean> {
  try {
    const socket = await openArchive(session, 'GET', { name, path: posix.join(path, '/').concat('.') })
    socket.destroy()
    return true
  } catch (error) {
    if (isReason(error, 'NotFound') || isReason(error, 'InvalidSpec') || isReason(error, 'EngineError'))
      return false
    throw error
  }
}
