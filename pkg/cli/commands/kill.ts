/** `cove kill`: a signal to the processes of containers. What follows of it is the restart policy's business. */
import { objectPath } from '#pkg/apis/paths.ts'
import { eachContainer } from '../looking.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'

export function run(context: Context): Promise<number> {
  const { io, args } = context
  const query = { signal: args.text('signal') ?? 'KILL' }
  return eachContainer(context, 'kill', async ({ name, session }) => {
    const { client, signal, namespace } = session
    const path = `${objectPath(builtinResource('Container'), { namespace, name })}/kill`
    await client.json({ method: 'POST', path, query }, signal)
    await io.stdout.write(`${name}\n`)
  })
}
