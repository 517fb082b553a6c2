/** The kit, run over stores that are made for it. */
import { memoryStore } from 'sallyport/stores/memory'
import { type StoreTest, type StoreTestOptions, storeTests } from 'sallyport/testing'
import { StoreError } from '../../src/core/errors.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { operatedStore } from '../../src/testing/failing-store.ts'

/** What a store does otherwise than the one it is over. */
export type Change = (store: TokenStore) => Partial<TokenStore>

/** The names of the tests that fail; those of crashes, which take long, are left out. */
export async function failing(makeStore: () => TokenStore, options: StoreTestOptions): Promise<string[]> {
  const tests = storeTests(makeStore, options).filter(({ name }) => !name.startsWith('crashes: '))
  // Many records keep the process busy; what goes by time does not run beside that.
  const isLarge = ({ name }: StoreTest) => /^(keys|listing): /.test(name)
  const large = await namesOfFailing(tests.filter(isLarge))
  return [...large, ...(await namesOfFailing(tests.filter((test) => !isLarge(test))))]
}

async function namesOfFailing(tests: readonly StoreTest[]): Promise<string[]> {
  const results = await Promise.all(
    tests.map(({ name, run }) =>
      run().then(
        () => undefined,
        () => name,
      ),
    ),
  )
  return results.filter((name) => name !== undefined)
}

/** Makes stores in memory that are fine but for `change`, each with a storage of its own. */
export function changed(change: Change): () => TokenStore {
  return () => {
    const store = memoryStore()
    return { ...store, ...change(store) }
  }
}

/** Makes handles onto one storage in memory, each of them with the `change`, as processes would have them. */
export function changedHandles(change: Change): () => TokenStore {
  const storage = memoryStore()
  return () => closing({ ...storage, ...change(storage) })
}

/** A store that counts how often it was waited for: what is asked for meanwhile is the same wait. */
export function waits(store: TokenStore): { readonly store: TokenStore; count(): number } {
  let [busy, count] = [0, 0]
  const waited = operatedStore(store, async (_, operation) => {
    if (busy++ === 0) count++
    await new Promise((resolve) => setImmediate(resolve))
    try {
      return await operation()
    } finally {
      busy--
    }
  })
  return { store: waited, count: () => count }
}

/** A handle that closes without the storage behind it. */
export function closing(store: TokenStore): TokenStore {
  let closed = false
  function open<A extends unknown[], R>(method: (...call: A) => Promise<R>): (...call: A) => Promise<R> {
    return async (...call) => {
      if (closed) throw new StoreError('closed')
      return method(...call)
    }
  }
  return {
    get: open(store.get),
    put: open(store.put),
    take: open(store.take),
    delete: open(store.delete),
    list: open(store.list),
    scan: open(store.scan),
    lease: open(async (key, ttlMs) => {
      const lease = await store.lease(key, ttlMs)
      return lease && { renew: open(lease.renew), release: open(lease.release) }
    }),
    async close() {
      closed = true
    },
  }
}
