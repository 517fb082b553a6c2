/**
 * The entry point `sallyport/stores/postgres`: tokens in PostgreSQL (12 or later)
 * through `pg`, directly or behind a pooler such as pgbouncer.
 */
import { randomUUID } from 'node:crypto'
import { checkTimeout, createOperations, onceMade, wholeTtl } from '../store/operations.ts'
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
import { createWatch, encodeChange } from '../store/watch.ts'
import { lacksTables, openPool, type PostgresPool, type Row, runStatement, type Statement } from './postgres-client.ts'
import { listen } from './postgres-listen.ts'
import { prepareSchema } from './postgres-schema.ts'
import { type Notice, PURGED_AT_ONCE, postgresNames, statementsFor } from './postgres-statements.ts'

export type { PostgresPool } from './postgres-client.ts'

/** How tokens are kept in PostgreSQL. */
export interface PostgresStoreOptions {
  /** The schema that the tables are in; made if it is not there. `sallyport` by default. */
  readonly schema?: string
  /** What the names of tables begin with; nothing by default. */
  readonly tablePrefix?: string
  /** How long an operation may take, in milliseconds; 5,000 by default. */
  readonly timeoutMs?: number
  /**
   * How to hear of changes that others make (`LISTEN`): a connection string, for where the store itself is behind a
   * pooler; `false` for not at all, which also saves telling them. By default as the store connects itself.
   */
  readonly listen?: string | false
}

/** How often a process looks for what has expired, in milliseconds; if it writes at all. While there is much, with each write. */
const PURGE_EVERY_MS = 30_000

/**
 * A token store in PostgreSQL. Its tables are made on first use.
 *
 * ```ts
 * const store = postgresStore('postgres://user:password@db.example.com/app')
 * const store = postgresStore(new Pool({ connectionTimeoutMillis: 5_000 }))   // pg; it stays yours
 * ```
 *
 * @throws TypeError for bad options.
 */
export function postgresStore(pool: PostgresPool | string, options: PostgresStoreOptions = {}): TokenStore {
  checkStoreArguments('postgresStore', 'a pool or a URL', pool, options, [
    'schema',
    'tablePrefix',
    'timeoutMs',
    'listen',
  ])
  if (typeof pool !== 'string' && 'connectionParameters' in pool) {
    throw new TypeError('postgresStore() needs a Pool of `pg`, and got a Client, which is one connection')
  }
  const timeoutMs = checkTimeout(options.timeoutMs)
  const names = postgresNames(options.schema ?? 'sallyport', options.tablePrefix ?? '')
  const statements = statementsFor(names)
  const operations = createOperations('PostgreSQL', timeoutMs)
  const self = randomUUID()
  let ownPool: Awaited<ReturnType<typeof openPool>> | undefined
  let purgedAt = performance.now()

  // A connection that dies while nobody uses it is an error of the pool, and without a listener an uncaught exception.
  // It stays: other stores may have the same pool.
  if (typeof pool !== 'string' && !pool.listeners('error').includes(ignore)) pool.on('error', ignore)

  const connected = onceMade(async () => {
    if (typeof pool !== 'string') return pool
    ownPool = await openPool(pool, timeoutMs)
    ownPool.on('error', ignore)
    return ownPool
  })

  const preparing = () => onceMade(async (signal: AbortSignal) => prepareSchema(await connected(), names, signal))
  let prepare = preparing()

  async function execute(statement: Statement, signal: AbortSignal): Promise<Row[]> {
    await prepare(signal)
    try {
      return await runStatement(await connected(), statement, signal)
    } catch (error) {
      // Somebody has dropped them meanwhile; the next operation makes them.
      if (lacksTables(error)) prepare = preparing()
      throw error
    }
  }

  const run = (statement: Statement) => operations.run((signal) => execute(statement, signal))

  function purgeSometimes(): void {
    if (performance.now() - purgedAt < PURGE_EVERY_MS) return
    purgedAt = performance.now()
    operations.runAside(async (signal) => {
      for (const table of ['records', 'leases'] as const) {
        const [row] = await execute(statements.purge(table), signal)
        if (Number(row?.count) === PURGED_AT_ONCE) purgedAt = Number.NEGATIVE_INFINITY
      }
    })
  }

  function noticeOf(key: Key): Notice | undefined {
    return options.listen === false ? undefined : { channel: names.channel, message: encodeChange(self, key) }
  }

  const watch = createWatch(
    async (onMessage, signal) => listen(options.listen || (await connected()), names.channel, onMessage, signal),
    self,
    timeoutMs,
  )

  // Once: a pool cannot be ended twice, and more than one handler of SIGTERM may close the store.
  const close = onceMade(async () => {
    await Promise.all([watch.close(), operations.close()])
    await ownPool?.end()
  })

  return {
    async get(key) {
      assertKey(key)
      const [row] = await run(statements.get(key))
      return row && recordOf(row)
    },

    async put(key, value, { ifVersion, ttlMs }) {
      assertKey(key)
      const version = newVersion()
      const text = Buffer.from(value).toString('base64')
      const forMs = typeof ttlMs === 'number' ? wholeTtl(ttlMs) : null
      const notice = noticeOf(key)
      const rows = await run(
        ifVersion === null
          ? statements.insert(key, text, version, forMs, notice)
          : statements.update(key, text, version, ifVersion, ttlMs === 'keep' ? 'keep' : forMs, notice),
      )
      purgeSometimes()
      return rows.length > 0 ? version : 'conflict'
    },

    async take(key) {
      assertKey(key)
      const [row] = await run(statements.take(key, noticeOf(key)))
      return row && recordOf(row)
    },

    async delete(key, { ifVersion } = {}) {
      assertKey(key)
      const notice = noticeOf(key)
      return operations.run(async (signal) => {
        if (ifVersion !== undefined)
          return (await execute(statements.remove(key, ifVersion, notice), signal)).length > 0
        for (;;) {
          // By version also here: a statement that the server runs late must not hit what has been written since.
          const [found] = await execute(statements.get(key), signal)
          if (found === undefined) return false
          if ((await execute(statements.remove(key, column(found, 'version'), notice), signal)).length > 0) return true
        }
      })
    },

    async list(space, owner, page) {
      assertSpace(space)
      assertPart('owner', owner)
      const after = decodeCursor(page?.after)
      const limit = pageLimit(page)
      return pageOf(space, limit, await run(statements.list(space, owner, after.id, limit)))
    },

    async scan(space, page) {
      assertSpace(space)
      const after = decodeCursor(page?.after)
      const limit = pageLimit(page)
      return pageOf(space, limit, await run(statements.scan(space, after, limit)))
    },

    async lease(key, ttlMs) {
      assertKey(key)
      const token = newVersion()
      const [held] = await run(statements.lease(key, token, wholeTtl(ttlMs)))
      purgeSometimes()
      if (held === undefined) return undefined
      return {
        renew: async (renewedMs) => (await run(statements.renew(key, token, wholeTtl(renewedMs)))).length > 0,
        async release() {
          await run(statements.release(key, token))
        },
      }
    },

    ...(options.listen === false ? {} : { changes: watch.listen }),

    close,
  }
}

function pageOf(space: string, limit: number, rows: readonly Row[]): Page {
  const records = rows.map((row) => ({
    key: { space, owner: column(row, 'owner'), id: column(row, 'id') },
    ...recordOf(row),
  }))
  const last = records.at(-1)
  return last === undefined || records.length < limit ? { records } : { records, next: encodeCursor(last.key) }
}

function recordOf(row: Row): StoredRecord {
  return { value: new Uint8Array(Buffer.from(column(row, 'value'), 'base64')), version: column(row, 'version') }
}

function column(row: Row, name: string): string {
  const value = row[name]
  if (typeof value !== 'string') throw new TypeError(`PostgreSQL: no ${name} in an answer`)
  return value
}

function ignore(): void {}
