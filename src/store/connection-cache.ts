/** Looked-up connections, believed for a while. Nothing that was read before a change is believed after it. */
import { LRUCache } from 'lru-cache'
import { decodeRecord, type ReadConnection } from './connection-record.ts'
import type { Key, TokenStore } from './token-store.ts'

/** See the top of the file. */
export interface ConnectionCache<Tokens> {
  /**
   * The connection, from the store where nothing is cached or `fresh` is asked for.
   *
   * @throws StoreError, SealError, SyntaxError where the record cannot be read.
   */
  read(key: Key, fresh: boolean): Promise<ReadConnection<Tokens> | undefined>
  /** The connection, where it is cached. */
  known(key: Key): ReadConnection<Tokens> | undefined
  /** The connection has changed, or may have. */
  forget(key: Key | 'all'): void
  /** No longer listens for changes made elsewhere. */
  close(): void
}

/** A read under way; what it finds may be stale by the time it does. */
interface Reading {
  readonly text: string
  stale: boolean
}

const CACHE_ENTRIES = 10_000

/** @param cacheMs - the longest that the store is not asked again, where it does not tell of changes */
export function createConnectionCache<Tokens>(store: TokenStore, cacheMs: number): ConnectionCache<Tokens> {
  const cache = new LRUCache<string, { read: ReadConnection<Tokens>; at: number }>({ max: CACHE_ENTRIES })
  const readings = new Set<Reading>()

  function forget(key: Key | 'all'): void {
    const text = key === 'all' ? undefined : nameOf(key)
    if (text === undefined) cache.clear()
    else cache.delete(text)
    for (const reading of readings) {
      if (text === undefined || reading.text === text) reading.stale = true
    }
  }

  const unsubscribe = store.changes?.(forget)

  function cached(text: string): ReadConnection<Tokens> | undefined {
    const entry = cache.get(text)
    return entry !== undefined && performance.now() - entry.at < cacheMs ? entry.read : undefined
  }

  return {
    known: (key) => cached(nameOf(key)),
    async read(key, fresh) {
      const text = nameOf(key)
      const known = fresh ? undefined : cached(text)
      if (known !== undefined) return known
      const at = performance.now()
      const reading = { text, stale: false }
      readings.add(reading)
      try {
        const found = await store.get(key)
        const read = found && { record: decodeRecord<Tokens>(found.value), version: found.version }
        if (read === undefined) cache.delete(text)
        else if (!reading.stale && cacheMs > 0) cache.set(text, { read, at })
        return read
      } finally {
        readings.delete(reading)
      }
    },
    forget,
    close() {
      unsubscribe?.()
    },
  }
}

/** Names a key in this process alone. `keyText` takes several times as long, for every request. */
function nameOf({ space, owner, id }: Key): string {
  return `${space.length}.${owner.length}.${space}${owner}${id}`
}
