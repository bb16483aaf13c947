/**
 * The archive that an engine is sent: the stored files as they are when the Dockerfile among them is the very one to be
 * built; else with that one added under a name of its own, and hidden from COPY by a .dockerignore, as docker's own client
 * does it. The name is always the same, so that it costs no cache.
 */
import { encodeHeader, paddingOf, trailerBytes } from '#pkg/build/context/header.ts'
import { ignoreFileName } from '#pkg/build/context/ignorefile.ts'
import { type ArchivedFile, readArchive } from '#pkg/build/context/readarchive.ts'
import type { BuildOrder } from './port.ts'
import type { ContextStore } from './sources/contextstore.ts'

type Bytes = AsyncIterable<Uint8Array>

/** What is added is called so. */
export const addedName = '.cove.Dockerfile'

export interface SentContext {
  readonly archive: Bytes
  /** Path of the Dockerfile in it. */
  readonly dockerfile: string
}

export async function contextOf(
  { context, dockerfilePath, dockerfile }: Pick<BuildOrder, 'context' | 'dockerfile' | 'dockerfilePath'>,
  text: string,
  contexts: Pick<ContextStore, 'open'>,
): Promise<SentContext> {
  const stored = context === undefined ? undefined : await contexts.open(context)
  if (stored !== undefined && dockerfilePath !== undefined && text === dockerfile)
    return { archive: stored, dockerfile: dockerfilePath }
  return { archive: withDockerfile(stored, text), dockerfile: addedName }
}

async function* withDockerfile(stored: Bytes | undefined, text: string): Bytes {
  const added = Buffer.from(`\n${addedName}\n`)
  let isHidden = false
  for await (const file of stored === undefined ? [] : readArchive(stored)) {
    const { header, content } = file
    if (header.path === addedName) continue
    if (header.path === ignoreFileName && header.type === 'file') {
      isHidden = true
      const size = header.size + added.length
      yield* written({ header: { ...header, size }, content: inTurn(content, [added]) })
    } else yield* written(file)
  }
  // What is excluded itself is taken out before anything is copied.
  if (!isHidden) yield* small(ignoreFileName, `${ignoreFileName}${added}`)
  yield* small(addedName, text)
  yield Buffer.alloc(trailerBytes)
}

async function* inTurn(first: Bytes, then: Iterable<Uint8Array>): Bytes {
  yield* first
  yield* then
}

async function* written({ header, content }: ArchivedFile): Bytes {
  yield encodeHeader(header)
  let bytes = 0
  for await (const chunk of content) {
    bytes += chunk.length
    yield chunk
  }
  if (bytes > 0) yield Buffer.alloc(paddingOf(bytes))
}

function* small(path: string, text: string): Generator<Uint8Array> {
  const content = Buffer.from(text)
  yield encodeHeader({ path, type: 'file', mode: 0o644, size: content.length, mtime: 0 })
  yield content
  yield Buffer.alloc(paddingOf(content.length))
}
