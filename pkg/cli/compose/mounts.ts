/** Volumes, tmpfs, configs and secrets of a Compose service as mounts, and the objects these need. Pure. */
import { posix } from 'node:path'
import { nearestObjectName } from '#pkg/apis/wellknown.ts'
import { type At, bool, bytes, type Fields, list, map, text, texts } from './reading.ts'

export interface Mounts {
  readonly mounts: readonly Fields[]
  /** Names of the Volumes that are needed. */
  readonly volumes: readonly string[]
}

export interface Surroundings {
  /** Absolute path of the Compose file's directory, which relative paths are below. */
  readonly directory: string
  readonly home: string
  /** The name of the object that a named volume becomes. */
  readonly volumeName: (name: string) => string
}

export function volumeMounts(service: Fields, name: string, at: At, around: Surroundings): Mounts {
  const volumes = list(service['volumes'], at).map((volume) =>
    typeof volume === 'object' && volume !== null
      ? longVolume(map(volume, at), at, around)
      : shortVolume(text(volume, at), at, around),
  )
  const tmpfs =
    service['tmpfs'] === undefined ? [] : texts(service['tmpfs'], at).map((line) => tmpfsMount(line, at))
  const mounts = [...volumes, ...tmpfs].flatMap((mount) => named(mount, name, at))
  return { mounts, volumes: mounts.flatMap(({ volume }) => (typeof volume === 'string' ? [volume] : [])) }
}

/** A volume that nobody named gets a name, so that what is in it stays when the container is made anew. */
function named(mount: Fields | undefined, service: string, at: At): Fields[] {
  if (mount === undefined) return []
  if (mount['volume'] !== '') return [mount]
  const volume = nearestObjectName(`${service}-${String(mount['mountPath']).slice(1)}`)
  at.note(`the anonymous volume at ${mount['mountPath']} becomes Volume ${volume}`)
  return [{ ...mount, volume }]
}

function shortVolume(line: string, at: At, around: Surroundings): Fields {
  const parts = line.split(':')
  if (parts.length === 1) return { volume: '', mountPath: line }
  const [source = '', mountPath = '', mode = ''] = parts
  const options = mode.split(',').filter((option) => option !== '' && option !== 'rw')
  for (const option of options)
    if (option !== 'ro') at.note(`option "${option}" of ${line} has no counterpart`)
  const readOnly = options.includes('ro') ? { readOnly: true } : {}
  const isPath = /^[./~]/.test(source)
  const from = isPath ? { hostPath: absolute(source, around) } : { volume: around.volumeName(source) }
  return { ...from, mountPath, ...readOnly }
}

function longVolume(volume: Record<string, unknown>, at: At, around: Surroundings): Fields | undefined {
  const { type, source, target, read_only, tmpfs, bind, volume: options, ...rest } = volume
  for (const key of Object.keys(rest)) at.note(`${key} has no counterpart`)
  const mountPath = text(target, at)
  const common = { mountPath, ...(read_only !== undefined && bool(read_only, at) && { readOnly: true }) }
  for (const [name, member] of Object.entries({ ...map(bind, at), ...map(options, at) }))
    if (name !== 'create_host_path') at.note(`${name}: ${JSON.stringify(member)} has no counterpart`)
  if (type === 'bind') return { hostPath: absolute(text(source, at), around), ...common }
  if (type === 'volume')
    return { volume: source === undefined ? '' : around.volumeName(text(source, at)), ...common }
  if (type === 'tmpfs') {
    const { size } = map(tmpfs, at)
    return { tmpfs: size === undefined ? {} : { sizeLimit: bytes(size, at) }, ...common }
  }
  at.note(`a mount of type ${JSON.stringify(type)} has no counterpart`)
  return undefined
}

function tmpfsMount(line: string, at: At): Fields {
  const [mountPath = '', options = ''] = line.split(':')
  const size = /(?:^|,)size=([^,]+)/.exec(options)?.[1]
  const others = options.split(',').filter((option) => option !== '' && !option.startsWith('size='))
  if (others.length > 0) at.note(`options ${others.join(',')} of ${mountPath} have no counterpart`)
  return { tmpfs: size === undefined ? {} : { sizeLimit: bytes(size, at) }, mountPath }
}

export function absolute(
  path: string,
  { directory, home }: Pick<Surroundings, 'directory' | 'home'>,
): string {
  if (path === '~' || path.startsWith('~/')) return posix.join(home, path.slice(1))
  return posix.resolve(directory, path)
}
