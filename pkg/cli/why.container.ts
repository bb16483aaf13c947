/** The sentences of `cove why` about a Container. Pure. */

import { findCondition } from '#pkg/apimachinery/meta.ts'
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import { imageText } from '#pkg/apis/container.image.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { whenText } from './why.times.ts'

/** Lines of output that are repeated. */
const mostLines = 5

export function headlineOf(container: Container): string {
  const { metadata, spec, status = {} } = container
  const name = `container ${metadata.namespace ?? 'default'}/${metadata.name}`
  if (metadata.deletionTimestamp !== undefined) return `${name} ${deletionText(container)}.`
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return `${name} was changed, and ${whoHasNotSeen(container)}.`
  const trouble = troubleOf(container)
  return trouble === undefined ? `${name} is as desired: ${stateText(spec, status)}.` : `${name} ${trouble}.`
}

function whoHasNotSeen({ spec, status = {} }: Container): string {
  const ready = findCondition(status.conditions, 'Ready')
  if (spec.nodeName !== undefined) return `node ${spec.nodeName} has not seen that yet`
  return ready?.status === 'False' ? `has no node: ${ready.reason}: ${ready.message}` : 'has no node yet'
}

function troubleOf({ metadata, spec, status = {} }: Container): string | undefined {
  const { conditions, rollout, healing, phase } = status
  const of = (type: string) => findCondition(conditions, type)
  const told = (type: string) => `${of(type)?.reason}: ${of(type)?.message}`
  if (healing?.heldSince !== undefined) return 'is unhealthy, and healing it is held'
  if (rollout?.phase === 'RolledBack' && rollout.failed?.generation === metadata.generation)
    return 'was rolled back: what the spec asks for did not work'
  if (of('Stalled')?.status === 'True') return `cannot go on by itself: ${told('Stalled')}`
  if (spec.update?.paused === true && of('UpToDate')?.status !== 'True') return 'is paused in its rollout'
  const wanted = spec.state === 'Running'
  if (wanted && phase !== 'Succeeded' && of('Ready')?.status !== 'True')
    return `is not ready: ${told('Ready')}`
  return of('UpToDate')?.status === 'True' ? undefined : `is not up to date: ${told('UpToDate')}`
}

function stateText({ state }: Container['spec'], { phase, health }: ContainerStatus): string {
  if (state !== 'Running' || phase === 'Succeeded') return (phase ?? state).toLowerCase()
  return health === undefined ? 'it runs' : `it runs, and is ${health.status}`
}

function deletionText({ metadata }: Container): string {
  const { finalizers = [], deletionTimestamp } = metadata
  const waits = finalizers.length === 0 ? '' : `; it waits for ${finalizers.join(', ')}`
  return `is being deleted since ${deletionTimestamp}${waits}`
}

export function desiredOf({ metadata, spec }: Container): string[] {
  const where = spec.nodeName === undefined ? 'any node' : `node ${spec.nodeName}`
  const needs = spec.dependsOn.map(({ container, condition }) => `container ${container} ${condition}`)
  return [
    `Image ${imageText(spec)} on ${where}, state ${spec.state}, restartPolicy ${spec.restartPolicy}; this is generation ${metadata.generation ?? 0}.`,
    ...(needs.length === 0 ? [] : [`Before it starts it wants ${needs.join(', ')}.`]),
    ...(spec.update?.paused === true ? ['Its rollout is paused: changes are not carried out.'] : []),
  ]
}

export function observedOf({ metadata, status }: Container, now: number): string[] {
  if (status?.observedGeneration === undefined) return ['No node has reported anything of it yet.']
  const { observedGeneration: seen, nodeName } = status
  return [
    ...(seen < (metadata.generation ?? 0) ? [`Node ${nodeName} told this of generation ${seen}.`] : []),
    ...pullText(status),
    runText(status, now),
    ...healthText(status, now),
    ...terminationText(status, now),
    ...rolloutText(status, now),
  ]
}

function pullText({ image, phase }: ContainerStatus): string[] {
  if (phase !== 'Pulling' || image === undefined) return []
  const layers = image.layers ?? []
  const done = layers.filter(({ state }) => state === 'Pull complete' || state === 'Already exists')
  const far = layers.length === 0 ? '' : `: ${done.length} of ${layers.length} layers are there`
  return [`Image ${image.reference} is being pulled${far}.`]
}

function runText({ containerID, phase, startedAt, pid, ...status }: ContainerStatus, now: number): string {
  if (containerID === undefined) return 'The engine has no container of it.'
  const id = `Container ${containerID.slice(0, 12)}`
  if (phase === 'Running') return `${id} runs as process ${pid ?? '?'} since ${whenText(startedAt, now)}.`
  if (phase === 'Paused') return `${id} is frozen; it was started at ${whenText(startedAt, now)}.`
  if (status.exitCode === undefined) return `${id} was made and does not run.`
  return `${id} ended at ${whenText(status.finishedAt, now)} with exit code ${status.exitCode}.`
}

function healthText({ health }: ContainerStatus, now: number): string[] {
  if (health === undefined) return []
  const last = health.log.at(-1)
  const streak = health.failingStreak > 0 ? ` after ${health.failingStreak} failed checks in a row` : ''
  const output =
    last === undefined || last.output.trim() === '' ? '' : `: ${last.output.trim().slice(0, 300)}`
  const told =
    last === undefined
      ? ''
      : `; a check ended at ${whenText(last.end, now)} with exit code ${last.exitCode}${output}`
  return [`Its healthcheck says ${health.status}${streak}${told}.`]
}

function terminationText({ lastTermination }: ContainerStatus, now: number): string[] {
  if (lastTermination === undefined) return []
  const { exitCode, reason, message, startedAt, finishedAt, log = [] } = lastTermination
  const length =
    startedAt === undefined || finishedAt === undefined
      ? ''
      : ` after ${humanDuration(Date.parse(finishedAt) - Date.parse(startedAt))}`
  const more = message === undefined ? '' : `: ${message}`
  if (startedAt === undefined && reason === 'StartError')
    return [`It could not be started: exit code ${exitCode}${more}.`]
  return [
    `Its last run ended at ${whenText(finishedAt, now)}${length} with exit code ${exitCode}, ${reason}${more}.`,
    ...logText(log),
  ]
}

function rolloutText({ rollout }: ContainerStatus, now: number): string[] {
  if (rollout === undefined || rollout.phase === 'Complete') return []
  const { phase, message, failed, since } = rollout
  const told = message === undefined || failed !== undefined ? '' : `: ${message}`
  return [
    `The rollout is ${phase} since ${whenText(since, now)}${told}.`,
    ...(failed === undefined
      ? []
      : [
          `What was tried failed at ${whenText(failed.time, now)}: ${failed.reason}: ${failed.message}.`,
          ...logText(failed.log),
        ]),
  ]
}

function logText(log: readonly string[]): string[] {
  return log.length === 0 ? [] : [['The last it wrote:', ...log.slice(-mostLines)].join('\n')]
}

export function differencesOf({ metadata, status = {} }: Container): string[] {
  const { differences = [], observedGeneration = 0 } = status
  if (differences.length > 0)
    return differences.map(
      ({ field, want, found, change }) =>
        `${field}: want ${want}, found ${found}; mended ${howText(change)}.`,
    )
  const upToDate = findCondition(status.conditions, 'UpToDate')
  const current = observedGeneration >= (metadata.generation ?? 0)
  return current && upToDate?.status === 'True' ? ['Nothing.'] : []
}

function howText(change: 'in place' | 'recreate'): string {
  return change === 'recreate' ? 'by a new container' : change
}

export function timesOf({ status = {} }: Container, now: number): string[] {
  const { restartCount = 0, crashStreak = 0, healing } = status
  const attempts = healing?.attempts ?? []
  const last = attempts.at(-1)
  return [
    ...(restartCount === 0 ? [] : [`It was started again ${times(restartCount)}.`]),
    ...(crashStreak === 0 ? [] : [`It ended ${times(crashStreak)} without ten minutes of running between.`]),
    ...(last === undefined
      ? []
      : [
          `Healing was tried ${times(attempts.length)}, last at ${whenText(last.time, now)}: ${last.action}.`,
        ]),
  ]
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

export function nextOf({ metadata, status = {} }: Container, now: number): string[] {
  const { next, healing } = status
  const held =
    healing?.heldSince === undefined
      ? []
      : [
          `Healing is held since ${whenText(healing.heldSince, now)}: it was of no use. A change of the spec, or cove rollout restart container/${metadata.name}, ends that.`,
        ]
  if (next !== undefined) {
    const when = next.time === undefined ? '' : ` at ${whenText(next.time, now)}`
    return [...held, `${upper(next.action)}${when}, because ${next.cause}.`]
  }
  const { rollout } = status
  if (rollout?.phase === 'RolledBack' && rollout.failed?.generation === metadata.generation)
    return [
      `Nothing is tried again until the spec changes: cove rollout undo container/${metadata.name} goes back.`,
    ]
  const current = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const settled = current && findCondition(status.conditions, 'UpToDate')?.status === 'True'
  return [...held, ...(settled && held.length === 0 ? ['Nothing is to be done.'] : [])]
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
