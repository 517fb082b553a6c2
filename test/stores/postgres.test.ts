/** The PostgreSQL store, directly and behind pgbouncer: the kit, and what only it has. */
import { Pool } from 'pg'
import { type PostgresStoreOptions, postgresStore } from 'sallyport/stores/postgres'
import { storeTests } from 'sallyport/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Key, TokenStore } from '../../src/store/token-store.ts'
import { postgresNames, statementsFor } from '../../src/stores/postgres-statements.ts'
import { describeWith } from '../support/parts.ts'
import { type Pooler, type PostgresServer, startPooler, startPostgres } from '../support/postgres.ts'
import { countUp, hear, hostileKeys, listAll, scanAll, textAt } from '../support/store-checks.ts'

const pools: Pool[] = []
let server: PostgresServer

describeWith('postgres', 'D4 PostgreSQL store', () => {
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.end()))
    await server?.dispose()
  })

  behaves('a pool', () => poolAt(server.url))

  test('takes a URL, and a pool of one connection, and leaves that open', async () => {
    const pool = poolAt(server.url, 1)
    const store = postgresStore(pool)
    const other = postgresStore(server.url)
    const { next } = hear(store)
    await next('all')
    const key = { space: 'sessions', owner: 'a', id: '1' }
    await Promise.all(Array.from({ length: 20 }, () => store.get(key)))
    await other.put(key, Buffer.from('x'), { ifVersion: null })
    await next(key)
    expect(await textAt(store, key)).toBe('x')
    await Promise.all([store.close(), other.close()])
    expect((await pool.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  describe('B10 the conformance kit at a URL', () => {
    const closing = storeTests(() => postgresStore(server.url)).filter(({ name }) => name.startsWith('closing: '))
    for (const { name, run } of closing) test(name, run)
  })

  test('works where transactions are serializable, bytes print oddly, and `pg` parses types otherwise', async () => {
    server.sql("alter role postgres set default_transaction_isolation = 'serializable'")
    server.sql("alter role postgres set bytea_output = 'escape'")
    const pool = poolAt(server.url)
    const store = postgresStore(pool, { tablePrefix: 'odd_' })
    const count = { written: 0, unknown: 0 }
    const key = { space: 'counters', owner: 'a', id: '1' }
    await Promise.all(Array.from({ length: 10 }, () => countUp(store, key, 10, count)))
    expect(count.unknown).toBe(0)
    expect(await textAt(store, key)).toBe('100')
    server.sql('alter role postgres reset all')
    await store.close()
  })

  test.each([
    ['in a transaction that failed', 'begin; select 1/0'],
    ['read-only', 'set session characteristics as transaction read only'],
  ])('a connection that comes %s is not used again', async (_, spoil) => {
    const pool = poolAt(server.url, 1)
    const store = postgresStore(pool, { tablePrefix: 'spoilt_' })
    const key = { space: 'sessions', owner: 'a', id: spoil }
    await store.get(key)
    const client = await pool.connect()
    await client.query(spoil).catch(() => {})
    client.release()
    await expect(store.put(key, Buffer.from('x'), { ifVersion: null })).rejects.toThrow(/transaction/)
    expect(await store.put(key, Buffer.from('x'), { ifVersion: null })).not.toBe('conflict')
    await store.close()
  })

  test('purges what has expired, and nothing else', async () => {
    const pool = poolAt(server.url)
    const store = postgresStore(pool, { tablePrefix: 'purged_' })
    const names = postgresNames('sallyport', 'purged_')
    for (let index = 0; index < 20; index++) {
      const key = { space: 'sessions', owner: 'a', id: String(index) }
      await store.put(key, Buffer.from('x'), { ifVersion: null, ...(index % 2 === 0 ? { ttlMs: 60_000 } : {}) })
      await store.lease(key, 60_000)
    }
    server.sql(`update ${names.records} set expires_at = now() - interval '1 s' where id in ('0', '2', '4')`)
    server.sql(`update ${names.leases} set expires_at = now() - interval '1 s'`)
    expect(await listAll(store, 'sessions', 'a')).toHaveLength(17)
    for (const table of ['records', 'leases'] as const) {
      const { text } = statementsFor(names).purge(table)
      await pool.query(text)
    }
    expect(server.sql(`select count(*) from ${names.records}`)).toBe('17')
    expect(server.sql(`select count(*) from ${names.leases}`)).toBe('0')
    await store.close()
  })

  test('goes on to purge with each write as long as there is more than it deletes at once', async () => {
    const store = postgresStore(poolAt(server.url), { tablePrefix: 'full_' })
    const { records } = postgresNames('sallyport', 'full_')
    const key = { space: 'sessions', owner: 'a', id: '1' }
    let version = await store.put(key, Buffer.from('x'), { ifVersion: null })
    server.sql(`insert into ${records}
      select 'sessions', sha256(n::text::bytea), 'x', '', n::text, 'v', 'x', now() - interval '1 s'
      from generate_series(1, 1400) as n`)
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 31_000)
    try {
      await expect
        .poll(async () => {
          version = await store.put(key, Buffer.from('x'), { ifVersion: version })
          return server.sql(`select count(*) from ${records}`)
        })
        .toBe('1')
    } finally {
      vi.restoreAllMocks()
    }
    await store.close()
  })

  test('without `listen` it tells nobody, and hears nothing', async () => {
    const store = postgresStore(poolAt(server.url), { tablePrefix: 'quiet_', listen: false })
    const other = postgresStore(poolAt(server.url), { tablePrefix: 'quiet_' })
    expect(store.changes).toBeUndefined()
    const { heard, next } = hear(other)
    await next('all')
    const key = { space: 'sessions', owner: 'a', id: '1' }
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    const told = { ...key, id: '2' }
    const third = postgresStore(server.url, { tablePrefix: 'quiet_' })
    await third.put(told, Buffer.from('x'), { ifVersion: null })
    await next(told)
    expect(heard).toEqual([])
    await Promise.all([store.close(), other.close(), third.close()])
  })
})

describeWith('postgres', 'D4 PostgreSQL store at the connection limit', () => {
  test('two processes share what there is', async () => {
    const small = await startPostgres({ max_connections: '8', superuser_reserved_connections: '1' })
    onTestFinished(() => small.dispose())
    const stores = [postgresStore(small.url), postgresStore(small.url)]
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))))
    const key = { space: 'sessions', owner: 'a', id: '1' }
    for (const store of stores) await store.get(key)
    await Promise.all(Array.from({ length: 30 }, () => Promise.all(stores.map((store) => store.get(key)))))
  })
})

describeWith(['postgres', 'pgbouncer'], 'D4 PostgreSQL store behind pgbouncer', () => {
  let pooler: Pooler
  let behind: PostgresServer
  beforeAll(async () => {
    behind = await startPostgres()
    pooler = await startPooler(behind)
  })
  afterAll(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.end()))
    await pooler?.dispose()
    await behind?.dispose()
  })
  behaves(
    'transaction mode',
    () => poolAt(pooler.url),
    () => ({ listen: behind.url }),
  )
})

function poolAt(connectionString: string, max = 10): Pool {
  const pool = new Pool({ connectionString, max, connectionTimeoutMillis: 5_000 })
  pools.push(pool)
  return pool
}

function behaves(kind: string, connect: () => Pool, more: () => PostgresStoreOptions = () => ({})): void {
  describe(`over ${kind}`, () => {
    const tablePrefix = `${kind.replaceAll(' ', '_').toLowerCase()}_`
    let pool: Pool
    let store: TokenStore
    let other: TokenStore
    beforeAll(() => {
      pool = connect()
      store = postgresStore(pool, { tablePrefix, ...more() })
      other = postgresStore(connect(), { tablePrefix, ...more() })
    })
    afterAll(async () => {
      await Promise.all([store?.close(), other?.close()])
    })

    describe('B10 the conformance kit', () => {
      for (const { name, run } of storeTests(() => postgresStore(pool, { tablePrefix, ...more() }))) test(name, run)
    })

    test('keeps hostile keys apart, and lists them', async () => {
      const distinct = new Map(hostileKeys().map((key) => [JSON.stringify(key), key]))
      for (const [text, key] of distinct) {
        expect(await store.put(key, Buffer.from(text), { ifVersion: null })).not.toBe('conflict')
        expect(await store.lease(key, 60_000)).toBeDefined()
      }
      for (const [text, key] of distinct) expect(await textAt(other, key)).toBe(text)
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
      for (const key of hostileKeys()) {
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
      const handles = Array.from({ length: 50 }, () =>
        postgresStore(pool, { tablePrefix, listen: false, timeoutMs: 30_000 }),
      )
      await Promise.all(handles.map((handle) => countUp(handle, key, 2, count)))
      expect(count).toEqual({ written: 100, unknown: 0 })
      expect(await textAt(store, key)).toBe('100')
      await Promise.all(handles.map((handle) => handle.close()))
    }, 60_000)

    test('an expired record that is still in its table is not there, and gives way', async () => {
      const key = { space: 'brief', owner: 'a', id: '1' }
      const version = await store.put(key, Buffer.from('x'), { ifVersion: null, ttlMs: 1 })
      while ((await store.get(key)) !== undefined);
      expect(await store.put(key, Buffer.from('y'), { ifVersion: version })).toBe('conflict')
      expect(await store.take(key)).toBeUndefined()
      expect(await store.delete(key)).toBe(false)
      expect(await scanAll(store, 'brief')).toEqual([])
      expect(await store.put(key, Buffer.from('y'), { ifVersion: null })).not.toBe('conflict')
      expect(await textAt(store, key)).toBe('y')
    })

    test('scans every record that is there all the time once, whatever comes and goes', async () => {
      const stay: Key[] = Array.from({ length: 60 }, (_, index) => ({
        space: 'busy',
        owner: `owner ${index % 20}`,
        id: `stay ${index}`,
      }))
      for (const key of stay) await store.put(key, Buffer.from('x'), { ifVersion: null })
      let stop = false
      const coming = Array.from({ length: 4 }, async (_, worker) => {
        for (let round = 0; !stop; round++) {
          const key = { space: 'busy', owner: `owner ${worker}`, id: `go ${worker} ${round % 3}` }
          await other.put(key, Buffer.from('x'), { ifVersion: null })
          await other.delete(key)
        }
      })
      for (let round = 0; round < 5; round++) {
        const found = (await scanAll(store, 'busy', 1 + round * 13)).map(({ key }) => JSON.stringify(key))
        expect(found.filter((key) => key.includes('stay')).sort()).toEqual(
          stay.map((key) => JSON.stringify(key)).sort(),
        )
        expect(new Set(found).size).toBe(found.length)
      }
      stop = true
      await Promise.all(coming)
    }, 60_000)
  })
}
