/**
 * What a build context is made of: its files by their paths, and which paths and links it may have. The same on the
 * machine of whoever sends it, on the server and on the node. Pure.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'

/** Devices, named pipes and sockets are in no context. A further name of a file (hard link) is a file like the first. */
export type TreeEntryType = 'file' | 'directory' | 'symlink'

export interface TreeEntry {
  /** From the root of the context, `/` between its parts, none of them `.` or `..`; of a directory without a `/` at its end. */
  readonly path: string
  readonly type: TreeEntryType
  /** Permission bits, with those for setuid, setgid and sticky: at most 0o7777. Of a symbolic link 0o777. */
  readonly mode: number
  /** Of a file, in bytes; of others 0. */
  readonly size: number
  /** Of a file: of its content, 64 hex digits. */
  readonly sha256?: string
  /** Of a symbolic link: what it says, as it says it. */
  readonly linkname?: string
}

export const linkMode = 0o777
export const modeBits = 0o7777

/** The path with what means nothing taken out; '' for the root. Throws BadRequest for a path that is in no context. */
export function contextPath(path: string): string {
  if (path.startsWith('/')) throw badRequest(`${shown(path)} is an absolute path, which no context has`)
  if (path.includes('\0')) throw badRequest(`${shown(path)} has a zero byte in its name`)
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw badRequest(`${shown(path)} leaves the context`)
  return parts.join('/')
}

/**
 * Throws BadRequest for a symbolic link that says nothing. It may say a path outside of the context, as for docker build:
 * nobody follows it there, and in the image it means a file of the image.
 */
export function mustSaySomething(path: string, linkname: string): void {
  if (linkname === '') throw badRequest(`${shown(path)} is a symbolic link to nothing`)
}

/** A path in a message: in quotes, on one line whatever it holds. */
export function shown(path: string): string {
  return JSON.stringify(path)
}

/** As git, tar and `LC_ALL=C sort` do: by the bytes of UTF-8, which is the order of code points. */
export function byPath(a: { readonly path: string }, b: { readonly path: string }): number {
  return compareUtf8(a.path, b.path)
}

function compareUtf8(a: string, b: string): number {
  if (a === b) return 0
  // Where no half of a pair is in it, the order of UTF-16 is the same.
  if (!surrogate.test(a) && !surrogate.test(b)) return a < b ? -1 : 1
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

const surrogate = /[\ud800-\udfff]/
