/** Remembers for a while which checks succeeded, so that a slow hash is not computed for every request. */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../core/clock.ts'

/** Successful checks, by an id that holds no secret. */
export interface SuccessCache {
  has(id: string): boolean
  add(id: string): void
}

/** Far more than a service has users of basic auth; an entry is about 100 bytes. */
const maxEntries = 1000

/** A cache that forgets `ttlSeconds` after `add`, however often it is asked; 0 remembers nothing. */
export function createSuccessCache(ttlSeconds: number, clock: Clock): SuccessCache {
  const addedAt = new LRUCache<string, number>({ max: maxEntries })
  return {
    has(id) {
      const added = addedAt.get(id)
      if (added === undefined) return false
      const ageMs = clock.now() - added
      // A clock that was set back must not make an entry live longer.
      if (ageMs >= 0 && ageMs < ttlSeconds * 1000) return true
      addedAt.delete(id)
      return false
    },
    add(id) {
      if (ttlSeconds > 0) addedAt.set(id, clock.now())
    },
  }
}
