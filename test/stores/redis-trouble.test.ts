/** What the Redis store says when it cannot connect. */
import { type AddressInfo, createServer } from 'node:net'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'
import { troubleOf } from '../../src/stores/redis-trouble.ts'
import { describeWith } from '../support/parts.ts'
import { type RedisServer, startRedis } from '../support/redis.ts'
import { freePort } from '../support/temp-server.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }

describeWith('redis', 'D4 Redis store that cannot connect', () => {
  let server: RedisServer
  beforeAll(async () => {
    server = await startRedis(['--requirepass', 'right'])
  })
  afterAll(() => server?.dispose())

  /** What operations say, with a URL and with a client of ioredis. */
  async function complaints(url: string): Promise<string[]> {
    const client = new Redis(url)
    client.on('error', () => {})
    const stores = [redisStore(url, { timeoutMs: 1_000 }), redisStore(client, { timeoutMs: 1_000 })]
    const outcomes = await Promise.allSettled(stores.map((store) => store.get(key)))
    await Promise.all(stores.map((store) => store.close()))
    client.disconnect()
    return outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason.message) : 'found'))
  }

  test('has one listener on a client, however many stores have it', async () => {
    const client = createClient({ url: server.url, password: 'right' })
    const stores = Array.from({ length: 12 }, () => redisStore(client))
    await client.connect()
    await Promise.all(stores.map((store) => store.get(key)))
    expect(client.listenerCount('error')).toBe(1)
    await Promise.all(stores.map((store) => store.close()))
    client.destroy()
  })

  test('names the port that is closed', async () => {
    const port = await freePort()
    for (const said of await complaints(`redis://127.0.0.1:${port}`)) {
      expect(said).toBe(`Redis did not answer within 1000 ms (ECONNREFUSED 127.0.0.1:${port})`)
    }
  })

  test('names the host that is not known', async () => {
    for (const said of await complaints('redis://no-such-host.invalid')) {
      expect(said).toMatch(/\((ENOTFOUND|EAI_AGAIN) no-such-host\.invalid\)$/)
    }
  })

  test('names a wrong password, and does not say it', async () => {
    for (const said of await complaints(`redis://:kept-secret@127.0.0.1:${server.port}`)) {
      // Of `redis` the command itself is told.
      expect(said).toMatch(/\(WRONGPASS|NOAUTH/)
      expect(said).not.toContain('kept-secret')
    }
  })

  test('says that the other side does not speak TLS', async () => {
    const plain = createServer((socket) => void socket.on('error', () => {}).end('-ERR unknown command\r\n'))
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const { port } = plain.address() as AddressInfo
    for (const said of await complaints(`rediss://127.0.0.1:${port}`)) expect(said).toMatch(/\(.*(SSL|EPROTO).*\)$/)
    plain.close()
  })
})

describe('D4 trouble with a connection', () => {
  test('is told without what was sent', () => {
    const said = troubleOf(new Error('ERR unknown command `HELLO`, with args beginning with: `3` `AUTH` `me` `secret`'))
    expect(said).toBe('ERR unknown command `HELLO`')
  })

  test('is told of one of several addresses', () => {
    const refused = Object.assign(new Error('no'), { code: 'ECONNREFUSED', address: '::1', port: 6379 })
    expect(troubleOf(new AggregateError([refused]))).toBe('ECONNREFUSED ::1:6379')
  })
})
