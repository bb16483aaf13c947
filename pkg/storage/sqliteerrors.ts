/**
 * The door where SQLite's errors come in. Result codes: https://sqlite.org/rescode.html; the low byte of an
 * extended code is the primary one.
 */
import { messageOf, type Reason, StatusError } from '#pkg/apimachinery/errors.ts'

const busy = 5
const full = 13
const notADatabase = 26

const reasons: Readonly<Record<number, Reason>> = { [busy]: 'InUse', [full]: 'NoSpace' }

/** For whoever wrote something: what it means, before SQLite's own words. */
const fullDisk =
  'the disk of the server is full: nothing was changed; reads go on, and writes again once there is room; '

function primaryCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

/** NoSpace when disk or quota is full, else InternalError; `doing` says what was tried. */
export function translate(error: unknown, doing: string): StatusError {
  if (error instanceof StatusError) return error
  const reason = reasons[primaryCode(error) ?? -1] ?? 'InternalError'
  const told = reason === 'NoSpace' ? fullDisk : ''
  return new StatusError(reason, `${told}${doing}: ${messageOf(error)}`, {}, { cause: error })
}

/** As translate, in words for whoever starts a server: the path is named, and a lock is explained. */
export function translateOpening(error: unknown, path: string): StatusError {
  const code = primaryCode(error)
  if (code === busy) return new StatusError('InUse', `${path} is used by another cove process`)
  if (code === notADatabase) return new StatusError('InternalError', `${path} is not a cove database`)
  return translate(error, `open ${path}`)
}
