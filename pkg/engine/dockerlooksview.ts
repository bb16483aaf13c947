/** Docker's answers about containers beside their state, decoded from `unknown` at this border. Pure. */
import { array, type Json, number, object, text, textMap, texts } from './json.ts'
import type {
  ContainerState,
  FileChange,
  ListedContainer,
  ListedPort,
  ProcessTable,
  UsageSample,
} from './looks.ts'

const states: readonly ContainerState[] = [
  'created',
  'running',
  'paused',
  'restarting',
  'removing',
  'exited',
  'dead',
]

/** Podman knows a few more words; `initialized` and `stopped` are the ones that reach this API. */
export function readState(value: unknown): ContainerState {
  const known = states.find((state) => state === value)
  if (known !== undefined) return known
  return value === 'stopped' ? 'exited' : 'created'
}

/** One entry of `GET /containers/json`. */
export function readListed(entry: unknown): ListedContainer {
  const root = object(entry)
  // Links add names such as `/other/alias`; the container's own has one slash.
  const names = texts(root['Names'])
  const own = names.find((name) => name.lastIndexOf('/') <= 0) ?? names[0] ?? ''
  const status = text(root['Status'])
  const health = healthIn(status)
  return {
    id: text(root['Id']),
    name: own.startsWith('/') ? own.slice(1) : own,
    labels: textMap(root['Labels']),
    image: text(root['Image']),
    imageID: text(root['ImageID']),
    command: text(root['Command']),
    createdAt: new Date(number(root['Created']) * 1000).toISOString(),
    state: readState(root['State']),
    status,
    ...(health !== undefined && { health }),
    ports: array(root['Ports']).map(readListedPort),
  }
}

/** The list tells it in words only. */
function healthIn(status: string): ListedContainer['health'] {
  const [, word] = /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(status) ?? []
  return (['starting', 'healthy', 'unhealthy'] as const).find((known) => known === word)
}

function readListedPort(entry: unknown): ListedPort {
  const root = object(entry)
  const [type, hostPort, hostIP] = [text(root['Type']), number(root['PublicPort']), text(root['IP'])]
  return {
    containerPort: number(root['PrivatePort']),
    protocol: type === 'udp' || type === 'sctp' ? type : 'tcp',
    ...(hostPort > 0 && { hostPort }),
    ...(hostIP !== '' && { hostIP }),
  }
}

/** `GET /containers/x/top`. */
export function readProcesses(answer: unknown): ProcessTable {
  const root = object(answer)
  return { titles: texts(root['Titles']), processes: array(root['Processes']).map(texts) }
}

/** `GET /containers/x/stats`, one sample; undefined for a container that does not run. */
export function readSample(answer: unknown): UsageSample | undefined {
  const root = object(answer)
  const at = text(root['read'])
  if (at === '' || at.startsWith('0001-01-01T')) return undefined
  const memory = object(root, 'memory_stats')
  const networks = Object.values(object(root, 'networks')).map((network) => object(network))
  const sum = (key: string) => networks.reduce((total, network) => total + number(network[key]), 0)
  const blocks = array(object(root, 'blkio_stats')['io_service_bytes_recursive']).map((entry) =>
    object(entry),
  )
  return {
    at,
    cpuNanoseconds: number(object(root, 'cpu_stats', 'cpu_usage')['total_usage']),
    memoryBytes: memoryInUse(memory),
    memoryLimitBytes: number(memory['limit']),
    networkReceivedBytes: sum('rx_bytes'),
    networkSentBytes: sum('tx_bytes'),
    blockReadBytes: sumOf(blocks, 'read'),
    blockWrittenBytes: sumOf(blocks, 'write'),
    pids: number(object(root, 'pids_stats')['current']),
  }
}

/** The first version of control groups says `total_inactive_file`, the second `inactive_file`; both count it in `usage`. */
function memoryInUse(memory: Json): number {
  const usage = number(memory['usage'])
  const stats = object(memory, 'stats')
  const inactive = number(stats['total_inactive_file'] ?? stats['inactive_file'])
  return inactive < usage ? usage - inactive : usage
}

/** `Read` in the first version, `read` in the second. */
function sumOf(blocks: readonly Json[], operation: string): number {
  return blocks
    .filter(({ op }) => text(op).toLowerCase() === operation)
    .reduce((total, { value }) => total + number(value), 0)
}

const changeKinds = ['Modified', 'Added', 'Deleted'] as const

/** `GET /containers/x/changes`: null when there are none. By path: engines tell them in any order. */
export function readChanges(answer: unknown): FileChange[] {
  const changes = array(answer).map((entry): FileChange => {
    const { Path, Kind } = object(entry)
    return { path: text(Path), kind: changeKinds[number(Kind)] ?? 'Modified' }
  })
  return changes.sort((a, b) => (a.path < b.path ? -1 : 1))
}
