/** Files of this machine as tar archives, and back. What is unpacked stays below its root, links included. */
import { basename, dirname, isAbsolute, join, normalize } from 'node:path'
import type { Readable, Writable } from 'node:stream'

/** The file or directory at `path`, under another name. Fails as a stream when it cannot be read. */
export async function pack(path: string, name: string): Promise<Readable> {
  const { pack: open } = (await import('tar-fs')).default
  const own = basename(path)
  return open(dirname(path), {
    entries: [own],
    map: (header) => ({ ...header, name: rooted(header.name, name) }),
  })
}

/** Makes `path` of the one file or directory in the archive. A link that would lead out of it is left out and told. */
export async function unpack(path: string, skipped: (link: string) => void): Promise<Writable> {
  const { extract } = (await import('tar-fs')).default
  const root = basename(path)
  const options = {
    // Whoever copies owns the copy.
    chown: false,
    map: <H extends { name: string }>(header: H): H => ({ ...header, name: rooted(header.name, root) }),
    ignore: (name: string, header?: object) => {
      const target = linkOf(header)
      const leaves = target !== undefined && leadsOut(path, name, target)
      if (leaves) skipped(`${name} -> ${target}`)
      return leaves
    },
  }
  return extract(dirname(path), options)
}

/** Replaces the first part of an entry's name. */
function rooted(name: string, root: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.')
  return [root, ...parts.slice(1)].join('/')
}

function linkOf(header: object | undefined): string | undefined {
  if (header === undefined || !('type' in header) || header.type !== 'symlink') return undefined
  return 'linkname' in header ? String(header.linkname) : undefined
}

function leadsOut(root: string, name: string, target: string): boolean {
  if (isAbsolute(target)) return true
  const reached = normalize(join(dirname(name), target))
  return reached !== root && !reached.startsWith(`${root}/`)
}
