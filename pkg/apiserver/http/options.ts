/** Query parameters of the API as values. Pure; every malformed one is a BadRequest that names it. */
import { badRequest, invalid, type StatusError } from '#pkg/apimachinery/errors.ts'
import {
  type FieldRequirement,
  type LabelSelector,
  parseFieldSelector,
  parseLabelSelector,
} from '#pkg/apimachinery/selector.ts'
import type { Kind } from '#pkg/apis/kind.ts'

export const fieldValidations = ['Strict', 'Warn', 'Ignore'] as const
export const includeObjects = ['None', 'Metadata', 'Object'] as const

export type FieldValidation = (typeof fieldValidations)[number]
export type IncludeObject = (typeof includeObjects)[number]

export interface RequestOptions {
  readonly labelSelector: LabelSelector
  readonly fieldSelector: readonly FieldRequirement[]
  /** 0: no limit. */
  readonly limit: number
  readonly continue: string
  /** Absent: not given, which for watches and lists means "the latest". */
  readonly resourceVersion: number | undefined
  readonly resourceVersionMatch: string | undefined
  readonly watch: boolean
  readonly sendInitialEvents: boolean | undefined
  readonly allowWatchBookmarks: boolean
  readonly timeoutSeconds: number | undefined
  readonly dryRun: boolean
  readonly fieldManager: string
  /** Only for an apply: take over what others own. */
  readonly force: boolean | undefined
  readonly fieldValidation: FieldValidation
  readonly propagationPolicy: string | undefined
  readonly orphanDependents: boolean | undefined
  readonly gracePeriodSeconds: number | undefined
  readonly includeObject: IncludeObject
}

/** Cove refuses unknown fields unless asked otherwise: a misspelt field must not be lost silently. */
const defaultFieldValidation: FieldValidation = 'Strict'

export type WriteOptions = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

/** `write`: how Kubernetes names the options of a request that writes; the others have none of these. */
export function parseOptions(query: URLSearchParams, kind: Kind, write?: WriteOptions): RequestOptions {
  const fieldSelector = parseFieldSelector(query.get('fieldSelector') ?? '').map((requirement) => ({
    ...requirement,
    field: unaliased(kind, requirement.field),
  }))
  for (const { field } of fieldSelector) {
    if (!isSelectable(kind, field)) throw badRequest(`field label not supported: ${field}`)
  }
  return {
    labelSelector: parseLabelSelector(query.get('labelSelector') ?? ''),
    fieldSelector,
    limit: integer(query, 'limit') ?? 0,
    continue: query.get('continue') ?? '',
    resourceVersion: integer(query, 'resourceVersion'),
    resourceVersionMatch: query.get('resourceVersionMatch') || undefined,
    watch: boolean(query, 'watch') ?? false,
    sendInitialEvents: boolean(query, 'sendInitialEvents'),
    allowWatchBookmarks: boolean(query, 'allowWatchBookmarks') ?? false,
    timeoutSeconds: integer(query, 'timeoutSeconds'),
    dryRun: write !== undefined && parseDryRun(query.getAll('dryRun'), write),
    fieldManager: query.get('fieldManager') ?? '',
    force: boolean(query, 'force'),
    fieldValidation: parseFieldValidation(query.get('fieldValidation') ?? '', write),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    orphanDependents: boolean(query, 'orphanDependents'),
    gracePeriodSeconds: integer(query, 'gracePeriodSeconds'),
    includeObject: word(query, 'includeObject', includeObjects) ?? 'Metadata',
  }
}

/** `All` is the only stage there is. Throws Invalid for any other. */
export function parseDryRun(values: readonly unknown[], write: WriteOptions): boolean {
  const given = values.filter((value) => value !== '')
  if (given.every((value) => value === 'All')) return given.length > 0
  const list = given.map((value) => JSON.stringify(value)).join(', ')
  throw notSupported(write, { field: 'dryRun', value: `[]string{${list}}`, supported: ['All'] })
}

function parseFieldValidation(text: string, write: WriteOptions | undefined): FieldValidation {
  if (text === '' || write === undefined || write === 'DeleteOptions') return defaultFieldValidation
  const known = fieldValidations.find((candidate) => candidate === text)
  if (known !== undefined) return known
  const supported = ['', ...fieldValidations].sort()
  throw notSupported(write, { field: 'fieldValidation', value: JSON.stringify(text), supported })
}

/** Worded as Kubernetes words it. */
function notSupported(
  write: WriteOptions,
  { field, value, supported }: { field: string; value: string; supported: readonly string[] },
): StatusError {
  const words = supported.map((each) => JSON.stringify(each)).join(', ')
  const message = `Unsupported value: ${value}: supported values: ${words}`
  const cause = { reason: 'FieldValueNotSupported' as const, field, message }
  return invalid({ group: 'meta.k8s.io', kind: write }, '', [cause])
}

function unaliased({ selectableAliases = {} }: Kind, field: string): string {
  return Object.hasOwn(selectableAliases, field) ? (selectableAliases[field] ?? field) : field
}

function isSelectable(kind: Kind, field: string): boolean {
  return field === 'metadata.name' || field === 'metadata.namespace' || kind.selectableFields.includes(field)
}

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? ''
  if (text === '') return undefined
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name}: "${text}" is not a whole number of at least 0`)
  return Number(text)
}

/** Clients also send the word false, so truthiness will not do. */
function boolean(query: URLSearchParams, name: string): boolean | undefined {
  switch (query.get(name)) {
    case null:
    case '':
      return undefined
    case 'true':
    case '1':
      return true
    case 'false':
    case '0':
      return false
    default:
      throw badRequest(`${name}: "${query.get(name)}" is neither true nor false`)
  }
}

function word<T extends string>(query: URLSearchParams, name: string, words: readonly T[]): T | undefined {
  const text = query.get(name) ?? ''
  if (text === '') return undefined
  const known = words.find((candidate) => candidate === text)
  if (known !== undefined) return known
  throw badRequest(`${name}: unsupported value "${text}": must be one of ${words.join(', ')}`)
}
