/** The granted tokens of all servers. They outlive changes of the configuration, as long as what it says of their server stays. */
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../core/clock.ts'
import { createGranter, type GrantServer, type GrantSettings } from './grants.ts'
import { createGrantedTokens, type GrantedTokens } from './tokens.ts'

/** See the top of the file. */
export interface GrantedServers {
  /** Always the same for the same server with the same configuration. */
  tokensOf(server: GrantServer): GrantedTokens
}

/** More servers than this only lose what they remember when the configuration changes. */
const MAX_SERVERS = 1_000

/** Makes them. Nothing is looked up or fetched yet. */
export function createGrantedServers(settings: GrantSettings & { readonly clock: Clock }): GrantedServers {
  const { clock } = settings
  const known = new LRUCache<string, GrantedTokens>({ max: MAX_SERVERS })
  return {
    tokensOf(server) {
      const { id, url, auth } = server
      const key = JSON.stringify([id, url, auth])
      const before = known.get(key)
      if (before !== undefined) return before
      const widens = auth.scopes === undefined
      const made = createGrantedTokens({ server: id, granter: createGranter(server, settings), widens, clock })
      known.set(key, made)
      return made
    },
  }
}
