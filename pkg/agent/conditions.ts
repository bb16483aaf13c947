/** The conditions of a Container: what holds, in a word and in a sentence. Pure. */
import { classify, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Condition } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { endingOf, lacksCommand, tellEnding, tellHealth } from './container.ending.ts'
import { tellHold } from './container.healing.ts'
import { startHint } from './container.hints.ts'
import { isAlive } from './container.look.ts'
import { rolledBack, whyNotUpToDate } from './container.rollout.ts'
import { generationOf } from './holds.ts'
import { canonicalImage, findImage, wantedImage } from './image.ts'
import { whyNoReference, whyStillBefore } from './images/following.ts'
import { groupOf, type Hold, type ReportInput } from './world.ts'

export interface ConditionInput extends ReportInput {
  readonly observed: ObservedContainer | undefined
  readonly phase: NonNullable<ContainerStatus['phase']>
}

type Draft = Omit<Condition, 'lastTransitionTime'>

/** In the order in which they come true. */
export function conditionsOf(input: ConditionInput): Draft[] {
  const observedGeneration = input.container.metadata.generation ?? 0
  const drafts = [
    imageReady(input),
    upToDate(input),
    ...healthy(input),
    ready(input),
    stalled(input),
    ...rolledBack(input),
  ]
  return drafts.map((draft) => ({ ...draft, observedGeneration }))
}

function holdOf({ container, world }: ConditionInput): Hold | undefined {
  const hold = world.holds.get(groupOf('Container', container.metadata))
  return hold?.generation === generationOf(groupOf('Container', container.metadata), world) ? hold : undefined
}

function imageReady({ container, decision, world, observed }: ConditionInput): Draft {
  const image = wantedImage(container)
  const nothing = whyNoReference(container, world)
  if (nothing !== undefined && image !== '')
    return {
      type: 'ImageReady',
      status: 'False',
      reason: nothing.reason,
      message: `${nothing.message}; it stays ${image}`,
    }
  const runs = observed !== undefined && canonicalImage(observed.image) === canonicalImage(image)
  if (runs || findImage(world.observed.images, image) !== undefined) {
    return { type: 'ImageReady', status: 'True', reason: 'Present', message: `image ${image} is on the node` }
  }
  const { reason, message } = decision.waiting ?? {
    reason: 'Unknown',
    message: `image ${image} was not looked for yet`,
  }
  return { type: 'ImageReady', status: 'False', reason, message }
}

function upToDate({ decision, observed, container, world }: ConditionInput): Draft {
  const before = whyStillBefore(container, world)
  if (before !== undefined) return { type: 'UpToDate', status: 'False', ...before }
  const replacing = whyNotUpToDate(decision, observed)
  if (replacing !== undefined) return replacing
  // What is taken away was of no use to what is desired.
  const next = decision.plan.ops.find(({ op }) => !/^remove/.test(op.type))
  if (next !== undefined)
    return { type: 'UpToDate', status: 'False', reason: 'Updating', message: next.cause }
  const absent = observed === undefined && container.spec.state !== 'Stopped'
  // A container that rests between two starts is the one that was asked for; any other wait is for a change.
  if (absent || (decision.waiting !== undefined && decision.waiting.reason !== 'CrashLoopBackOff')) {
    const { reason, message } = decision.waiting ?? { reason: 'Pending', message: 'nothing was made yet' }
    return { type: 'UpToDate', status: 'False', reason, message }
  }
  return {
    type: 'UpToDate',
    status: 'True',
    reason: 'AsDesired',
    message: 'the engine holds what the spec asks for',
  }
}

function healthy({ observed }: ConditionInput): Draft[] {
  const health = observed?.health
  if (observed === undefined || health === undefined || !isAlive(observed)) return []
  const words = { starting: 'Unknown', healthy: 'True', unhealthy: 'False' } as const
  const reasons = { starting: 'Starting', healthy: 'CheckPassed', unhealthy: 'CheckFailed' } as const
  const { status } = health
  const reason = status !== 'healthy' && lacksCommand(health) ? 'CheckCommandNotFound' : reasons[status]
  return [{ type: 'Healthy', status: words[status], reason, message: tellHealth(health) }]
}

function ready(input: ConditionInput): Draft {
  const { observed, phase, decision, container } = input
  const no = (reason: string, message: string): Draft => ({ type: 'Ready', status: 'False', reason, message })
  // It runs with nothing but a loopback interface.
  if (decision.waiting?.reason === 'NetworkContainerNotRunning')
    return no(decision.waiting.reason, decision.waiting.message)
  if (phase === 'Running' && observed !== undefined) return runningReady(observed)
  if (phase === 'Paused' || phase === 'Stopped' || phase === 'Created')
    return no(phase, `spec.state is ${container.spec.state}`)
  if (phase === 'Succeeded') return no('Completed', 'it ended with exit code 0')
  const hold = holdOf(input)
  if (hold !== undefined) return no(hold.reason, tellFailure(hold, container))
  if (decision.waiting !== undefined) return no(decision.waiting.reason, decision.waiting.message)
  if (phase === 'Failed' && observed !== undefined) {
    const log = input.world.observed.logTails.get(observed.id)
    const { reason } = endingOf(observed, container.spec, log)
    return no(reason, `it ended with ${tellEnding(observed, container.spec, log)}`)
  }
  return no(phase, phase === 'Starting' ? 'it is being started' : 'it is not made yet')
}

function runningReady({ health, pid }: ObservedContainer): Draft {
  if (health === undefined || health.status === 'healthy') {
    const message = health === undefined ? `it runs as process ${pid}` : 'it runs and its healthcheck passes'
    return { type: 'Ready', status: 'True', reason: 'Running', message }
  }
  const reason = health.status === 'starting' ? 'HealthStarting' : 'Unhealthy'
  return {
    type: 'Ready',
    status: 'False',
    reason,
    message: `it runs, but its healthcheck is ${health.status}`,
  }
}

function tellFailure(hold: Hold, container: Container): string {
  const hint = startHint(hold, container)
  return `${hold.action}: ${hold.message}${hint === undefined ? '' : `; ${hint}`}`
}

/** Stalled: trying again is of no use until the object changes. */
function stalled(input: ConditionInput): Draft {
  const { rollout } = input.decision
  if (rollout?.phase === 'RolledBack')
    return { type: 'Stalled', status: 'True', reason: 'RolledBack', message: rollout.message ?? '' }
  const spent = whySpent(input)
  if (spent !== undefined)
    return { type: 'Stalled', status: 'True', reason: 'HealingBudgetSpent', message: spent }
  const hold = holdOf(input)
  const hopeless = hold !== undefined && classify(new StatusError(hold.reason, hold.message)) === 'stall'
  if (hopeless)
    return {
      type: 'Stalled',
      status: 'True',
      reason: hold.reason,
      message: tellFailure(hold, input.container),
    }
  return {
    type: 'Stalled',
    status: 'False',
    reason: 'Progressing',
    message: 'nothing is in the way for good',
  }
}

function whySpent({ container, world, observed }: ConditionInput): string | undefined {
  return observed && tellHold(container, world, observed)
}
