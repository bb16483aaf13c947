/** Single files that a build is described by: its Dockerfile, which may lie outside of the context, and .dockerignore. */
import { open, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { longestText } from '#pkg/build/context/normalise.ts'
import type { BuildWritten, ContextProblem } from './buildwritten.ts'

const field = 'spec.dockerfile'

/** Text of the Dockerfile of a folder; `dockerfile` is another name of `Dockerfile`. */
export async function ownDockerfile(root: string, build: BuildWritten): Promise<string | ContextProblem> {
  const path = resolve(root, build.dockerfile)
  try {
    const text =
      (await textOfFile(path)) ??
      (build.dockerfile === 'Dockerfile' ? await textOfFile(join(root, 'dockerfile')) : undefined)
    return text ?? { field, message: `cannot read "${path}": there is no such file` }
  } catch (error) {
    return { field, message: `cannot read "${path}": ${messageOf(error)}` }
  }
}

/** Undefined: there is no such file. Throws when it is too long, or cannot be read. */
export async function textOfFile(path: string): Promise<string | undefined> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      if (size > longestText) throw new Error(`it has more than ${humanBytes(longestText)}`)
      return await readFile(file, 'utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined
    throw error
  }
}
