/**
 * The three packages that know SQLite, as one. What the store uses of them is the
 * same in all; they differ in how a file is opened, how bytes come back, and in
 * their errors.
 */

import { DependencyError } from '../core/errors.ts'
import { importFunction, importInstalled, type PackageImporter } from '../core/optional-package.ts'

/** What can be bound to a parameter of a statement. */
export type SqliteValue = string | number | null | Uint8Array

/** A row as it comes back, by column. */
export type SqliteRow = Readonly<Record<string, unknown>>

/** A statement, ready to run any number of times. */
export interface SqliteStatement {
  /** Runs it to its end; the rows. */
  all(...values: SqliteValue[]): SqliteRow[]
  run(...values: SqliteValue[]): { readonly changes: number | bigint }
}

/** An open database, as `node:sqlite`, `better-sqlite3` and `libsql` all have it. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
  close(): unknown
}

/** The names of the packages, in the order in which they are looked for. */
export const SQLITE_DRIVERS: readonly SqliteDriverName[] = ['node:sqlite', 'better-sqlite3', 'libsql']

/** One of the packages. */
export type SqliteDriverName = 'node:sqlite' | 'better-sqlite3' | 'libsql'

/** Opens a file with one of the packages. */
export interface SqliteDriver {
  readonly name: SqliteDriverName
  open(path: string): SqliteDatabase
}

type Constructor = new (path: string) => SqliteDatabase

/**
 * The driver called `wanted`, or the first that is there.
 *
 * @throws DependencyError (`ERR_DEPENDENCY`) saying what to install when there is none.
 */
export async function loadSqliteDriver(
  wanted: SqliteDriverName | undefined,
  importPackage: PackageImporter = importInstalled,
  getBuiltin: (name: string) => unknown = (name) => process.getBuiltinModule(name),
): Promise<SqliteDriver> {
  if (wanted === undefined || wanted === 'node:sqlite') {
    // Node 22 prints an ExperimentalWarning here. It is Node's to give: only patching `process` would hide it.
    const builtin = getBuiltin('node:sqlite') as { readonly DatabaseSync: Constructor } | undefined
    if (builtin !== undefined) return driver('node:sqlite', builtin.DatabaseSync)
    if (wanted !== undefined) throw new DependencyError(`node:sqlite needs Node 22.13 or later, not ${process.version}`)
  }
  let imported: SqliteDriverName = 'libsql'
  async function importWorking(name: string): Promise<unknown> {
    const found = await importPackage(name)
    // The native part is loaded when a database is opened, not before; it may be missing.
    ;new (constructorIn(found))(':memory:').close()
    imported = name as SqliteDriverName
    return found
  }
  const packages = wanted === undefined ? SQLITE_DRIVERS.slice(1) : [wanted]
  const need =
    wanted === undefined
      ? 'a SQLite token store needs Node 22.13 or later, or a package'
      : 'the SQLite token store was told to use a package'
  const found = await importFunction(packages, 'default', need, importWorking)
  return driver(imported, found as unknown as Constructor)
}

/** Bytes of a row: a Uint8Array of its own, whatever the driver makes of a blob. */
export function bytesOf(blob: unknown): Uint8Array {
  if (blob instanceof ArrayBuffer) return new Uint8Array(blob)
  if (ArrayBuffer.isView(blob)) return new Uint8Array(Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength))
  throw new TypeError('unreachable: a value is a blob')
}

function driver(name: SqliteDriverName, Database: Constructor): SqliteDriver {
  return { name, open: (path) => new Database(path) }
}

function constructorIn(imported: unknown): Constructor {
  return (imported as { readonly default: Constructor }).default
}
