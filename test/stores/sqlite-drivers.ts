/** Which of SQLite's packages are there, for tests on each of them. */
import { DependencyError } from '../../src/core/errors.ts'
import { loadSqliteDriver, SQLITE_DRIVERS, type SqliteDriver } from '../../src/stores/sqlite-driver.ts'

/** Every driver by name; `undefined` for one that is not there. */
export const sqliteDrivers = await Promise.all(
  SQLITE_DRIVERS.map(async (name): Promise<readonly [typeof name, SqliteDriver | undefined]> => {
    try {
      return [name, await loadSqliteDriver(name)]
    } catch (error) {
      if (error instanceof DependencyError) return [name, undefined]
      throw error
    }
  }),
)
