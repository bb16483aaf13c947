/** The sentences of `cove why` about an Image. Pure. */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import { whenText } from './why.times.ts'

export function desiredOfImage({ metadata, spec }: Image): string[] {
  const { reference, allTags, tags, push, update, nodeName = 'no node yet' } = spec
  const policy = update === undefined ? '' : `, followed by ${update.policy}`
  const what = allTags ? `all tags of ${reference}` : reference
  return [
    `Image ${what}${sourceText(spec)}${policy}; its lead is ${nodeName}; this is generation ${metadata.generation ?? 0}.`,
    ...(tags.length === 0 ? [] : [`It is called ${tags.join(', ')} too.`]),
    ...(push.length === 0 ? [] : [`It is to be pushed to ${push.map((to) => to.reference).join(', ')}.`]),
  ]
}

function sourceText({ source = {}, pullPolicy = 'IfNotPresent' }: Image['spec']): string {
  if (source.commit !== undefined) return `, made of Container ${source.commit.container}`
  if (source.node !== undefined) return ` of node ${source.node}`
  const file = source.archive ?? source.rootfs
  return file === undefined ? `, pullPolicy ${pullPolicy}` : ` from ${file.url ?? file.upload ?? 'a file'}`
}

/** What was found, and where it is: what the conditions do not say. */
export function foundOfImage({ status = {} }: Image): string[] {
  const { reference, usedBy = [], nodes = {} } = status
  const users = usedBy.length === 0 ? '' : `, and used by ${usedBy.join(', ')}`
  const others = Object.entries(nodes).filter(([, { state }]) => state !== 'Ready')
  return [
    ...(reference === undefined ? [] : [`It was found to be ${reference}${users}.`]),
    ...others.map(
      ([node, { state, message }]) => `On node ${node} it is ${state}: ${message ?? 'no more is said'}.`,
    ),
  ]
}

export function nextOfImage(image: Image, now: number): string[] {
  const { metadata, spec, status = {} } = image
  if (metadata.deletionTimestamp !== undefined) return []
  return [
    ...triesOf(status),
    ...candidateOf(image, now),
    ...(status.rejected ?? []).map(({ digest, reason }) => `${digest} is not taken again: ${reason}.`),
    ...(spec.update === undefined || status.nextCheckAt === undefined
      ? []
      : [`The registry is asked what is new at ${whenText(status.nextCheckAt, now)}.`]),
    ...(spec.update === undefined && findCondition(status.conditions, 'Ready')?.status === 'True'
      ? ['It stays what it is until its spec changes.']
      : []),
  ]
}

function triesOf({ phase, conditions }: ImageStatus): string[] {
  const notPushed = findCondition(conditions, 'Pushed')
  const failed = phase === 'Failed' || (notPushed?.status === 'False' && notPushed.reason !== 'Pushing')
  return failed
    ? [
        'What failed is tried again by itself with growing pauses, and at once when the Image or a Secret of it changes.',
      ]
    : []
}

function candidateOf({ metadata, status = {} }: Image, now: number): string[] {
  const { candidate } = status
  if (candidate === undefined) return []
  const { reference, digest, waitingFor, takenAt } = candidate
  const found = `${reference}@${digest} was found at ${whenText(candidate.firstSeen, now)}`
  if (waitingFor === 'Approval') return [`${found}; cove image approve ${metadata.name} lets it be taken.`]
  return [takenAt === undefined ? `${found}.` : `${found}, and is taken at ${whenText(takenAt, now)}.`]
}
