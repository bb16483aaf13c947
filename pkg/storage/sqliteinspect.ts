/**
 * Looks at a store's file while no server has it open: whether it is whole, what it holds, and what may safely be
 * mended. Nothing is written but by `repairDatabase`; an older schema is read as it is. Everything throws InUse while
 * a server runs on the file, and InternalError for a file that is no store of a known schema.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { StoredRecord } from './port.ts'
import { translateOpening } from './sqliteerrors.ts'
import { checkSchemaVersion, readSchemaVersion } from './sqlitemigrate.ts'
import { migrations, schemaVersion } from './sqliteschema.ts'

export interface StoreFinding {
  readonly what: string
  /** `repairDatabase` mends it without losing anything. */
  readonly repairable: boolean
}

export interface Inspection {
  readonly schemaVersion: number
  /** Of the last change. */
  readonly revision: number
  readonly compacted: number
  readonly findings: readonly StoreFinding[]
  /** The current values, as stored: what is sealed is sealed. Empty when the file is too damaged to be read. */
  readonly records: readonly StoredRecord[]
}

/** Enough to see what a value was sealed with. */
const outlineLength = 64

const superseded = `EXISTS (SELECT 1 FROM log AS newer WHERE newer.key = entry.key AND newer.previous = entry.revision)`
const withPrevious = `log AS entry LEFT JOIN log AS before ON before.revision = entry.previous`

/** Each selects `id`, of what is wrong. */
const rules: readonly { readonly what: string; readonly sql: string; readonly repairable?: true }[] = [
  {
    what: 'a key without any change',
    sql: 'SELECT key AS id FROM keys WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.key = keys.id)',
    repairable: true,
  },
  {
    what: 'a change of a key that is not there',
    sql: 'SELECT revision AS id FROM log WHERE NOT EXISTS (SELECT 1 FROM keys WHERE keys.id = log.key)',
  },
  {
    what: 'a change that is not after the one before it',
    sql: 'SELECT revision AS id FROM log WHERE previous >= revision OR previous < 0',
  },
  {
    what: 'a change whose previous one is missing',
    sql: `SELECT entry.revision AS id FROM ${withPrevious}
          WHERE entry.previous != 0 AND before.revision IS NULL AND entry.revision > :compacted
            AND (entry.previous > :compacted OR entry.created = 0)`,
  },
  {
    what: 'a change whose previous one is of another key',
    sql: `SELECT entry.revision AS id FROM ${withPrevious} WHERE before.key != entry.key`,
  },
  {
    what: 'a creation of something that was there',
    sql: `SELECT entry.revision AS id FROM ${withPrevious} WHERE entry.created = 1 AND before.deleted = 0`,
  },
  {
    what: 'an update or deletion of something that was not there',
    sql: `SELECT entry.revision AS id FROM ${withPrevious}
          WHERE entry.created = 0 AND (entry.previous = 0 OR before.deleted = 1)`,
  },
  {
    what: 'a deletion with a value',
    sql: `SELECT revision AS id FROM log WHERE deleted = 1 AND (created = 1 OR value != '')`,
  },
  {
    what: 'a key with several last changes',
    sql: `SELECT key AS id FROM log AS entry WHERE NOT ${superseded} GROUP BY key HAVING count(*) > 1`,
  },
]

export function inspectDatabase(path: string): Inspection {
  using db = openUnchanged(path)
  const { version } = readSchemaVersion(db, path)
  try {
    const compacted = numberOf(db, `SELECT value FROM meta WHERE name = 'compacted'`)
    const last = numberOf(db, 'SELECT coalesce(max(revision), 0) AS value FROM log')
    const findings = [...integrity(db), ...rules.flatMap((rule) => found(db, rule, compacted))]
    const revision = Math.max(last, compacted)
    return { schemaVersion: version, revision, compacted, findings, records: currentRecords(db) }
  } catch (error) {
    const what = `${path} cannot be read: ${messageOf(error)}`
    return {
      schemaVersion: version,
      revision: 0,
      compacted: 0,
      findings: [{ what, repairable: false }],
      records: [],
    }
  }
}

/** The same without the checks and with only the beginning of every value: fast, of a copy known to be whole. */
export function outlineDatabase(path: string): Omit<Inspection, 'findings'> {
  using db = openUnchanged(path)
  const compacted = numberOf(db, `SELECT value FROM meta WHERE name = 'compacted'`)
  const last = numberOf(db, 'SELECT coalesce(max(revision), 0) AS value FROM log')
  return {
    schemaVersion: readSchemaVersion(db, path).version,
    revision: Math.max(last, compacted),
    compacted,
    records: currentRecords(db, `substr(value, 1, ${outlineLength})`),
  }
}

/** Removes keys that nothing belongs to and makes the indexes anew. */
export function repairDatabase(path: string): void {
  using db = openUnchanged(path)
  db.exec(`REINDEX; DELETE FROM keys WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.key = keys.id)`)
}

/** As FileStorage.copyTo, of a store that nobody has open. */
export function copyDatabase(path: string, to: string): void {
  using db = openUnchanged(path)
  closeSync(openSync(to, 'wx', 0o600))
  try {
    db.prepare('VACUUM INTO ?').run(to)
  } catch (error) {
    throw translateOpening(error, path)
  }
}

function openUnchanged(path: string): DatabaseSync {
  if (!existsSync(path)) throw new StatusError('NotFound', `there is no store at ${path}`)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(path)
    // The first read takes the lock that a server would hold, and keeps it.
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    const { fresh, version } = readSchemaVersion(db, path)
    if (fresh) throw new StatusError('InternalError', `${path} is empty`)
    checkSchemaVersion(db, path, { version, target: schemaVersion, migrations })
    return db
  } catch (error) {
    db?.close()
    throw translateOpening(error, path)
  }
}

function integrity(db: DatabaseSync): StoreFinding[] {
  return db
    .prepare('PRAGMA integrity_check')
    .all()
    .map((row) => String(row['integrity_check']))
    .filter((line) => line !== 'ok')
    .map((what) => ({ what, repairable: / index /.test(` ${what} `) }))
}

function found(db: DatabaseSync, rule: (typeof rules)[number], compacted: number): StoreFinding[] {
  const parameters = rule.sql.includes(':compacted') ? { compacted } : {}
  return db
    .prepare(rule.sql)
    .all(parameters)
    .map(({ id }) => ({ what: `${rule.what}: ${id}`, repairable: rule.repairable === true }))
}

function currentRecords(db: DatabaseSync, value = 'value'): StoredRecord[] {
  return db
    .prepare(
      `SELECT keys.key AS key, ${value} AS value, revision FROM log AS entry JOIN keys ON keys.id = entry.key
       WHERE deleted = 0 AND NOT ${superseded} ORDER BY keys.key`,
    )
    .all()
    .map((row) => ({
      key: String(row['key']),
      value: String(row['value']),
      revision: Number(row['revision']),
    }))
}

function numberOf(db: DatabaseSync, query: string): number {
  return Number(db.prepare(query).get()?.['value'])
}
