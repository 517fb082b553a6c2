/** Whom verified claims speak of: the same person by a JWT as by a session that began with such claims (G22). */
import type { TokenIdentity } from '../jwt/signature-cache.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import type { Integration } from './integration.ts'
import { groupsOf } from './integrations.ts'
import type { Identity } from './sign-in.ts'

/**
 * The identity that `claims` speak of; `undefined` where they name nobody.
 *
 * @param known - what `live.identify` says of them, where that is known already
 */
export function identityOfClaims(
  live: TokenIntegration,
  integration: Integration,
  claims: Readonly<Record<string, unknown>>,
  known: TokenIdentity = live.identify(claims),
): Identity | undefined {
  const { id, subject } = known
  if (id === undefined || subject === undefined) return undefined
  // Some providers say it in a text.
  const verified = claims.email_verified === true || claims.email_verified === 'true'
  return {
    id,
    subject,
    integration: live.name,
    groups: groupsOf(integration, claims),
    claims,
    ...(verified && typeof claims.email === 'string' ? { email: claims.email } : {}),
  }
}
