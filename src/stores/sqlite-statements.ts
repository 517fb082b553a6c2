/** The statements of the SQLite store. Time is read by the statement that uses it. */
import type { SqliteDatabase, SqliteStatement } from './sqlite-driver.ts'
import { NOW } from './sqlite-schema.ts'

const KEY = 'space = ? AND owner = ? AND id = ?'
const THERE = `(expires_at IS NULL OR expires_at > ${NOW})`
const PURGE_BATCH = 500

/** Each takes its values in the order of the question marks. */
export interface Statements {
  /** key → value, version */
  readonly get: SqliteStatement
  /** key → version, expires_at */
  readonly current: SqliteStatement
  /** key, value, version, expires_at or null, ttl or null */
  readonly put: SqliteStatement
  /** key → value, version */
  readonly take: SqliteStatement
  /** key, version or null for any */
  readonly remove: SqliteStatement
  /** space, owner, id before the page, limit → owner, id, value, version */
  readonly list: SqliteStatement
  /** space, owner and id before the page, limit → owner, id, value, version */
  readonly scan: SqliteStatement
  /** key, token, ttl; changes nothing while somebody has the lease */
  readonly lease: SqliteStatement
  /** ttl, key, token */
  readonly renew: SqliteStatement
  /** key, token */
  readonly release: SqliteStatement
  /** Deletes what has expired, a batch of it; whether that was all. */
  purge(): boolean
}

/** Prepares them on a database that has the tables. */
export function sqliteStatements(database: SqliteDatabase): Statements {
  const statement = (sql: string) => database.prepare(sql)
  const purges = ['records', 'leases'].map((table) =>
    statement(
      `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE expires_at <= ${NOW} LIMIT ${PURGE_BATCH})`,
    ),
  )
  return {
    get: statement(`SELECT value, version FROM records WHERE ${KEY} AND ${THERE}`),
    current: statement(`SELECT version, expires_at FROM records WHERE ${KEY} AND ${THERE}`),
    put: statement(
      `INSERT INTO records (space, owner, id, value, version, expires_at)
         VALUES (?, ?, ?, ?, ?, coalesce(?, ${NOW} + ?))
         ON CONFLICT (space, owner, id)
           DO UPDATE SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at`,
    ),
    take: statement(`DELETE FROM records WHERE ${KEY} AND ${THERE} RETURNING value, version`),
    remove: statement(`DELETE FROM records WHERE ${KEY} AND version = coalesce(?, version) AND ${THERE}`),
    list: statement(
      `SELECT owner, id, value, version FROM records
         WHERE space = ? AND owner = ? AND id > ? AND ${THERE} ORDER BY id LIMIT ?`,
    ),
    scan: statement(
      `SELECT owner, id, value, version FROM records
         WHERE space = ? AND (owner, id) > (?, ?) AND ${THERE} ORDER BY owner, id LIMIT ?`,
    ),
    lease: statement(
      `INSERT INTO leases (space, owner, id, token, expires_at) VALUES (?, ?, ?, ?, ${NOW} + ?)
         ON CONFLICT (space, owner, id) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at
           WHERE leases.expires_at <= ${NOW}`,
    ),
    renew: statement(`UPDATE leases SET expires_at = ${NOW} + ? WHERE ${KEY} AND token = ? AND expires_at > ${NOW}`),
    release: statement(`DELETE FROM leases WHERE ${KEY} AND token = ?`),
    purge: () => purges.map((purge) => Number(purge.run().changes)).every((deleted) => deleted < PURGE_BATCH),
  }
}
