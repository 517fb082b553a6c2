/** The Redis store when its master becomes a replica, behind a name that leads to the new master. */
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { TokenStore } from '../../src/store/token-store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { type CutNetwork, startCutNetwork } from '../support/cut-network.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { textAt } from '../support/store-checks.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }

describeWith('redis', 'D4 Redis store and a failover behind one name', () => {
  let first: RedisServer
  let second: RedisServer
  let network: CutNetwork
  beforeAll(async () => {
    first = await startRedis()
    second = await startRedis()
  })
  beforeEach(async () => {
    network = await startCutNetwork(first.port)
  })
  afterEach(() => {
    network.close()
    first.cli('replicaof', 'no', 'one')
    first.cli('flushall')
    second.cli('flushall')
  })
  afterAll(() => Promise.all([first?.dispose(), second?.dispose()]))

  const write = (store: TokenStore) => store.put(key, Buffer.from('x'), { ifVersion: null })

  /** The second is the master now, and what the name leads to. */
  function failOver(): void {
    first.cli('replicaof', '127.0.0.1', String(second.port))
    network.lead(second.port)
  }

  test('with a URL it finds the new master', async () => {
    const store = redisStore(`redis://127.0.0.1:${network.port}`)
    expect(await textAt(store, key)).toBeUndefined()
    failOver()
    const writes = await Promise.allSettled([write(store), write(store)])
    expect(writes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    await expect.poll(() => write(store).catch(() => 'failed')).toHaveLength(22)
    expect(await textAt(store, key)).toBe('x')
    await store.close()
    await expect.poll(() => /connected_clients:(\d+)/.exec(second.cli('info', 'clients'))?.[1]).toBe('1')
  })

  test('with a client of ioredis it finds the new master', async () => {
    const client = new Redis(network.port)
    const store = redisStore(client)
    expect(await textAt(store, key)).toBeUndefined()
    failOver()
    await expect(write(store)).rejects.toThrow('READONLY')
    await expect.poll(() => write(store).catch(() => 'failed')).toHaveLength(22)
    await store.close()
    client.disconnect()
  })

  test('with a client of redis the error says what is to be done', async () => {
    const client = await createClient({ url: `redis://127.0.0.1:${network.port}` }).connect()
    const store = redisStore(client)
    expect(await textAt(store, key)).toBeUndefined()
    failOver()
    await expect(write(store)).rejects.toThrow(/READONLY.*after a failover it must be connected anew/)
    await store.close()
    client.destroy()
  })
})
