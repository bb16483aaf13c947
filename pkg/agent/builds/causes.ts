/** Why a build is made, in words that name what has moved. Pure. */
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import type { BuildSpec } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import { type Inputs, isBase, isSecret } from './inputs.ts'
import type { ContextMove } from './port.ts'

/** More are counted. */
const mostTold = 3
const longestValue = 60

/** Names of the parts that are other ones, in the order in which they are told. */
export function movedParts(before: Inputs, after: Inputs): string[] {
  const names = new Set([...Object.keys(after), ...Object.keys(before)])
  const moved = [...names].filter((name) => before[name] !== after[name])
  return moved.sort((a, b) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
}

/** Whether a move of the part makes a build by itself, as the triggers say. */
export function triggersBuild(
  part: string,
  { triggers, dockerfileInline }: Pick<BuildSpec, 'triggers' | 'dockerfileInline'>,
): boolean {
  if (part === 'context' || (part === 'dockerfile' && dockerfileInline === undefined)) return triggers.context
  return isBase(part) ? triggers.base : true
}

export interface Told {
  readonly before: Inputs
  readonly after: Inputs
  /** What people call the Dockerfile. */
  readonly dockerfileName: string
  /** What has moved in the context, where that is known. */
  readonly files?: ContextMove
}

export function tellMoves(parts: readonly string[], told: Told): string {
  const files = parts.includes('dockerfile') ? besides(told.dockerfileName, told.files) : told.files
  const found = parts.flatMap((part) => tellPart(part, { ...told, ...(files !== undefined && { files }) }))
  const all = found.length > 0 ? found : tellContext(told.before['context'], told.after['context'], undefined)
  const more = all.length > mostTold ? `; and ${all.length - mostTold} more` : ''
  return `${all.slice(0, mostTold).join('; ')}${more}`
}

/** It is told of by itself. */
function besides(path: string, move: ContextMove | undefined): ContextMove | undefined {
  const files = move?.files.filter((file) => file.path !== path)
  if (move === undefined || files === undefined) return undefined
  return { files, count: move.count - (move.files.length - files.length) }
}

const order = ['requested', 'scheduled', 'context', 'dockerfile', 'args', 'target', 'labels']

function rankOf(part: string): number {
  const rank = order.indexOf(part)
  return rank === -1 ? order.length : rank
}

function tellPart(part: string, { before, after, dockerfileName, files }: Told): string[] {
  const [was, is] = [before[part], after[part]]
  if (part === 'requested') return [`asked for (${buildAnnotation})`]
  if (part === 'scheduled') return [`spec.triggers.schedule: ${is ?? 'no longer'}`]
  if (part === 'dockerfile') return [`${dockerfileName} changed`]
  if (part === 'context') return tellContext(was, is, files)
  if (part === 'args' || part === 'labels') return tellValues(part, was, is)
  if (isSecret(part)) return [`${part} changed`]
  if (!isBase(part)) return [`${part} was ${was ?? 'absent'}, is ${is ?? 'absent'}`]
  if (was === undefined || is === undefined) return [`${part} is ${is ? 'new' : 'not used any more'}`]
  return [`${part} moved from ${short(was)} to ${short(is)}`]
}

const verbs = { added: 'was added', changed: 'changed', removed: 'was removed' } as const

/** By the first of its files, what has changed before what is new; the others are counted. */
function tellContext(
  was: string | undefined,
  is: string | undefined,
  move: ContextMove | undefined,
): string[] {
  if (move === undefined) return [`the context moved from ${short(was)} to ${short(is)}`]
  const { files, count } = move
  const first = files.find(({ how }) => how === 'changed') ?? files[0]
  if (first === undefined) return []
  const path = /^[ -~]+$/.test(first.path) ? first.path : JSON.stringify(first.path)
  const more = count > 1 ? ` (and ${count - 1} more file${count > 2 ? 's' : ''})` : ''
  return [`${cutPath(path)} ${verbs[first.how]}${more}`]
}

const longestPath = 200

/** The end of a path tells more than its beginning. */
function cutPath(path: string): string {
  return path.length > longestPath ? `...${path.slice(-longestPath)}` : path
}

function tellValues(part: string, before: string | undefined, after: string | undefined): string[] {
  const [was, is] = [valuesOf(before), valuesOf(after)]
  const names = [...new Set([...Object.keys(is), ...Object.keys(was)])].sort()
  return names
    .filter((name) => was[name] !== is[name])
    .map((name) => `${part}: ${name} was ${told(was[name])}, is ${told(is[name])}`)
}

function valuesOf(text: string | undefined): Record<string, unknown> {
  const value = jsonValue(text ?? '')
  return isPlainObject(value) ? value : {}
}

function told(value: unknown): string {
  const text = value === undefined ? 'absent' : String(value)
  return text.length > longestValue ? `${text.slice(0, longestValue)}...` : text
}

/** A digest as people compare it. */
function short(digest: string | undefined): string {
  return digest === undefined ? 'no files' : digest.replace(/^((?:sha256|tree):[0-9a-f]{12})[0-9a-f]+$/, '$1')
}
