/** What `RUN --mount=` says: comma-separated fields, as BuildKit reads them. */
import type { Flag, Problem } from './dockerfile.ts'
import { suggestion } from './suggest.ts'

/** `type=bind,from=build,source=/x,rw`: the keys in small letters, those without a value empty. */
export function mountOptions(value: string): ReadonlyMap<string, string> {
  return new Map(fieldsOf(value).map(({ key, text }) => [key, text] as const))
}

interface Field {
  readonly key: string
  readonly text: string
}

function fieldsOf(value: string): Field[] {
  const fields = [...value.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain,
  )
  return fields
    .filter((field) => field !== '')
    .map((field) => {
      const equals = field.indexOf('=')
      const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase()
      return { key, text: equals < 0 ? '' : field.slice(equals + 1) }
    })
}

const types = ['bind', 'cache', 'tmpfs', 'secret', 'ssh']
const keys = [
  'type',
  'from',
  'source',
  'src',
  'target',
  'dst',
  'destination',
  'readonly',
  'ro',
  'readwrite',
  'rw',
  'required',
  'sharing',
  'id',
  'mode',
  'uid',
  'gid',
  'size',
  'env',
  'relabel',
]
/** These must say where in the container they are. */
const placed: ReadonlySet<string> = new Set(['bind', 'cache', 'tmpfs'])

export function mountProblems(flags: readonly Flag[]): Problem[] {
  return flags.flatMap(({ name, value, line, column }) => {
    if (name !== 'mount' || value === undefined) return []
    const message = wrongWith(value)
    return message === undefined ? [] : [{ line, column, message }]
  })
}

function wrongWith(value: string): string | undefined {
  const options = mountOptions(value)
  const type = options.get('type')?.toLowerCase() ?? 'bind'
  if (!types.includes(type)) return `unknown type of mount: ${type}: it is ${types.join(', ')}`
  const unknown = [...options.keys()].find((key) => !keys.includes(key))
  if (unknown !== undefined) return `unknown field of a mount: ${unknown}${suggestion(unknown, keys)}`
  const target = options.get('target') ?? options.get('dst') ?? options.get('destination') ?? ''
  if (placed.has(type) && /^[/.]*$/.test(target)) return `a ${type} mount needs a target other than /`
  return undefined
}
