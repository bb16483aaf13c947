/** The sentences of `cove why` about a Build. Pure. */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import { failureLine } from './builds/report.ts'
import { whenText } from './why.times.ts'

/** Lines of output that are repeated. */
const mostLines = 5

export function desiredOfBuild(build: Build): string[] {
  const { metadata, spec } = build
  const where = spec.nodeName === undefined ? 'no node yet' : `node ${spec.nodeName}`
  const target = spec.target === undefined ? '' : `, up to stage ${spec.target}`
  return [
    `${namesOfBuild(build).join(', ')} of ${spec.dockerfile} and ${contextText(build)}${target}, built on ${where}; this is generation ${metadata.generation ?? 0}.`,
    ...(spec.suspend ? ['It is suspended: nothing is built.'] : []),
  ]
}

function contextText({ spec }: Build): string {
  const { git, tar, upload, hostPath, inline } = spec.context
  if (git !== undefined) return `${git.url.replace(/\/\/[^/@]*@/, '//')} (${git.ref ?? 'its default branch'})`
  if (tar !== undefined) return tar.url.replace(/\/\/[^/@]*@/, '//')
  if (hostPath !== undefined) return `${hostPath} of the node`
  if (upload !== undefined) return `the uploaded files ${upload.slice(0, 17)}`
  return inline === undefined ? 'no files' : `${Object.keys(inline.files).length} files of the manifest`
}

/** The last attempt, and what it came to: what the conditions do not say. */
export function foundOfBuild(build: Build, now: number): string[] {
  const { status = {} } = build
  const { attempt = 0, cause, startedAt, finishedAt, image, failure, steps = [] } = status
  if (attempt === 0) return []
  const running = steps.find(({ state }) => state === 'Running')
  const ended =
    status.phase === 'Building' || finishedAt === undefined ? '' : `, ended at ${whenText(finishedAt, now)}`
  const at = running === undefined ? '' : `; it is at step ${running.number}, ${running.instruction}`
  return [
    `Attempt ${attempt} began at ${whenText(startedAt, now)}${ended}, because ${cause ?? 'of nothing that is told'}${at}.`,
    ...(image === undefined
      ? ['No image has come of it yet.']
      : [`The last good image is ${image.id}; whoever is made of it has that one.`]),
    ...(failure === undefined
      ? []
      : [[`${failure.reason}: ${failureLine(build, failure)}.`, ...lastLines(failure.log)].join('\n')]),
    ...(status.warnings ?? []).map(({ rule, line, message }) => {
      const where = line === undefined ? '' : `, line ${line}`
      return `Warning ${rule}${where}: ${message}.`
    }),
  ]
}

function lastLines(log: readonly string[] | undefined): string[] {
  return log === undefined || log.length === 0 ? [] : ['The last it wrote:', ...log.slice(-mostLines)]
}

export function nextOfBuild({ metadata, spec, status = {} }: Build, now: number): string[] {
  if (metadata.deletionTimestamp !== undefined) return []
  const { phase, nextScheduledAt, nextCheckAt } = status
  const isStalled = findCondition(status.conditions, 'Stalled')?.status === 'True'
  const waits = isStalled || phase === 'Canceled'
  return [
    ...(waits
      ? [`It is not built again before an input moves; cove build ${metadata.name} asks for it now.`]
      : []),
    ...(phase === 'Failed' && !waits ? ['It is tried again by itself, with growing pauses.'] : []),
    ...(nextScheduledAt === undefined
      ? []
      : [`It is built at ${whenText(nextScheduledAt, now)}, because of spec.triggers.schedule.`]),
    ...(nextCheckAt === undefined ? [] : [`${nextCheckText(nextCheckAt, spec, now)}.`]),
    ...(phase === 'Succeeded' && nextScheduledAt === undefined ? [untouchedText(spec)] : []),
  ]
}

/** A time that has passed is that of a question before: of frequent ones, not each is written. */
export function nextCheckText(nextCheckAt: string, { triggers }: Build['spec'], now: number): string {
  const when =
    Date.parse(nextCheckAt) < now
      ? `every ${triggers.interval} (spec.triggers.interval)`
      : `at ${whenText(nextCheckAt, now)}`
  return `Whether its context or base images have moved is asked ${when}`
}

function untouchedText({ triggers }: Build['spec']): string {
  const ignored = [
    ...(triggers.context ? [] : ['its context']),
    ...(triggers.base ? [] : ['its base images']),
  ]
  const but = ignored.length === 0 ? '' : `, other than ${ignored.join(' and ')}`
  return `It is built again when anything moves that it is made of${but}.`
}
