/** `-p [IP:][HOST:]PORT[/PROTOCOL]`, as Docker reads it, as ports of a Container. Pure. */
import { UsageError } from '../errors.ts'
import { wrong } from './words.ts'

export interface Port {
  readonly containerPort: number
  readonly hostPort?: number
  readonly hostIP?: string
  readonly protocol?: string
}

const form =
  /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):(?=[^:]*:))?(?:(\d+)(?:-(\d+))?:|:)?(\d+)(?:-(\d+))?(?:\/(tcp|udp|sctp))?$/i

/** Ranges are written out: they end where ports do. */
const highestPort = 65_535

export function publishedPorts(texts: readonly string[]): readonly Port[] {
  const ports = texts.flatMap(publishedPort)
  const seen = new Set<string>()
  for (const { containerPort, protocol = 'TCP' } of ports) {
    const key = `${containerPort}/${protocol.toLowerCase()}`
    if (seen.has(key))
      throw new UsageError(
        `port ${key} is published twice; a Container publishes each of its ports once: let the program listen on a second port, or put a proxy before it`,
        'run',
      )
    seen.add(key)
  }
  return ports
}

function publishedPort(text: string): Port[] {
  const match = form.exec(text)
  if (match === null) throw wrong('publish', text, '[IP:][HOST:]PORT[/PROTOCOL] is expected')
  const [, ip6, ip4, host, hostEnd, first = '', last = first, protocol = 'tcp'] = match
  if ([host, hostEnd, first, last].some((port) => Number(port ?? 0) > highestPort))
    throw wrong('publish', text, `ports end at ${highestPort}`)
  const hostIP = ip6 ?? ip4
  const count = Number(last) - Number(first) + 1
  const hosts = host === undefined ? undefined : Number(hostEnd ?? host) - Number(host) + 1
  if (count < 1 || (hosts !== undefined && hosts < 1)) throw wrong('publish', text, 'the range is empty')
  if (hosts !== undefined && hosts !== count)
    throw wrong(
      'publish',
      text,
      'both ranges must be of one length; leave the host port out for any free one',
    )
  return Array.from({ length: count }, (_, index) => ({
    containerPort: Number(first) + index,
    ...(host !== undefined && { hostPort: Number(host) + index }),
    ...(hostIP !== undefined && { hostIP }),
    ...(protocol.toLowerCase() !== 'tcp' && { protocol: protocol.toUpperCase() }),
  }))
}
