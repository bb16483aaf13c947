/**
 * The engine's file and process on this machine (Linux): what the kernel tells of the process in the engine's pid file,
 * its daemon.json, and the agent's own note in its data directory.
 */
import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import type { EngineConfigRecord, EngineConfigSight, EngineFiles, EngineProcess } from './port.ts'

export interface EngineFilesOptions {
  /** The engine's daemon.json. */
  readonly configPath: string
  readonly pidPath: string
  /** Of the agent, for its note. */
  readonly dataDir: string
  /** Sends a SIGHUP; throws when it cannot. */
  readonly hangUp: (pid: number) => void
  /** Where the kernel tells of processes. */
  readonly procDir?: string
}

/** Of the file, when there is none yet: as Docker's packages have it. */
const usualMode = 0o644
const checkWithinMs = 10_000
const run = promisify(execFile)

export function localEngineFiles(options: EngineFilesOptions): EngineFiles {
  const { configPath, dataDir, hangUp, procDir = '/proc' } = options
  const recordPath = join(dataDir, 'engine-config.json')
  return {
    look: () => look(options, recordPath),
    write: (text) => writeConfig(configPath, text),
    async record(record) {
      await mkdir(dataDir, { recursive: true, mode: 0o700 })
      await replaceFile(recordPath, `${JSON.stringify(record)}\n`)
    },
    validate: (text, { pid }) => validate(text, join(procDir, String(pid), 'exe'), dataDir),
    async reload(pid) {
      // Its id may be another's by now, which a hang-up would end.
      const engine = await findProcess(options.pidPath, procDir)
      if (typeof engine === 'string') throw new StatusError('EngineError', engine)
      if (engine.pid !== pid)
        throw new StatusError('EngineError', `the engine is process ${engine.pid} now, and not ${pid}`)
      try {
        hangUp(pid)
      } catch (error) {
        const message = `the engine (process ${pid}) cannot be asked to read its file: ${messageOf(error)}`
        throw new StatusError('EngineError', message, {}, { cause: error })
      }
    },
  }
}

/** An engine that is not on this machine, or no Linux: nothing is looked at, nothing done. */
export function noEngineFiles(path: string, obstacle: string): EngineFiles {
  const refuse = () => Promise.reject(new StatusError('InvalidSpec', obstacle))
  return {
    look: async () => ({ path, text: undefined, process: undefined, obstacle }),
    write: refuse,
    record: refuse,
    validate: refuse,
    reload: refuse,
  }
}

async function look(options: EngineFilesOptions, recordPath: string): Promise<EngineConfigSight> {
  const { configPath: path, pidPath, procDir = '/proc' } = options
  const record = await readRecord(recordPath)
  const process = await findProcess(pidPath, procDir)
  const text = await readConfig(path)
  const obstacle =
    (typeof process === 'string' ? process : undefined) ??
    (typeof text === 'object' ? text.obstacle : undefined) ??
    (await writeObstacle(path))
  return {
    path,
    text: typeof text === 'string' ? text : undefined,
    process: typeof process === 'string' ? undefined : process,
    ...(obstacle !== undefined && { obstacle }),
    ...(record !== undefined && { record }),
  }
}

async function readConfig(path: string): Promise<string | { obstacle: string } | undefined> {
  try {
    return await readIfThere(path)
  } catch (error) {
    return { obstacle: messageOf(error) }
  }
}

/** The process, or why there is none that can be trusted. */
async function findProcess(pidPath: string, procDir: string): Promise<EngineProcess | string> {
  try {
    const pid = Number((await readFile(pidPath, 'utf8')).trim())
    if (!Number.isInteger(pid) || pid <= 1) return `${pidPath} holds no process id`
    const name = (await readFile(join(procDir, String(pid), 'comm'), 'utf8')).trim()
    if (name !== 'dockerd') return `process ${pid} of ${pidPath} is "${name}", not dockerd`
    const words = (await readFile(join(procDir, String(pid), 'cmdline'), 'utf8')).split('\0').slice(0, -1)
    return { pid, commandLine: words }
  } catch (error) {
    return `the engine's process cannot be told by ${pidPath}, which --engine-pidfile names: ${messageOf(error)}`
  }
}

/** A new file is made beside the old one, so it is the directory that must be writable. */
async function writeObstacle(path: string): Promise<string | undefined> {
  for (const directory of parents(path)) {
    try {
      await access(directory, constants.W_OK | constants.X_OK)
      return undefined
    } catch (error) {
      if (!isMissing(error)) return `${path} cannot be written by the agent: ${messageOf(error)}`
    }
  }
  return undefined
}

function parents(path: string): string[] {
  const parent = dirname(path)
  return parent === path ? [] : [parent, ...parents(parent)]
}

async function writeConfig(path: string, text: string | null): Promise<void> {
  // A link stays one.
  const target = await realpath(path).catch((error: unknown) => {
    if (isMissing(error)) return path
    throw error
  })
  if (text === null) {
    await rm(target, { force: true })
    return await syncDirectory(dirname(target))
  }
  await mkdir(dirname(target), { recursive: true })
  const like = await stat(target).catch((error: unknown) => {
    if (isMissing(error)) return undefined
    throw error
  })
  // Not in the way of other tools, and not read by anything: programs that read whole directories go by endings.
  const temporary = join(dirname(target), `.${basename(target)}.cove-new`)
  try {
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(text)
      if (like !== undefined) await file.chown(like.uid, like.gid)
      await file.chmod(like === undefined ? usualMode : like.mode & 0o7777)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw writeError(path, error)
  }
  await syncDirectory(dirname(target))
}

function writeError(path: string, error: unknown): StatusError {
  const full =
    error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  const message = `cannot write ${path}: ${messageOf(error)}`
  return new StatusError(full ? 'NoSpace' : 'EngineError', message, {}, { cause: error })
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** With the program that runs, whatever has been installed since. */
async function validate(text: string, program: string, dataDir: string): Promise<void> {
  const candidate = join(dataDir, 'daemon.json.check')
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await replaceFile(candidate, text)
  try {
    await run(program, ['--validate', '--config-file', candidate], { timeout: checkWithinMs })
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    const message = `dockerd --validate refuses it: ${said || messageOf(error)}`
    throw new StatusError('InvalidSpec', message, {}, { cause: error })
  } finally {
    await rm(candidate, { force: true })
  }
}

/** A note that cannot be read is as none: then nothing is put back, and nothing else depends on it. */
async function readRecord(path: string): Promise<EngineConfigRecord | undefined> {
  const text = await readIfThere(path)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : undefined
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Written by this agent in one piece, so its outline tells whether it is one. */
function isRecord(value: unknown): value is EngineConfigRecord {
  if (typeof value !== 'object' || value === null) return false
  if (!('before' in value && 'wrote' in value && 'reported' in value)) return false
  const { before, wrote, reported } = value
  const lists = typeof reported === 'object' && reported !== null ? reported : {}
  return (
    (before === null || typeof before === 'string') &&
    typeof wrote === 'string' &&
    'insecure' in lists &&
    Array.isArray(lists.insecure) &&
    'mirrors' in lists &&
    Array.isArray(lists.mirrors)
  )
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
