/** What of a Compose service's `deploy` one container can have. Pure. */
import { ownValue } from '#pkg/apimachinery/hash.ts'
import { type At, bytes, type Fields, integer, map, type Turn, text } from './reading.ts'

const conditions: Readonly<Record<string, string>> = {
  any: 'Always',
  none: 'Never',
  'on-failure': 'OnFailure',
}
const orders: Readonly<Record<string, string>> = { 'start-first': 'StartFirst', 'stop-first': 'StopFirst' }

const parts: Readonly<Record<string, Turn>> = {
  resources,
  restart_policy: (value, at) => {
    const restartPolicy = conditions[text(map(value, at)['condition'] ?? 'any', at)]
    return restartPolicy === undefined ? {} : { restartPolicy }
  },
  update_config: (value, at) => {
    const { order, monitor } = map(value, at)
    const update = {
      ...(order !== undefined && { order: orders[text(order, at)] ?? 'Auto' }),
      ...(monitor !== undefined && { monitor: text(monitor, at) }),
    }
    return Object.keys(update).length === 0 ? {} : { update }
  },
  // Read by the project, which makes as many containers.
  replicas: () => ({}),
}

export function deploy(value: unknown, at: At): Fields {
  const found = Object.entries(map(value, at)).flatMap(([key, part]) => {
    const turn = ownValue(parts, key)
    if (turn === undefined) at.note(`${key} has no counterpart`)
    return Object.entries(turn?.(part, at) ?? {})
  })
  return Object.fromEntries(found)
}

export function replicasOf(value: unknown, at: At): number {
  const { replicas } = map(value, at)
  return replicas === undefined ? 1 : integer(replicas, at)
}

function resources(value: unknown, at: At): Fields {
  const { limits, reservations } = map(value, at)
  return {
    resources: {
      ...(limits !== undefined && { limits: amounts(limits, at) }),
      ...(reservations !== undefined && { requests: amounts(reservations, at) }),
    },
  }
}

function amounts(value: unknown, at: At): Fields {
  const { cpus, memory, pids, ...rest } = map(value, at)
  for (const key of Object.keys(rest)) at.note(`resources: ${key} has no counterpart`)
  return {
    ...(cpus !== undefined && { cpu: text(cpus, at) }),
    ...(memory !== undefined && { memory: bytes(memory, at) }),
    ...(pids !== undefined && { pids: integer(pids, at) }),
  }
}
