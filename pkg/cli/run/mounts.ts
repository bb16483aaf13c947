/** `-v`, `--mount` and `--tmpfs` as mounts of a Container, and the Volumes that they name. Pure. */

import { posix } from 'node:path'
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { UsageError } from '../errors.ts'
import { pair, size, wrong } from './words.ts'

export interface Mount {
  readonly mountPath: string
  readonly volume?: string
  readonly hostPath?: string
  readonly tmpfs?: { readonly sizeLimit?: string }
  readonly readOnly?: true
}

export interface MountFlags {
  readonly volumes: readonly string[]
  readonly mounts: readonly string[]
  readonly tmpfs: readonly string[]
  /** What relative paths are relative to. */
  readonly directory: string
}

export function mountsOf({ volumes, mounts, tmpfs, directory }: MountFlags): readonly Mount[] {
  return [
    ...volumes.map((text) => volumeMount(text, directory)),
    ...mounts.map((text) => longMount(text, directory)),
    ...tmpfs.map(tmpfsMount),
  ]
}

const anonymous =
  'a Volume needs a name: NAME:/PATH keeps the data for whoever mounts it next, --tmpfs /PATH keeps it until the end'

function volumeMount(text: string, directory: string): Mount {
  const [source = '', target, options = '', more] = text.split(':')
  if (target === undefined) throw wrong('volume', text, anonymous)
  if (more !== undefined || source === '' || !target.startsWith('/'))
    throw wrong('volume', text, 'NAME:/PATH or /PATH:/PATH is expected, with :ro or not')
  const readOnly = options.split(',').reduce((is, option) => mountOption(text, option) || is, false)
  return {
    mountPath: target,
    ...(isPath(source) ? { hostPath: posix.resolve(directory, source) } : { volume: source }),
    ...(readOnly && { readOnly: true }),
  }
}

const meaningless = 'of the options of a mount, Cove has ro and rw'

/** Whether it means read-only. */
function mountOption(text: string, option: string): boolean {
  if (option === 'ro') return true
  if (option === '' || option === 'rw') return false
  throw wrong('volume', text, `there is no option "${option}": ${meaningless}`)
}

function isPath(source: string): boolean {
  return source.startsWith('/') || source === '.' || source.startsWith('./') || source.startsWith('..')
}

const synonyms: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
}

function longMount(text: string, directory: string): Mount {
  const entries = text.split(',').map((part) => {
    const [key, value] = pair(part)
    return [ownValue(synonyms, key) ?? key, value ?? 'true'] as const
  })
  const { type = 'volume', source, target, readonly, ...rest } = Object.fromEntries(entries)
  const { 'tmpfs-size': tmpfsSize, ...unknown } = rest
  const [other] = Object.keys(unknown)
  if (other !== undefined)
    throw wrong('mount', text, `there is no "${other}": type, source, target, readonly and tmpfs-size are`)
  if (target === undefined) throw wrong('mount', text, 'target=/PATH is missing')
  const isReadOnly = readonly === 'true' || readonly === '1'
  return {
    mountPath: target,
    ...mountSource(text, { type, source, tmpfsSize }, directory),
    ...(isReadOnly && { readOnly: true }),
  }
}

interface LongMount {
  readonly type: string
  readonly source: string | undefined
  readonly tmpfsSize: string | undefined
}

function mountSource(text: string, { type, source, tmpfsSize }: LongMount, directory: string) {
  if (type === 'tmpfs') return { tmpfs: sizeOf(tmpfsSize) }
  if (type !== 'bind' && type !== 'volume')
    throw wrong('mount', text, `there is no type "${type}": bind, volume or tmpfs`)
  if (source === undefined)
    throw wrong('mount', text, type === 'volume' ? anonymous : 'source=/PATH is missing')
  return type === 'bind' ? { hostPath: posix.resolve(directory, source) } : { volume: source }
}

function sizeOf(text: string | undefined): { sizeLimit?: string } {
  return text === undefined ? {} : { sizeLimit: size('tmpfs', text) }
}

/** As the engine mounts one anyway. */
const usual: readonly string[] = ['', 'rw', 'noexec', 'nosuid', 'nodev']

function tmpfsMount(text: string): Mount {
  const [mountPath, options = ''] = pair(text, ':')
  if (!mountPath.startsWith('/')) throw wrong('tmpfs', text, '/PATH is expected')
  const words = options.split(',').map((option) => pair(option))
  const unknown = words.find(([key]) => key !== 'size' && key !== 'ro' && !usual.includes(key))
  if (unknown !== undefined)
    throw new UsageError(`there is no option "${unknown[0]}" of --tmpfs here: size and ro are`, 'run')
  const limit = words.find(([key]) => key === 'size')?.[1]
  return {
    mountPath,
    tmpfs: sizeOf(limit),
    ...(words.some(([key]) => key === 'ro') && { readOnly: true }),
  }
}
