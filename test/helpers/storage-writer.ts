/**
 * The process that storage-crash.test.ts kills: 64 writers on one database, each acknowledged change printed as one
 * line of JSON. Arguments: path of the database, number of the round. Begins when a line comes in on stdin.
 */
import { once } from 'node:events'
import type { WriteResult } from '#pkg/storage/port.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'

/** `value` is absent for a deletion. */
export interface Acknowledged {
  readonly key: string
  readonly revision: number
  readonly value?: string
}

const [path = '', round = ''] = process.argv.slice(2)
await once(process.stdin, 'data')
const storage = await openSqliteStorage({ path, startWorker: startSourceWorker, keepRevisions: 3_000 })

function acknowledge(result: WriteResult, key: string, value?: string): void {
  if (!result.ok) return
  const line: Acknowledged = { key, revision: result.revision, ...(value === undefined ? {} : { value }) }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** Mostly its own key, sometimes gone and made again, sometimes a key that all writers fight for. */
async function change(writer: number, turn: number): Promise<void> {
  const key = turn % 5 === 4 ? '/shared' : `/own/${writer}`
  const value = `${round}-${writer}-${turn}-${'x'.repeat(turn % 400)}`
  const current = await storage.get(key)
  if (current === undefined) acknowledge(await storage.create(key, value), key, value)
  else if (turn % 7 === 6) acknowledge(await storage.delete(key, current.revision), key)
  else acknowledge(await storage.update(key, value, current.revision), key, value)
}

async function write(writer: number): Promise<never> {
  for (let turn = 0; ; turn++) await change(writer, turn)
}

await Promise.all(Array.from({ length: 64 }, (_, writer) => write(writer)))
