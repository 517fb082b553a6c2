/** What the store needs of `pg`, and statements in bounded time over connections that may be dead. */
import { setTimeout as pause } from 'node:timers/promises'
import { importFunction, importInstalled, type PackageImporter } from '../core/optional-package.ts'
import { orAborted } from '../store/operations.ts'

/** A pool of `pg` (version 8 or later): `new Pool({ … })`. */
export interface PostgresPool {
  connect(callback: (error: Error | undefined, client: unknown) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  listeners(event: 'error'): readonly unknown[]
}

/** A statement with its values. Columns come as text. */
export interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** A row, by column. */
export type Row = Readonly<Record<string, string | null>>

/** A connection, as the store uses it. */
export interface PostgresClient {
  query(statement: object): Promise<{ rows: Row[] }>
  on(event: 'error' | 'end' | 'notification', listener: (event: { payload?: string } | undefined) => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
}

/** A connection of a pool. */
interface PooledClient extends PostgresClient {
  /** Gives it back, or closes it. */
  release(destroy?: boolean): void
}

/** Whatever types the application has told `pg` to parse: the store reads text. */
const AS_TEXT = { getTypeParser: () => (value: string) => value }

/** Errors after which nothing has happened and the same can be tried again: serialization_failure, deadlock_detected. */
const TRY_AGAIN = new Set(['40001', '40P01'])

/** No connection for the moment, and nothing sent: too_many_connections (other processes give some back), cannot_connect_now. */
const CONNECT_AGAIN = new Set(['53300', '57P03'])
/** After so long whoever asked hears why there is none. */
const CONNECT_FOR_MS = 2_000

/** Runs one statement, without a name, so that it works behind poolers that hand out a connection for a transaction. */
export async function query(client: PostgresClient, { text, values }: Statement, signal: AbortSignal): Promise<Row[]> {
  const { rows } = await orAborted(client.query({ text, values, types: AS_TEXT }), signal)
  return rows
}

/** Runs `work` with a connection of the pool, which is closed if that takes too long or the connection is lost. */
export async function withClient<T>(
  pool: PostgresPool,
  signal: AbortSignal,
  work: (client: PostgresClient) => Promise<T>,
): Promise<T> {
  const client = await checkOut(pool, signal)
  let usable = false
  try {
    const result = await work(client)
    usable = true
    return result
  } catch (error) {
    // What the server has merely refused leaves the connection as it was.
    usable = wasRefused(error) && !signal.aborted
    throw error
  } finally {
    giveBack(client, usable)
  }
}

function giveBack(client: PooledClient, usable: boolean): void {
  client.removeListener('error', ignore)
  client.release(!usable)
}

/** A connection of the pool, also where the server has none just now. */
async function checkOut(pool: PostgresPool, signal: AbortSignal): Promise<PooledClient> {
  const until = performance.now() + CONNECT_FOR_MS
  for (let delay = 20; ; delay *= 2) {
    signal.throwIfAborted()
    try {
      return await connect(pool, signal)
    } catch (error) {
      if (!CONNECT_AGAIN.has(sqlState(error)) || performance.now() + delay > until) throw error
    }
    await pause(delay * (0.5 + Math.random()), undefined, { signal })
  }
}

/**
 * A connection. It has a listener for errors from the moment that it is the store's, which a promise would tell too late:
 * the server's farewell may be in the same packet, and without a listener it is an uncaught exception.
 */
function connect(pool: PostgresPool, signal: AbortSignal): Promise<PooledClient> {
  const connecting = new Promise<PooledClient>((resolve, reject) => {
    pool.connect((error, found) => {
      const client = found as PooledClient | undefined
      if (client === undefined) {
        reject(error)
        return
      }
      client.on('error', ignore)
      // Not in here: the pool calls the next one that waits from within release(), and thousands may have been given up.
      if (signal.aborted) setImmediate(giveBack, client, true)
      else resolve(client)
    })
  })
  return orAborted(connecting, signal)
}

/** Runs one statement on a connection of the pool. */
export async function runStatement(pool: PostgresPool, statement: Statement, signal: AbortSignal): Promise<Row[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await withClient(pool, signal, (client) => query(client, statement, signal))
    } catch (error) {
      if (!TRY_AGAIN.has(sqlState(error)) || tries >= 20) throw error
      await pause(Math.random() * 20, undefined, { signal })
    }
  }
}

/** A pool of the store's own. */
export async function openPool(
  connectionString: string,
  timeoutMs: number,
  importPackage: PackageImporter = importInstalled,
): Promise<PostgresPool & { end(): Promise<void> }> {
  const Pool = await importFunction(['pg'], 'Pool', 'a token store at a PostgreSQL URL needs a client', importPackage)
  return Reflect.construct(Pool, [{ connectionString, connectionTimeoutMillis: timeoutMs, keepAlive: true }])
}

/**
 * Whether the server has said no, and the connection is as good as before: classes 08 and 57 are about connections. Class 25
 * is about its transaction: somebody has left one open, or it began to be read-only before a failover, and stays so.
 */
function wasRefused(error: unknown): boolean {
  return /^(?!08|25|57)[0-9A-Z]{5}$/.test(sqlState(error))
}

/** Whether the tables are not there: undefined_table, invalid_schema_name. */
export function lacksTables(error: unknown): boolean {
  return ['42P01', '3F000'].includes(sqlState(error))
}

/** The server's code for an error; '' for an error of something else, such as EPIPE. */
function sqlState(error: unknown): string {
  const code = error instanceof Error && 'severity' in error && 'code' in error ? error.code : ''
  return typeof code === 'string' ? code : ''
}

function ignore(): void {}
