/**
 * Consents under way: what was asked for, from the person's click to the authorization server's answer. Pinned, so that an
 * answer counts for nothing but the very question, whatever the configuration says meanwhile.
 */
import { createHash } from 'node:crypto'
import { ATTEMPT_MS } from '../../http/attempt-cookies.ts'
import type { Key, TokenStore } from '../../store/token-store.ts'
import type { BoundClient } from '../bound-client.ts'
import type { KeptConnectRequest } from '../broker.ts'
import { isSameTokenOrigin, type TokenOrigin } from '../tokens.ts'

/** What is remembered of one. */
export interface ConsentFlow extends KeptConnectRequest {
  readonly origin: TokenOrigin
  readonly redirectUri: string
  /** Those of the server, without what `stepUp` adds. */
  readonly scopes: readonly string[]
  /** RFC 7636. */
  readonly verifier: string
}

/** Keeps them, by `state`. */
export interface ConsentFlows {
  put(state: string, flow: ConsentFlow): Promise<void>
  /** Takes one, once; `undefined` for one that is over, too old, or was never begun. */
  take(state: string): Promise<ConsentFlow | undefined>
}

/** Flows in a store, which should seal: the verifier is in them. */
export function createConsentFlows(store: TokenStore): ConsentFlows {
  return {
    async put(state, flow) {
      await store.put(keyOf(state), Buffer.from(JSON.stringify(flow)), { ifVersion: null, ttlMs: ATTEMPT_MS })
    },
    async take(state) {
      const found = await store.take(keyOf(state))
      return found && JSON.parse(Buffer.from(found.value).toString('utf8'))
    },
  }
}

/**
 * Whether `client` would still ask for the same. Scopes that were found out may be listed otherwise by now, and the flow has its
 * own; those of the configuration are somebody's will.
 */
export function stillFits(flow: ConsentFlow, client: BoundClient): boolean {
  const { scopes = flow.scopes } = client.server.auth
  return (
    isSameTokenOrigin(flow.origin, client.origin) &&
    flow.redirectUri === client.redirectUri &&
    JSON.stringify(flow.scopes) === JSON.stringify(scopes)
  )
}

/** The state itself is in URLs, hence in logs. */
function keyOf(state: string): Key {
  return { space: 'consent-flows', owner: createHash('sha256').update(state).digest('base64url'), id: 'flow' }
}
