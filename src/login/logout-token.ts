/** Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4, §2.6). */
import type { Clock } from '../core/clock.ts'
import { isLogout } from '../jwt/registered-claims.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import { tenantOf } from './identity.ts'
import type { Provider } from './provider.ts'
import type { Ending } from './session.ts'

/** Whom a logout token speaks of, or what is wrong with it. */
export type FoundLogout =
  | ({ readonly kind: 'logout' } & Ending)
  | { readonly kind: 'bad'; readonly detail: string }
  | { readonly kind: 'unavailable' }

/** A token that was caught may not be used for long. */
const MAX_AGE_MS = 5 * 60_000

/** Reads and checks a logout token. */
export async function logoutTokenOf(
  token: string,
  provider: Provider,
  verify: TokenVerifier,
  clock: Clock,
): Promise<FoundLogout> {
  // Whatever else the integration takes ID tokens for: a sign-out of another client is none of ours (§2.4).
  const { audienceClaim: _, ...common } = provider.idToken.expected
  const expected = { ...common, audiences: [provider.oauth2.clientId], source: 'logout_token' } as const
  const found = await verify(token, [{ ...provider.judged, expected }])
  if (found.kind === 'unavailable') return { kind: 'unavailable' }
  if (found.kind === 'bad') return { kind: 'bad', detail: found.problem.detail }
  const { sub, sid, events, nonce, iat } = found.signed.payload
  if (!isLogout(events)) return { kind: 'bad', detail: 'it is not about a logout' }
  // So that an ID token never passes for one.
  if (nonce !== undefined) return { kind: 'bad', detail: 'it has a nonce' }
  if (typeof iat !== 'number' || Math.abs(clock.now() - iat * 1000) > MAX_AGE_MS) {
    return { kind: 'bad', detail: 'it was not made just now' }
  }
  const subject = typeof sub === 'string' && sub !== '' ? sub : undefined
  const session = typeof sid === 'string' && sid !== '' ? sid : undefined
  if (subject === undefined && session === undefined) return { kind: 'bad', detail: 'it names neither sub nor sid' }
  const tenant = tenantOf(provider, found.signed.payload)
  const ending = { integration: provider.name, subject, session, at: iat }
  return { kind: 'logout', ...ending, ...(tenant === undefined ? {} : { tenant }) }
}
