/** The Redis store while the server is away, is killed, hangs, and comes back. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { makeClients, singleKinds } from '../support/redis-clients.ts'
import { answerOf, BOUNDED_MS, countUp, hear, textAt, timeToFail, written } from '../support/store-checks.ts'
import { startWorker } from '../support/worker-process.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }
const clients = makeClients()
let server: RedisServer

describeWith('redis', 'D4 Redis store in bad times', () => {
  beforeAll(async () => {
    server = await startRedis()
  })
  afterEach(async () => {
    server.thaw()
    await server.stop('SIGKILL')
    await server.start()
    server.cli('flushall')
  })
  afterAll(async () => {
    clients.close()
    await server?.dispose()
  })

  for (const kind of singleKinds) {
    describe(`over ${kind}`, () => {
      test('fails in bounded time while the server is down, and works when it is back', async () => {
        const store = redisStore(await clients.single(kind, server), { timeoutMs: 1_000 })
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

      test('sends nothing late that it has given up', async () => {
        const store = redisStore(await clients.single(kind, server), { timeoutMs: 1_000 })
        await written(store, key, 'x')
        await server.stop('SIGKILL')
        await timeToFail(store.take(key))
        await server.start()
        expect(await answerOf(() => textAt(store, key))).toBe('x')
        expect(await store.delete(key)).toBe(true)
        await store.close()
      })

      test('fails in bounded time while the server hangs', async () => {
        const store = redisStore(await clients.single(kind, server), { timeoutMs: 1_000 })
        await written(store, key, 'x')
        server.freeze()
        expect(await timeToFail(store.get(key))).toBeLessThan(BOUNDED_MS)
        expect(await timeToFail(store.delete(key))).toBeLessThan(BOUNDED_MS)
        server.thaw()
        expect(await answerOf(() => textAt(store, key))).toBe('x')
        await store.close()
      })

      test('loses nothing when the server is killed in the middle', async () => {
        const store = redisStore(await clients.single(kind, server), { timeoutMs: 2_000 })
        const count = { written: 0, unknown: 0 }
        const counting = Promise.all(Array.from({ length: 20 }, () => countUp(store, key, 40, count)))
        for (const enough of [100, 300, 500]) {
          while (count.written < enough) await store.get(key).catch(() => {})
          await server.stop('SIGKILL')
          await server.start()
        }
        await counting
        const stored = Number(await textAt(store, key))
        expect(count.written + count.unknown).toBe(800)
        expect(stored).toBeGreaterThanOrEqual(count.written)
        expect(stored).toBeLessThanOrEqual(count.written + count.unknown)
        await store.close()
      }, 60_000)

      test('says that changes may have been missed after a lost connection', async () => {
        const store = redisStore(await clients.single(kind, server), { timeoutMs: 1_000 })
        const other = redisStore(await clients.single(kind, server), { timeoutMs: 1_000 })
        const { next } = hear(other)
        await next('all')
        await server.stop('SIGKILL')
        await server.start()
        await next('all')
        await written(store, key, 'x')
        await next(key)
        await Promise.all([store.close(), other.close()])
      })
    })
  }

  test('with a URL it can be made while the server is down', async () => {
    await server.stop('SIGKILL')
    const store = redisStore(server.url, { timeoutMs: 1_000 })
    const { next } = hear(store)
    expect(await timeToFail(store.get(key))).toBeLessThan(BOUNDED_MS)
    await server.start()
    expect(await answerOf(() => textAt(store, key))).toBeUndefined()
    await next('all')
    await store.close()
  })

  test('closes in bounded time while the server hangs or is down, and refuses work then', async () => {
    for (const away of [() => server.freeze(), () => server.stop('SIGKILL')]) {
      const store = redisStore(server.url, { timeoutMs: 1_000 })
      const { next } = hear(store)
      await next('all')
      await written(store, key, 'x')
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

  test('closed while its client is being imported, it leaves nothing open', async () => {
    const worker = startWorker('stores/redis-close-worker.ts', server.url)
    expect(await worker.next()).toEqual({ closed: true })
    const late = setTimeout(() => worker.kill('SIGKILL'), 10_000)
    // By itself, as a program whose work is done.
    expect(await worker.ended).toBe(0)
    clearTimeout(late)
  })
})
