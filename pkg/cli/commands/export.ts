/** `cove export`: all files of a container as one tar archive, to a file or to whoever reads the output. */
import { objectPath } from '#pkg/apis/paths.ts'
import { exitCodes } from '../errors.ts'
import { mustNotBeTerminal, writeArchive } from '../images/archives.ts'
import { oneContainer } from '../looking.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const file = args.text('output')
  const destination = { ...(file !== undefined && { file }), gzip: false }
  mustNotBeTerminal(io, destination)
  const { name, session } = await oneContainer(context, 'export')
  const { client, signal, namespace } = session
  const path = `${objectPath(builtinResource('Container'), { namespace, name })}/export`
  const { body } = await client.stream({ method: 'GET', path, headers: { accept: '*/*' } }, signal)
  await writeArchive(io, body, destination)
  return exitCodes.ok
}
