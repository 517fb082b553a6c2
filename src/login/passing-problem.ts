/** What is wrong with a new token at this moment only, so that nobody may be signed out for it. */
import { parseCompactJwt } from '../jwt/compact.ts'
import type { TokenProblem } from '../jwt/registered-claims.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'

/**
 * Whether `problem`, which `live` has with `token`, may be gone when it is looked at again: its key is not published yet, or a
 * clock is off. A token that is over says so of the clock here only where it was made after the one before it, whose claims are
 * `before`, and with a time to run; any other is an old one that has been sent again.
 */
export function mayPass(
  { reason }: TokenProblem,
  token: string,
  live: TokenIntegration,
  before: Readonly<Record<string, unknown>>,
): boolean {
  const jwt = parseCompactJwt(token, new Map())
  const claims = jwt?.body?.claims ?? {}
  const { iat, nbf, exp } = claims
  if (jwt === undefined || typeof exp !== 'number') return false
  switch (reason) {
    case 'unknown_key':
      // One that is known signs for another tenant, and will not do so for this one later.
      return live.keySet.find(jwt.header.kid, jwt.header.alg).length === 0
    case 'not_yet_valid':
      return typeof nbf === 'number' && nbf < exp
    case 'expired':
      return typeof iat === 'number' && iat < exp && !isOld(claims, before)
    default:
      return false
  }
}

/** Whether `claims` are no newer than `before`. Two tokens may be made within one second. */
function isOld(claims: Readonly<Record<string, unknown>>, before: Readonly<Record<string, unknown>>): boolean {
  const isSame = Object.entries(claims).every(([name, value]) => JSON.stringify(value) === JSON.stringify(before[name]))
  return isSame || Number(claims.iat) < Number(before.iat)
}
