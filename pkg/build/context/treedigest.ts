/**
 * What a context is called: `tree:` and the digest of its files, by their names, modes and contents. Times, owners, the
 * order of an archive and whether two names share their bytes do not count: the same files have the same name wherever
 * and whenever they are packed. Pure.
 */
import { createHash } from 'node:crypto'
import { byPath, type TreeEntry } from './entry.ts'

/** Every file has its sha256; no path is there twice. The order does not matter. */
export function treeDigest(entries: Iterable<TreeEntry>): string {
  const hash = createHash('sha256')
  let lines: string[] = []
  for (const entry of [...entries].sort(byPath)) {
    lines.push(lineOf(entry))
    if (lines.length < 1024) continue
    hash.update(lines.join(''))
    lines = []
  }
  hash.update(lines.join(''))
  return `tree:${hash.digest('hex')}`
}

function lineOf({ path, type, mode, size, sha256, linkname }: TreeEntry): string {
  if (type === 'file' && sha256 === undefined) throw new TypeError(`${path} was not read`)
  const what = { file: [size, sha256], directory: [], symlink: [linkname] }[type]
  return `${JSON.stringify([path, type, mode, ...what])}\n`
}
