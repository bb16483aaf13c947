/** `cove changes`: what was added (A), changed (C) and deleted (D) in a container since it was made of its image. */
import { decodeChanges } from '#pkg/apis/looks.ts'
import { exitCodes } from '../errors.ts'
import { look, oneContainer } from '../looking.ts'
import type { Context } from '../session.ts'

const letters: Readonly<Record<string, string>> = { Added: 'A', Deleted: 'D', Modified: 'C' }

export async function run(context: Context): Promise<number> {
  const changes = decodeChanges(await look(await oneContainer(context, 'changes'), 'changes'))
  await context.io.stdout.write(changes.map(({ kind, path }) => `${letters[kind] ?? '?'} ${path}\n`).join(''))
  return exitCodes.ok
}
