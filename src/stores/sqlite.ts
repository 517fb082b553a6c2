/**
 * The entry point `sallyport/stores/sqlite`: tokens in a file on this machine, for
 * any number of its processes. Survives restarts and power failures.
 */
import { resolve } from 'node:path'
import { checkTimeout, wholeTtl } from '../store/operations.ts'
import { decodeCursor, encodeCursor } from '../store/page-cursor.ts'
import { checkStoreArguments } from '../store/store-arguments.ts'
import {
  assertKey,
  assertPart,
  assertSpace,
  type Key,
  type Page,
  pageLimit,
  type StoredRecord,
  type TokenStore,
} from '../store/token-store.ts'
import { newVersion } from '../store/version.ts'
import { sqliteConnection } from './sqlite-connection.ts'
import { bytesOf, type SqliteDatabase, type SqliteDriverName, type SqliteRow } from './sqlite-driver.ts'
import { type Statements, sqliteStatements } from './sqlite-statements.ts'

export type { SqliteDriverName } from './sqlite-driver.ts'

/** How tokens are kept in SQLite. */
export interface SqliteStoreOptions {
  /**
   * Which package to use. By default `node:sqlite` where Node has it (22.13 and later; Node 22 prints an
   * ExperimentalWarning, which `node --disable-warning=ExperimentalWarning` hides), else `better-sqlite3` or `libsql`,
   * whichever is installed.
   */
  readonly driver?: SqliteDriverName
  /** How long an operation may wait while others write, in milliseconds; 5,000 by default. */
  readonly timeoutMs?: number
}

const PURGE_EVERY_MS = 1_000

/**
 * A token store in the SQLite file at `path`, which is made when it is first used and readable by its owner only.
 * Any number of processes of one machine can use it; not several machines (SQLite's locks do not work on network file
 * systems). `:memory:` is a database in memory, for this store alone. What has expired is decided by the machine's clock.
 *
 * ```ts
 * const store = sqliteStore('/var/lib/orders/tokens.db')
 * ```
 *
 * Its methods reject with a DependencyError (`ERR_DEPENDENCY`) where no package for SQLite is installed.
 *
 * @throws TypeError for an empty path and bad options.
 */
export function sqliteStore(path: string, options: SqliteStoreOptions = {}): TokenStore {
  checkStoreArguments('sqliteStore', 'the path of a file', path, options, ['driver', 'timeoutMs'])
  // Absolute: neither a change of the working directory nor a path that looks like a URL leads elsewhere.
  const place = path === ':memory:' ? path : resolve(path)
  const connection = sqliteConnection(place, options.driver, checkTimeout(options.timeoutMs))
  const prepared = new WeakMap<SqliteDatabase, Statements>()
  let purgedAt = Number.NEGATIVE_INFINITY

  function statementsOf(database: SqliteDatabase): Statements {
    let statements = prepared.get(database)
    if (statements === undefined) {
      statements = sqliteStatements(database)
      prepared.set(database, statements)
    }
    return statements
  }

  function read<T>(work: (statements: Statements) => T): Promise<T> {
    return connection.read((database) => work(statementsOf(database)))
  }

  function write<T>(work: (statements: Statements) => T): Promise<T> {
    return connection.write((database) => {
      const statements = statementsOf(database)
      const result = work(statements)
      // Along with a write that happens anyway.
      if (performance.now() - purgedAt >= PURGE_EVERY_MS && statements.purge()) purgedAt = performance.now()
      return result
    })
  }

  return {
    async get(key) {
      assertKey(key)
      const [row] = await read(({ get }) => get.all(...parts(key)))
      return row && recordOf(row)
    },

    async put(key, value, { ifVersion, ttlMs }) {
      assertKey(key)
      const ttl = ttlMs === undefined || ttlMs === 'keep' ? null : wholeTtl(ttlMs)
      // The caller may change its bytes while this waits.
      const bytes = Buffer.from(value)
      const version = newVersion()
      return write(({ current, put }) => {
        const [row] = current.all(...parts(key))
        if ((row?.version ?? null) !== ifVersion) return 'conflict'
        const kept = ttlMs === 'keep' ? Number(row?.expires_at ?? 0) || null : null
        put.run(...parts(key), bytes, version, kept, ttl)
        return version
      })
    },

    async take(key) {
      assertKey(key)
      const [row] = await write(({ take }) => take.all(...parts(key)))
      return row && recordOf(row)
    },

    async delete(key, { ifVersion } = {}) {
      assertKey(key)
      return write(({ remove }) => Number(remove.run(...parts(key), ifVersion ?? null).changes) > 0)
    },

    async list(space, owner, page) {
      assertSpace(space)
      assertPart('owner', owner)
      const { id } = decodeCursor(page?.after)
      const limit = pageLimit(page)
      return pageOf(space, limit, await read(({ list }) => list.all(space, owner, id, limit + 1)))
    },

    async scan(space, page) {
      assertSpace(space)
      const { owner, id } = decodeCursor(page?.after)
      const limit = pageLimit(page)
      return pageOf(space, limit, await read(({ scan }) => scan.all(space, owner, id, limit + 1)))
    },

    async lease(key, ttlMs) {
      assertKey(key)
      const ttl = wholeTtl(ttlMs)
      const token = newVersion()
      const taken = await write(({ lease }) => Number(lease.run(...parts(key), token, ttl).changes) > 0)
      if (!taken) return undefined
      return {
        async renew(renewedMs) {
          const renewed = wholeTtl(renewedMs)
          return write(({ renew }) => Number(renew.run(renewed, ...parts(key), token).changes) > 0)
        },
        async release() {
          await write(({ release }) => release.run(...parts(key), token))
        },
      }
    },

    close: connection.close,
  }
}

function parts({ space, owner, id }: Key): [string, string, string] {
  return [space, owner, id]
}

function recordOf(row: SqliteRow): StoredRecord {
  return { value: bytesOf(row.value), version: String(row.version) }
}

/** `rows` has one more than the page where there are more. */
function pageOf(space: string, limit: number, rows: readonly SqliteRow[]): Page {
  const records = rows
    .slice(0, limit)
    .map((row) => ({ key: { space, owner: String(row.owner), id: String(row.id) }, ...recordOf(row) }))
  const last = records.at(-1)
  return rows.length > limit && last !== undefined ? { records, next: encodeCursor(last.key) } : { records }
}
