/** What a simulated engine answers about containers beside their state. Pure. */
import { humanDuration } from '#pkg/apimachinery/quantity.ts'
import type { ListedContainer, ProcessTable, UsageSample } from './looks.ts'
import { commandOf, isUp, labelsOf, type SimContainer } from './simcontainer.ts'

/** What the processes of a container use, all the time that they run. */
export interface SimUsage {
  /** Cores. */
  readonly cpus: number
  readonly memoryBytes: number
}

export const idleUsage: SimUsage = { cpus: 0.01, memoryBytes: 1024 ** 2 }

export function listed(container: SimContainer, now: number): ListedContainer {
  const { id, name, create, image, state, createdAt, published } = container
  const health = isUp(container) ? container.process?.health?.status : undefined
  return {
    id,
    name,
    labels: labelsOf(container),
    image: create.image,
    imageID: image.id,
    command: commandOf(create, image).join(' '),
    createdAt: new Date(createdAt).toISOString(),
    state,
    status: statusWords(container, now, health),
    ...(health !== undefined && { health }),
    ports: isUp(container) ? published : [],
  }
}

function statusWords(container: SimContainer, now: number, health: string | undefined): string {
  const { state, startedAt = now, finishedAt = now, exitCode } = container
  if (state === 'created') return 'Created'
  if (state === 'exited') return `Exited (${exitCode}) ${humanDuration(now - finishedAt)} ago`
  const note = state === 'paused' ? 'Paused' : health === 'starting' ? 'health: starting' : health
  return `Up ${humanDuration(now - startedAt)}${note === undefined ? '' : ` (${note})`}`
}

/** As `ps -ef` prints it, whatever was asked for. */
export function processesOf({ pid, create, image }: SimContainer): ProcessTable {
  return {
    titles: ['UID', 'PID', 'CMD'],
    processes: [['root', String(pid), commandOf(create, image).join(' ')]],
  }
}

export function sampleOf(
  { startedAt = 0, limits }: SimContainer,
  now: number,
  { cpus, memoryBytes, machineBytes }: SimUsage & { readonly machineBytes: number },
): UsageSample {
  return {
    at: new Date(now).toISOString(),
    cpuNanoseconds: Math.round((now - startedAt) * 1e6 * cpus),
    memoryBytes,
    memoryLimitBytes: limits.memoryBytes || machineBytes,
    networkReceivedBytes: 0,
    networkSentBytes: 0,
    blockReadBytes: 0,
    blockWrittenBytes: 0,
    pids: 1,
  }
}

const numbers: Readonly<Record<string, string>> = { '1': 'HUP', '2': 'INT', '9': 'KILL', '15': 'TERM' }
const known = ['HUP', 'INT', 'QUIT', 'KILL', 'USR1', 'USR2', 'TERM', 'STOP', 'CONT', 'WINCH']

/** The name without SIG; undefined when there is no such signal. */
export function signalName(signal: string): string | undefined {
  const name = numbers[signal] ?? signal.toUpperCase().replace(/^SIG/, '')
  return known.includes(name) ? name : undefined
}
