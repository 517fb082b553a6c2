/**
 * The entry point `sallyport/stores/redis`: tokens in Redis or Valkey (6.0 or
 * later), alone, behind sentinels or in a cluster, through `redis` or `ioredis`.
 */
import { randomUUID } from 'node:crypto'
import { StoreError } from '../core/errors.ts'
import { checkTimeout, createOperations, onceMade, wholeTtl } from '../store/operations.ts'
import { decodeCursor, encodeCursor } from '../store/page-cursor.ts'
import { checkStoreArguments } from '../store/store-arguments.ts'
import { assertKey, assertPart, assertSpace, type Key, pageLimit, type TokenStore } from '../store/token-store.ts'
import { newVersion } from '../store/version.ts'
import { createWatch, encodeChange } from '../store/watch.ts'
import type { RedisClient, RedisDriver } from './redis-driver.ts'
import { refuseEviction } from './redis-eviction.ts'
import { redisNames } from './redis-keys.ts'
import { assertClient, driverAt, driverOf } from './redis-open.ts'
import { enter, exit, scanPage } from './redis-owners.ts'
import { type RedisContext, readRecords, recordOf } from './redis-read.ts'
import { GET, IDS, LEASE, list, PUT, RELEASE, REMOVE, RENEW, runScript, text, VERSION_LENGTH } from './redis-scripts.ts'

export type { RedisClient } from './redis-driver.ts'

/** How tokens are kept in Redis. */
export interface RedisStoreOptions {
  /** What keys and the channel begin with; no braces. `sallyport:` by default. */
  readonly prefix?: string
  /** How long an operation may take, in milliseconds; 5,000 by default. */
  readonly timeoutMs?: number
  /**
   * The store refuses to work with a Redis that throws away keys when its memory is full. `'unchecked'` is for servers
   * that do not tell (`INFO` is forbidden), and makes it your business: nothing but `noeviction` keeps tokens.
   */
  readonly evictionPolicy?: 'noeviction' | 'unchecked'
}

/** Others that prepare a place for the same owner at the same time; each makes for another try. */
const MAX_TRIES = 20

/**
 * A token store in Redis.
 *
 * ```ts
 * const store = redisStore('rediss://:password@redis.example.com:6379')
 * const store = redisStore(await createClient({ url }).connect())   // redis, or createCluster
 * const store = redisStore(new Cluster(nodes))                       // ioredis, or new Redis(…)
 * ```
 *
 * A client stays yours: connect and close it yourself. (Of an `ioredis` client the store uses duplicates, since that
 * package sends commands twice when connections break.) With a URL the store has a client of its own.
 *
 * @throws TypeError for something that is no client, and for bad options.
 */
export function redisStore(client: RedisClient | string, options: RedisStoreOptions = {}): TokenStore {
  checkStoreArguments('redisStore', 'a client or a URL', client, options, ['prefix', 'timeoutMs', 'evictionPolicy'])
  if (typeof client !== 'string') assertClient(client)
  const timeoutMs = checkTimeout(options.timeoutMs)
  const names = redisNames(options.prefix ?? 'sallyport:')
  let opened: RedisDriver | undefined
  const operations = createOperations('Redis', timeoutMs, () => opened?.trouble())
  const self = randomUUID()
  let closed = false

  const driver = onceMade(async () => {
    const made = typeof client === 'string' ? await driverAt(client, timeoutMs) : driverOf(client, timeoutMs)
    // Importing the package has taken longer than anybody waited.
    if (closed) {
      made.close()
      throw new StoreError('the Redis store is closed')
    }
    opened = made
    return made
  })

  const check = onceMade(async (signal: AbortSignal) => {
    if (options.evictionPolicy !== 'unchecked') await refuseEviction(await driver(), signal)
  })

  function run<T>(work: (context: RedisContext) => Promise<T>): Promise<T> {
    return operations.run(async (signal) => {
      const to = await driver()
      await check(signal)
      return work(contextOf(to, signal))
    })
  }

  function contextOf(to: RedisDriver, signal: AbortSignal): RedisContext {
    return {
      names,
      async run(script, keys, args) {
        // Nothing more of an operation that has been given up.
        signal.throwIfAborted()
        return runScript(to, script, keys, args, signal)
      },
      leave(token, owner) {
        // Nobody needs to wait for it, and if it fails a scan will do it.
        operations.runAside((later) => exit(token, owner, contextOf(to, later)))
      },
    }
  }

  const watch = createWatch(
    async (onMessage, signal) => (await driver()).subscribe(names.channel, onMessage, signal),
    self,
    timeoutMs,
  )

  async function put(
    key: Key,
    content: Buffer,
    expected: string,
    ttl: string,
    context: RedisContext,
  ): Promise<'written' | 'conflict'> {
    const { record, ids, expiries, place } = names.owner(key)
    const entered = new Set<string>()
    let fresh: string | undefined
    let prepared = { token: '', end: '0', extends: '0' }
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const [kind, token, end] = list(
        await context.run(
          PUT,
          [record(key.id), ids, expiries, place],
          [
            content,
            expected,
            ttl,
            key.id,
            prepared.token,
            prepared.end,
            prepared.extends,
            names.channel,
            encodeChange(self, key),
          ],
        ),
      ).map(text)
      if (kind === 'written' || kind === 'conflict') {
        // What is not the owner's place now will never be: a new one was not needed, an old one was given up meanwhile.
        for (const unused of entered) if (unused !== token) context.leave(unused, key)
        return kind
      }
      if (token === undefined || end === undefined) break
      if (token === '') fresh ??= newVersion()
      prepared = { token: token || (fresh ?? ''), end, extends: token === '' ? '0' : '1' }
      entered.add(prepared.token)
      await enter(prepared.token, end, key, context)
    }
    throw new StoreError(`Redis: the place of an owner in ${key.space} keeps changing`)
  }

  /** Deletes the record that has this version, or any for ''; its content. */
  async function remove(key: Key, expected: string, context: RedisContext): Promise<unknown> {
    const { record, ids, expiries, place } = names.owner(key)
    const args = [expected, key.id, names.channel, encodeChange(self, key)]
    const [content, left] = list(await context.run(REMOVE, [record(key.id), ids, expiries, place], args))
    if (content === undefined) return undefined
    const token = text(left)
    if (token !== '') context.leave(token, key)
    return content
  }

  async function read(key: Key, context: RedisContext) {
    const content = (await context.run(GET, [names.owner(key).record(key.id)], [])) ?? null
    return content === null ? undefined : recordOf(content)
  }

  return {
    async get(key) {
      assertKey(key)
      return run((context) => read(key, context))
    },

    async put(key, value, { ifVersion, ttlMs }) {
      assertKey(key)
      const ttl = ttlMs === undefined ? '' : ttlMs === 'keep' ? 'keep' : String(wholeTtl(ttlMs))
      const version = newVersion()
      const content = Buffer.concat([Buffer.from(version), value])
      const outcome = await run(async (context) =>
        ifVersion === null || isVersion(ifVersion) ? put(key, content, ifVersion ?? '', ttl, context) : 'conflict',
      )
      return outcome === 'written' ? version : 'conflict'
    },

    async take(key) {
      assertKey(key)
      const content = await run((context) => remove(key, '', context))
      return content === undefined ? undefined : recordOf(content)
    },

    async delete(key, { ifVersion } = {}) {
      assertKey(key)
      return run(async (context) => {
        if (ifVersion !== undefined) {
          return isVersion(ifVersion) && (await remove(key, ifVersion, context)) !== undefined
        }
        for (;;) {
          // By version also here: a command that Redis runs late must not hit what has been written since.
          const found = await read(key, context)
          if (found === undefined) return false
          if ((await remove(key, found.version, context)) !== undefined) return true
        }
      })
    },

    async list(space, owner, page) {
      assertSpace(space)
      assertPart('owner', owner)
      const limit = pageLimit(page)
      const after = decodeCursor(page?.after)
      const from = after.id === '' ? '-' : `(${after.id}`
      return run(async (context) => {
        const keys = names.owner({ space, owner })
        const [, ...ids] = list(await context.run(IDS, [keys.ids, keys.place], [from, String(limit)])).map(text)
        const records = await readRecords({ space, owner }, ids, context)
        const last = ids.at(-1)
        if (last === undefined || ids.length < limit) return { records }
        return { records, next: encodeCursor({ owner, id: last }) }
      })
    },

    async scan(space, page) {
      assertSpace(space)
      const after = decodeCursor(page?.after)
      return run((context) => scanPage(space, after, pageLimit(page), context))
    },

    async lease(key, ttlMs) {
      assertKey(key)
      const token = newVersion()
      const name = names.owner(key).lease(key.id)
      const attempt = (script: typeof LEASE, ...ttl: string[]) =>
        run(async (context) => text(await context.run(script, [name], [token, ...ttl])) === 'held')
      if (!(await attempt(LEASE, String(wholeTtl(ttlMs))))) return undefined
      return {
        renew: async (renewedMs) => attempt(RENEW, String(wholeTtl(renewedMs))),
        async release() {
          await attempt(RELEASE)
        },
      }
    },

    changes: watch.listen,

    async close() {
      await Promise.all([watch.close(), operations.close()])
      closed = true
      opened?.close()
    },
  }
}

/** Whether a version can be that of a record; to scripts, '' is something else. */
function isVersion(version: string): boolean {
  return version.length === VERSION_LENGTH
}
