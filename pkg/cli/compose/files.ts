/** Configs and secrets of a Compose project: the objects they become, and where services see them as files. Pure. */
import { posix } from 'node:path'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { CliError } from '../errors.ts'
import type { Sources } from './environment.ts'
import { absolute } from './mounts.ts'
import { type At, below, type Fields, list, map, type Note, text } from './reading.ts'

export interface FileMounts {
  readonly mounts: readonly Fields[]
  /** By `Kind/name`. */
  readonly objects: ReadonlyMap<string, Fields>
}

export interface FileSources extends Sources {
  readonly compose: Fields
  readonly project: string
  readonly notes: Note[]
}

const sections = [
  { key: 'configs', kind: 'ConfigMap', field: 'configMap', data: 'data', base: '/' },
  { key: 'secrets', kind: 'Secret', field: 'secret', data: 'stringData', base: '/run/secrets' },
] as const

type Section = (typeof sections)[number]

export function fileMounts(service: Fields, at: At, sources: FileSources): FileMounts {
  const objects = new Map<string, Fields>()
  const mounts = sections.flatMap((section) =>
    list(service[section.key], at).map((member) => {
      const { source, mountPath } = reference(member, below(at, section.key, sources.notes), section)
      const name = nearestObjectName(`${sources.project}-${source}`)
      objects.set(`${section.kind}/${name}`, fileObject(section, source, name, sources))
      return { [section.field]: name, subPath: source, mountPath, readOnly: true }
    }),
  )
  return { mounts, objects }
}

/** The Secret that a secret of the project becomes; the value is under the name of the secret itself. */
export function secretObject(
  source: string,
  sources: FileSources,
): { readonly name: string; readonly object: Fields } {
  const [, secrets] = sections
  const name = nearestObjectName(`${sources.project}-${source}`)
  return { name, object: fileObject(secrets, source, name, sources) }
}

function reference(member: unknown, at: At, { base }: Section): { source: string; mountPath: string } {
  const long = typeof member === 'object' && member !== null
  const { source, target, ...rest } = long ? map(member, at) : { source: member }
  for (const key of Object.keys(rest)) at.note(`${key} has no counterpart: files are owned by root`)
  const name = text(source, at)
  return { source: name, mountPath: posix.resolve(base, target === undefined ? name : text(target, at)) }
}

function fileObject(section: Section, source: string, name: string, sources: FileSources): Fields {
  const where = `${section.key}.${source}`
  const at: At = { where, note: (told) => sources.notes.push({ where, text: told }) }
  const declared = map(sources.compose[section.key], at)[source]
  if (declared === undefined) throw new CliError(`${where}: is not declared in the file`)
  const data = { [source]: contentOf(map(declared, at), at, sources) }
  return { apiVersion: 'v1', kind: section.kind, metadata: { name }, [section.data]: data }
}

function contentOf({ file, content, environment, external }: Fields, at: At, sources: FileSources): string {
  if (content !== undefined) return text(content, at)
  if (environment !== undefined) {
    const value = sources.variables(text(environment, at))
    if (value === undefined) throw new CliError(`${at.where}: variable ${text(environment, at)} has no value`)
    return value
  }
  if (file !== undefined) {
    const found = sources.files.get(absolute(text(file, at), sources))
    if (found === undefined) throw new CliError(`${at.where}: there is no file ${text(file, at)}`)
    return found
  }
  const why = external === true ? 'is external: its content is not known here' : 'has no content'
  throw new CliError(`${at.where}: ${why}; give it a file`)
}
