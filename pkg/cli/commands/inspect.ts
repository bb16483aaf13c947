/** `cove inspect`: what the engine itself says of containers, as one JSON list, as `docker inspect` prints it. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { UsageError } from '../errors.ts'
import { type Json, parseFormat } from '../format.ts'
import { eachContainer, look } from '../looking.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const output = args.text('output')
  const format =
    output === undefined ? undefined : parseFormat(output, { showManagedFields: true, command: 'inspect' })
  if (format?.kind === 'table' || output === 'name')
    throw new UsageError(`unknown output format "${output}": one of json, yaml, jsonpath=TEMPLATE`, 'inspect')
  const found: Json[] = []
  const exitCode = await eachContainer(context, 'inspect', async (container) => {
    const raw = await look(container, 'inspect')
    if (isPlainObject(raw)) found.push(raw)
  })
  if (format === undefined) await io.stdout.write(`${JSON.stringify(found, null, 4)}\n`)
  else for (const one of found) await io.stdout.write(await format.print(one))
  return exitCode
}
