/**
 * What a person is told once their account is connected, kept for the moment in which the browser goes on from the callback, whose
 * address has the code and the state in it, to an address that says nothing. It is shown once.
 */
import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Key, TokenStore } from '../../store/token-store.ts'

/** See the top of the file. */
export interface ConnectedNotes {
  /** Keeps the name of a server, as people know it. What stands behind the path of links to see it. */
  put(label: string): Promise<string>
  /** The name, the first time that it is asked for, and for the second click of an impatient person. */
  take(random: string): Promise<string | undefined>
}

/** Long enough for a slow double click, as in `same-answer.ts`. */
const AGAIN_MS = 5_000
const MAX_AGAIN = 1_000
/** Much longer than a redirect takes. */
const KEPT_MS = 5 * 60_000

/** Notes in a store, which should seal. */
export function createConnectedNotes(store: TokenStore): ConnectedNotes {
  const lately = new LRUCache<string, Promise<string | undefined>>({ max: MAX_AGAIN, ttl: AGAIN_MS })

  async function takeNow(random: string): Promise<string | undefined> {
    const found = await store.take(keyOf(random))
    return found && Buffer.from(found.value).toString('utf8')
  }

  return {
    async put(label) {
      const random = randomBytes(32).toString('base64url')
      await store.put(keyOf(random), Buffer.from(label), { ifVersion: null, ttlMs: KEPT_MS })
      return random
    },
    async take(random) {
      const before = lately.get(random)
      if (before !== undefined) return before
      const taking = takeNow(random)
      lately.set(random, taking)
      const label = await taking.catch(() => undefined)
      // Anybody can ask for what was never there, and what could not be looked for may be there.
      if (label === undefined) lately.delete(random)
      return taking
    },
  }
}

function keyOf(random: string): Key {
  return { space: 'connected-notes', owner: createHash('sha256').update(random).digest('base64url'), id: 'note' }
}
