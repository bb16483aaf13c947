/**
 * A Dockerfile that is not in the context, put into its archive so that no COPY sees it: under a name of its own, with a
 * .dockerignore that leaves it out again, as docker's client does for `-f` outside of the context. The classic builder
 * goes by that; BuildKit, given an archive, does not.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { encodeHeader, paddingOf, trailerBytes } from './header.ts'
import { ignoreFileName } from './ignorefile.ts'

/** The same each time, so that it moves no cache; nobody calls a file of theirs so. */
export const dockerfileInArchive = '.dockerfile.cove-5c07e1b2a9d34f60'

export interface AppendedDockerfile {
  readonly text: string
  /** Of the context's own .dockerignore, when that is in the archive: it stays, with a line more. */
  readonly dockerignore?: string
}

/** Of an archive of normaliseArchive or packFolder; the Dockerfile is `dockerfileInArchive` in it. */
export async function* appendDockerfile(
  archive: AsyncIterable<Uint8Array>,
  { text, dockerignore }: AppendedDockerfile,
): AsyncGenerator<Uint8Array> {
  let tail: Uint8Array = new Uint8Array(0)
  for await (const chunk of archive) {
    const joined = tail.length === 0 ? chunk : Buffer.concat([tail, chunk])
    const cut = Math.max(0, joined.length - trailerBytes)
    if (cut > 0) yield joined.subarray(0, cut)
    tail = joined.subarray(cut)
  }
  if (tail.length !== trailerBytes || tail.some((byte) => byte !== 0))
    throw badRequest('the archive does not end as one of ours does')
  yield file(dockerfileInArchive, text)
  yield file(ignoreFileName, `${dockerignore ?? ignoreFileName}\n${dockerfileInArchive}\n`)
  yield Buffer.alloc(trailerBytes)
}

/** An archive of nothing: the context of a build that copies no file. */
export async function* emptyArchive(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(trailerBytes)
}

function file(path: string, text: string): Buffer {
  const content = Buffer.from(text)
  const header = encodeHeader({ path, type: 'file', mode: 0o600, size: content.length, mtime: 0 })
  return Buffer.concat([header, content, Buffer.alloc(paddingOf(content.length))])
}
