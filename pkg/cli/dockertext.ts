/** Times, sizes and ports as Docker's commands print them. Pure. */
import type { PublishedPort } from '#pkg/apis/looks.ts'

const units = [
  { name: 'minute', seconds: 60, upTo: 60, one: 'About a minute' },
  { name: 'hour', seconds: 3600, upTo: 48, one: 'About an hour' },
  { name: 'day', seconds: 86_400, upTo: 14, one: '1 day' },
  { name: 'week', seconds: 604_800, upTo: 8.57, one: '1 week' },
  { name: 'month', seconds: 2_592_000, upTo: 24.33, one: '1 month' },
  { name: 'year', seconds: 31_536_000, upTo: Number.POSITIVE_INFINITY, one: '1 year' },
] as const

/** "2 minutes", "About an hour", "3 weeks". */
export function aboutText(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 1) return 'Less than a second'
  if (seconds === 1) return '1 second'
  if (seconds < 60) return `${seconds} seconds`
  for (const { name, seconds: size, upTo, one } of units) {
    const exact = seconds / size
    // Docker rounds hours, and no other unit.
    const count = name === 'hour' ? Math.round(exact) : Math.floor(exact)
    if (count === 1 && exact < upTo) return one
    if (exact < upTo) return `${count} ${name}s`
  }
  return ''
}

const shortLength = 12

/** Of a container or an image: as many digits as Docker shows. What is no id stays as it is. */
export function shortID(id: string): string {
  const digits = id.startsWith('sha256:') ? id.slice('sha256:'.length) : id
  return /^[0-9a-f]{64}$/.test(digits) ? digits.slice(0, shortLength) : id
}

/** "1.758MiB", as `docker stats` shows memory. */
export function binaryText(bytes: number): string {
  return sizeText(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 4)
}

/** "646B", "1.2kB", as `docker stats` shows what went in and out. */
export function decimalText(bytes: number): string {
  return sizeText(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], 3)
}

/** "3.971MB", as `docker system df` shows sizes. */
export function exactText(bytes: number): string {
  return sizeText(bytes, 1000, ['B', 'kB', 'MB', 'GB', 'TB', 'PB'], 4)
}

/** "504Ki", "1.76Mi": a quantity, as exact as three digits are. */
export function quantityText(bytes: number): string {
  return sizeText(bytes, 1024, ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'], 3)
}

function sizeText(bytes: number, base: number, names: readonly string[], digits: number): string {
  let [amount, index] = [bytes, 0]
  while (amount >= base && index < names.length - 1) {
    amount /= base
    index++
  }
  // Like Go's %g: so many digits in all, none of them a zero at the end.
  const text =
    amount >= 10 ** digits ? String(Math.round(amount)) : String(Number(amount.toPrecision(digits)))
  return `${text}${names[index]}`
}

/** "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 53/udp". */
export function portsText(ports: readonly PublishedPort[]): string {
  return ports
    .map(({ containerPort, protocol, ...host }) => {
      const address = addressText(host)
      return `${address === '' ? '' : `${address}->`}${containerPort}/${protocol}`
    })
    .toSorted()
    .join(', ')
}

/** "0.0.0.0:8080"; empty for a port that is not published. */
export function addressText({
  hostIP = '0.0.0.0',
  hostPort,
}: Pick<PublishedPort, 'hostIP' | 'hostPort'>): string {
  if (hostPort === undefined) return ''
  return `${hostIP.includes(':') ? `[${hostIP}]` : hostIP}:${hostPort}`
}
