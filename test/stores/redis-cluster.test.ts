/** The Redis store on a cluster that loses nodes. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import type { Key, TokenStore } from '../../src/store/token-store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisCluster, type RedisServer, startRedisCluster } from '../support/redis.ts'
import { clusterKinds, makeClients } from '../support/redis-clients.ts'
import { answerOf, hear, scanAll, textAt } from '../support/store-checks.ts'

describeWith('redis', 'D4 Redis store on a cluster', () => {
  const clients = makeClients()
  let cluster: RedisCluster
  beforeAll(async () => {
    cluster = await startRedisCluster(3)
  })
  afterAll(async () => {
    clients.close()
    await cluster?.dispose()
  })

  /** Sixty owners, each with a record that says whose it is. */
  async function fill(store: TokenStore, space: string): Promise<Key[]> {
    const keys = Array.from({ length: 60 }, (_, index) => ({ space, owner: `o${index}`, id: 'x' }))
    await Promise.all(keys.map((key) => answerOf(() => store.put(key, Buffer.from(key.owner), { ifVersion: null }))))
    return keys
  }

  for (const kind of clusterKinds) {
    describe(`over ${kind}`, () => {
      test('works again when a master that was killed is back, and says that changes may have been missed', async () => {
        const store = redisStore(await clients.cluster(kind, cluster), { timeoutMs: 1_000 })
        const { next } = hear(store)
        await next('all')
        const keys = await fill(store, 'killed')
        for (const node of cluster.nodes) expect(node.cli('--scan', '--pattern', '*{killed:*:r:*')).not.toBe('')
        expect(await answerOf(() => scanAll(store, 'killed', 7))).toHaveLength(60)

        const listening = cluster.nodes.find((node) => node.cli('pubsub', 'channels').includes('sallyport:changes'))
        await listening?.stop('SIGKILL')
        const during = await Promise.allSettled(keys.map((key) => textAt(store, key)))
        const failed = during.filter((outcome) => outcome.status === 'rejected')
        expect(failed.length).toBeGreaterThan(0)
        for (const { reason } of failed) expect(reason).toBeInstanceOf(StoreError)
        await listening?.start()
        for (const key of keys) expect(await answerOf(() => textAt(store, key))).toBe(key.owner)
        await next('all')
        expect(await answerOf(() => scanAll(store, 'killed'))).toHaveLength(60)
        for (const key of keys) await answerOf(() => store.delete(key))
        await store.close()
      }, 60_000)

      test('follows slots that move to another master', async () => {
        const store = redisStore(await clients.cluster(kind, cluster))
        const keys = await fill(store, 'moving')
        const [from, to] = cluster.nodes
        if (from === undefined || to === undefined) return
        const id = (node: RedisServer) => node.cli('cluster', 'myid').trim()
        const moving = ['--cluster-from', id(from), '--cluster-to', id(to), '--cluster-slots', '2000', '--cluster-yes']
        from.cli('--cluster', 'reshard', `127.0.0.1:${from.port}`, ...moving)
        for (const key of keys) {
          const found = await store.get(key)
          expect(await store.put(key, Buffer.from('2'), { ifVersion: found?.version ?? null })).not.toBe('conflict')
        }
        expect(await scanAll(store, 'moving')).toHaveLength(60)
        for (const key of keys) await answerOf(() => store.delete(key))
        await store.close()
      }, 60_000)
    })
  }
})
