/** Which package is chosen for SQLite. */
import { describe, expect, it } from 'vitest'
import { DependencyError } from '../../src/core/errors.ts'
import { loadSqliteDriver } from '../../src/stores/sqlite-driver.ts'

class FakeDatabase {
  exec() {}
  prepare() {
    return { all: () => [], run: () => ({ changes: 0 }) }
  }
  close() {}
}

class BrokenDatabase {
  constructor() {
    throw new Error('Could not locate the bindings file')
  }
}

const none = () => undefined
const notFound = async (name: string) => {
  throw Object.assign(new Error(`Cannot find package '${name}'`), { code: 'ERR_MODULE_NOT_FOUND' })
}
const packages = (found: Readonly<Record<string, unknown>>) => async (name: string) =>
  found[name] === undefined ? notFound(name) : { default: found[name] }

describe('D4 SQLite packages', () => {
  it('takes node:sqlite first, without importing anything', async () => {
    const driver = await loadSqliteDriver(undefined, notFound, () => ({ DatabaseSync: FakeDatabase }))
    expect(driver.name).toBe('node:sqlite')
    expect(driver.open('tokens.db')).toBeInstanceOf(FakeDatabase)
  })

  it.each([
    [{ 'better-sqlite3': FakeDatabase, libsql: FakeDatabase }, 'better-sqlite3'],
    [{ libsql: FakeDatabase }, 'libsql'],
    [{ 'better-sqlite3': BrokenDatabase, libsql: FakeDatabase }, 'libsql'],
  ])('then whichever is installed and works', async (found, name) => {
    expect((await loadSqliteDriver(undefined, packages(found), none)).name).toBe(name)
  })

  it('takes the one that is asked for', async () => {
    const importPackage = packages({ 'better-sqlite3': FakeDatabase, libsql: FakeDatabase })
    const builtin = () => ({ DatabaseSync: FakeDatabase })
    expect((await loadSqliteDriver('libsql', importPackage, builtin)).name).toBe('libsql')
  })

  it('says what to install where there is none', async () => {
    const loading = loadSqliteDriver(undefined, notFound, none)
    await expect(loading).rejects.toThrow(DependencyError)
    await expect(loading).rejects.toThrow(
      'a SQLite token store needs Node 22.13 or later, or a package: `npm install better-sqlite3` or `npm install libsql`',
    )
  })

  it('says what is wrong with one that is installed', async () => {
    const loading = loadSqliteDriver(undefined, packages({ 'better-sqlite3': BrokenDatabase }), none)
    await expect(loading).rejects.toThrow(/Could not locate the bindings file/)
  })

  it('does not take another one than is asked for', async () => {
    await expect(loadSqliteDriver('node:sqlite', packages({ libsql: FakeDatabase }), none)).rejects.toThrow(
      DependencyError,
    )
    await expect(loadSqliteDriver('better-sqlite3', packages({ libsql: FakeDatabase }), none)).rejects.toThrow(
      '`npm install better-sqlite3`',
    )
  })
})
