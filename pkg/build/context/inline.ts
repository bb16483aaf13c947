/** Files written in a manifest as an archive: readable by all, and of no time. Pure. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { contextPath, shown } from './entry.ts'
import { encodeHeader, paddingOf, trailerBytes } from './header.ts'

/** By path. Throws BadRequest for a path that is in no context. */
export async function* packInline(files: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
  for (const [written, text] of Object.entries(files)) {
    const path = contextPath(written)
    if (path === '' || written.endsWith('/')) throw badRequest(`${shown(written)} is no name of a file`)
    const content = Buffer.from(text)
    yield encodeHeader({ path, type: 'file', mode: 0o644, size: content.length, mtime: 0 })
    yield content
    yield Buffer.alloc(paddingOf(content.length))
  }
  yield Buffer.alloc(trailerBytes)
}
