/** `cove commit`: an image of the node made of a container's files and settings. */
import { decodeCommit } from '#pkg/apis/looks.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { exitCodes } from '../errors.ts'
import { oneContainer } from '../looking.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const { name, session, rest } = await oneContainer(context, 'commit', 1)
  const { client, signal, namespace } = session
  const [reference] = rest
  const query = new URLSearchParams(args.list('change').map((change) => ['change', change]))
  if (reference !== undefined) query.set('reference', reference)
  for (const flag of ['author', 'message'] as const) {
    const value = args.text(flag)
    if (value !== undefined) query.set(flag, value)
  }
  if (args.has('pause')) query.set('pause', String(args.bool('pause')))
  const path = `${objectPath(builtinResource('Container'), { namespace, name })}/commit`
  const { image, skipped } = decodeCommit(await client.json({ method: 'POST', path, query }, signal))
  await io.stdout.write(`${image}\n`)
  if (skipped.length > 0)
    await io.stderr.write(`Warning: what is mounted at ${skipped.join(', ')} is not in the image\n`)
  return exitCodes.ok
}
