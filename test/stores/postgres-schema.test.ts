/** The tables of the PostgreSQL store. */
import { Pool } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { describeWith } from '../support/parts.ts'
import { type PostgresServer, startPostgres } from '../support/postgres.ts'
import { textAt } from '../support/store-checks.ts'

const key = { space: 'connections', owner: 'alice', id: 'github' }

describeWith('postgres', 'D4 the tables of the PostgreSQL store', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server?.dispose())

  const urlFor = (user: string, database: string) => `postgres://${user}@127.0.0.1:${server.port}/${database}`

  test('are made once, by whichever of many comes first', async () => {
    const stores = Array.from({ length: 10 }, () => postgresStore(server.url, { schema: 'raced', timeoutMs: 20_000 }))
    const written = await Promise.all(stores.map((store) => store.put(key, Buffer.from('x'), { ifVersion: null })))
    expect(written.filter((version) => version !== 'conflict')).toHaveLength(1)
    expect(server.sql('select count(*) from raced.migrations')).toBe('1')
    await Promise.all(stores.map((store) => store.close()))
  })

  test('are made also where stores with other prefixes come at the same moment', async () => {
    for (const schema of ['shared_1', 'shared_2', 'shared_3']) {
      const stores = ['', 'a_', 'b_', 'c_', 'd_'].map((tablePrefix) =>
        postgresStore(server.url, { schema, tablePrefix, timeoutMs: 20_000 }),
      )
      const written = await Promise.all(stores.map((store) => store.put(key, Buffer.from('x'), { ifVersion: null })))
      expect(written).not.toContain('conflict')
      await Promise.all(stores.map((store) => store.close()))
    }
  })

  test('can be in a schema that is there, under a prefix', async () => {
    const store = postgresStore(server.url, { schema: 'public', tablePrefix: 'sallyport_' })
    await store.put(key, Buffer.from('x'), { ifVersion: null })
    expect(server.sql('select owner, id from public.sallyport_records')).toBe('alice|github')
    await store.close()
  })

  test.each([
    ['a schema', 'drop schema dropped cascade'],
    ['tables', 'drop table dropped.records, dropped.leases, dropped.migrations'],
  ])('are made anew when somebody has dropped %s meanwhile', async (_, drop) => {
    const store = postgresStore(server.url, { schema: 'dropped', listen: false })
    await store.get(key)
    server.sql(drop)
    await expect(store.get(key)).rejects.toThrow(/does not exist/)
    expect(await store.put(key, Buffer.from('x'), { ifVersion: null })).not.toBe('conflict')
    await store.close()
  })

  test('are used by a user who may not make any, once they are there', async () => {
    server.sql('create role app login')
    const early = postgresStore(urlFor('app', 'postgres'), { schema: 'granted' })
    await expect(early.get(key)).rejects.toThrow(/permission denied/)
    const owner = postgresStore(server.url, { schema: 'granted' })
    await owner.get(key)
    server.sql('grant usage on schema granted to app')
    server.sql('grant select, insert, update, delete on all tables in schema granted to app')
    await early.put(key, Buffer.from('x'), { ifVersion: null })
    expect(await textAt(owner, key)).toBe('x')
    await Promise.all([early.close(), owner.close()])
  })

  test('of a later version are refused', async () => {
    const store = postgresStore(server.url, { schema: 'later' })
    await store.get(key)
    server.sql('insert into later.migrations values (1000, now())')
    const older = postgresStore(server.url, { schema: 'later' })
    await expect(older.get(key)).rejects.toThrow(/version 1000/)
    await Promise.all([store.close(), older.close()])
  })

  test('are not made in a database that cannot hold every key', async () => {
    server.sql("create database latin encoding 'LATIN1' template template0 lc_collate 'C' lc_ctype 'C'")
    const store = postgresStore(urlFor('postgres', 'latin'))
    await expect(store.get(key)).rejects.toThrow(StoreError)
    await expect(store.get(key)).rejects.toThrow(/LATIN1/)
    await store.close()
  })

  test('a failed attempt leaves nothing, and the next one succeeds', async () => {
    server.sql('create schema half; create table half.leases (oops int)')
    const pool = new Pool({ connectionString: server.url })
    const store = postgresStore(pool, { schema: 'half' })
    await expect(store.get(key)).rejects.toThrow(/already exists/)
    expect(server.sql("select coalesce(to_regclass('half.records')::text, 'none')")).toBe('none')
    server.sql('drop table half.leases')
    expect(await store.get(key)).toBeUndefined()
    await store.close()
    await pool.end()
  })

  describe('options', () => {
    test('that are no plain names are refused', () => {
      for (const schema of ['a"b', '', '1a', 'a b', 'x'.repeat(41)]) {
        expect(() => postgresStore('postgres://127.0.0.1:1/x', { schema })).toThrow(TypeError)
      }
      expect(() => postgresStore('postgres://127.0.0.1:1/x', { tablePrefix: 'a-b' })).toThrow(TypeError)
    })
  })
})
