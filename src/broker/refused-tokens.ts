/**
 * Tokens that an upstream has refused as soon as they were new. Another new one would be refused as well, and an agent that retries
 * would have one made with every call: what it is told instead is that somebody has to consent anew.
 */
import { LRUCache } from 'lru-cache'

/** See the top of the file. Tokens are named by their stamps; what has none is never one of them. */
export interface RefusedTokens {
  has(stamp: string | undefined): boolean
  add(stamp: string | undefined): void
}

/** How long an upstream that has refused a new token is believed to mean it. */
const REFUSED_MS = 60_000
const MAX_REFUSED = 10_000

/** Knows of none at first. */
export function createRefusedTokens(): RefusedTokens {
  const refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_MS })
  return {
    has: (stamp) => stamp !== undefined && refused.has(stamp),
    add(stamp) {
      if (stamp !== undefined) refused.set(stamp, true)
    },
  }
}
