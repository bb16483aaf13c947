/** The files of a folder that a build may copy: links as links, nothing followed, what is ignored left out. */
import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs'
import { join } from 'node:path'
import { atEndOfTurn } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf } from '#pkg/apimachinery/errors.ts'
import { isMissing } from '#pkg/apimachinery/files.ts'
import { byPath, linkMode, modeBits, mustSaySomething, shown, type TreeEntry } from './entry.ts'
import type { Ignore, Ignored } from './ignore.ts'

/** Not read yet; with what tells whether the file is still the one that was read some time ago. */
export interface WalkedEntry extends TreeEntry {
  readonly mtimeMs: number
  readonly ctimeMs: number
  readonly dev: number
  readonly ino: number
  /** How many names the file has. */
  readonly nlink: number
}

export interface WalkOptions {
  /** An absolute path with no link in it. */
  readonly root: string
  readonly ignore: Ignore
  readonly signal: AbortSignal
}

/** How many files are looked at before others get a turn: asking for each by itself would take four times as long. */
const filesPerTurn = 512

/** In the order of their paths. Throws BadRequest for what cannot be read, or be in a context. */
export async function walkFolder(options: WalkOptions): Promise<WalkedEntry[]> {
  const found: WalkedEntry[] = []
  const waiting: Folder[] = [{ path: '', judged: undefined }]
  let looked = 0
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const { entry, judged } of inFolder(options, folder)) {
      if (++looked % filesPerTurn === 0) await nextTurn(options.signal)
      if (entry.type === 'directory') waiting.push({ path: entry.path, judged })
      if (!judged.isIgnored) found.push(entry)
    }
  }
  return found.sort(byPath)
}

/** What is in the context, and folders that are not but may hold something that is. */
function* inFolder(options: WalkOptions, folder: Folder) {
  for (const name of namesIn(options.root, folder.path)) {
    const path = folder.path === '' ? name : `${folder.path}/${name}`
    const judged = options.ignore.judge(path, folder.judged)
    const entry = look(options, path, judged)
    if (entry !== undefined) yield { entry, judged }
  }
}

export async function nextTurn(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  await new Promise<void>((resolve) => atEndOfTurn(resolve))
}

interface Folder {
  readonly path: string
  readonly judged: Ignored | undefined
}

function namesIn(root: string, path: string): string[] {
  try {
    return readdirSync(join(root, path))
  } catch (error) {
    // It was there a moment ago.
    if (path !== '' && isMissing(error)) return []
    throw unreadable(path === '' ? root : path, error)
  }
}

/** Undefined: not in the context, or gone. */
function look({ root, ignore }: WalkOptions, path: string, { isIgnored }: Ignored): WalkedEntry | undefined {
  const stats = statOf(root, path, isIgnored)
  if (stats === undefined) return undefined
  if (isIgnored && !(stats.isDirectory() && ignore.mayHoldExceptions(path))) return undefined
  // Nothing copies one; docker's client passes them over as well.
  if (stats.isSocket()) return undefined
  const { mtimeMs, ctimeMs, dev, ino, nlink } = stats
  const own = { path, mtimeMs, ctimeMs, dev, ino, nlink }
  if (stats.isFile()) return { ...own, type: 'file', mode: stats.mode & modeBits, size: stats.size }
  if (stats.isDirectory()) return { ...own, type: 'directory', mode: stats.mode & modeBits, size: 0 }
  if (stats.isSymbolicLink()) {
    const linkname = linkOf(root, path)
    return linkname === undefined ? undefined : { ...own, type: 'symlink', mode: linkMode, size: 0, linkname }
  }
  const what = stats.isFIFO() ? 'a named pipe' : 'a device'
  throw badRequest(`${shown(path)} is ${what}, which no context can have: name it in .dockerignore`)
}

function statOf(root: string, path: string, isIgnored: boolean): Stats | undefined {
  try {
    const stats = lstatSync(`${root}/${path}`, { throwIfNoEntry: false })
    if (stats !== undefined || isIgnored || !path.includes('\ufffd')) return stats
  } catch (error) {
    throw unreadable(path, error)
  }
  throw badRequest(
    `the name of ${shown(path)} is not UTF-8, so that nothing could name it: rename it, or name it in .dockerignore`,
  )
}

/** Undefined: it was there a moment ago. */
function linkOf(root: string, path: string): string | undefined {
  const bytes = linkBytes(root, path)
  if (bytes === undefined) return undefined
  const target = bytes.toString()
  if (!Buffer.from(target).equals(bytes))
    throw badRequest(`${shown(path)} is a symbolic link to a name that is not UTF-8`)
  mustSaySomething(path, target)
  return target
}

function linkBytes(root: string, path: string): Buffer | undefined {
  try {
    return readlinkSync(join(root, path), { encoding: 'buffer' })
  } catch (error) {
    if (isMissing(error)) return undefined
    throw unreadable(path, error)
  }
}

export function unreadable(path: string, error: unknown): Error {
  return badRequest(`cannot read ${shown(path)} of the context: ${messageOf(error)}`)
}
