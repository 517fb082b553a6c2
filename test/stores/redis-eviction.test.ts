/** The Redis store refuses servers that throw away keys. */
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { textAt } from '../support/store-checks.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }

describeWith('redis', 'D4 Redis store and eviction', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis(['--maxmemory', '100mb'])
    server.cli('acl', 'setuser', 'app', 'on', '>secret', '~*', '&*', '+@all', '-info')
  })
  afterAll(() => server?.dispose())

  for (const policy of ['allkeys-lru', 'volatile-ttl']) {
    for (const maxmemory of ['100mb', '0']) {
      test(`refuses ${policy} with maxmemory ${maxmemory}, until it is set right`, async () => {
        server.cli('config', 'set', 'maxmemory-policy', policy, 'maxmemory', maxmemory)
        const store = redisStore(server.url)
        await expect(store.get(key)).rejects.toThrow(StoreError)
        await expect(store.put(key, Buffer.from('x'), { ifVersion: null })).rejects.toThrow(policy)
        server.cli('config', 'set', 'maxmemory-policy', 'noeviction')
        expect(await store.get(key)).toBeUndefined()
        await store.close()
      })
    }
  }

  test('works with a server that does not tell only where that is said', async () => {
    const client = await createClient({ url: server.url, username: 'app', password: 'secret' }).connect()
    const store = redisStore(client)
    await expect(store.get(key)).rejects.toThrow("evictionPolicy: 'unchecked'")
    const told = redisStore(client, { evictionPolicy: 'unchecked' })
    await told.put(key, Buffer.from('x'), { ifVersion: null })
    expect(await textAt(told, key)).toBe('x')
    await told.delete(key)
    await Promise.all([store.close(), told.close()])
    client.destroy()
  })

  test('a full server refuses to write and still deletes', async () => {
    server.cli('config', 'set', 'maxmemory-policy', 'noeviction', 'maxmemory', '100mb')
    const store = redisStore(server.url)
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    server.cli('config', 'set', 'maxmemory', '1')
    await expect(store.put({ ...key, id: 'other' }, Buffer.from('y'), { ifVersion: null })).rejects.toThrow('OOM')
    expect(await textAt(store, key)).toBe('x')
    expect(await store.delete(key)).toBe(true)
    server.cli('config', 'set', 'maxmemory', '0')
    await store.close()
  })
})
