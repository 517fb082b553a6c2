/** What a test has written, so that nothing of it stays in a storage that is somebody's. */
import type { Key, TokenStore } from '../store/token-store.ts'
import { inParallel } from './in-parallel.ts'

/** See the top of the file. */
export interface Leftovers {
  /** `store`; what is written through it is remembered. */
  watch(store: TokenStore): TokenStore
  /** Whether anything was written. */
  any(): boolean
  /** Deletes it, as far as the store lets us: whether it deletes is for the tests to say. */
  remove(store: TokenStore): Promise<void>
}

/** See the top of the file. */
export function createLeftovers(): Leftovers {
  const written = new Map<string, Key>()
  return {
    watch(store) {
      const { changes } = store
      return {
        get: (key) => store.get(key),
        async put(key, value, options) {
          const version = await store.put(key, value, options)
          if (version !== 'conflict') written.set(JSON.stringify([key.space, key.owner, key.id]), key)
          return version
        },
        take: (key) => store.take(key),
        delete: (key, options) => store.delete(key, options),
        list: (space, owner, page) => store.list(space, owner, page),
        scan: (space, page) => store.scan(space, page),
        lease: (key, ttlMs) => store.lease(key, ttlMs),
        ...(changes === undefined ? {} : { changes: (listener) => changes.call(store, listener) }),
        close: () => store.close(),
      }
    },
    any: () => written.size > 0,
    remove: (store) => inParallel([...written.values()], (key) => store.delete(key)).catch(() => {}),
  }
}
