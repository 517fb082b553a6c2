/** Routes with `auth: { type: 'jwt' }`: from the request's token to a verdict. */

import { challenge } from '../http/challenge.ts'
import { readCookie } from '../http/cookies.ts'
import { bearerToken } from '../http/credentials.ts'
import type { Auth } from '../http/gate.ts'
import { problem } from '../http/replies.ts'
import { isSameOrigin, needsSameOrigin } from '../http/same-origin.ts'
import { identityId } from '../identity/identity.ts'
import { compileClaimRules, isScopeClaim } from '../jwt/claim-rules.ts'
import type { TokenVerifier, Verification } from '../jwt/token-verifier.ts'
import type { JwtAuth } from './config.ts'
import type { LiveIntegration } from './integrations.ts'
import type { Authenticator, Verdict } from './verdict.ts'

/** Says nothing about which check failed; the event does. RFC 6750 §3.1. */
const INVALID_TOKEN = {
  error: 'invalid_token',
  error_description: 'The token is malformed, expired, revoked, or not meant for this service',
}

/** An authenticator for the route called `name`. */
export function createJwtRoute(
  name: string,
  auth: JwtAuth,
  integrations: readonly LiveIntegration[],
  verify: TokenVerifier,
  unauthenticated: 401 | 403,
): Authenticator {
  const failedClaim = compileClaimRules(auth.claims ?? {})
  const scopeClaims = Object.keys(auth.claims ?? {}).filter(isScopeClaim)
  const wantedScopes = auth.scopes ?? scopeClaims.flatMap((claim) => auth.claims?.[claim] ?? []).filter(isLiteral)
  const auths = new WeakMap<object, Auth>()

  const invalid = problem(401, { 'www-authenticate': challenge('Bearer', INVALID_TOKEN) })
  const missing = problem(auth.unauthenticated ?? unauthenticated, { 'www-authenticate': challenge('Bearer') })
  const forbidden = problem(403)
  const tooLittleScope = problem(403, {
    'www-authenticate': challenge('Bearer', {
      error: 'insufficient_scope',
      scope: wantedScopes.length === 0 ? undefined : wantedScopes.join(' '),
    }),
  })

  /** The same object for every request with the same token. */
  function authFor(claims: Readonly<Record<string, unknown>>, integration: LiveIntegration): Auth {
    const known = auths.get(claims)
    if (known?.integration === integration.name) return known
    const subject = claims[integration.subjectClaim]
    const made: Auth = {
      type: 'jwt',
      route: name,
      integration: integration.name,
      claims,
      ...(typeof subject === 'string' ? { subject, id: identityId(integration.issuer, subject) } : {}),
    }
    auths.set(claims, made)
    return made
  }

  function judge(verification: Verification): Verdict {
    if (verification.kind === 'unavailable') {
      const seconds = String(Math.max(1, Math.ceil(verification.retryAfterMs / 1000)))
      return { kind: 'refuse', reply: problem(503, { 'retry-after': seconds }), reason: 'keys_unavailable' }
    }
    if (verification.kind === 'bad') {
      return {
        kind: 'refuse',
        reply: invalid,
        reason: verification.problem.reason,
        detail: verification.problem.detail,
      }
    }
    const { claims, integration } = verification
    const found = authFor(claims, integration as LiveIntegration)
    if (auth.scopes !== undefined && !hasScopes(claims, auth.scopes)) {
      return {
        kind: 'refuse',
        reply: tooLittleScope,
        reason: 'scope',
        detail: `wants ${auth.scopes.join(' ')}`,
        auth: found,
      }
    }
    const failed = failedClaim(claims)
    if (failed === undefined) return { kind: 'admit', auth: found }
    const reply = isScopeClaim(failed) ? tooLittleScope : forbidden
    return {
      kind: 'refuse',
      reply,
      reason: 'claim',
      detail: `claim ${JSON.stringify(failed)} is not accepted`,
      auth: found,
    }
  }

  return {
    async ready() {
      await Promise.all(integrations.map(({ keySet }) => keySet.settle()))
    },
    authenticate(request, normalised) {
      let token = bearerToken(normalised.authorization)
      if (token === undefined && auth.cookie !== undefined) {
        token = readCookie(request.headers.cookie, auth.cookie)
        if (token !== undefined && needsSameOrigin(request) && !isSameOrigin(request, normalised.origin)) {
          return { kind: 'refuse', reply: forbidden, reason: 'cross_origin' }
        }
      }
      if (token === undefined) return { kind: 'refuse', reply: missing, reason: 'no_credentials' }
      const verification = verify(token, integrations)
      return 'then' in verification ? verification.then(judge) : judge(verification)
    },
  }
}

function hasScopes(claims: Readonly<Record<string, unknown>>, wanted: readonly string[]): boolean {
  const granted = [claims.scope, claims.scp].flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : claim))
  return wanted.every((scope) => granted.includes(scope))
}

function isLiteral(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('*')
}
