/** The tables of the SQLite store, and how a file of an earlier version comes to have them. */
import type { SqliteDatabase } from './sqlite-driver.ts'

/** Milliseconds since 1970 when the statement runs: a process that was stopped before does not write an old time. */
export const NOW = "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)"

/** Marks our files (`PRAGMA application_id`): "SALY". */
const APPLICATION_ID = 0x53414c59

/** What each version adds to the one before; the first makes version 1. Never change one that has been released. */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE records (
     space TEXT NOT NULL,
     owner TEXT NOT NULL,
     id TEXT NOT NULL,
     value BLOB NOT NULL,
     version TEXT NOT NULL,
     expires_at INTEGER,
     PRIMARY KEY (space, owner, id)
   ) STRICT;
   CREATE INDEX records_expiry ON records (expires_at) WHERE expires_at IS NOT NULL;
   CREATE TABLE leases (
     space TEXT NOT NULL,
     owner TEXT NOT NULL,
     id TEXT NOT NULL,
     token TEXT NOT NULL,
     expires_at INTEGER NOT NULL,
     PRIMARY KEY (space, owner, id)
   ) STRICT;
   CREATE INDEX leases_expiry ON leases (expires_at);`,
]

/** The version of a file's tables; 0 for an empty file. */
export function schemaVersion(database: SqliteDatabase): number {
  return pragma(database, 'user_version')
}

/**
 * Brings the tables up to date, inside a transaction that the caller has begun: of several processes, the first does it.
 *
 * @throws Error for a file that holds something else, or that a later release of sallyport has made.
 */
export function migrate(database: SqliteDatabase, migrations: readonly string[] = MIGRATIONS): void {
  const version = schemaVersion(database)
  const empty = database.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').all().length === 0
  if (!empty && pragma(database, 'application_id') !== APPLICATION_ID) {
    throw new Error('the file is a database of something else; tokens need a file of their own')
  }
  if (version > migrations.length) {
    throw new Error(
      `the file has version ${version} of the tables, and this release of sallyport knows versions up to ` +
        `${migrations.length}: a later release has used it. Use that one, or a copy of the file from before`,
    )
  }
  for (const statements of migrations.slice(version)) database.exec(statements)
  if (version === migrations.length) return
  database.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${migrations.length}`)
}

function pragma(database: SqliteDatabase, name: string): number {
  return Number(database.prepare(`PRAGMA ${name}`).all()[0]?.[name])
}
