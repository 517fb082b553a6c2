/** What redisStore can be given. */
import { createClientPool, createSentinel } from 'redis'
import { describe, expect, test } from 'vitest'
import { DependencyError } from '../../src/core/errors.ts'
import { type RedisClient, redisStore } from '../../src/stores/redis.ts'
import { driverAt } from '../../src/stores/redis-open.ts'
import { startWorker } from '../support/worker-process.ts'

describe('D4 Redis store', () => {
  test('names both packages where neither is installed', async () => {
    const opening = driverAt('redis://127.0.0.1:1', 300, (name) =>
      Promise.reject(Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })),
    )
    await expect(opening).rejects.toThrow(DependencyError)
    await expect(opening).rejects.toThrow(/npm install redis.*npm install ioredis/)
  })

  test('uses ioredis where redis is not installed', async () => {
    const asked: string[] = []
    const driver = await driverAt('redis://127.0.0.1:1', 300, (name) => {
      asked.push(name)
      if (name === 'ioredis') return import('ioredis')
      return Promise.reject(Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' }))
    })
    driver.close()
    expect(asked).toEqual(['redis', 'ioredis'])
  })

  test('opens where ioredis alone is installed and Node imports it', async () => {
    // Vitest makes named exports of what a CommonJS package exports; Node finds only some.
    const worker = startWorker('stores/ioredis-only-worker.ts')
    expect(await worker.next()).toEqual({ opened: true })
    expect(await worker.ended).toBe(0)
  })

  test('refuses the sentinel client and the pool of redis', () => {
    const sentinel = createSentinel({ name: 'main', sentinelRootNodes: [{ host: '127.0.0.1', port: 1 }] })
    expect(() => redisStore(Object(sentinel))).toThrow(TypeError)
    expect(() => redisStore(Object(createClientPool({ url: 'redis://127.0.0.1:1' })))).toThrow(TypeError)
  })

  test('refuses what is no client, a prefix with braces, and a time that is none', () => {
    const none = { duplicate: () => {}, on: () => {} } satisfies RedisClient
    expect(() => redisStore(none)).toThrow(TypeError)
    expect(() => redisStore('redis://127.0.0.1:1', { prefix: 'a{b}' })).toThrow(TypeError)
    expect(() => redisStore('redis://127.0.0.1:1', { timeoutMs: 0 })).toThrow(TypeError)
  })
})
