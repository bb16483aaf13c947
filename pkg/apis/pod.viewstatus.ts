/** The status of a Container in the words of a Pod's. Pure. */
import { type Condition, findCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from './container.ts'
import type { PodContainerStatus, PodStatus } from './pod.ts'

type State = PodContainerStatus['state']

export function viewStatus(container: Container): PodStatus {
  const { spec, metadata, status = {} } = container
  const state = currentState(container, status)
  const startTime =
    whole(status.startedAt) ?? (spec.nodeName === undefined ? undefined : metadata.creationTimestamp)
  return {
    phase: viewPhase(container, status),
    conditions: viewConditions(container, status),
    ...(status.ip !== undefined && { podIP: status.ip, podIPs: [{ ip: status.ip }] }),
    ...(startTime !== undefined && { startTime }),
    ...(spec.nodeName !== undefined && { containerStatuses: [containerStatus(container, status, state)] }),
    qosClass: qosClass(container),
  }
}

/**
 * One that is started again and again counts as running, as Kubernetes counts it; one that was stopped on request has
 * done what it was asked for.
 */
function viewPhase({ spec }: Container, { phase = 'Pending', lastTermination }: ContainerStatus): string {
  switch (phase) {
    case 'Running':
    case 'Paused':
      return 'Running'
    case 'Stopped':
    case 'Succeeded':
      return 'Succeeded'
    case 'Starting':
      return lastTermination === undefined ? 'Pending' : 'Running'
    case 'Failed':
      return spec.restartPolicy === 'Never' ? 'Failed' : 'Running'
    case 'Unknown':
      return 'Unknown'
    default:
      return 'Pending'
  }
}

function currentState({ spec }: Container, status: ContainerStatus): State {
  const { phase = 'Pending', startedAt, lastTermination } = status
  if (phase === 'Running' || phase === 'Paused') return { running: times({ startedAt }) }
  const over =
    phase === 'Stopped' || phase === 'Succeeded' || (phase === 'Failed' && spec.restartPolicy === 'Never')
  if (over && lastTermination !== undefined) return ended(status, lastTermination)
  const ready = findCondition(status.conditions, 'Ready')
  return { waiting: { reason: ready?.reason ?? 'ContainerCreating', ...message(ready) } }
}

function ended(
  { containerID }: ContainerStatus,
  termination: NonNullable<ContainerStatus['lastTermination']>,
): State {
  const id = containerID === undefined ? {} : { containerID: `docker://${containerID}` }
  return { terminated: { ...termination, ...times(termination), ...id } }
}

/** Kubernetes' times are in whole seconds. */
function whole(time: string | undefined): string | undefined {
  return time === undefined ? undefined : timestamp(Date.parse(time))
}

function times(run: { readonly startedAt?: string | undefined; readonly finishedAt?: string | undefined }) {
  const [startedAt, finishedAt] = [whole(run.startedAt), whole(run.finishedAt)]
  return { ...(startedAt !== undefined && { startedAt }), ...(finishedAt !== undefined && { finishedAt }) }
}

function message(condition: Condition | undefined): { message?: string } {
  return condition === undefined || condition.message === '' ? {} : { message: condition.message }
}

function containerStatus(container: Container, status: ContainerStatus, state: State): PodContainerStatus {
  const { containerID, image, lastTermination, restartCount = 0 } = status
  const last = state.terminated === undefined && lastTermination !== undefined
  return {
    name: container.metadata.name,
    state,
    lastState: last ? ended(status, lastTermination) : {},
    ready: findCondition(status.conditions, 'Ready')?.status === 'True',
    started: state.running !== undefined,
    restartCount,
    image: image?.reference ?? container.spec.image ?? '',
    imageID: image?.digest ?? image?.id ?? '',
    ...(containerID !== undefined && { containerID: `docker://${containerID}` }),
  }
}

function viewConditions({ spec, metadata }: Container, status: ContainerStatus): Condition[] {
  const own = findCondition(status.conditions, 'Ready')
  const since = metadata.creationTimestamp ?? ''
  const placed = spec.nodeName !== undefined
  const isReady = own?.status === 'True'
  const ready = {
    status: isReady ? ('True' as const) : ('False' as const),
    reason: isReady ? '' : (own?.reason ?? 'ContainersNotReady'),
    message: isReady ? '' : (own?.message ?? ''),
    lastTransitionTime: own?.lastTransitionTime ?? since,
  }
  const unplaced = { reason: own?.reason ?? 'Unscheduled', message: own?.message ?? 'it has no node yet' }
  return [
    {
      type: 'PodScheduled',
      status: placed ? 'True' : 'False',
      reason: '',
      message: '',
      ...(!placed && unplaced),
      lastTransitionTime: since,
    },
    { type: 'Initialized', status: 'True', reason: '', message: '', lastTransitionTime: since },
    { type: 'ContainersReady', ...ready },
    { type: 'Ready', ...ready },
  ]
}

/** Kubernetes' classes: a limit that is given is a request too. */
function qosClass({ spec }: Container): string {
  const { limits = {}, requests = {} } = spec.resources ?? {}
  const both = limits.cpu !== undefined && limits.memory !== undefined
  const same =
    (requests.cpu ?? limits.cpu) === limits.cpu && (requests.memory ?? limits.memory) === limits.memory
  if (both && same) return 'Guaranteed'
  const any = [limits.cpu, limits.memory, requests.cpu, requests.memory].some((value) => value !== undefined)
  return any ? 'Burstable' : 'BestEffort'
}
