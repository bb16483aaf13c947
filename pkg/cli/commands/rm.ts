/** `cove rm`: Containers that have ended, and with -f any. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { findContainers, type NamedContainer, withoutType } from '../containername.ts'
import { asContainer, gone } from '../containerstate.ts'
import { CliError, errorText, exitCodes, Failed, UsageError } from '../errors.ts'
import { Followed } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import { deleteContainer, getContainer } from '../run/making.ts'
import type { Context } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const { args, io } = context
  const words = withoutType(args.positionals)
  if (words.length === 0) throw new UsageError('name a container', 'rm')
  const timeout = args.text('timeout')
  const timeoutMs = timeout === undefined ? undefined : await parseTimeout(timeout, 'rm')
  const session = await context.session()
  let failed = false
  for (const word of new Set(words)) {
    try {
      const [found] = await findContainers([word], session)
      if (found !== undefined) await remove(found, { force: args.bool('force'), timeoutMs })
      await io.stdout.write(`${found?.name ?? word}\n`)
    } catch (error) {
      if (io.signal.aborted) throw error
      await io.stderr.write(errorText(error))
      failed ||= !(args.bool('force') && isReason(error, 'NotFound'))
    }
  }
  if (failed) throw new Failed()
  return exitCodes.ok
}

interface Removing {
  readonly force: boolean
  readonly timeoutMs: number | undefined
}

async function remove({ name, session }: NamedContainer, { force, timeoutMs }: Removing): Promise<void> {
  const object = await getContainer(session, name)
  const { phase } = asContainer(object).status ?? {}
  if (!force && (phase === 'Running' || phase === 'Paused'))
    throw new CliError(`cannot remove a running container ${name}: stop it first, or use -f`)
  const followed = new Followed(session, builtinResource('Container'), object)
  try {
    await deleteContainer(session, object, force ? 0 : undefined)
    await followed.until(gone, timeoutMs === undefined ? {} : { timeoutMs })
  } finally {
    followed.close()
  }
}
