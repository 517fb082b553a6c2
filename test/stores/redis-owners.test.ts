/** The list of a space's owners in Redis, when steps are left out or come late. */
import { createClient } from 'redis'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { TokenStore } from '../../src/store/token-store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { ENTER } from '../../src/stores/redis-scripts.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { scanAll } from '../support/store-checks.ts'

const key = { space: 'sessions', owner: 'alice', id: '1' }
const OWNERS = 'sallyport:{sessions}:owners'
const ENDS = 'sallyport:{sessions}:ends'
const HOUR = 3_600_000

describeWith('redis', 'D4 the list of owners in Redis', () => {
  let server: RedisServer
  let store: TokenStore
  beforeAll(async () => {
    server = await startRedis()
    store = redisStore(server.url)
  })
  beforeEach(() => {
    server.cli('flushall')
  })
  afterAll(async () => {
    await store?.close()
    await server?.dispose()
  })

  const owners = () => Number(server.cli('zcard', OWNERS))

  /** An entry as somebody leaves it who is killed before the record is written. */
  function abandon(token: string, score: number): void {
    // redis-cli takes no NUL on its command line; Lua does.
    const script =
      "local m = ARGV[1] .. '\\0' .. ARGV[2]; redis.call('ZADD', KEYS[1], 0, m); redis.call('ZADD', KEYS[2], ARGV[3], m)"
    server.cli('eval', script, '2', OWNERS, ENDS, key.owner, token.padEnd(22, 'x'), String(score))
  }

  test('an abandoned entry does not list an owner twice, and is forgotten after a day', async () => {
    abandon('A', -(Date.now() - 23 * HOUR))
    abandon('z', -(Date.now() - 25 * HOUR))
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    expect(owners()).toBe(3)
    expect(await scanAll(store, 'sessions')).toHaveLength(1)
    expect(await scanAll(store, 'sessions', 1)).toHaveLength(1)
    expect(owners()).toBe(2)
  })

  test('an entry that is taken out late does not take out an owner who is back', async () => {
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    const place = server.cli('get', 'sallyport:{sessions:alice}:place').slice(0, 22)
    await store.delete(key)
    await store.put(key, Buffer.from('y'), { ifVersion: null })
    server.cli('eval', "redis.call('ZREM', KEYS[1], ARGV[1] .. '\\0' .. ARGV[2])", '1', OWNERS, key.owner, place)
    expect(await scanAll(store, 'sessions')).toHaveLength(1)
  })

  test('a place that is given up while somebody prolongs it leaves no entry behind', async () => {
    const client = await createClient({ url: server.url }).connect()
    let reached = () => {}
    let go = () => {}
    const entering = new Promise<void>((resolve) => {
      reached = resolve
    })
    const held = new Promise<void>((resolve) => {
      go = resolve
    })
    const slow: typeof client = Object.create(client, {
      sendCommand: {
        async value(...parameters: Parameters<typeof client.sendCommand>) {
          if (parameters[0][1] === ENTER.sha) {
            reached()
            await held
          }
          return client.sendCommand(...parameters)
        },
      },
    })
    const [first, second] = [redisStore(server.url), redisStore(slow)]
    await first.put(key, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
    const writing = second.put({ ...key, id: '2' }, Buffer.from('x'), { ifVersion: null })
    await entering
    await first.delete(key)
    await first.close()
    expect(owners()).toBe(0)
    go()
    expect(await writing).not.toBe('conflict')
    await second.close()
    expect(owners()).toBe(1)
    expect(await scanAll(store, 'sessions')).toHaveLength(1)
    client.destroy()
  })

  test('an owner whose records have expired leaves Redis without anybody looking', async () => {
    await store.put(key, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
    for (const name of ['r:1', 'ids', 'expiries', 'place']) {
      expect(Number(server.cli('pttl', `sallyport:{sessions:alice}:${name}`))).toBeGreaterThan(0)
    }
    // As if it were long ago; the next owner who enters clears up.
    server.cli('zadd', ENDS, String(Date.now() - 2 * HOUR), 'long\u0001gone')
    server.cli('zadd', OWNERS, '0', 'long\u0001gone')
    await store.put({ ...key, owner: 'bob' }, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
    expect(owners()).toBe(2)
  })

  describe('what is kept of an owner ends with the last record where the last one for good', () => {
    const about = ['ids', 'expiries', 'place'].map((name) => `sallyport:{sessions:alice}:${name}`)
    const ends = () => about.map((name) => Number(server.cli('pttl', name)))
    const brief = { ...key, id: '2' }

    test.each([
      ['gets an end', async (version: string) => store.put(key, Buffer.from('y'), { ifVersion: version, ttlMs: HOUR })],
      ['is deleted', async (version: string) => store.delete(key, { ifVersion: version })],
      ['is taken', async () => store.take(key)],
    ])('%s', async (_, change) => {
      const version = await store.put(key, Buffer.from('x'), { ifVersion: null })
      await store.put(brief, Buffer.from('x'), { ifVersion: null, ttlMs: 2 * HOUR })
      expect(ends()).toEqual([-1, -1, -1])
      await change(version)
      for (const left of ends()) {
        expect(left).toBeGreaterThan(2 * HOUR)
        expect(left).toBeLessThan(4 * HOUR)
      }
      const listed = (await scanAll(store, 'sessions')).map(({ key: { id } }) => id)
      expect(listed).toContain('2')

      // One that lasts longer, and one for good: what is kept lasts as long.
      await store.put({ ...key, id: '3' }, Buffer.from('x'), { ifVersion: null, ttlMs: 20 * HOUR })
      for (const left of ends()) expect(left).toBeGreaterThan(20 * HOUR)
      await store.put({ ...key, id: '4' }, Buffer.from('x'), { ifVersion: null })
      expect(ends()).toEqual([-1, -1, -1])
      expect(await scanAll(store, 'sessions')).toHaveLength(listed.length + 2)
      expect(owners()).toBe(1)
    })

    test('not while there is another one for good', async () => {
      const version = await store.put(key, Buffer.from('x'), { ifVersion: null })
      await store.put(brief, Buffer.from('x'), { ifVersion: null })
      await store.put(key, Buffer.from('y'), { ifVersion: version, ttlMs: HOUR })
      await store.put({ ...key, id: '3' }, Buffer.from('x'), { ifVersion: null, ttlMs: HOUR })
      await store.delete({ ...key, id: '3' })
      expect(ends()).toEqual([-1, -1, -1])
    })

    test('the entry in the list, which stays, is forgotten by a scan', async () => {
      const version = await store.put(key, Buffer.from('x'), { ifVersion: null })
      await store.put(key, Buffer.from('y'), { ifVersion: version, ttlMs: HOUR })
      // As if it were two days later.
      for (const name of [...about, 'sallyport:{sessions:alice}:r:1']) server.cli('pexpire', name, '1')
      const script = "redis.call('ZADD', KEYS[1], ARGV[1], redis.call('ZRANGE', KEYS[1], 0, 0)[1])"
      server.cli('eval', script, '1', ENDS, String(-(Date.now() - 48 * HOUR)))
      await expect.poll(() => server.cli('keys', '*alice*').trim()).toBe('')
      expect(await scanAll(store, 'sessions')).toEqual([])
      expect(owners()).toBe(0)
    })
  })

  test('expired records leave the index, and the owner the list, when they are looked for', async () => {
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    await store.put({ ...key, id: '2' }, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
    server.cli('pexpire', 'sallyport:{sessions:alice}:r:1', '1')
    server.cli('pexpire', 'sallyport:{sessions:alice}:r:2', '1')
    while (server.cli('exists', 'sallyport:{sessions:alice}:r:1', 'sallyport:{sessions:alice}:r:2').trim() !== '0');
    expect(await store.get(key)).toBeUndefined()
    expect((await store.list('sessions', 'alice')).records).toEqual([])
    expect(await store.put({ ...key, owner: 'bob' }, Buffer.from('x'), { ifVersion: null })).not.toBe('conflict')
    expect(await scanAll(store, 'sessions')).toHaveLength(1)
    await store.close()
    expect(server.cli('keys', '*alice*').trim()).toBe('')
    expect(owners()).toBe(1)
    store = redisStore(server.url)
  })

  test('a record that is renewed for longer than its place holds stays listed', async () => {
    let version: string | null = null
    for (const ttlMs of [1_000, 10 * HOUR, 1_000, 1_000 * HOUR, undefined, 5_000]) {
      version = await store.put(key, Buffer.from('x'), {
        ifVersion: version,
        ...(ttlMs === undefined ? {} : { ttlMs }),
      })
      expect(version).not.toBe('conflict')
      expect(await scanAll(store, 'sessions')).toHaveLength(1)
      expect(owners()).toBe(1)
    }
    version = await store.put(key, Buffer.from('y'), { ifVersion: version, ttlMs: 'keep' })
    expect(Number(server.cli('pttl', 'sallyport:{sessions:alice}:r:1'))).toBeGreaterThan(0)
    await store.put(key, Buffer.from('z'), { ifVersion: version })
    expect(server.cli('pttl', 'sallyport:{sessions:alice}:r:1').trim()).toBe('-1')
  })
})
