/** The Redis store through both packages, on one server and on a cluster: the kit, and what only it has. */

import { type RedisClient, redisStore } from 'sallyport/stores/redis'
import { storeTests } from 'sallyport/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Key, TokenStore } from '../../src/store/token-store.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '../support/redis.ts'
import { clusterKinds, makeClients, singleKinds } from '../support/redis-clients.ts'
import { countUp, hear, hostileKeys, listAll, scanAll, textAt } from '../support/store-checks.ts'

const clients = makeClients()
/** Nothing here is about restarts. */
const FAST = ['--appendonly', 'no']
let server: RedisServer
let cluster: RedisCluster

describeWith('redis', 'D4 Redis store', () => {
  beforeAll(async () => {
    ;[server, cluster] = await Promise.all([startRedis(FAST), startRedisCluster(3, FAST)])
  })
  afterAll(async () => {
    clients.close()
    await Promise.all([server?.dispose(), cluster?.dispose()])
  })

  for (const kind of singleKinds)
    behaves(
      kind,
      () => clients.single(kind, server),
      () => [server],
    )
  for (const kind of clusterKinds)
    behaves(
      kind,
      () => clients.cluster(kind, cluster),
      () => cluster.nodes,
    )

  test('takes a URL', async () => {
    const store = redisStore(server.url, { prefix: 'by-url:' })
    const key = { space: 'sessions', owner: 'a', id: '1' }
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    expect(await textAt(store, key)).toBe('x')
    await store.close()
  })

  test("works with ioredis' keyPrefix and with text that is mapped to buffers", async () => {
    const { Redis } = await import('ioredis')
    const { createClient } = await import('redis')
    const prefixed = new Redis(server.url, { keyPrefix: 'app:', stringNumbers: true })
    const mapped = await createClient({ url: server.url }).withTypeMapping({ 36: Buffer, 61: Buffer }).connect()
    for (const client of [prefixed, mapped]) {
      const store = redisStore(client, { prefix: 'odd:' })
      const other = redisStore(client, { prefix: 'odd:' })
      const { next } = hear(other)
      await next('all')
      const key = { space: 'sessions', owner: 'a', id: '1' }
      await store.put(key, Buffer.from('x'), { ifVersion: null })
      await next(key)
      expect(await textAt(other, key)).toBe('x')
      expect(await scanAll(other, 'sessions')).toHaveLength(1)
      await store.delete(key)
      await Promise.all([store.close(), other.close()])
    }
    prefixed.disconnect()
    mapped.destroy()
  })
})

function behaves(
  kind: string,
  connect: () => Promise<RedisClient>,
  nodes: () => readonly Pick<RedisServer, 'cli'>[],
): void {
  describe(`over ${kind}`, () => {
    const prefix = `${kind.replaceAll(' ', '-')}:`
    let client: RedisClient
    let store: TokenStore
    let other: TokenStore
    beforeAll(async () => {
      client = await connect()
      store = redisStore(client, { prefix })
      other = redisStore(client, { prefix })
    })
    afterAll(async () => {
      await Promise.all([store?.close(), other?.close()])
    })

    describe('B10 the conformance kit', () => {
      for (const { name, run } of storeTests(() => redisStore(client, { prefix: `kit-${prefix}` }))) test(name, run)
    })

    test('keeps hostile keys apart, and lists them', async () => {
      const keys = hostileKeys()
      const distinct = new Map(keys.map((key) => [JSON.stringify(key), key]))
      for (const [text, key] of distinct) {
        expect(await store.put(key, Buffer.from(text), { ifVersion: null })).not.toBe('conflict')
      }
      for (const [text, key] of distinct) expect(await textAt(store, key)).toBe(text)
      const scanned = await scanAll(store, 'hostile', 7)
      expect(scanned.map(({ key }) => JSON.stringify(key)).sort()).toEqual([...distinct.keys()].sort())
      for (const [text, key] of distinct) {
        const listed = await listAll(store, 'hostile', key.owner, 3)
        expect(listed.map((found) => JSON.stringify(found.key))).toContain(text)
      }
      for (const key of distinct.values()) expect(await store.delete(key)).toBe(true)
    })

    test('tells others of changes, with hostile keys too, and not itself', async () => {
      const own = hear(store)
      const others = hear(other)
      await Promise.all([own.next('all'), others.next('all')])
      const keys = hostileKeys()
      for (const key of keys) {
        const version = await store.put(key, Buffer.from('x'), { ifVersion: null })
        if (version === 'conflict') continue
        await others.next(key)
        await store.delete(key, { ifVersion: version })
        await others.next(key)
      }
      expect(own.heard).toEqual([])
    })

    test('loses no update of 50 clients that count one record up', async () => {
      const key = { space: 'counters', owner: 'a', id: '1' }
      const count = { written: 0, unknown: 0 }
      const handles = Array.from({ length: 50 }, () => redisStore(client, { prefix }))
      await Promise.all(handles.map((handle) => countUp(handle, key, 2, count)))
      expect(count).toEqual({ written: 100, unknown: 0 })
      expect(await textAt(store, key)).toBe('100')
      await Promise.all(handles.map((handle) => handle.close()))
    }, 60_000)

    test('works on after SCRIPT FLUSH', async () => {
      const key = { space: 'flushed', owner: 'a', id: '1' }
      await store.put(key, Buffer.from('x'), { ifVersion: null })
      for (const node of nodes()) node.cli('script', 'flush')
      expect(await textAt(store, key)).toBe('x')
      const lease = await store.lease(key, 1_000)
      expect(await lease?.renew(1_000)).toBe(true)
      await lease?.release()
      expect(await store.delete(key)).toBe(true)
    })

    test('scans every record that is there all the time once, whatever comes and goes', async () => {
      const stay: Key[] = Array.from({ length: 120 }, (_, index) => ({
        space: 'busy',
        owner: `owner ${index % 40}`,
        id: `stay ${index}`,
      }))
      await Promise.all(stay.map((key) => store.put(key, Buffer.from('x'), { ifVersion: null })))
      let stop = false
      const coming = Array.from({ length: 10 }, async (_, worker) => {
        for (let round = 0; !stop; round++) {
          // The first half adds to owners who have records; of the others every record is the only one.
          const owner = worker < 5 ? `owner ${worker}` : `passing ${worker}`
          const key = { space: 'busy', owner, id: `go ${worker} ${round % 3}` }
          await other.put(key, Buffer.from('x'), { ifVersion: null, ...(round % 2 === 0 ? { ttlMs: 5_000 } : {}) })
          await other.delete(key)
        }
      })
      for (let round = 0; round < 5; round++) {
        const found = (await scanAll(store, 'busy', 3 + round * 13)).map(({ key }) => JSON.stringify(key))
        expect(found.filter((key) => key.includes('stay')).sort()).toEqual(
          stay.map((key) => JSON.stringify(key)).sort(),
        )
        expect(new Set(found).size).toBe(found.length)
      }
      stop = true
      await Promise.all(coming)
      expect(await scanAll(store, 'busy')).toHaveLength(stay.length)
      await Promise.all(stay.map((key) => store.delete(key)))
      expect(await scanAll(store, 'busy')).toEqual([])
    }, 60_000)

    test('finds what is left by makers and deleters of one and the same owner', async () => {
      for (let round = 0; round < 10; round++) {
        await Promise.all(
          Array.from({ length: 10 }, async (_, worker) => {
            const key = { space: 'races', owner: 'one', id: String(worker) }
            for (let turn = 0; turn < 5; turn++) {
              await (turn % 2 === 0 ? store : other).put(key, Buffer.from('x'), {
                ifVersion: null,
                ...(worker % 2 === 0 ? { ttlMs: 60_000 + worker * 3_600_000 * turn } : {}),
              })
              if (worker !== round % 10 || turn < 4) await store.delete(key)
            }
          }),
        )
        const found = await scanAll(store, 'races')
        expect(found.map(({ key }) => key.id)).toEqual([String(round % 10)])
        await store.delete({ space: 'races', owner: 'one', id: String(round % 10) })
      }
    }, 60_000)

    test('leaves nothing in Redis behind', async () => {
      const brief = { space: 'brief', owner: 'a', id: '1' }
      await store.put(brief, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
      await (await store.lease(brief, 60_000))?.release()
      await store.take(brief)
      await store.delete({ space: 'counters', owner: 'a', id: '1' })
      await Promise.all([store.close(), other.close()])
      store = redisStore(client, { prefix })
      other = redisStore(client, { prefix })
      const left = nodes().flatMap((node) => node.cli('--scan', '--pattern', `${prefix}*`).split('\n').filter(Boolean))
      expect(left).toEqual([])
    })
  })
}
