/**
 * From the schema a database has to the one this version writes. An older one is brought up in one transaction: all
 * of it or nothing, whatever happens meanwhile. A newer one is refused before anything is written to the file.
 */
import type { DatabaseSync } from 'node:sqlite'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { applicationId } from './sqliteschema.ts'

/** One step, from the version before it. */
export interface Migration {
  readonly to: number
  /** The first version of Cove that knows the schema, such as 0.2.0: what an older one tells its user. */
  readonly needs: string
  readonly sql: string
}

/** The file's own word; 0 for an empty one. Throws InternalError when it is a database of somebody else. */
export function readSchemaVersion(db: DatabaseSync, path: string): { fresh: boolean; version: number } {
  const tables = pragma(db, 'SELECT count(*) AS value FROM sqlite_schema')
  const application = pragma(db, 'SELECT application_id AS value FROM pragma_application_id')
  const version = pragma(db, 'SELECT user_version AS value FROM pragma_user_version')
  if (tables === 0 && application === 0 && version === 0) return { fresh: true, version }
  if (application !== applicationId) throw new StatusError('InternalError', `${path} is not a cove database`)
  return { fresh: false, version }
}

/** Throws InternalError, with nothing written, unless `migrations` lead from `version` to `target`. */
export function checkSchemaVersion(
  db: DatabaseSync,
  path: string,
  { version, target, migrations }: { version: number; target: number; migrations: readonly Migration[] },
): void {
  if (version > target) {
    const needs = neededVersion(db)
    const wanted = needs === undefined ? 'a newer cove' : `cove ${needs} or newer`
    const message = `${path} has schema version ${version}; this cove knows version ${target}: it needs ${wanted}`
    throw new StatusError('InternalError', message)
  }
  for (let next = version + 1; next <= target; next++) {
    if (migrations.some(({ to }) => to === next)) continue
    const message = `${path} has schema version ${version}, which this cove no longer knows: open it with an older cove first`
    throw new StatusError('InternalError', message)
  }
}

/** Returns whether anything had to be done. */
export function migrate(db: DatabaseSync, version: number, migrations: readonly Migration[]): boolean {
  const steps = migrations.filter(({ to }) => to > version).sort((one, other) => one.to - other.to)
  const last = steps.at(-1)
  if (last === undefined) return false
  db.exec('BEGIN EXCLUSIVE')
  try {
    for (const { sql } of steps) db.exec(sql)
    db.prepare(`INSERT OR REPLACE INTO about (name, value) VALUES ('needs', ?)`).run(last.needs)
    db.exec(`PRAGMA user_version = ${last.to}; COMMIT`)
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK')
    throw error
  }
  return true
}

function neededVersion(db: DatabaseSync): string | undefined {
  const tables = pragma(db, `SELECT count(*) AS value FROM sqlite_schema WHERE name = 'about'`)
  if (tables === 0) return undefined
  const value = db.prepare(`SELECT value FROM about WHERE name = 'needs'`).get()?.['value']
  return value === undefined ? undefined : String(value)
}

function pragma(db: DatabaseSync, query: string): number {
  return Number(db.prepare(query).get()?.['value'])
}
