/** Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6). */

import type { Clock } from '../core/clock.ts'
import { expectationsFor } from '../identity/integrations.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import type { Provider } from './provider.ts'

/** Whom a logout token speaks of, or what is wrong with it. */
export type FoundLogout =
  | { readonly kind: 'logout'; readonly subject: string | undefined; readonly session: string | undefined }
  | { readonly kind: 'bad'; readonly detail: string }
  | { readonly kind: 'unavailable' }

const EVENT = 'http://schemas.openid.net/event/backchannel-logout'
/** A token that was caught may not be used for long. */
const MAX_AGE_MS = 5 * 60_000

/** Reads and checks a logout token. */
export async function logoutTokenOf(
  token: string,
  provider: Provider,
  verify: TokenVerifier,
  clock: Clock,
): Promise<FoundLogout> {
  const expected = { ...expectationsFor(provider.integration, 'id_token'), source: 'logout_token' } as const
  const found = await verify(token, [{ ...provider.judged, expected }])
  if (found.kind === 'unavailable') return { kind: 'unavailable' }
  if (found.kind === 'bad') return { kind: 'bad', detail: found.problem.detail }
  const { sub, sid, events, nonce, iat } = found.signed.payload
  if (typeof events !== 'object' || events === null || !Object.hasOwn(events, EVENT)) {
    return { kind: 'bad', detail: 'it is not about a logout' }
  }
  // So that an ID token never passes for one.
  if (nonce !== undefined) return { kind: 'bad', detail: 'it has a nonce' }
  if (typeof iat !== 'number' || Math.abs(clock.now() - iat * 1000) > MAX_AGE_MS) {
    return { kind: 'bad', detail: 'it was not made just now' }
  }
  const subject = typeof sub === 'string' ? sub : undefined
  const session = typeof sid === 'string' ? sid : undefined
  if (subject === undefined && session === undefined) return { kind: 'bad', detail: 'it names neither sub nor sid' }
  return { kind: 'logout', subject, session }
}
