/**
 * One connection to a SQLite file: opens it, waits while others write, and runs
 * work in transactions. The packages are synchronous, so work is never mixed with
 * other work on the same connection.
 */
import { accessSync, closeSync, constants, openSync, statSync } from 'node:fs'
import { messageOf, StoreError } from '../core/errors.ts'
import { loadSqliteDriver, type SqliteDatabase, type SqliteDriverName } from './sqlite-driver.ts'
import { isBusy, storeError } from './sqlite-errors.ts'
import { createSqliteQueue, PAUSES } from './sqlite-queue.ts'
import { MIGRATIONS, migrate, schemaVersion } from './sqlite-schema.ts'

/** See the top of the file. */
export interface SqliteConnection {
  /** Runs `work`, which reads with one statement. */
  read<T>(work: (database: SqliteDatabase) => T): Promise<T>
  /** Runs `work` in a transaction of its own, while nobody else writes. */
  write<T>(work: (database: SqliteDatabase) => T): Promise<T>
  /** Refuses new work, waits for what is under way, and closes the file. */
  close(): Promise<void>
}

/** SQLite's own waiting stops the whole process, so it is for short encounters only; longer ones wait in `patiently` or in the queue. */
const BUSY_TIMEOUT_MS = 10

/**
 * - WAL: readers do not wait for a writer, nor it for them.
 * - `synchronous = FULL`: with WAL, NORMAL would lose the last transactions in a power failure. A refresh token that has
 *   been redeemed is worthless, so losing the new one means that a person must consent again.
 * - `fullfsync`: on macOS only this reaches the disk; nothing elsewhere.
 */
const SETTINGS = 'PRAGMA synchronous = FULL; PRAGMA fullfsync = 1'

/** @param timeoutMs - how long work may wait for others */
export function sqliteConnection(
  path: string,
  driverName: SqliteDriverName | undefined,
  timeoutMs: number,
): SqliteConnection {
  const underWay = new Set<Promise<unknown>>()
  const writes = createSqliteQueue(lateError)
  let opening: Promise<SqliteDatabase> | undefined
  let closed = false

  function database(): Promise<SqliteDatabase> {
    opening ??= open().catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }

  async function open(): Promise<SqliteDatabase> {
    const driver = await loadSqliteDriver(driverName)
    if (path !== ':memory:') prepareFile(path)
    const opened = driver.open(path)
    try {
      opened.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
      await patiently(() => opened.prepare('PRAGMA journal_mode = WAL').all())
      opened.exec(SETTINGS)
      const version = await patiently(() => schemaVersion(opened))
      if (version !== MIGRATIONS.length) await patiently(() => transaction(opened, migrate))
      return opened
    } catch (error) {
      opened.close()
      throw error
    }
  }

  /** Tries until nobody else is in the way. What finds the database busy has not done anything. */
  async function patiently<T>(work: () => T): Promise<T> {
    const until = performance.now() + timeoutMs
    for (let delay = PAUSES.firstMs; ; delay = PAUSES.next(delay)) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() > until) throw lateError(error)
      }
      await PAUSES.wait(delay)
    }
  }

  function lateError(cause: unknown): StoreError {
    return new StoreError(`SQLite, ${path}: locked by somebody else for more than ${timeoutMs} ms`, { cause })
  }

  function run<T>(work: (database: SqliteDatabase) => Promise<T>): Promise<T> {
    if (closed) return Promise.reject(new StoreError(`the SQLite store ${path} is closed`))
    const result = (async () => {
      try {
        return await work(await database())
      } catch (error) {
        throw storeError(path, error)
      }
    })()
    const settled: Promise<unknown> = result.then(
      () => underWay.delete(settled),
      () => underWay.delete(settled),
    )
    underWay.add(settled)
    return result
  }

  return {
    read: (work) => run((opened) => patiently(() => work(opened))),
    write: (work) => run((opened) => writes.run(() => transaction(opened, work), performance.now() + timeoutMs)),
    async close() {
      const first = !closed
      closed = true
      await Promise.all(underWay)
      if (!first || opening === undefined) return
      try {
        ;(await opening).close()
      } catch (error) {
        throw storeError(path, error)
      }
    },
  }
}

/** IMMEDIATE takes the right to write at once: what is read inside stays true until it is written. */
function transaction<T>(database: SqliteDatabase, work: (database: SqliteDatabase) => T): T {
  database.exec('BEGIN IMMEDIATE')
  try {
    const result = work(database)
    database.exec('COMMIT')
    return result
  } catch (error) {
    try {
      database.exec('ROLLBACK')
    } catch {
      // SQLite has rolled it back itself.
    }
    throw error
  }
}

/**
 * Makes a new file that only its owner can read; the two beside it (`-wal`, `-shm`) get the same permissions. One that is
 * there is not opened: closing it would let go of all locks that this process has on it.
 */
function prepareFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
    return
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EEXIST') {
      const advice = code === 'ENOENT' || code === 'ENOTDIR' ? 'its folder is not there' : messageOf(error)
      throw new StoreError(`SQLite: ${path} cannot be made: ${advice}`, { cause: error })
    }
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw new StoreError(`SQLite: ${path} cannot be read and written: ${messageOf(error)}`, { cause: error })
  }
  if (!statSync(path).isFile()) throw new StoreError(`SQLite: ${path} is not a file`)
}
