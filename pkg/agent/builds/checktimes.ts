/**
 * Times of a Build's status that only say when somebody was asked: with nothing else to tell, they are told every five
 * minutes at most, as kubelets do it for their Nodes, and not at every question. Pure.
 */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import type { BuildStatus } from '#pkg/apis/build.ts'

/** How far behind the told times may be; ms. */
const toldEvery = 300_000

/** `next` with the times of `told`, the status that was told last, where these are near enough and the rest is the same. */
export function withLastingTimes(told: BuildStatus, next: BuildStatus): BuildStatus {
  const before = checkTimes(told)
  const isNear = checkTimes(next).every((time, index) => isWithin(before[index], time))
  if (!isNear || !sameJson(withoutTimes(told), withoutTimes(next))) return next
  const { checkedAt, nextCheckAt, bases } = told
  return {
    ...next,
    ...(checkedAt !== undefined && { checkedAt }),
    ...(nextCheckAt !== undefined && { nextCheckAt }),
    ...(bases !== undefined && { bases }),
  }
}

type Time = string | undefined

/** Of two statuses that are alike otherwise, those of the same things stand at the same places. */
function checkTimes({ checkedAt, nextCheckAt, bases = [] }: BuildStatus): readonly Time[] {
  return [checkedAt, nextCheckAt, ...bases.map((base) => base.checkedAt)]
}

function isWithin(before: Time, after: Time): boolean {
  if (before === undefined || after === undefined) return before === after
  return Math.abs(Date.parse(after) - Date.parse(before)) < toldEvery
}

function withoutTimes({ checkedAt: _, nextCheckAt: __, bases, ...rest }: BuildStatus) {
  return { ...rest, bases: bases?.map(({ checkedAt: ___, ...base }) => base) }
}
