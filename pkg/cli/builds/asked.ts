/** What a command line of `cove build` asks for: manifests, files or flags from which one is made, or a Build that is there. */
import { readFile, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { isMissing } from '#pkg/apimachinery/files.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { SourceText } from '#pkg/manifest/decode.ts'
import { CliError, UsageError } from '../errors.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { makingFlags } from './flags.ts'
import { type BuildWords, buildManifests, fileOfSecret, secretWords } from './manifest.ts'
import { type Place, placeOf } from './place.ts'
import { type ReadPlace, readStdin } from './stdin.ts'
import { dockerfileAt } from './webplace.ts'

export type AskedFor =
  /** `made`: from flags, as objects. */
  | {
      readonly kind: 'set'
      readonly sources: readonly SourceText[]
      readonly made?: readonly Readonly<Record<string, unknown>>[]
      /** Removes what was put aside from standard input. */
      readonly dispose?: () => Promise<void>
    }
  | { readonly kind: 'build'; readonly object: KubeObject }

const nothingNamed =
  'say what to build: the name of a Build, -f with manifests, or a PATH, URL or - as for docker build'

/** Throws UsageError when the words fit nothing, and NotFound when there is neither such a Build nor such a folder. */
export async function whatIsAsked(context: Context): Promise<AskedFor> {
  const { args } = context
  const [word, more] = args.positionals
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'build')
  const isMade = makingFlags.find((name) => args.has(name))
  if (word === undefined) {
    if (isMade !== undefined) throw new UsageError(`--${isMade} goes with a PATH, URL or -`, 'build')
    const files = [...args.list('file'), ...args.list('filename')]
    if (files.length === 0) throw new UsageError(nothingNamed, 'build')
    const { readFiles } = await import('../manifests.ts')
    return { kind: 'set', sources: await readFiles(context, 'build', files) }
  }
  const place = placeOf(word)
  const meant = args.has('file') || isMade !== undefined ? undefined : await namedBuild(place, context)
  if (meant !== undefined) return { kind: 'build', object: meant }
  if (place.kind === 'build')
    throw new UsageError(`--${isMade ?? 'file'} changes nothing of a Build that is there`, 'build')
  return await madeSet(place, context)
}

/** Undefined: a folder is meant. */
async function namedBuild(place: Place, { io, session }: Context): Promise<KubeObject | undefined> {
  if (place.kind !== 'build' && place.kind !== 'word') return undefined
  const name = place.kind === 'build' ? place.name : place.word
  try {
    return await readBuild(await session(), name)
  } catch (error) {
    const isFolder = place.kind === 'word' && (await isThere(resolve(io.cwd, name)))
    if (!isFolder || !isReason(error, 'NotFound')) throw error
    return undefined
  }
}

export async function readBuild({ client, signal, namespace }: Session, name: string): Promise<KubeObject> {
  const path = objectPath(builtinResource('Build'), { namespace, name })
  // The server has admitted it.
  return (await client.json({ method: 'GET', path }, signal)) as KubeObject
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

async function madeSet(place: Place, context: Context): Promise<AskedFor> {
  const { io, args } = context
  const read = await readPlace(place, context)
  const words: BuildWords = {
    args,
    place,
    cwd: io.cwd,
    env: io.env,
    ...(read.dockerfile !== undefined && { dockerfile: read.dockerfile }),
    ...(read.archive !== undefined && { archive: read.archive }),
    secretFiles: await readSecrets(context),
  }
  const made = buildManifests(words)
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: made })
  const { archive } = read
  return {
    kind: 'set',
    // As of standard input: paths are those of the directory where the command is run.
    sources: [{ name: '-', text }],
    made,
    ...(archive !== undefined && {
      dispose: () => rm(archive.directory, { recursive: true, force: true }),
    }),
  }
}

async function readPlace(place: Place, { io, args }: Context): Promise<ReadPlace> {
  const fromStdin = args.list('file').includes('-')
  if (place.kind === 'stdin') {
    if (fromStdin) throw new UsageError('standard input is either the context or the Dockerfile', 'build')
    return await readStdin(io)
  }
  if (fromStdin) return { dockerfile: await io.readStdin() }
  if (place.kind !== 'url') return {}
  const dockerfile = await dockerfileAt(place.url, io)
  return dockerfile === undefined ? {} : { dockerfile }
}

async function readSecrets({ io, args }: Context): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = args.list('secret').flatMap((text) => fileOfSecret(secretWords(text)) ?? [])
  const read = files.map(async (file) => {
    try {
      return [file, await readFile(resolve(io.cwd, file))] as const
    } catch (cause) {
      throw new CliError(`--secret src=${file}: ${messageOf(cause)}`, { cause })
    }
  })
  return new Map(await Promise.all(read))
}
