/** `build` of a Compose service: the Build that it becomes, and what of it has no counterpart. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { secretArgs } from '#pkg/build/dockerfile/secretnames.ts'
import { placeOf } from '../builds/place.ts'
import { type FileSources, secretObject } from './files.ts'
import { absolute } from './mounts.ts'
import { type At, below, bool, type Fields, list, map, pairs, type Turn, text, texts } from './reading.ts'

export interface ServiceBuild {
  /** Of the Build. */
  readonly name: string
  /** What its image is called first. */
  readonly image: string
  readonly spec: Fields
  /** Secrets that its steps read, by `Kind/name`. */
  readonly objects: ReadonlyMap<string, Fields>
}

/** Undefined for a service that is not built. `at` is its place in the file. */
export function serviceBuild(
  name: string,
  service: Fields,
  at: At,
  sources: FileSources,
): ServiceBuild | undefined {
  const here = below(at, 'build', sources.notes)
  const value = service['build']
  if (value === undefined || value === null) return undefined
  const written = typeof value === 'string' ? { context: value } : map(value, here)
  const { context = '.', secrets, args, tags, [publicArgsKey]: open, ...others } = written
  const image = imageName(name, service, at, sources)
  const read = buildSecrets(secrets, below(here, 'secrets', sources.notes), sources)
  const parts = Object.entries(others).flatMap(([key, member]) => {
    const place = below(here, key, sources.notes)
    const turn = ownValue(turns, key)
    if (turn === undefined && !key.startsWith('x-')) place.note('has no counterpart')
    return Object.entries(turn?.(member, place) ?? {})
  })
  const names = [image, ...(tags === undefined ? [] : texts(tags, below(here, 'tags', sources.notes)))]
  return {
    name: nearestObjectName(name),
    image,
    spec: {
      context: contextOf(text(context, below(here, 'context', sources.notes)), sources),
      ...Object.fromEntries(parts),
      ...buildArgs(args, open, here, sources),
      tags: [...new Set(names)],
      ...(read.secrets.length > 0 && { secrets: read.secrets }),
    },
    objects: read.objects,
  }
}

/** As Compose names what it builds. */
export function builtName(project: string, service: string): string {
  return `${project}-${service}`
}

/** What is built has no digest before. */
function imageName(name: string, { image }: Fields, at: At, { project, notes }: FileSources): string {
  if (image === undefined) return builtName(project, name)
  const here = below(at, 'image', notes)
  const [plain = '', digest] = text(image, here).split('@')
  if (digest !== undefined) here.note('what is built gets a digest in registries only: it is left out')
  return plain
}

function contextOf(context: string, sources: FileSources): Fields {
  const place = placeOf(context)
  if (place.kind === 'url') return { tar: { url: place.url } }
  if (place.kind !== 'git') return { path: absolute(context, sources) }
  const { kind: _kind, ...git } = place
  return { git }
}

/** Names of `args` that are called like secrets, and are none. Compose leaves keys with x- to others. */
const publicArgsKey = 'x-cove-public-args'

/** One without a value has that of the environment, or else the Dockerfile's own. */
function buildArgs(value: unknown, open: unknown, here: At, { variables, notes }: FileSources): Fields {
  const at = below(here, 'args', notes)
  const found = [...pairs(value ?? {}, at)].flatMap(([key, given]) => {
    const known = given ?? variables(key)
    return known === undefined ? [] : [[key, known] as const]
  })
  const args = Object.fromEntries(found)
  const publicArgs = open === undefined ? [] : texts(open, below(here, publicArgsKey, notes))
  for (const name of secretArgs({ args, publicArgs })) {
    const otherwise = `give it by build.secrets, or name it in build.${publicArgsKey}`
    at.note(`${name} is called like a secret, and such a Build is refused: ${otherwise} when it is none`)
  }
  return { ...(found.length > 0 && { args }), ...(publicArgs.length > 0 && { publicArgs }) }
}

function buildSecrets(value: unknown, at: At, sources: FileSources) {
  const objects = new Map<string, Fields>()
  const secrets = list(value, at).map((member) => {
    const { source, target, ...rest } = typeof member === 'string' ? { source: member } : map(member, at)
    for (const key of Object.keys(rest)) at.note(`${key} has no counterpart: steps read secrets as root`)
    const key = text(source, at)
    const { name, object } = secretObject(key, sources)
    objects.set(`Secret/${name}`, object)
    return { id: target === undefined ? key : text(target, at), secret: name, key }
  })
  return { secrets, objects }
}

const turns: Readonly<Record<string, Turn>> = {
  dockerfile: (value, at) => ({ dockerfile: text(value, at) }),
  dockerfile_inline: (value, at) => ({ dockerfileInline: text(value, at) }),
  target: (value, at) => ({ target: text(value, at) }),
  labels: (value, at) => ({ labels: Object.fromEntries([...pairs(value, at)].map(([k, v = '']) => [k, v])) }),
  no_cache: (value, at) => ({ noCache: bool(value, at) }),
  pull: (value, at) => ({ pull: bool(value, at) }),
  network: (value, at) => {
    const network = text(value, at)
    if (['default', 'none', 'host'].includes(network)) return { network }
    if (network !== 'bridge') at.note(`"${network}" has no counterpart: steps use the default network`)
    return {}
  },
  platforms: (value, at) => {
    const [platform, ...more] = texts(value, at)
    if (more.length > 0) at.note(`an image is built for one platform: ${platform}`)
    return platform === undefined ? {} : { platform }
  },
  cache_from: (value, at) => {
    const cacheFrom = texts(value, at).flatMap((line) => cacheImage(line, at) ?? [])
    return cacheFrom.length === 0 ? {} : { cacheFrom }
  },
}

/** `NAME`, or `type=registry,ref=NAME`. */
function cacheImage(line: string, at: At): string | undefined {
  if (!line.includes('=')) return line
  const words = pairs(line.split(','), at)
  const image = words.get('type') === 'registry' ? words.get('ref') : undefined
  if (image === undefined) at.note(`"${line}" has no counterpart: only images are taken as cache`)
  return image
}
