/** `cove api-resources`: the kinds that the server has. */
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { discover } from '../discovery.ts'
import { exitCodes } from '../errors.ts'
import type { Context } from '../session.ts'
import { formatTable } from '../table.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const { client, signal } = await open()
  // By name inside a group; the groups keep the server's order.
  const groups = Map.groupBy(await discover(client, signal), ({ group }) => group)
  const resources = [...groups.values()].flatMap((members) =>
    members.sort((a, b) => (a.plural < b.plural ? -1 : 1)),
  )
  if (args.text('output') === 'name') {
    const names = resources.map(({ plural, group }) => (group === '' ? plural : `${plural}.${group}`))
    await io.stdout.write(names.map((name) => `${name}\n`).join(''))
    return exitCodes.ok
  }
  const wide = args.text('output') === 'wide'
  const rows = resources.map((resource) => [
    resource.plural,
    resource.shortNames.join(','),
    apiVersionOf(resource),
    String(resource.namespaced),
    resource.kind,
    ...(wide ? [resource.categories.join(',')] : []),
  ])
  const titles = ['NAME', 'SHORTNAMES', 'APIVERSION', 'NAMESPACED', 'KIND', ...(wide ? ['CATEGORIES'] : [])]
  const header = args.bool('no-headers') ? [] : [titles]
  await io.stdout.write(formatTable([...header, ...rows]))
  return exitCodes.ok
}
