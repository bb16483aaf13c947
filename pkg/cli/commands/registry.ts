/** `cove registry catalog|tags`: what a registry holds, asked through a node. */
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { decodeNames } from '#pkg/apis/looks.registry.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { type Json, listOf, parseFormat } from '../format.ts'
import { askRegistry } from '../images/asknode.ts'
import { loginHeaders } from '../images/login.ts'
import { registryNamed } from '../images/server.ts'
import type { Context, Session } from '../session.ts'

export async function catalog(context: Context): Promise<number> {
  const command = 'registry catalog'
  const server = registryNamed(onlyOne(context, 'a registry', command), command)
  const print = printer(context, { kind: 'Repository', command })
  const session = await context.session()
  return await print(await repositoriesOf(server, context, session))
}

export async function tags(context: Context): Promise<number> {
  const command = 'registry tags'
  const repository = onlyOne(context, 'a repository', command)
  const parsed = parseReference(repository)
  if (!parsed.ok) throw new UsageError(`"${repository}": ${parsed.message}`, command)
  const print = printer(context, { kind: 'Tag', command })
  const session = await context.session()
  return await print(await tagsOf(repository, context, session))
}

export async function repositoriesOf(
  server: string,
  { args }: Context,
  session: Session,
): Promise<readonly string[]> {
  const headers = await loginHeaders(`${server}/any`, args, session)
  return decodeNames(await askRegistry({ what: 'catalog', query: { server }, headers }, args, session))
}

export async function tagsOf(
  reference: string,
  { args }: Context,
  session: Session,
): Promise<readonly string[]> {
  const headers = await loginHeaders(reference, args, session)
  return decodeNames(await askRegistry({ what: 'tags', query: { reference }, headers }, args, session))
}

function onlyOne({ args }: Context, what: string, command: string): string {
  const [word, more] = args.positionals
  if (word === undefined || more !== undefined) throw new UsageError(`name ${what}`, command)
  return word
}

/** Throws UsageError for a format that there is not, before anybody is asked. */
function printer(
  { args, io }: Context,
  { kind, command }: { readonly kind: string; readonly command: string },
): (names: readonly string[]) => Promise<number> {
  const output = args.text('output')
  const format = parseFormat(output, { showManagedFields: true, command })
  const asObject = (name: string): Json => ({ apiVersion: 'cove.run/v1', kind, name })
  return async (names) => {
    const text =
      format.kind === 'objects' && output !== 'name'
        ? await format.print(listOf(names.map(asObject)))
        : names.map((name) => `${name}\n`).join('')
    await io.stdout.write(text)
    return exitCodes.ok
  }
}
