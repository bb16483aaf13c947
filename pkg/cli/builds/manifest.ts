/** A command line of `cove build` as the objects that it means. Pure; what cannot be read is a UsageError. */
import { createHash } from 'node:crypto'
import { relative, resolve } from 'node:path'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import type { Args } from '../args.ts'
import { UsageError } from '../errors.ts'
import { archiveEnding, nameOfPlace, type Place } from './place.ts'

/** On Builds that were made by flags, which another command line may change; those of manifests it must not. */
export const flagsAnnotation = 'cove.run/made-by'
const madeBy = 'cove-build'

export interface BuildWords {
  readonly args: Args
  readonly place: Place
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** From standard input or a URL: text of the Dockerfile itself. */
  readonly dockerfile?: string
  /** Of standard input: where it was put, and what it is called by its content. */
  readonly archive?: { readonly path: string; readonly digest: string }
  /** Of each --secret that names a file here, by its path. */
  readonly secretFiles: ReadonlyMap<string, Uint8Array>
}

type Json = Record<string, unknown>

/** The Build, behind a Secret when values for it come from here. */
export function buildManifests(words: BuildWords): Json[] {
  const { args } = words
  const name = nameOf(words)
  const { given, made } = secretsOf(words, name)
  const push = args.bool('push') ? args.list('tag') : []
  if (args.bool('push') && push.length === 0) throw wrong('--push needs --tag: the name says where to')
  const spec = {
    context: contextOf(words),
    ...dockerfileOf(words),
    ...optional('args', pairsOf('build-arg', args.list('build-arg'), words.env)),
    ...some('publicArgs', namesOf('public-arg', args.list('public-arg'))),
    ...optional('labels', pairsOf('label', args.list('label'))),
    ...plain(args, 'target', 'platform'),
    ...networkOf(args),
    ...some('tags', args.list('tag')),
    ...some('cacheFrom', args.list('cache-from')),
    ...some('secrets', given),
    ...some(
      'push',
      push.map((reference) => ({ reference })),
    ),
    ...(args.text('node') !== undefined && { nodeName: args.text('node') }),
  }
  const metadata = { name, annotations: { [flagsAnnotation]: madeBy } }
  const build = { apiVersion: 'cove.run/v1', kind: 'Build', metadata, spec }
  return [...made, build]
}

function nameOf({ args, place, cwd, dockerfile, archive }: BuildWords): string {
  const given = args.text('name')
  if (given !== undefined) return given
  const [tag] = args.list('tag')
  if (tag !== undefined) {
    const parsed = parseReference(tag)
    if (!parsed.ok) throw wrong(`invalid value "${tag}" for --tag: ${parsed.message}`)
    return nearestObjectName(parsed.reference.repository.split('/').at(-1) ?? tag)
  }
  const path = place.kind === 'path' ? place.path : place.kind === 'word' ? place.word : '.'
  const found = nameOfPlace(place, resolve(cwd, path))
  // The same text is the same Build, and another one does not take its place.
  const text = dockerfile ?? archive?.digest ?? ''
  return found === undefined || found === ''
    ? `build-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`
    : nearestObjectName(found)
}

function contextOf({ place, cwd, archive, dockerfile }: BuildWords): Json {
  switch (place.kind) {
    case 'stdin':
      return archive === undefined ? { empty: {} } : { path: archive.path }
    case 'git': {
      const { kind: _, ...git } = place
      return { git }
    }
    case 'url':
      return dockerfile === undefined ? { tar: { url: place.url } } : { empty: {} }
    case 'path':
      return { path: resolve(cwd, place.path) }
    case 'word':
      return { path: resolve(cwd, place.word) }
    case 'build':
      throw wrong(`build/${place.name} is an object: what it is made of is said there`)
  }
}

/** As docker reads -f: from where the command is run, for a folder; otherwise inside of what is fetched. */
function dockerfileOf({ args, place, cwd, dockerfile }: BuildWords): Json {
  const files = args.list('file')
  const [file, more] = files
  if (more !== undefined) throw wrong('one Dockerfile is expected with -f')
  if (dockerfile !== undefined) return { dockerfileInline: dockerfile }
  if (file === undefined) return {}
  if (place.kind !== 'path' && place.kind !== 'word') return { dockerfile: file }
  const context = resolve(cwd, place.kind === 'path' ? place.path : place.word)
  // Of an archive it is inside.
  if (archiveEnding.test(context)) return { dockerfile: file }
  return { dockerfile: relative(context, resolve(cwd, file)) }
}

function networkOf(args: Args): Json {
  const network = args.text('network')
  if (network === undefined) return {}
  return { network: network === 'bridge' ? 'default' : network }
}

function pairsOf(flag: string, texts: readonly string[], env?: BuildWords['env']): Record<string, string> {
  const pairs = texts.flatMap((text): [string, string][] => {
    const at = text.indexOf('=')
    const [key, value] =
      at < 0 ? [text, env === undefined ? '' : env[text]] : [text.slice(0, at), text.slice(at + 1)]
    if (key === '') throw wrong(`invalid value "${text}" for --${flag}: NAME=VALUE is expected`)
    return value === undefined ? [] : [[key, value]]
  })
  return Object.fromEntries(pairs)
}

function namesOf(flag: string, texts: readonly string[]): string[] {
  const odd = texts.find((text) => text === '' || text.includes('='))
  if (odd === undefined) return [...new Set(texts)]
  throw wrong(`invalid value "${odd}" for --${flag}: the name alone is expected, its value by --build-arg`)
}

/** What a --secret says, by key. */
export function secretWords(text: string): ReadonlyMap<string, string> {
  const words = new Map(
    text.split(',').map((part): [string, string] => {
      const at = part.indexOf('=')
      return at < 0 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]
    }),
  )
  for (const key of words.keys())
    if (!['id', 'src', 'source', 'env', 'type', 'secret', 'key'].includes(key))
      throw wrong(`invalid value "${text}" for --secret: there is no "${key}"`)
  if ((words.get('id') ?? '') === '') throw wrong(`invalid value "${text}" for --secret: id=ID is expected`)
  return words
}

/** Those of the namespace as they are; values from here by a Secret of the Build's own. */
function secretsOf({ args, env, secretFiles }: BuildWords, name: string) {
  const own = `${name}-build`
  const data: Record<string, string> = {}
  const given = args.list('secret').map((text) => {
    const words = secretWords(text)
    const id = words.get('id') ?? ''
    const [secret, key] = [words.get('secret'), words.get('key') ?? id]
    if (secret !== undefined) return { id, secret, key }
    data[id] = base64(localSecret(text, { words, env, secretFiles }))
    return { id, secret: own, key: id }
  })
  const isNeeded = Object.keys(data).length > 0
  const metadata = { name: own, annotations: { [flagsAnnotation]: madeBy } }
  const made = isNeeded ? [{ apiVersion: 'v1', kind: 'Secret', metadata, data }] : []
  return { given, made }
}

function localSecret(
  text: string,
  {
    words,
    env,
    secretFiles,
  }: Pick<BuildWords, 'env' | 'secretFiles'> & { readonly words: ReadonlyMap<string, string> },
): string | Uint8Array {
  const file = fileOfSecret(words)
  if (file !== undefined) return secretFiles.get(file) ?? ''
  // As docker does: without a place, a variable of that name.
  const variable = words.get('env') ?? words.get('id') ?? ''
  const value = env[variable]
  if (value === undefined) throw wrong(`--secret ${text}: there is no variable ${variable} here`)
  return value
}

/** Path of a file here. */
export function fileOfSecret(words: ReadonlyMap<string, string>): string | undefined {
  return words.get('src') ?? words.get('source')
}

function base64(value: string | Uint8Array): string {
  return (typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value)).toString('base64')
}

function optional(key: string, value: Readonly<Record<string, string>>): Json {
  return Object.keys(value).length === 0 ? {} : { [key]: value }
}

function some(key: string, list: readonly unknown[]): Json {
  return list.length === 0 ? {} : { [key]: list }
}

function plain(args: Args, ...names: readonly string[]): Json {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = args.text(name)
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

function wrong(message: string): UsageError {
  return new UsageError(message, 'build')
}
