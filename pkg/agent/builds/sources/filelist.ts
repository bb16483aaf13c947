/**
 * Which files make a context what it is, kept beside it in a line each: so that it can be told what has changed also when
 * the files of the earlier one are gone.
 */
import { createHash } from 'node:crypto'
import { jsonValue } from '#pkg/apimachinery/hash.ts'
import { byPath, type TreeEntry } from '#pkg/build/context/entry.ts'
import type { ContextMove, MovedFile } from '../port.ts'

/** Of more files no list is kept, and what has changed is told by digests only. */
const mostFiles = 100_000
/** More are only counted. */
const mostMoved = 256
const digits = 16

/** By path: what counts of each. */
type FileList = ReadonlyMap<string, string>

/** Undefined: they are too many. */
export function encodeFileList(entries: readonly TreeEntry[]): string | undefined {
  if (entries.length > mostFiles) return undefined
  return entries.map((entry) => `${JSON.stringify([entry.path, markOf(entry)])}\n`).join('')
}

/** Begins with `d` for a folder. Of a link what it says, of a file what is in it; and who may what with it. */
function markOf({ type, mode, sha256, linkname }: TreeEntry): string {
  const content =
    sha256 ??
    createHash('sha256')
      .update(linkname ?? '')
      .digest('hex')
  return `${type.slice(0, 1)}${mode.toString(8)}${type === 'directory' ? '' : ` ${content.slice(0, digits)}`}`
}

/** Undefined: it is damaged. */
export function decodeFileList(text: string): FileList | undefined {
  const files = new Map<string, string>()
  for (const line of text.split('\n').slice(0, -1)) {
    const [path, mark] = wordsOf(jsonValue(line))
    if (path === undefined || mark === undefined) return undefined
    files.set(path, mark)
  }
  return files
}

function wordsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}

/** Folders are told where nothing in them is. */
export function compareFiles(before: FileList, after: FileList): ContextMove {
  const all = [...movedBetween(before, after)].sort(byPath)
  const files = all.filter(({ isFolder }) => !isFolder)
  const told = files.length > 0 ? files : all
  return { count: told.length, files: told.slice(0, mostMoved).map(({ path, how }) => ({ path, how })) }
}

function* movedBetween(
  before: FileList,
  after: FileList,
): Generator<MovedFile & { readonly isFolder: boolean }> {
  for (const [path, mark] of after) {
    const was = before.get(path)
    if (was === mark) continue
    yield { path, how: was === undefined ? 'added' : 'changed', isFolder: isFolder(mark) }
  }
  for (const [path, mark] of before)
    if (!after.has(path)) yield { path, how: 'removed', isFolder: isFolder(mark) }
}

function isFolder(mark: string): boolean {
  return mark.startsWith('d')
}
