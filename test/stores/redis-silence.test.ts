/** The Redis store on connections that go silent while new ones would be good. */
import { Cluster, Redis } from 'ioredis'
// So that the store's own import takes no time.
import 'redis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { TokenStore } from '../../src/store/token-store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { createSilence } from '../../src/stores/redis-silence.ts'
import { type CutNetwork, startCutNetwork } from '../support/cut-network.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis, startRedisCluster } from '../support/redis.ts'
import { answerOf, textAt, timeToFail, written } from '../support/store-checks.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }
const timeoutMs = 500

describeWith('redis', 'D4 Redis store on a connection that goes silent', () => {
  let server: RedisServer
  let network: CutNetwork
  const closing: (() => void)[] = []
  beforeAll(async () => {
    server = await startRedis()
  })
  beforeEach(async () => {
    network = await startCutNetwork(server.port)
  })
  afterEach(() => {
    for (const close of closing.splice(0)) close()
    network.close()
    server.thaw()
    server.cli('flushall')
  })
  afterAll(() => server?.dispose())

  function ioRedis(): Redis {
    const client = new Redis(network.port)
    client.on('error', () => {})
    closing.push(() => client.disconnect())
    return client
  }

  const makers: Record<string, () => TokenStore> = {
    'a URL': () => redisStore(`redis://127.0.0.1:${network.port}`, { timeoutMs }),
    ioredis: () => redisStore(ioRedis(), { timeoutMs }),
  }

  for (const [name, make] of Object.entries(makers)) {
    test(`over ${name} it connects anew when an operation's time is over`, async () => {
      const store = make()
      await written(store, key, 'x')
      network.cut()
      await timeToFail(store.get(key))
      await expect.poll(() => textAt(store, key).catch(() => 'failed')).toBe('x')
      await store.close()
    })

    test(`over ${name} it connects anew when it is greeted by nobody`, async () => {
      network.swallow(true)
      const store = make()
      await timeToFail(store.get(key))
      network.swallow(false)
      await expect.poll(() => textAt(store, key).catch(() => 'failed')).toBeUndefined()
      await store.close()
    })
  }

  test('over an ioredis cluster it connects anew to a node that has gone silent', async () => {
    const cluster = await startRedisCluster(1)
    const [node] = cluster.nodes
    if (node === undefined) return
    const way = await startCutNetwork(node.port)
    node.cli('config', 'set', 'cluster-announce-ip', '127.0.0.1', 'cluster-announce-port', String(way.port))
    const client = new Cluster([{ host: '127.0.0.1', port: way.port }])
    client.on('error', () => {})
    const store = redisStore(client, { timeoutMs })
    await written(store, key, 'x')
    way.cut()
    await timeToFail(store.get(key))
    await expect.poll(() => textAt(store, key).catch(() => 'failed')).toBe('x')
    await store.close()
    client.disconnect()
    way.close()
    await cluster.dispose()
  })

  test('over ioredis what is given up while the server hangs does not pile up', async () => {
    const store = redisStore(ioRedis(), { timeoutMs })
    await answerOf(() => store.get(key))
    server.cli('config', 'resetstat')
    server.freeze()
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 50 }, (_, id) => timeToFail(store.take({ ...key, id: `${round}-${id}` }))))
    }
    server.thaw()
    await expect.poll(() => textAt(store, key).catch(() => 'failed')).toBeUndefined()
    const calls = Number(/cmdstat_evalsha:calls=(\d+)/.exec(server.cli('info', 'commandstats'))?.[1])
    // The first round or two of ten, and what asked above.
    expect(calls).toBeLessThan(200)
    await store.close()
  })
})

describe('D4 silence of a connection', () => {
  const { signal } = new AbortController()
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('is found when a command waits and nothing comes, and not while others are answered', async () => {
    const giveUp = vi.fn()
    const silence = createSilence(1_000, giveUp)
    void silence.over(new Promise(() => {}), signal)
    for (let times = 0; times < 5; times++) {
      vi.advanceTimersByTime(900)
      await silence.over(Promise.resolve(), signal)
    }
    expect(giveUp).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1_000)
    expect(giveUp).toHaveBeenCalledTimes(1)
  })

  test('is none where nobody waits, or where all that came was an error', async () => {
    const giveUp = vi.fn()
    const silence = createSilence(1_000, giveUp)
    await silence.over(Promise.resolve(), signal)
    await silence.over(Promise.reject(new Error('OOM')), signal).catch(() => {})
    vi.advanceTimersByTime(5_000)
    expect(giveUp).not.toHaveBeenCalled()
  })

  test('is also found by commands that were taken back', async () => {
    const giveUp = vi.fn()
    const silence = createSilence(1_000, giveUp)
    const given = new AbortController()
    given.abort()
    await silence.over(Promise.reject(given.signal.reason), given.signal).catch(() => {})
    vi.advanceTimersByTime(1_000)
    expect(giveUp).toHaveBeenCalledTimes(1)
  })
})
