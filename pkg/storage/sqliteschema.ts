/**
 * The log's SQL. One row is one change; its revision is the store's revision, given by the log. `previous` is the
 * revision of the key's change before it, 0 for none: UNIQUE(key, previous) makes a lost race a broken constraint.
 * A key's rows have rising revisions and rising `previous` alike, so this one index finds a key's last change, and a
 * change is superseded exactly when another one names it as its previous.
 */

/** "Cove", in the header of the file: tells our databases from others. */
export const applicationId = 0x436f7665
export const schemaVersion = 2

/** Texts about the file itself. `needs`: the first version of Cove that knows this schema. */
const createAbout = `
  CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
`

/** From each older schema to the next; a new one gets its step here and its tables in createTables. */
export const migrations = [{ to: 2, needs: '0.1.0', sql: createAbout }] as const

/**
 * Keys are named by a number in the log, so that its index stays a fifth of the size: its pages are most of what a
 * commit writes. `value` comes last so that the flags of a row are read without its overflow pages.
 */
export const createTables = `
  CREATE TABLE keys (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    previous INTEGER NOT NULL,
    created INTEGER NOT NULL,
    deleted INTEGER NOT NULL,
    key INTEGER NOT NULL,
    value TEXT NOT NULL,
    UNIQUE (key, previous)
  ) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO meta (name, value) VALUES ('compacted', 0);
  ${createAbout}
  INSERT INTO about (name, value) VALUES ('needs', '0.1.0');
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};
`

/** Rows that were a key's last change at revision :at, keys in [:from, :upto). CROSS JOIN: by key, as written. */
const lastAt = `
  FROM keys CROSS JOIN log AS entry ON entry.key = keys.id
  WHERE keys.key >= :from AND keys.key < :upto AND revision <= :at AND deleted = 0
    AND NOT EXISTS (
      SELECT 1 FROM log AS newer
      WHERE newer.key = entry.key AND newer.previous = entry.revision AND newer.revision <= :at)`

export const sql = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  current: `SELECT max((SELECT coalesce(max(revision), 0) FROM log),
                       (SELECT value FROM meta WHERE name = 'compacted')) AS revision`,
  compacted: `SELECT value FROM meta WHERE name = 'compacted'`,
  last: `SELECT revision, deleted, value FROM log
         WHERE key = (SELECT id FROM keys WHERE keys.key = ?) ORDER BY previous DESC LIMIT 1`,
  lastRevision: `SELECT revision, deleted, key AS id FROM log
                 WHERE key = (SELECT id FROM keys WHERE keys.key = ?) ORDER BY previous DESC LIMIT 1`,
  addKey: 'INSERT INTO keys (key) VALUES (?) RETURNING id',
  /** The key of the change a write expects to be the last one; nothing when that is another key's, or a deletion. */
  expected: `SELECT log.key AS id FROM log CROSS JOIN keys ON keys.id = log.key
             WHERE revision = ? AND keys.key = ? AND deleted = 0`,
  /** Ignored by the constraint when `previous` has a successor already: a lost race. */
  append: `INSERT OR IGNORE INTO log (revision, previous, created, deleted, key, value)
           VALUES (?, ?, ?, ?, ?, ?)`,
  value: 'SELECT value FROM log WHERE revision = ?',
  list: `SELECT keys.key AS key, value, revision ${lastAt} ORDER BY keys.key LIMIT :limit`,
  count: `SELECT count(*) AS records ${lastAt}`,
  /** CROSS JOIN: by revision, as written. */
  since: `SELECT revision, created, deleted, keys.key AS key,
            iif(deleted, (SELECT value FROM log AS last WHERE last.revision = entry.previous), value) AS value
          FROM log AS entry CROSS JOIN keys ON keys.id = entry.key
          WHERE revision > :after AND +keys.key >= :from AND +keys.key < :upto ORDER BY revision LIMIT :limit`,
  forgetSuperseded: `DELETE FROM log WHERE revision IN
                     (SELECT previous FROM log WHERE revision > ?1 AND revision <= ?2)`,
  /** Keys whose deletion is about to be forgotten and was their last change. */
  forgetKeys: `DELETE FROM keys WHERE id IN (
                 SELECT key FROM log AS entry WHERE revision > ?1 AND revision <= ?2 AND deleted = 1
                   AND NOT EXISTS (SELECT 1 FROM log AS newer
                                   WHERE newer.key = entry.key AND newer.previous = entry.revision))`,
  forgetDeletions: 'DELETE FROM log WHERE revision > ?1 AND revision <= ?2 AND deleted = 1',
  setCompacted: `UPDATE meta SET value = ? WHERE name = 'compacted'`,
  walPages: 'PRAGMA wal_checkpoint(NOOP)',
} as const

/**
 * The first key, in byte order, after all that start with `prefix`: the last code point that can be raised is. None
 * (an empty prefix): a blob, which SQLite sorts after every text.
 */
export function endOfPrefix(prefix: string): string | Uint8Array {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    const raised = last === 0xd7ff ? 0xe000 : last + 1
    return String.fromCodePoint(...points, raised)
  }
  return Uint8Array.of(0xff)
}

/** Where a page begins: at the prefix, or right behind the key that the page before ended with. */
export function startOfPage(prefix: string, after: string | undefined): string {
  if (after === undefined) return prefix
  const behind = `${after}\0`
  return Buffer.compare(Buffer.from(behind), Buffer.from(prefix)) > 0 ? behind : prefix
}
