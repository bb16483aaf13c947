/**
 * What becomes of the status of a Build when an attempt begins and when it ends: at once, so that the next plan knows. An
 * attempt that nobody has ended was cut short with the agent. Pure.
 */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { statusBounds } from '#pkg/apis/build.status.ts'
import type { Build, BuildFailure, BuildStatus, BuildStep } from '#pkg/apis/build.ts'
import type { BuiltImage } from '#pkg/engine/builds.ts'
import { interruptedMessage, type RecalledAttempt, untoldMessage } from './buildlogs.ts'
import type { BuildOrder, RunningBuild } from './port.ts'

/** How an attempt ended. */
export type BuildEnd =
  | { readonly result: 'Succeeded'; readonly built: BuiltImage }
  /** `permanent`: it is not tried again with the same inputs. */
  | { readonly result: 'Failed'; readonly failure: BuildFailure; readonly permanent: boolean }
  | { readonly result: 'Canceled'; readonly message: string }

/** As it is told while it is built. */
export function withProgress(
  before: BuildStatus,
  { order, startedAt, steps, warnings }: RunningBuild,
): BuildStatus {
  const { finishedAt: _end, failure: _failure, stages: _stages, ...rest } = before
  const { request, scheduledAt } = order.answers
  return {
    ...rest,
    ...order.told,
    phase: 'Building',
    attempt: order.attempt,
    cause: order.cause,
    builder: order.builder,
    startedAt: timestamp(startedAt),
    steps: [...steps],
    cacheHits: steps.filter(({ state }) => state === 'Cached').length,
    warnings: [...(order.told.warnings ?? []), ...warnings].slice(0, statusBounds.warnings),
    ...(before.stages !== undefined && { stages: before.stages }),
    ...(request !== undefined && { request }),
    ...(scheduledAt !== undefined && { scheduledAt }),
  }
}

/** `limit`: spec.historyLimit. */
export function afterBuild(
  before: BuildStatus,
  {
    running,
    end,
    now,
    limit,
  }: {
    readonly running: RunningBuild
    readonly end: BuildEnd
    readonly now: number
    readonly limit: number
  },
): BuildStatus {
  const { order } = running
  const steps = running.steps.map((step) => endedStep(step, end))
  // Not spread: what runs may tell these as it goes.
  const { startedAt, warnings } = running
  const status = withProgress(before, { order, startedAt, steps, warnings })
  return {
    ...status,
    ...outcomeOf(order, end),
    phase: end.result,
    finishedAt: timestamp(now),
    history: withPast(before, { running, end, now, limit }),
  }
}

function outcomeOf({ inputHash, inputs, tags }: BuildOrder, end: BuildEnd): Partial<BuildStatus> {
  if (end.result === 'Canceled') return {}
  if (end.result === 'Failed') return { failure: { ...end.failure, ...(end.permanent && { inputHash }) } }
  const { image, stages } = end.built
  const [reference] = tags
  return {
    inputHash,
    inputs: { ...inputs },
    image: { id: image, ...(reference !== undefined && { reference }) },
    stages: stages.slice(0, statusBounds.stages),
  }
}

function endedStep(step: BuildStep, { result }: BuildEnd): BuildStep {
  if (step.state !== 'Running') return step
  const states = { Succeeded: 'Done', Failed: 'Failed', Canceled: 'Canceled' } as const
  return { ...step, state: states[result] }
}

function withPast(
  { history = [] }: BuildStatus,
  { running, end, now, limit }: Parameters<typeof afterBuild>[1],
): NonNullable<BuildStatus['history']> {
  const { order, startedAt } = running
  const message =
    end.result === 'Failed' ? end.failure.message : end.result === 'Canceled' ? end.message : undefined
  const past = {
    number: order.attempt,
    result: end.result,
    cause: order.cause,
    inputHash: order.inputHash,
    startedAt: timestamp(startedAt),
    finishedAt: timestamp(now),
    ...(end.result === 'Succeeded' && { id: end.built.image }),
    ...(message !== undefined && { message: cut(message) }),
  }
  return [past, ...history.filter(({ number }) => number !== order.attempt)].slice(0, limit)
}

const longestMessage = 1024

function cut(text: string): string {
  return text.length > longestMessage ? `${text.slice(0, longestMessage)}...` : text
}

interface Earlier {
  readonly spec: Pick<Build['spec'], 'historyLimit'>
  /** The last attempt that has a log; absent: there is none. */
  readonly recalled?: RecalledAttempt
  readonly now: number
}

/** As an earlier run of the agent has left it: what it had begun and nobody has told the end of is told as canceled. */
export function asRecalled(before: BuildStatus, { spec, recalled, now }: Earlier): BuildStatus {
  const { attempt = 0, steps = [] } = before
  // Its beginning was not told any more.
  const untold = recalled !== undefined && recalled.attempt > attempt
  const known = untold
    ? {
        ...before,
        attempt: recalled.attempt,
        cause: recalled.cause ?? '',
        startedAt: toldStart(recalled.startedAt, now),
        steps: [],
      }
    : before
  const { startedAt, finishedAt: ended, cause = '', history = [] } = known
  const isOpen = startedAt !== undefined && (ended === undefined || untold)
  if (!isOpen || known.attempt === undefined) return known
  const finishedAt = timestamp(now)
  const { attempt: number } = known
  const isEnded = recalled?.attempt === number && !recalled.interrupted
  const canceled = { result: 'Canceled' as const, message: isEnded ? untoldMessage : interruptedMessage }
  const past = { number, ...canceled, cause, startedAt, finishedAt }
  return {
    ...known,
    phase: 'Pending',
    steps: untold ? [] : steps.map((step) => endedStep(step, canceled)),
    finishedAt,
    history: [past, ...history.filter((each) => each.number !== number)].slice(0, spec.historyLimit),
  }
}

function toldStart(startedAt: string | undefined, now: number): string {
  const at = Date.parse(startedAt ?? '')
  return timestamp(Number.isNaN(at) ? now : at)
}
