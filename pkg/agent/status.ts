/**
 * The status of one Container, computed once per pass from what was desired, decided and observed. Pure: the same
 * inputs give the same status, and a status that did not change is not written.
 */
import { setCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { conditionsOf } from './conditions.ts'
import { adoptedBy } from './container.adopt.ts'
import { currentContainer } from './container.cast.ts'
import { endingOf } from './container.ending.ts'
import { hasFinished } from './container.heal.ts'
import { reportHealing } from './container.healing.ts'
import { isAlive, previousStatus } from './container.look.ts'
import { reportRestart } from './container.restart.ts'
import { reportRollout } from './container.rollout.ts'
import { digestOf, findImage, pullOf, wantedImage } from './image.ts'
import { linkedBy } from './links.ts'
import { restartState } from './restart.ts'
import { reportDifferences } from './status.differences.ts'
import { reportNext } from './status.next.ts'
import type { ReportInput } from './world.ts'

export function reportContainer(input: ReportInput): ContainerStatus {
  const { container, world } = input
  const previous = previousStatus(container, world)
  const observed = currentContainer(container, world)
  const seen = observed === undefined ? {} : reportObserved(input, observed, previous)
  const phase = phaseOf(input, observed)
  const conditions = conditionsOf({ ...input, observed, phase })
  return {
    phase,
    observedGeneration: container.metadata.generation ?? 0,
    nodeName: world.nodeName,
    ...reportLinks(input),
    ...reportImage(input, observed),
    ...seen,
    ...reportAction(input, previous),
    ...adoptedBy(container, input.decision, world),
    ...reportRestart(container, observed, previous),
    ...reportRollout(input),
    ...reportHealing(container, world, observed),
    ...reportDifferences(input, observed),
    ...reportNext(input, observed),
    conditions: conditions.reduce(
      (list, next) => setCondition(list, next, world.now),
      // What is not the case any more is not said any more, such as the health of one that had a check.
      (previous?.conditions ?? []).filter(({ type }) => conditions.some((each) => each.type === type)),
    ),
  }
}

function reportLinks({ container, world }: ReportInput): Partial<ContainerStatus> {
  const links = linkedBy(container, world)
  return links.length === 0 ? {} : { linkedBy: links }
}

type Phase = NonNullable<ContainerStatus['phase']>

function phaseOf({ container, decision }: ReportInput, observed: ObservedContainer | undefined): Phase {
  if (observed !== undefined && isAlive(observed)) return observed.state === 'paused' ? 'Paused' : 'Running'
  if (container.spec.state === 'Stopped') return 'Stopped'
  if (decision.waiting?.reason === 'Pulling') return 'Pulling'
  if (container.spec.state === 'Created' && observed?.state === 'created') return 'Created'
  if (observed === undefined) return 'Pending'
  if (hasFinished(container, observed)) return observed.exitCode === 0 ? 'Succeeded' : 'Failed'
  if (decision.waiting === undefined) return 'Starting'
  return observed.state === 'exited' ? 'Failed' : 'Pending'
}

function reportObserved(
  { container, decision, world }: ReportInput,
  observed: ObservedContainer,
  previous: ContainerStatus | undefined,
): Partial<ContainerStatus> {
  const { restartCount, crashStreak } = restartState(previous, observed, world.asked.get(observed.id))
  const waitsForRestart = decision.wakeAt !== undefined && !hasFinished(container, observed)
  return {
    containerID: observed.id,
    fingerprint: observed.labels[engineLabels.fingerprint] ?? '',
    effectiveCommand: [...observed.command],
    restartCount,
    // An end that was asked for is no crash: Running again means at once.
    crashStreak: container.spec.state === 'Stopped' || isBack(decision, previous) ? 0 : crashStreak,
    ports: observed.ports.map(reportPort),
    ...(observed.pid > 0 && { pid: observed.pid }),
    ...(observed.startedAt !== undefined && { startedAt: observed.startedAt }),
    ...(observed.finishedAt !== undefined && { finishedAt: observed.finishedAt }),
    ...(!isAlive(observed) &&
      observed.state === 'exited' && { exitCode: observed.exitCode, oomKilled: observed.oomKilled }),
    ...(waitsForRestart && decision.wakeAt !== undefined && { nextRestartAt: timestamp(decision.wakeAt) }),
    ...reportAddress(container, addressHolder(observed, world)),
    ...reportTermination({ container, world }, observed, previous),
    ...reportHealth(observed, previous),
  }
}

/** It stopped for a successor that was not good, and serves again. */
function isBack({ rollout }: ReportInput['decision'], previous: ContainerStatus | undefined): boolean {
  return rollout?.phase === 'RolledBack' && previous?.rollout?.phase !== 'RolledBack'
}

function reportPort(port: ObservedContainer['ports'][number]): NonNullable<ContainerStatus['ports']>[number] {
  const protocols = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' } as const
  const { containerPort, hostPort = 0, hostIP = '0.0.0.0', protocol } = port
  return { containerPort, hostPort, hostIP, protocol: protocols[protocol] }
}

/** Whoever shares the network of another container has its address. */
function addressHolder(observed: ObservedContainer, world: ReportInput['world']): ObservedContainer {
  const [mode, id] = observed.networkMode.split(':')
  const owner = mode === 'container' ? world.observed.containers.find((one) => one.id === id) : undefined
  return owner === undefined ? observed : addressHolder(owner, world)
}

/** The address in the first network of the spec, else in whichever it has. */
function reportAddress({ spec }: Container, observed: ObservedContainer): Partial<ContainerStatus> {
  const first = spec.networks[0]?.name
  const attachment =
    observed.networks.find(({ network }) => first !== undefined && network.endsWith(first)) ??
    observed.networks[0]
  return attachment === undefined || attachment.ip === '' ? {} : { ip: attachment.ip }
}

function reportTermination(
  { container, world }: Pick<ReportInput, 'container' | 'world'>,
  observed: ObservedContainer,
  previous: ContainerStatus | undefined,
): Partial<ContainerStatus> {
  const neverStarted = observed.state === 'created' && observed.error !== ''
  if (observed.state !== 'exited' && !neverStarted) {
    return previous?.lastTermination === undefined ? {} : { lastTermination: previous.lastTermination }
  }
  const log = (world.observed.logTails.get(observed.id) ?? []).slice(-20)
  const { reason, message } = endingOf(observed, container.spec, log)
  return {
    lastTermination: {
      exitCode: observed.exitCode,
      reason,
      ...(message !== undefined && { message }),
      ...(log.length > 0 && { log }),
      ...(observed.startedAt !== undefined && { startedAt: observed.startedAt }),
      ...(observed.finishedAt !== undefined && { finishedAt: observed.finishedAt }),
    },
  }
}

/** Checks go on all the time; the log moves with the result only, so that an idle node writes nothing. */
function reportHealth(
  observed: ObservedContainer,
  previous: ContainerStatus | undefined,
): Partial<ContainerStatus> {
  const { health } = observed
  if (health === undefined) return {}
  const before = previous?.health
  const unchanged =
    before?.status === health.status && before.failingStreak === health.failingStreak && before.log.length > 0
  return { health: unchanged ? before : { ...health, log: health.log.map((probe) => ({ ...probe })) } }
}

function reportImage(
  { container, world }: ReportInput,
  observed: ObservedContainer | undefined,
): Partial<ContainerStatus> {
  const reference = observed?.image ?? wantedImage(container)
  const image =
    world.observed.images.find(({ id }) => id === observed?.imageID) ??
    findImage(world.observed.images, reference)
  const pull = pullOf(container, world)
  const layers = pull?.running === true ? pull.layers : []
  const digest = image === undefined ? undefined : digestOf(image, reference)
  return {
    image: {
      reference,
      ...(image !== undefined && { id: image.id }),
      ...(digest !== undefined && { digest }),
      ...(layers.length > 0 && {
        layers: layers.map(({ layer, ...progress }) => ({ id: layer, ...progress })),
      }),
    },
  }
}

function reportAction(
  { lastAction }: ReportInput,
  previous: ContainerStatus | undefined,
): Partial<ContainerStatus> {
  if (lastAction === undefined)
    return previous?.lastAction === undefined ? {} : { lastAction: previous.lastAction }
  const { time, action, cause } = lastAction
  return { lastAction: { time: timestamp(time), action, cause } }
}
