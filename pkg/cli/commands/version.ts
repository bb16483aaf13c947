/** `cove version`: of this program and of the server. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { exitCodes } from '../errors.ts'
import { jsonText, yamlText } from '../format.ts'
import type { Context } from '../session.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const output = args.text('output')
  if (output === undefined) await io.stdout.write(`Client Version: ${io.version}\n`)
  const server = args.bool('client') ? undefined : await serverVersion(open)
  if (output !== undefined) {
    const value = {
      clientVersion: { gitVersion: io.version },
      ...(server !== undefined && { serverVersion: server }),
    }
    await io.stdout.write(output === 'json' ? jsonText(value) : await yamlText(value))
  } else if (server !== undefined) {
    await io.stdout.write(`Server Version: ${String(server['gitVersion'])}\n`)
  }
  return exitCodes.ok
}

async function serverVersion(open: Context['session']): Promise<Record<string, unknown>> {
  const { client, signal } = await open()
  const answer = await client.json({ method: 'GET', path: '/version' }, signal)
  return isPlainObject(answer) ? answer : {}
}
