/** All tests of the kit, as data that any runner takes. */
import type { TokenStore } from '../store/token-store.ts'
import { changeTests } from './change-tests.ts'
import { closeTests } from './close-tests.ts'
import { crashTests } from './crash-tests.ts'
import { expiryTests } from './expiry-tests.ts'
import { keyTests } from './key-tests.ts'
import { leaseTests } from './lease-tests.ts'
import { pagingTests } from './paging-tests.ts'
import { raceTests } from './race-tests.ts'
import { recordTests } from './record-tests.ts'
import { refreshTests } from './refresh-tests.ts'
import { createTestKit, type KitTest } from './test-kit.ts'

/** One test: a runner calls `run`, which rejects (with an AssertionError) when the store does not pass. */
export interface StoreTest {
  readonly name: string
  readonly run: () => Promise<void>
}

/** About the store under test. */
export interface StoreTestOptions {
  /**
   * The store has one handle, like one in memory: what needs several gets the same one several times, and each test calls
   * `makeStore` once. By default every call of `makeStore` must open another handle onto the same storage, as another
   * process would.
   */
  readonly oneHandle?: boolean
}

const groups: Readonly<Record<string, readonly KitTest[]>> = {
  records: recordTests,
  keys: keyTests,
  expiry: expiryTests,
  listing: pagingTests,
  leases: leaseTests,
  races: raceTests,
  changes: changeTests,
  closing: closeTests,
  refresh: refreshTests,
  crashes: crashTests,
}

/**
 * The tests that every token store passes. In vitest and jest, with a time limit; node:test has none, so there it is `it(name, run)`:
 *
 * ```ts
 * for (const { name, run } of storeTests(() => myStore('file'))) it(name, run, 30_000)
 * ```
 *
 * Keys are random, so the storage need not be empty, and several runs can share it. A test takes up to a few seconds, and up
 * to ten where the store takes 150 ms for an answer. The kit deletes what it writes, also when a test fails, and closes what it
 * opens. Leases stay up to an hour.
 */
export function storeTests(
  makeStore: () => TokenStore | Promise<TokenStore>,
  options: StoreTestOptions = {},
): StoreTest[] {
  return Object.entries(groups).flatMap(([group, tests]) =>
    tests.map(({ name, run }) => ({
      name: `${group}: ${name}`,
      run: async () => {
        const kit = createTestKit(makeStore, options.oneHandle ?? false)
        try {
          await run(kit)
        } finally {
          await kit.end()
        }
      },
    })),
  )
}
