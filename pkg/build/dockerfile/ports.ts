/** Ports as EXPOSE takes them: `80`, `53/udp`, `8000-8010/tcp`; the engine also takes what `docker run -p` takes. */

const protocols: ReadonlySet<string> = new Set(['tcp', 'udp', 'sctp'])

export function isPortSpec(text: string): boolean {
  const [ports = '', protocol = 'tcp', ...more] = text.split('/')
  if (more.length > 0 || !protocols.has(protocol.toLowerCase())) return false
  const container = ports.split(':').at(-1) ?? ''
  return isRange(container)
}

function isRange(text: string): boolean {
  const [first = '', last = first, ...more] = text.split('-')
  if (more.length > 0 || !isPort(first) || !isPort(last)) return false
  return Number(first) <= Number(last)
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}
