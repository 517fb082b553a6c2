/**
 * `LISTEN` on a connection of its own. It is not taken from the pool, where it
 * would keep a place for good.
 */
import { importFunction, importInstalled } from '../core/optional-package.ts'
import { orAborted } from '../store/operations.ts'
import type { Subscription } from '../store/watch.ts'
import { type PostgresClient, type PostgresPool, query } from './postgres-client.ts'

/** A connection that is not in a pool. */
interface OwnClient extends PostgresClient {
  connect(): Promise<void>
  end(): Promise<void>
  /** Not documented, and the only way to close a connection that does not answer. */
  readonly connection?: { readonly stream?: { destroy(): void } }
}

/** Opens a connection and listens. `where` is a connection string, or the pool whose settings to use. */
export async function listen(
  where: string | PostgresPool,
  channel: string,
  onMessage: (message: string) => void,
  signal: AbortSignal,
): Promise<Subscription> {
  const client = typeof where === 'string' ? await clientAt(where) : clientLike(where)
  const ended = new Promise<void>((resolve) => {
    client.on('error', () => resolve())
    client.on('end', () => resolve())
  })
  client.on('notification', (notification) => onMessage(notification?.payload ?? ''))

  function close(): void {
    client.end().catch(() => {}) // lost before
    client.connection?.stream?.destroy()
  }

  try {
    await orAborted(client.connect(), signal)
    await query(client, { text: `listen ${channel}`, values: [] }, signal)
  } catch (error) {
    close()
    throw error
  }
  return { ended, ping: () => client.query({ text: 'select 1' }), close }
}

async function clientAt(connectionString: string): Promise<OwnClient> {
  const Client = await importFunction(['pg'], 'Client', 'hearing of changes needs a client', importInstalled)
  return Reflect.construct(Client, [{ connectionString, keepAlive: true }])
}

/** As the pool itself makes its clients. */
function clientLike(pool: PostgresPool): OwnClient {
  const [Client, options] = [Reflect.get(pool, 'Client'), Reflect.get(pool, 'options')]
  if (typeof Client !== 'function') throw new TypeError('the pool is not one of `pg`')
  return Reflect.construct(Client, [options])
}
