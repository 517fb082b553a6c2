/** The SQLite store: the kit on each package that is there, and what only files have. */
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { storeTests } from 'sallyport/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import type { SqliteDatabase, SqliteDriver } from '../../src/stores/sqlite-driver.ts'
import { MIGRATIONS, migrate } from '../../src/stores/sqlite-schema.ts'
import { sqliteDrivers } from './sqlite-drivers.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-sqlite-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const newPath = () => join(folder, `${randomUUID()}.db`)
const key = { space: 'connections', owner: 'alice', id: 'github' }
const value = new Uint8Array([1, 2, 3])

for (const [name, driver] of sqliteDrivers) {
  if (driver === undefined) describe.skip(`D4 SQLite store on ${name} [missing: ${name}]`, () => it('runs', () => {}))
  else describe(`D4 SQLite store on ${name}`, () => testDriver(driver))
}

function testDriver(driver: SqliteDriver): void {
  const open = (path: string, timeoutMs = 5_000) => sqliteStore(path, { driver: driver.name, timeoutMs })

  async function using<T>(path: string, work: (store: TokenStore) => Promise<T>): Promise<T> {
    const store = open(path)
    try {
      return await work(store)
    } finally {
      await store.close()
    }
  }

  /** The file as SQLite sees it, without the store. */
  function inside<T>(path: string, work: (database: SqliteDatabase) => T): T {
    const database = driver.open(path)
    try {
      return work(database)
    } finally {
      database.close()
    }
  }

  describe('B10 the conformance kit', () => {
    const path = newPath()
    for (const { name, run } of storeTests(() => open(path))) it(name, run)
  })

  describe('B10 the conformance kit, in memory', () => {
    for (const { name, run } of storeTests(() => open(':memory:'), { oneHandle: true })) it(name, run)
  })

  it('makes the file when it is first used, readable by its owner only', async () => {
    const path = newPath()
    const store = open(path)
    expect(existsSync(path)).toBe(false)
    await store.put(key, value, { ifVersion: null })
    for (const file of [path, `${path}-wal`, `${path}-shm`]) {
      expect(statSync(file).mode & 0o777, file).toBe(0o600)
    }
    await store.close()
  })

  it('leaves the permissions of a file that is there', async () => {
    const path = newPath()
    writeFileSync(path, '')
    chmodSync(path, 0o660)
    await using(path, (store) => store.put(key, value, { ifVersion: null }))
    expect(statSync(path).mode & 0o777).toBe(0o660)
  })

  it('keeps records over a restart, with their versions and times', async () => {
    const path = newPath()
    const version = await using(path, (store) => store.put(key, value, { ifVersion: null, ttlMs: 60_000 }))
    await using(path, async (store) => {
      expect(await store.get(key)).toEqual({ value, version })
      expect(await store.put(key, value, { ifVersion: version, ttlMs: 'keep' })).not.toBe('conflict')
    })
    inside(path, (database) => {
      const [row] = database.prepare('SELECT expires_at FROM records').all()
      expect(Math.abs(Number(row?.expires_at) - Date.now() - 60_000)).toBeLessThan(30_000)
    })
  })

  it('takes a relative path from where it was when the store was made', async () => {
    const before = process.cwd()
    const name = `${randomUUID()}.db`
    try {
      process.chdir(folder)
      const store = open(name)
      process.chdir(tmpdir())
      await store.put(key, value, { ifVersion: null })
      await store.close()
    } finally {
      process.chdir(before)
    }
    expect(existsSync(join(folder, name))).toBe(true)
  })

  it('takes a path that looks like a URL for a path', async () => {
    mkdirSync(join(folder, 'file:'), { recursive: true })
    const path = join(folder, 'file:', `${randomUUID()}.db?mode=memory`)
    await using(path, (store) => store.put(key, value, { ifVersion: null }))
    expect(existsSync(path)).toBe(true)
  })

  it('uses a write-ahead log', async () => {
    const path = newPath()
    await using(path, (store) => store.put(key, value, { ifVersion: null }))
    inside(path, (database) => {
      expect(database.prepare('PRAGMA journal_mode').all()).toMatchObject([{ journal_mode: 'wal' }])
    })
  })

  it('deletes what has expired along with other writes, records and leases', async () => {
    const path = newPath()
    const count = (table: string) =>
      inside(path, (database) => Number(database.prepare(`SELECT count(*) AS n FROM ${table}`).all()[0]?.n))
    await using(path, async (store) => {
      for (let index = 0; index < 5; index++) {
        await store.put({ ...key, id: `${index}` }, value, { ifVersion: null, ttlMs: 1 })
        await store.lease({ ...key, id: `${index}` }, 1)
      }
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await using(path, (store) => store.put(key, value, { ifVersion: null }))
    expect(count('records')).toBe(1)
    expect(count('leases')).toBe(0)
  })

  it('waits while somebody else writes, and does not stop the process meanwhile', async () => {
    const path = newPath()
    await using(path, async (store) => {
      const version = await store.put(key, value, { ifVersion: null })
      const other = driver.open(path)
      other.exec('BEGIN IMMEDIATE')
      let settled = false
      const writing = store.put(key, value, { ifVersion: version }).finally(() => {
        settled = true
      })
      // Were it to stop the process, its time would be over with the first of these.
      for (let ticks = 0; ticks < 20; ticks++) await new Promise((resolve) => setTimeout(resolve, 10))
      expect(settled).toBe(false)
      expect(await store.get(key), 'readers do not wait').toBeDefined()
      other.exec('COMMIT')
      other.close()
      expect(await writing).not.toBe('conflict')
    })
  })

  it('many writes behind somebody else ask for their turn once at a time', async () => {
    const path = newPath()
    await using(path, async (store) => {
      await store.put(key, value, { ifVersion: null })
      const other = driver.open(path)
      other.exec('BEGIN IMMEDIATE')
      const { inOneTurn, inAll, restore } = countRefusedTurns(driver)
      const writes = Array.from({ length: 20 }, (_, index) =>
        store.put({ ...key, id: `${index}` }, value, { ifVersion: null }),
      )
      await expect.poll(inAll).toBeGreaterThan(3)
      expect(await store.get(key), 'readers do not wait').toBeDefined()
      restore()
      expect(inOneTurn()).toBe(1)
      other.exec('COMMIT')
      other.close()
      expect(await Promise.all(writes)).not.toContain('conflict')
    })
  })

  it('gives up with a StoreError when somebody else does not end', async () => {
    const path = newPath()
    await using(path, (store) => store.put(key, value, { ifVersion: null }))
    const other = driver.open(path)
    other.exec('BEGIN IMMEDIATE')
    const store = open(path, 50)
    const error = await store.delete(key).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StoreError)
    expect(error).toMatchObject({ code: 'ERR_STORE', message: expect.stringContaining('locked by somebody else') })
    other.exec('ROLLBACK')
    other.close()
    expect(await store.delete(key), 'nothing was done, and now it is').toBe(true)
    await store.close()
  })

  describe('files that cannot be used', () => {
    const refused = (path: string) => using(path, (store) => store.get(key)).catch((thrown: unknown) => thrown)

    it.each([
      ['a folder that is not there', () => join(folder, 'none', 'tokens.db'), 'its folder is not there'],
      ['a path through a file', () => join(through(), 'tokens.db'), 'its folder is not there'],
      ['a folder', () => folder, 'is not a file'],
    ])('%s', async (_, path, message) => {
      const error = await refused(path())
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toContain(message)
      expect((error as Error).message).toContain(folder)
    })

    function through(): string {
      const path = newPath()
      writeFileSync(path, 'file')
      return path
    }

    it('a file of something else, which is left alone', async () => {
      const path = newPath()
      writeFileSync(path, 'Dear diary, '.repeat(1_000))
      const error = await refused(path)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/no SQLite database, or is damaged/)
      expect(readFileSync(path, 'utf8')).toBe('Dear diary, '.repeat(1_000))
    })

    it('a damaged file', async () => {
      const path = newPath()
      await using(path, async (store) => {
        for (let index = 0; index < 50; index++)
          await store.put({ ...key, id: `${index}` }, new Uint8Array(2_000), { ifVersion: null })
      })
      inside(path, (database) => database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').all())
      const content = readFileSync(path)
      content.fill(0xa5, 4_096)
      const damaged = newPath()
      writeFileSync(damaged, content)
      const error = await using(damaged, (store) => store.scan('connections')).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/damaged/)
    })

    it("somebody else's database, which is left alone", async () => {
      const path = newPath()
      inside(path, (database) => database.exec('CREATE TABLE diary (entry TEXT)'))
      const error = await refused(path)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/something else; tokens need a file of their own/)
      inside(path, (database) => {
        expect(database.prepare('SELECT name FROM sqlite_schema').all()).toMatchObject([{ name: 'diary' }])
      })
    })

    it('tables of a later release', async () => {
      const path = newPath()
      await using(path, (store) => store.put(key, value, { ifVersion: null }))
      inside(path, (database) => database.exec('PRAGMA user_version = 99'))
      const error = await refused(path)
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/version 99 of the tables.*up to 1.*later release/)
    })

    it('a file that cannot be written', async () => {
      const path = newPath()
      await using(path, (store) => store.put(key, value, { ifVersion: null }))
      chmodSync(folder, 0o755)
      chmodSync(path, 0o444)
      const error = await asNobody(() => refused(path))
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/cannot be (read and )?(written|opened)/)
    })

    it('a folder that cannot be written', async () => {
      const own = join(folder, randomUUID())
      mkdirSync(own)
      chmodSync(folder, 0o755)
      chmodSync(own, 0o555)
      const error = await asNobody(() => refused(join(own, 'tokens.db')))
      expect(error).toBeInstanceOf(StoreError)
      expect((error as Error).message).toMatch(/cannot be made/)
    })

    it('works as soon as what was wrong is put right', async () => {
      const own = join(folder, randomUUID())
      await using(join(own, 'tokens.db'), async (store) => {
        await expect(store.get(key)).rejects.toThrow(StoreError)
        mkdirSync(own)
        expect(await store.get(key)).toBeUndefined()
      })
    })
  })

  describe('migrations', () => {
    const tables = (database: SqliteDatabase) =>
      database
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .all()
        .map(({ name }) => name)

    it('run from wherever a file is, once', () => {
      inside(':memory:', (database) => {
        migrate(database, MIGRATIONS)
        const later = [...MIGRATIONS, 'CREATE TABLE second (a TEXT)', 'CREATE TABLE third (a TEXT)']
        migrate(database, later.slice(0, 2))
        expect(tables(database)).toEqual(['leases', 'records', 'second'])
        migrate(database, later)
        migrate(database, later)
        expect(tables(database)).toEqual(['leases', 'records', 'second', 'third'])
        expect(database.prepare('PRAGMA user_version').all()).toMatchObject([{ user_version: 3 }])
        expect(() => migrate(database, MIGRATIONS)).toThrow(/later release/)
      })
    })

    it('happen wholly or not at all', () => {
      const path = newPath()
      inside(path, (database) => {
        database.exec('BEGIN IMMEDIATE')
        expect(() => migrate(database, [...MIGRATIONS, 'CREATE TABLE second (a TEXT); nonsense'])).toThrow()
        database.exec('ROLLBACK')
        expect(tables(database)).toEqual([])
        expect(database.prepare('PRAGMA user_version').all()).toMatchObject([{ user_version: 0 }])
      })
    })
  })
}

describe('D4 SQLite store', () => {
  it('needs a path', () => {
    expect(() => sqliteStore('')).toThrow(TypeError)
  })

  it('needs a time that can be', () => {
    expect(() => sqliteStore(':memory:', { timeoutMs: 0 })).toThrow(TypeError)
  })
})

/** Counts transactions that could not begin: the most in one turn of the event loop, and in all. */
function countRefusedTurns(driver: SqliteDriver) {
  const probe = driver.open(':memory:')
  const prototype: SqliteDatabase = Object.getPrototypeOf(probe)
  probe.close()
  const { exec } = prototype
  let [now, most, all] = [0, 0, 0]
  prototype.exec = function (this: SqliteDatabase, sql: string) {
    try {
      return exec.call(this, sql)
    } catch (error) {
      if (sql === 'BEGIN IMMEDIATE') {
        all++
        most = Math.max(most, ++now)
        setImmediate(() => {
          now = 0
        })
      }
      throw error
    }
  }
  return {
    inOneTurn: () => most,
    inAll: () => all,
    restore() {
      prototype.exec = exec
    },
  }
}

/** Root can write everything. */
async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work()
  process.seteuid?.(65_534)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}
