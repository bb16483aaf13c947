/** When the registry is asked next about an Image that follows it. Pure. */
import type { Image } from '#pkg/apis/image.ts'
import { checkAnnotation } from '#pkg/apis/wellknown.ts'
import { isAhead } from '../ahead.ts'
import type { Question, RegistryAnswer } from './update.answer.ts'
import { nextCheck, nextTry, offsetOf, type Update } from './update.times.ts'

export interface Asking {
  /** ms since the epoch; 0: at once; absent: never. */
  readonly askAt?: number
  /** The value of the annotation that asks for it. */
  readonly request?: string
}

/** `given`: what was said last, which may be about another question. */
export function whenToAsk(
  image: Image,
  update: Update,
  given: RegistryAnswer | undefined,
  {
    key,
    askedWith,
    now,
  }: Pick<Question, 'key'> & { readonly askedWith?: string | undefined; readonly now: number },
): Asking {
  const { metadata, status = {} } = image
  const answer = given?.question === key ? given : undefined
  const request = unanswered(image, answer)
  if (request !== undefined) return { askAt: 0, request }
  const isFirst = status.reference === undefined
  if (given !== answer || isOpen(answer, { isFirst, askedWith })) return { askAt: 0 }
  const offset = offsetOf(metadata.uid ?? '')
  const asked = answer?.at ?? Date.parse(status.checkedAt ?? '')
  if (isAhead(asked, now)) return { askAt: 0 }
  // As many Images as were made at once.
  if (Number.isNaN(asked)) return { askAt: Date.parse(metadata.creationTimestamp ?? '') + offset || 0 }
  const known = knownNext(image, asked)
  if (known !== undefined) return { askAt: known }
  const scheduled = nextCheck(update.schedule, asked, offset)
  if (answer?.error !== undefined)
    return { askAt: nextTry(scheduled, { ...answer, ...answer.error, offset, isFirst }) }
  return scheduled === undefined ? {} : { askAt: scheduled }
}

/** Nobody has asked yet what it is at first, or only with other credentials. */
function isOpen(
  answer: RegistryAnswer | undefined,
  { isFirst, askedWith }: { readonly isFirst: boolean; readonly askedWith: string | undefined },
): boolean {
  if (answer === undefined) return isFirst
  return answer.error !== undefined && answer.askedWith !== askedWith
}

/** A check that a person asks for and has not got. */
function unanswered(
  { metadata, status = {} }: Image,
  answer: RegistryAnswer | undefined,
): string | undefined {
  const request = metadata.annotations?.[checkAnnotation]
  return request === status.checkRequest || request === answer?.request ? undefined : request
}

/** What was worked out when that answer came, for the spec as it is: schedules are costly to read. */
function knownNext({ metadata, status = {} }: Image, asked: number): number | undefined {
  const { nextCheckAt, checkedAt, observedGeneration } = status
  if (nextCheckAt === undefined || observedGeneration !== metadata.generation) return undefined
  return Date.parse(checkedAt ?? '') === Math.floor(asked / 1000) * 1000 ? Date.parse(nextCheckAt) : undefined
}
