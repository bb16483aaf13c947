/** `cove port`: where the ports of a container are published on its node, as `docker port` prints it. */
import { decodePorts } from '#pkg/apis/looks.ts'
import { addressText } from '../dockertext.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { look, oneContainer } from '../looking.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io } = context
  const { rest, ...container } = await oneContainer(context, 'port', 1)
  const [wanted] = rest
  const asked = wanted === undefined ? undefined : parsePort(wanted)
  const ports = decodePorts(await look(container, 'ports'))
  if (asked === undefined) {
    const lines = ports.map((port) => `${port.containerPort}/${port.protocol} -> ${addressText(port)}\n`)
    await io.stdout.write(lines.join(''))
    return exitCodes.ok
  }
  const found = ports.filter((port) => port.containerPort === asked.port && port.protocol === asked.protocol)
  if (found.length === 0) throw new CliError(`no public port '${wanted}' published for ${container.name}`)
  await io.stdout.write(found.map((port) => `${addressText(port)}\n`).join(''))
  return exitCodes.ok
}

function parsePort(text: string): { readonly port: number; readonly protocol: string } {
  const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(text) ?? []
  if (port === undefined)
    throw new UsageError(`invalid port "${text}": PORT or PORT/PROTOCOL is expected`, 'port')
  return { port: Number(port), protocol }
}
