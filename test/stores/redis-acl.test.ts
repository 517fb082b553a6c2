/** The Redis store as the user that docs/stores.md names. */
import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TokenStore } from '../../src/store/token-store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { hear, listAll, scanAll } from '../support/store-checks.ts'

const docs = readFileSync(new URL('../../docs/stores.md', import.meta.url), 'utf8')
const rules = /^\*\*ACL\*\*: `([^`]+)`/m.exec(docs)?.[1]?.split(' ') ?? []

describeWith('redis', 'D4 Redis store as the user that the documentation names', () => {
  let server: RedisServer
  const closing: (() => void)[] = []
  const login = { username: 'app', password: 'secret' }
  beforeAll(async () => {
    server = await startRedis()
    server.cli('acl', 'setuser', login.username, 'on', `>${login.password}`, ...rules)
  })
  afterAll(async () => {
    for (const close of closing) close()
    await server?.dispose()
  })

  const makers: Record<string, () => Promise<TokenStore>> = {
    'a URL': async () => redisStore(server.url.replace('//', `//${login.username}:${login.password}@`)),
    redis: async () => {
      const client = await createClient({ url: server.url, ...login }).connect()
      closing.push(() => client.destroy())
      return redisStore(client)
    },
    ioredis: async () => {
      const client = new Redis(server.url, login)
      closing.push(() => client.disconnect())
      return redisStore(client)
    },
  }

  for (const [name, make] of Object.entries(makers)) {
    test(`does everything over ${name}`, async () => {
      const key = { space: 'connections', owner: name, id: 'github' }
      const [store, other] = [await make(), await make()]
      const { next } = hear(other)
      await next('all')
      const version = await store.put(key, Buffer.from('x'), { ifVersion: null, ttlMs: 60_000 })
      await next(key)
      expect((await store.get(key))?.version).toBe(version)
      expect(await store.put(key, Buffer.from('y'), { ifVersion: version })).toHaveLength(22)
      expect(await listAll(store, key.space, key.owner)).toHaveLength(1)
      expect(await scanAll(store, key.space)).toHaveLength(1)
      const lease = await store.lease(key, 60_000)
      expect(await lease?.renew(60_000)).toBe(true)
      await lease?.release()
      expect(Buffer.from((await store.take(key))?.value ?? '').toString()).toBe('y')
      expect(await store.delete(key)).toBe(false)
      await Promise.all([store.close(), other.close()])
    })
  }
})
