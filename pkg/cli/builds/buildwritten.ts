/** What a Build says that its context is read by, before its schema has seen it. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { Building } from '#pkg/build/dockerfile/stages.ts'
import type { Io } from '../io.ts'

/** What reading files of this machine takes. */
export type LocalWorld = Pick<Io, 'cwd' | 'signal' | 'clock' | 'random' | 'env' | 'home' | 'stderr'>

/** One thing that is wrong, by the field of the Build. */
export interface ContextProblem {
  readonly field: string
  readonly message: string
}

/** What has another type than it should is left to the schema. */
export interface BuildWritten {
  /** As the manifest names the context. */
  readonly path: string
  readonly dockerfile: string
  readonly inline?: string
  readonly ignore: readonly string[]
  readonly maxBytes: number
  readonly building: Building
  readonly publicArgs: readonly string[]
}

/** As the schema has it. */
const maxBytesByDefault = 1024 ** 3

/** Undefined: it is no Build with a context beside the manifest. */
export function buildWritten(object: Readonly<Record<string, unknown>>): BuildWritten | undefined {
  const spec = object['spec']
  const isBuild = object['kind'] === 'Build' && String(object['apiVersion']).startsWith('cove.run/')
  if (!isBuild || !isPlainObject(spec) || !isPlainObject(spec['context'])) return undefined
  const path = textOf(spec['context']['path'])
  if (path === undefined || Object.keys(spec['context']).length > 1) return undefined
  const inline = textOf(spec['dockerfileInline'])
  const limit = spec['maxContextBytes']
  const maxBytes = typeof limit === 'string' || typeof limit === 'number' ? parseQuantity(limit) : undefined
  return {
    path,
    dockerfile: textOf(spec['dockerfile']) ?? 'Dockerfile',
    ...(inline !== undefined && { inline }),
    ignore: textsOf(spec['ignore']),
    maxBytes: maxBytes ?? maxBytesByDefault,
    building: buildingOf(spec),
    publicArgs: textsOf(spec['publicArgs']),
  }
}

function buildingOf(spec: Readonly<Record<string, unknown>>): Building {
  const args = isPlainObject(spec['args']) ? Object.entries(spec['args']) : []
  const target = textOf(spec['target'])
  const platform = textOf(spec['platform'])
  return {
    args: Object.fromEntries(
      args.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    ),
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
    // Where the node decides, stages that nothing needs may be left out.
    builder: spec['builder'] === 'Classic' ? 'Classic' : 'BuildKit',
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.flatMap((each) => textOf(each) ?? []) : []
}
