/** `cove get -w`: what is, then every change, in the same columns. Ends when the server ends the watch. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import { fetchTarget, type Getting, joinTables, namespaceOf } from '../fetching.ts'
import { type Scope, watchRaw } from '../follow.ts'
import { type Json, yamlText } from '../format.ts'
import { dataRows, decodeTable, headerRow, type ServerTable, tableAccept } from '../servertable.ts'
import { type Row, TableWriter } from '../table.ts'
import type { Target } from '../targets.ts'

export async function watchTarget(
  getting: Getting,
  targets: readonly Target[],
  { changesOnly }: { readonly changesOnly: boolean },
): Promise<number> {
  const [target, more] = targets
  if (target === undefined || more !== undefined || (target.names?.length ?? 0) > 1)
    throw new UsageError('--watch takes one type, or one object', 'get')
  const print = getting.format.kind === 'table' ? tablePrinter(getting) : objectPrinter(getting)
  try {
    const resourceVersion = await print.initial(target, changesOnly)
    const scope = watchScope(getting, target)
    const accept = getting.format.kind === 'table' ? { accept: tableAccept } : {}
    for await (const { type, object } of watchRaw(
      scope,
      { resourceVersion, ...accept },
      getting.scope.session,
    )) {
      if (type !== 'BOOKMARK') await print.change(object)
    }
  } catch (error) {
    // Ctrl-C is how a watch is ended.
    if (!isInterrupt(error, getting.io.signal)) throw error
  }
  return exitCodes.ok
}

interface Printer {
  /** Returns the revision to watch from. */
  initial(target: Target, silent: boolean): Promise<string>
  change(object: Json): Promise<void>
}

function tablePrinter({ io, scope, options, headers }: Getting): Printer {
  const writer = new TableWriter()
  let table: ServerTable | undefined
  let headed = !headers
  const show = async (next: ServerTable) => {
    const header: Row[] = headed ? [] : [headerRow(next, options)]
    headed = true
    await io.stdout.write(writer.format([...header, ...dataRows(next, options)]))
  }
  return {
    async initial(target, silent) {
      table = joinTables(await first(target, scope, tableAccept))
      if (table === undefined) return ''
      if (!silent && table.rows.length > 0) await show(table)
      return table.resourceVersion
    },
    async change(object) {
      table = decodeTable(object, table)
      await show(table)
    },
  }
}

function objectPrinter({ io, scope, format }: Getting): Printer {
  const print = async (object: Json) => {
    const text = format.kind === 'objects' ? await format.print(object) : await yamlText(object)
    await io.stdout.write(text)
  }
  return {
    async initial(target, silent) {
      const [body = {}] = await first(target, scope)
      const items = Array.isArray(body['items']) ? body['items'].filter(isPlainObject) : [body]
      if (!silent) for (const item of items) await print(item)
      const metadata = isPlainObject(body['metadata']) ? body['metadata'] : {}
      return String(metadata['resourceVersion'] ?? '')
    },
    change: print,
  }
}

async function first(target: Target, scope: Getting['scope'], accept?: string): Promise<readonly Json[]> {
  const { bodies, failures } = await fetchTarget(target, scope, accept)
  const [failure] = failures
  if (failure !== undefined) throw failure
  return bodies
}

function watchScope({ scope }: Getting, { resource, names }: Target): Scope {
  const [name] = names ?? []
  const { labelSelector, fieldSelector } = scope.query
  const fields = name === undefined ? fieldSelector : `metadata.name=${name}`
  return {
    resource,
    ...namespaceOf(scope),
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fields !== undefined && { fieldSelector: fields }),
  }
}
