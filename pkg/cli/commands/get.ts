/** `cove get`: one request for a list, printed as the server's table or as objects. */
import type { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { errorText, exitCodes, UsageError } from '../errors.ts'
import { fetchTarget, type GetScope, type Getting, joinTables } from '../fetching.ts'
import { type Json, listOf, parseFormat } from '../format.ts'
import type { Io } from '../io.ts'
import { dataRows, headerRow, type RowOptions, tableAccept } from '../servertable.ts'
import type { Context } from '../session.ts'
import { formatTable } from '../table.ts'
import { parseTargets, type Target } from '../targets.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const output = args.text('output')
  const format = parseFormat(output, {
    showManagedFields: args.bool('show-managed-fields'),
    command: 'get',
  })
  const session = await open()
  const targets = mergeByResource(await parseTargets(args.positionals, session, 'get'))
  const query = selectors(args.text('selector'), args.text('field-selector'))
  if (args.has('selector') && targets.some(({ names }) => names !== undefined))
    throw new UsageError('a selector cannot be used together with names', 'get')
  const scope: GetScope = {
    session,
    query,
    ...(!args.bool('all-namespaces') && { namespace: session.namespace }),
  }
  const options: RowOptions = {
    wide: format.kind === 'table' && format.wide,
    withNamespace: args.bool('all-namespaces'),
    showLabels: args.bool('show-labels'),
  }
  const getting: Getting = { io, scope, format, options, headers: !args.bool('no-headers') }
  if (args.bool('watch') || args.bool('watch-only')) {
    const { watchTarget } = await import('./getwatch.ts')
    return watchTarget(getting, targets, { changesOnly: args.bool('watch-only') })
  }
  const failures =
    format.kind === 'table'
      ? await printTables(getting, targets)
      : await printObjects(getting, targets, format.print)
  return reportFailures(io, failures, args.bool('ignore-not-found'))
}

async function printTables(getting: Getting, targets: readonly Target[]): Promise<StatusError[]> {
  const { io, scope, options, headers } = getting
  const fetched = await Promise.all(targets.map((target) => fetchTarget(target, scope, tableAccept)))
  const several = targets.length > 1
  const texts = fetched.flatMap(({ target, bodies }) => {
    const table = joinTables(bodies)
    if (table === undefined || table.rows.length === 0) return []
    const rowOptions = {
      ...options,
      withNamespace: options.withNamespace && target.resource.namespaced,
      ...(several && { showKind: target.resource }),
    }
    const header = headers ? [headerRow(table, rowOptions)] : []
    return [formatTable([...header, ...dataRows(table, rowOptions)])]
  })
  const failures = fetched.flatMap((one) => one.failures)
  if (texts.length > 0) await io.stdout.write(texts.join('\n'))
  else if (failures.length === 0) await io.stderr.write(nothingFound(targets, scope))
  return failures
}

async function printObjects(
  { io, scope }: Getting,
  targets: readonly Target[],
  print: (value: Json) => Promise<string> | string,
): Promise<StatusError[]> {
  const fetched = await Promise.all(targets.map((target) => fetchTarget(target, scope)))
  const failures = fetched.flatMap((one) => one.failures)
  const asked = targets.flatMap(({ names }) => names ?? ['*', '*'])
  const objects = fetched.flatMap(({ target, bodies }) =>
    target.names === undefined ? bodies.flatMap((page) => itemsOf(page, target)) : bodies,
  )
  const [only] = objects
  if (asked.length === 1 && only === undefined) return failures
  await io.stdout.write(await print(asked.length === 1 && only !== undefined ? only : listOf(objects)))
  return failures
}

/** The items of a list may leave out what the list says for all of them. */
function itemsOf(page: Json, { resource }: Target): Json[] {
  const { group, version, kind } = resource
  const apiVersion = group === '' ? version : `${group}/${version}`
  const items = Array.isArray(page['items']) ? page['items'].filter(isPlainObject) : []
  return items.map((item) => ({ apiVersion, kind, ...item }))
}

/** `ctr/a ctr/b vol/c` asks for two kinds, not for three tables. */
export function mergeByResource(targets: readonly Target[]): Target[] {
  const merged: Target[] = []
  for (const target of targets) {
    const at = merged.findIndex(({ resource }) => resource === target.resource)
    const before = merged[at]
    if (before?.names === undefined || target.names === undefined) merged.push(target)
    else merged[at] = { ...before, names: [...before.names, ...target.names] }
  }
  return merged
}

function nothingFound(targets: readonly Target[], scope: GetScope): string {
  const inNamespace = targets.every(({ resource }) => resource.namespaced) && scope.namespace !== undefined
  return inNamespace ? `No resources found in ${scope.namespace} namespace.\n` : 'No resources found\n'
}

async function reportFailures(
  io: Io,
  failures: readonly StatusError[],
  ignoreNotFound: boolean,
): Promise<number> {
  const shown = ignoreNotFound ? [] : failures
  for (const failure of shown) await io.stderr.write(errorText(failure))
  return shown.length === 0 ? exitCodes.ok : exitCodes.error
}

function selectors(labels: string | undefined, fields: string | undefined): Record<string, string> {
  return {
    ...(labels !== undefined && { labelSelector: labels }),
    ...(fields !== undefined && { fieldSelector: fields }),
  }
}
