/**
 * Archives from anywhere as the one that is kept: checked, with what is ignored left out, and the text of the Dockerfile
 * read, also where the files that are sent do not have it.
 */
import { createReadStream } from 'node:fs'
import { posix } from 'node:path'
import { contextPath, type TreeEntry } from '#pkg/build/context/entry.ts'
import type { Keep } from '#pkg/build/context/entryroom.ts'
import { contextIgnore } from '#pkg/build/context/ignore.ts'
import { ignoreFileName, ignoreFilesOf } from '#pkg/build/context/ignorefile.ts'
import { type ContextSummary, normaliseArchive, summarise } from '#pkg/build/context/normalise.ts'
import type { Bytes, ContextContents, ContextFetched } from './contextstore.ts'

export interface Taken {
  /** Of all files together. */
  readonly maxBytes: number
  /** Lines of spec.ignore. */
  readonly ignore: readonly string[]
  /** Path of the Dockerfile whose text is wanted. */
  readonly dockerfile?: string | undefined
  /** Told what is kept in memory of its files until `contents` is done. */
  readonly keep?: Keep | undefined
}

/** The last one goes along for whoever adds to it. */
const usualNames = ['Dockerfile', 'dockerfile', ignoreFileName]
const mostLinks = 16

/** What was chosen before, and is taken as it comes. */
export function takeWhole(
  archive: Bytes,
  { maxBytes, dockerfile, keep }: Omit<Taken, 'ignore'>,
): ContextFetched {
  const texts = new Set(textNames(dockerfile).map(inContext))
  const normalised = normaliseArchive(archive, { maxBytes, texts, keep })
  return {
    content: normalised.archive,
    contents: (path) => contentsOf(normalised.summary(), dockerfile, () => createReadStream(path)),
  }
}

/**
 * `open` is called more than once: what is to be ignored may stand at the end. `mostBytes`: of all files together, those
 * that are left out as well.
 */
export async function takeChosen(
  open: () => Bytes,
  { maxBytes, ignore, dockerfile, keep }: Taken,
  mostBytes: number,
): Promise<ContextFetched> {
  const ignoreNames = ignoreFilesOf(dockerfile === undefined ? undefined : inContext(dockerfile))
  const texts = new Set([...textNames(dockerfile).map(inContext), ...ignoreNames])
  const all = await summarise(open(), { maxBytes: mostBytes, texts, keep })
  const [lines] = ignoreNames.flatMap((name) => all.texts[name] ?? [])
  const normalised = normaliseArchive(open(), { maxBytes, ignore: contextIgnore(lines, ignore), keep })
  return {
    content: normalised.archive,
    contents: async () => {
      const { dockerfiles } = await contentsOf(all, dockerfile, open)
      const { digest, bytes, files, entries } = normalised.summary()
      // Also of a Dockerfile that is left out of what is sent.
      return { digest, bytes, files, entries, dockerfiles }
    },
  }
}

async function contentsOf(
  { digest, bytes, files, entries, texts }: ContextSummary,
  dockerfile: string | undefined,
  open: () => Bytes,
): Promise<ContextContents> {
  const dockerfiles: Record<string, string> = {}
  for (const name of textNames(dockerfile)) {
    const path = inContext(name)
    const text = texts[path] ?? (await linkedText(path, entries, open))
    if (text !== undefined) dockerfiles[name] = text
  }
  return { digest, bytes, files, entries, dockerfiles }
}

/** Of a link, which may lead to another one. */
async function linkedText(
  path: string,
  entries: readonly TreeEntry[],
  open: () => Bytes,
): Promise<string | undefined> {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]))
  const target = followed(path, byPath)
  if (target === path || byPath.get(target)?.type !== 'file') return undefined
  const { texts } = await summarise(open(), { maxBytes: Number.POSITIVE_INFINITY, texts: new Set([target]) })
  return texts[target]
}

/** Where it is in the end, links of folders on its way followed as well; an absolute one begins at the context. */
function followed(path: string, entries: ReadonlyMap<string, TreeEntry>): string {
  let current = path
  for (let links = 0; links < mostLinks; links++) {
    const parts = current.split('/')
    const at = parts.findIndex(
      (_, index) => entries.get(parts.slice(0, index + 1).join('/'))?.type === 'symlink',
    )
    if (at < 0) return current
    const { linkname = '' } = entries.get(parts.slice(0, at + 1).join('/')) ?? {}
    const base = linkname.startsWith('/') ? '' : parts.slice(0, at).join('/')
    const next = posix.normalize(posix.join('/', base, linkname, ...parts.slice(at + 1)))
    current = next.slice(1)
  }
  return current
}

/** Paths whose text is of use, as they are asked for. */
export function textNames(dockerfile: string | undefined): string[] {
  return [...new Set([...usualNames, ...(dockerfile === undefined ? [] : [dockerfile])])]
}

/** What the schema has let through is inside; then a name that cannot be is none that is found. */
function inContext(dockerfile: string): string {
  return contextPath(dockerfile.replace(/^\/+/, ''))
}
