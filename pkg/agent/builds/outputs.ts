/**
 * Files that are taken out of an image after its build: through a container that is made for that and never started. What
 * an image holds is anybody's: nothing of it is written but below the place that the Build says, whatever links it has or
 * has brought before, and no program gets the rights of whoever owns it.
 */
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { chmod, lstat, mkdir, rename, rm, stat, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { diskError, isMissing } from '#pkg/apimachinery/files.ts'
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { type ArchivedFile, readArchive } from '#pkg/build/context/readarchive.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { BuildOrder } from './port.ts'

export interface Outputs {
  readonly image: string
  readonly outputs: BuildOrder['outputs']
  /** To the log. */
  readonly say: (line: string) => void
}

/** What is there under such a name is replaced; the container is gone when it ends, however it ends. */
export async function takeOutputs(
  { image, outputs, say }: Outputs,
  engine: Pick<Engine, 'createContainer' | 'inspectContainer' | 'removeContainer' | 'readArchive'>,
  signal: AbortSignal,
): Promise<void> {
  if (outputs.length === 0) return
  const name = `cove-output-${fingerprint([image, outputs])}`
  await removeContainer(name, engine)
  const plain = {
    env: {},
    labels: {},
    ports: [],
    mounts: [],
    networks: [],
    limits: { cpus: 0, memoryBytes: 0, pids: 0 },
  }
  await engine.createContainer({ ...plain, name, image, networkMode: 'none', cmd: ['true'] })
  try {
    for (const output of outputs) {
      await writeOutput(output, (from) => readOutput({ container: name, from }, engine, signal))
      say(`wrote ${output.from} of the image to ${output.to}`)
    }
  } finally {
    await removeContainer(name, engine)
  }
}

async function removeContainer(name: string, engine: Pick<Engine, 'removeContainer'>): Promise<void> {
  try {
    await engine.removeContainer(name, { anonymousVolumes: true })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}

/** What the image has not got, it has not the next time either: BuildError. */
async function readOutput(
  { container, from }: { readonly container: string; readonly from: string },
  engine: Pick<Engine, 'inspectContainer' | 'readArchive'>,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  try {
    return await engine.readArchive(container, from, signal)
  } catch (cause) {
    if (!isReason(cause, 'NotFound')) throw cause
    if ((await engine.inspectContainer(container)) === undefined)
      throw new StatusError('EngineError', `the container for ${from} was removed by somebody`, {}, { cause })
    throw new BuildError(`spec.outputs: the image has no ${from}`, {}, { cause })
  }
}

/** Of permissions; without setuid, setgid and sticky. */
const plainMode = 0o777

/** Into the folder `to` when that is one, or ends with a slash; else as `to`. */
async function writeOutput(
  { from, to }: BuildOrder['outputs'][number],
  read: (from: string) => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
  try {
    const intoFolder = to.endsWith('/') || (await isFolder(to))
    const target = intoFolder ? join(to, basename(from)) : to
    await mkdir(dirname(target), { recursive: true })
    for await (const file of readArchive(await read(from))) {
      const [, ...rest] = file.header.path.split('/')
      await writeEntry(file, target, rest)
    }
  } catch (error) {
    if (error instanceof StatusError && error.reason !== 'BadRequest') throw error
    throw diskError(error, `${from} cannot be written to ${to}: ${messageOf(error)}`)
  }
}

async function writeEntry(
  { header, content }: ArchivedFile,
  target: string,
  rest: readonly string[],
): Promise<void> {
  for (let depth = 0; depth < rest.length; depth++) await ensureFolder(join(target, ...rest.slice(0, depth)))
  const path = join(target, ...rest)
  const mode = header.mode & plainMode
  if (header.type === 'directory') {
    await ensureFolder(path)
    await chmod(path, mode)
    return
  }
  const aside = join(dirname(path), `.cove-output-${randomUUID()}`)
  try {
    if (header.type === 'symlink') await symlink(header.linkname ?? '', aside)
    else if (header.type === 'file') await pipeline(content, createWriteStream(aside, { flags: 'wx', mode }))
    else throw new StatusError('InvalidSpec', `${header.path} is a further name of another file`)
    if (header.type === 'file') await chmod(aside, mode)
    await rename(aside, path)
  } finally {
    await rm(aside, { force: true })
  }
}

/** A real one: what a link in its place leads to is not ours to write to, so that the link goes. */
async function ensureFolder(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  if (found?.isDirectory() === true) return
  if (found?.isSymbolicLink() === true) await rm(path)
  await mkdir(path)
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
