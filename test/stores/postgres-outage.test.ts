/** The PostgreSQL store while the server is away, is killed, hangs, and comes back. */
import { Pool } from 'pg'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { postgresStore } from '../../src/stores/postgres.ts'
import { describeWith } from '../support/parts.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { answerOf, BOUNDED_MS, countUp, hear, textAt, timeToFail, written } from '../support/store-checks.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }
const pools: Pool[] = []
let server: PostgresServer

describeWith('postgres', 'D4 PostgreSQL store in bad times', () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterEach(async () => {
    server.thaw()
    await server.stop('SIGKILL')
    await server.start()
    server.sql('drop schema if exists sallyport cascade')
  })
  afterAll(async () => {
    await server?.dispose()
    await Promise.all(pools.map((pool) => pool.end()))
  })

  function makePool(): Pool {
    const pool = new Pool({ connectionString: server.url, connectionTimeoutMillis: 1_000 })
    pools.push(pool)
    return pool
  }

  for (const [kind, connect] of [
    ['a pool', makePool],
    ['a URL', () => server.url],
  ] as const) {
    test(`over ${kind} it fails in bounded time while the server is down, and works when it is back`, async () => {
      const store = postgresStore(connect(), { timeoutMs: 500 })
      // Several connections, which nobody uses when they die.
      await Promise.all(Array.from({ length: 5 }, () => answerOf(() => store.get(key))))
      await written(store, key, 'x')
      await server.stop('SIGKILL')
      for (const work of [
        () => store.get(key),
        () => store.put(key, Buffer.from('y'), { ifVersion: null }),
        () => store.take(key),
        () => store.delete(key),
        () => store.list(key.space, key.owner),
        () => store.scan(key.space),
        () => store.lease(key, 1_000),
      ]) {
        expect(await timeToFail(work())).toBeLessThan(BOUNDED_MS)
      }
      await server.start()
      expect(await answerOf(() => textAt(store, key))).toBe('x')
      await store.close()
    })

    test(`over ${kind} it survives a restart of the server in good order`, async () => {
      const store = postgresStore(connect(), { timeoutMs: 2_000 })
      await written(store, key, 'x')
      await server.stop('SIGTERM')
      await server.start()
      expect(await answerOf(() => textAt(store, key))).toBe('x')
      await store.close()
    })

    test(`over ${kind} it fails in bounded time while the server hangs`, async () => {
      const store = postgresStore(connect(), { timeoutMs: 500 })
      await written(store, key, 'x')
      server.freeze()
      expect(await timeToFail(store.get(key))).toBeLessThan(BOUNDED_MS)
      expect(await timeToFail(store.delete(key))).toBeLessThan(BOUNDED_MS)
      server.thaw()
      expect(await answerOf(() => textAt(store, key))).toBe('x')
      await store.close()
    })
  }

  test('thousands of operations that were given up while they waited for a connection harm nothing when it is back', async () => {
    const pool = new Pool({ connectionString: server.url, connectionTimeoutMillis: 60_000 })
    pools.push(pool)
    const store = postgresStore(pool, { timeoutMs: 1_000 })
    await written(store, key, 'x')
    server.freeze()
    const asked = await Promise.allSettled(Array.from({ length: 5_000 }, () => store.get(key)))
    expect(asked.every(({ status }) => status === 'rejected')).toBe(true)
    expect(pool.waitingCount).toBeGreaterThan(4_000)
    server.thaw()
    expect(await answerOf(() => textAt(store, key))).toBe('x')
    await expect.poll(() => pool.waitingCount, { timeout: 10_000 }).toBe(0)
    await expect.poll(() => pool.idleCount, { timeout: 10_000 }).toBe(pool.totalCount)
    await store.close()
  })

  test('loses nothing when the server is killed in the middle', async () => {
    const store = postgresStore(makePool(), { timeoutMs: 5_000 })
    const count = { written: 0, unknown: 0 }
    const counting = Promise.all(Array.from({ length: 20 }, () => countUp(store, key, 20, count)))
    for (const enough of [50, 150]) {
      while (count.written < enough) await store.get(key).catch(() => {})
      await server.stop('SIGKILL')
      await server.start()
    }
    await counting
    const stored = Number(await textAt(store, key))
    expect(count.written + count.unknown).toBe(400)
    expect(stored).toBeGreaterThanOrEqual(count.written)
    expect(stored).toBeLessThanOrEqual(count.written + count.unknown)
    await store.close()
  }, 90_000)

  test('says that changes may have been missed after a lost connection', async () => {
    const store = postgresStore(server.url, { timeoutMs: 2_000 })
    const other = postgresStore(makePool(), { timeoutMs: 2_000 })
    const { next } = hear(other)
    await next('all')
    await server.stop('SIGKILL')
    await server.start()
    await next('all')
    await written(store, key, 'x')
    await next(key)
    await Promise.all([store.close(), other.close()])
  })

  test('a row that somebody has locked does not hold an operation up for longer than its time', async () => {
    const store = postgresStore(makePool(), { timeoutMs: 500 })
    await written(store, key, 'x')
    const version = (await answerOf(() => store.get(key)))?.version ?? null
    const lockers = makePool()
    lockers.on('error', () => {})
    const locker = await lockers.connect()
    await locker.query('begin')
    await locker.query('select * from sallyport.records for update')
    expect(await timeToFail(store.put(key, Buffer.from('y'), { ifVersion: version }))).toBeLessThan(BOUNDED_MS)
    expect(await answerOf(() => textAt(store, key))).toBe('x')
    await locker.query('rollback')
    locker.release()
    await store.close()
  })

  test('can be made while the server is down', async () => {
    await server.stop('SIGKILL')
    const store = postgresStore(server.url, { timeoutMs: 500 })
    const { next } = hear(store)
    expect(await timeToFail(store.get(key))).toBeLessThan(BOUNDED_MS)
    await server.start()
    expect(await answerOf(() => textAt(store, key))).toBeUndefined()
    await next('all')
    await store.close()
  })

  test('closes in bounded time while the server hangs or is down, and refuses work then', async () => {
    for (const away of [() => server.freeze(), () => server.stop('SIGKILL')]) {
      const store = postgresStore(server.url, { timeoutMs: 500 })
      const { next } = hear(store)
      await next('all')
      await answerOf(() => store.get(key))
      await away()
      const waiting = timeToFail(store.get(key))
      const began = performance.now()
      await store.close()
      expect(performance.now() - began).toBeLessThan(BOUNDED_MS)
      expect(await waiting).toBeLessThan(BOUNDED_MS)
      await expect(store.get(key)).rejects.toThrow('closed')
      server.thaw()
    }
  })
})
