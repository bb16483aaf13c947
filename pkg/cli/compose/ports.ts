/** Published ports of a Compose service, in both of its syntaxes. Pure. */
import { type At, type Fields, integer, list, map, text } from './reading.ts'

const short =
  /^(?:(?:\[([^\]]+)\]|(\d+\.\d+\.\d+\.\d+)):)?(?:(\d+)(?:-(\d+))?:|:)?(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i

/** Ranges are written out: they end where ports do. */
const highestPort = 65_535

export function ports(value: unknown, at: At): Fields {
  const found = list(value, at).flatMap((port) =>
    typeof port === 'object' && port !== null
      ? [longPort(map(port, at), at)]
      : shortPorts(text(port, at), at),
  )
  const byKey = Map.groupBy(found, ({ containerPort, protocol = 'TCP' }) => `${containerPort}/${protocol}`)
  for (const [key, same] of byKey)
    if (same.length > 1) at.note(`${key} is published ${same.length} times; only the first is taken over`)
  const kept = [...byKey.values()].flatMap(([first]) => first ?? [])
  return kept.length === 0 ? {} : { ports: kept }
}

function shortPorts(line: string, at: At): Fields[] {
  const match = short.exec(line)
  const [, ip6, ip4, host, hostEnd, first = '0', last, protocol = 'tcp'] = match ?? []
  if (match === null || [host, hostEnd, first, last].some((port) => Number(port ?? 0) > highestPort)) {
    at.note(`"${line}" is no port that is understood`)
    return []
  }
  const count = Number(last ?? first) - Number(first) + 1
  const hostCount = host === undefined ? 0 : Number(hostEnd ?? host) - Number(host) + 1
  if (hostCount > count)
    at.note(`"${line}" lets the engine choose within a range; here it may choose any free port`)
  return Array.from({ length: Math.max(0, count) }, (_, index) => ({
    containerPort: Number(first) + index,
    ...(hostCount === count && { hostPort: Number(host) + index }),
    ...((ip6 ?? ip4) !== undefined && { hostIP: ip6 ?? ip4 }),
    ...(protocol.toLowerCase() !== 'tcp' && { protocol: protocol.toUpperCase() }),
  }))
}

function longPort(port: Record<string, unknown>, at: At): Fields {
  const { target, published, host_ip: hostIP, protocol, name, mode, ...rest } = port
  for (const key of Object.keys(rest)) at.note(`${key} has no counterpart`)
  if (mode === 'ingress') at.note('a port is published on the node of its container only')
  const range = published !== undefined && text(published, at).includes('-')
  if (range)
    at.note(
      `"${text(published, at)}" lets the engine choose within a range; here it may choose any free port`,
    )
  return {
    ...(name !== undefined && { name: text(name, at) }),
    containerPort: integer(target, at),
    ...(published !== undefined && published !== '' && !range && { hostPort: integer(published, at) }),
    ...(hostIP !== undefined && { hostIP: text(hostIP, at) }),
    ...(protocol !== undefined && protocol !== 'tcp' && { protocol: text(protocol, at).toUpperCase() }),
  }
}
