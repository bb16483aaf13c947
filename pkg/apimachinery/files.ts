/** Files that must be whole: what a process keeps for its next start, whatever ends it meanwhile. */
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { messageOf, StatusError } from './errors.ts'

/** Undefined when there is no such file. Throws InternalError when it cannot be read. */
export async function readIfThere(path: string): Promise<string | undefined> {
  return (await readBytesIfThere(path))?.toString('utf8')
}

export async function readBytesIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw new StatusError('InternalError', `cannot read ${path}: ${messageOf(error)}`, {}, { cause: error })
  }
}

/** Whether a call of the file system failed because there is no such file or folder. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The door for failures of writing: NoSpace when disk or quota is full, else InternalError; `doing` says what was tried. */
export function diskError(error: unknown, doing: string): StatusError {
  if (error instanceof StatusError) return error
  const full =
    error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
  const message = `${doing}: ${messageOf(error)}`
  return new StatusError(full ? 'NoSpace' : 'InternalError', message, {}, { cause: error })
}

/** All of the new content or all of the old, whatever happens meanwhile. Only the owner may read it. */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.new`
  const file = await open(temporary, 'w', 0o600)
  try {
    await file.chmod(0o600)
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
