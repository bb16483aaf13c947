/** `cove logout`: the namespace shows the registry no credentials any more. */
import { exitCodes, UsageError } from '../errors.ts'
import { registryNamed } from '../images/server.ts'
import { withoutLogin } from '../images/stored.ts'
import type { Context } from '../session.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const [server, more] = args.positionals
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'logout')
  const registry = registryNamed(server, 'logout')
  const session = await open()
  const was = await withoutLogin(registry, session)
  const what = was ? `Removing login credentials for ${registry}` : `Not logged in to ${registry}`
  await io.stdout.write(`${what}\n`)
  return exitCodes.ok
}
