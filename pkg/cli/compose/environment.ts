/** Variables of a Compose service, and the files that its project is read from. Pure. */
import { CliError } from '../errors.ts'
import { parseEnvFile, type Variables } from './interpolate.ts'
import { absolute } from './mounts.ts'
import { type At, below, bool, type Fields, map, type Note, pairs, text } from './reading.ts'

export interface Sources {
  readonly directory: string
  readonly home: string
  readonly variables: Variables
  /** By absolute path, of those that neededFiles names; undefined: there is none. */
  readonly files: ReadonlyMap<string, string | undefined>
}

/** Absolute paths of the files whose contents become part of the manifests. */
export function neededFiles({
  compose,
  directory,
  home,
}: Pick<Sources, 'directory' | 'home'> & { readonly compose: unknown }): string[] {
  const root = below({ where: '', note: () => {} }, 'services', [])
  const { services, configs, secrets } = map(compose, root)
  const found = Object.values(map(services, root)).flatMap((service) =>
    envFilesOf(map(service, root)['env_file'], root).map(({ path }) => path),
  )
  for (const one of [...Object.values(map(configs, root)), ...Object.values(map(secrets, root))]) {
    const { file } = map(one, root)
    if (file !== undefined) found.push(text(file, root))
  }
  return found.map((path) => absolute(path, { directory, home }))
}

function envFilesOf(value: unknown, at: At): { path: string; required: boolean }[] {
  if (value === undefined || value === null) return []
  return (Array.isArray(value) ? value : [value]).map((file: unknown) => {
    if (typeof file === 'string') return { path: file, required: true }
    const { path, required = true } = map(file, at)
    return { path: text(path, at), required: bool(required, at) }
  })
}

/** What `environment` says goes before what the files say. */
export function environment(service: Fields, at: At, notes: Note[], sources: Sources): Fields[] {
  const found = new Map<string, string>()
  for (const { path, required } of envFilesOf(service['env_file'], below(at, 'env_file', notes))) {
    const content = sources.files.get(absolute(path, sources))
    if (content === undefined && required)
      throw new CliError(`${at.where}.env_file: there is no file ${path}`)
    for (const [key, value] of parseEnvFile(content ?? '', sources.variables)) found.set(key, value)
  }
  const here = below(at, 'environment', notes)
  for (const [key, given] of service['environment'] === undefined
    ? []
    : pairs(service['environment'], here)) {
    const value = given ?? sources.variables(key)
    if (value === undefined) here.note(`${key} has no value here, and is left out`)
    else found.set(key, value)
  }
  return [...found].map(([key, value]) => ({ name: key, value }))
}
