/** Why a build is made, in words that name what has moved. Pure. */
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import type { BuildSpec } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import type { Inputs } from './inputs.ts'

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
  return part.startsWith('base ') ? triggers.base : true
}

/** `dockerfileName`: what people call the Dockerfile. */
export function tellMoves(
  parts: readonly string[],
  { before, after }: { readonly before: Inputs; readonly after: Inputs },
  dockerfileName: string,
): string {
  const told = parts.flatMap((part) => tellPart(part, before[part], after[part], dockerfileName))
  const more = told.length > mostTold ? `; and ${told.length - mostTold} more` : ''
  return `${told.slice(0, mostTold).join('; ')}${more}`
}

const order = ['requested', 'scheduled', 'context', 'dockerfile', 'args', 'target', 'labels']

function rankOf(part: string): number {
  const rank = order.indexOf(part)
  return rank === -1 ? order.length : rank
}

function tellPart(
  part: string,
  before: string | undefined,
  after: string | undefined,
  dockerfileName: string,
): string[] {
  if (part === 'requested') return [`asked for (${buildAnnotation})`]
  if (part === 'scheduled') return [`spec.triggers.schedule: ${after ?? 'no longer'}`]
  if (part === 'dockerfile') return [`${dockerfileName} changed`]
  if (part === 'context') return [`the context moved from ${short(before)} to ${short(after)}`]
  if (part === 'args' || part === 'labels') return tellValues(part, before, after)
  if (part.startsWith('secret ')) return [`${part} changed`]
  if (!part.startsWith('base ')) return [`${part} was ${before ?? 'absent'}, is ${after ?? 'absent'}`]
  if (before === undefined || after === undefined)
    return [`${part} is ${after ? 'new' : 'not used any more'}`]
  return [`${part} moved from ${short(before)} to ${short(after)}`]
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
