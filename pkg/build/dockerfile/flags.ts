/** Which flags an instruction may have, of any builder; what each needs is in features.ts. */
import type { Flag, Keyword, Problem } from './dockerfile.ts'
import { suggestion } from './suggest.ts'

type Shape = 'value' | 'list' | 'boolean'

const known: Readonly<Partial<Record<Keyword, Readonly<Record<string, Shape>>>>> = {
  ADD: {
    chown: 'value',
    chmod: 'value',
    link: 'boolean',
    'keep-git-dir': 'boolean',
    checksum: 'value',
    exclude: 'list',
    unpack: 'boolean',
  },
  COPY: {
    from: 'value',
    chown: 'value',
    chmod: 'value',
    link: 'boolean',
    parents: 'boolean',
    exclude: 'list',
  },
  FROM: { platform: 'value' },
  HEALTHCHECK: {
    interval: 'value',
    timeout: 'value',
    'start-period': 'value',
    'start-interval': 'value',
    retries: 'value',
  },
  RUN: { mount: 'list', network: 'value', security: 'value', device: 'list' },
}

/** What is wrong with the flags of one instruction. */
export function flagProblems(keyword: Keyword, flags: readonly Flag[]): Problem[] {
  const shapes = new Map(Object.entries(known[keyword] ?? {}))
  const seen = new Set<string>()
  return flags.flatMap((flag) => {
    const message = wrongWith(flag, shapes, seen.has(flag.name))
    seen.add(flag.name)
    return message === undefined ? [] : [{ line: flag.line, column: flag.column, message }]
  })
}

function wrongWith(
  { name, value }: Flag,
  shapes: ReadonlyMap<string, Shape>,
  again: boolean,
): string | undefined {
  const shape = shapes.get(name)
  if (shape === undefined) return `unknown flag: --${name}${suggestion(name, [...shapes.keys()], '--')}`
  if (again && shape !== 'list') return `the flag --${name} is there twice`
  if (shape === 'boolean') {
    const good = value === undefined || value.toLowerCase() === 'true' || value.toLowerCase() === 'false'
    return good ? undefined : `the flag --${name} is true or false, not ${value}`
  }
  return value === undefined ? `the flag --${name} needs a value: --${name}=...` : undefined
}
