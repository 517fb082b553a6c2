/** Routes with `auth: { type: 'jwt' }`: from the request's token to a verdict. */

import { challenge } from '../http/challenge.ts'
import { readCookie } from '../http/cookies.ts'
import { bearerToken } from '../http/credentials.ts'
import type { Auth, GateRequest } from '../http/gate.ts'
import { keeping } from '../http/keeping.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { problem } from '../http/replies.ts'
import { isSameOrigin, needsSameOrigin } from '../http/same-origin.ts'
import { claimAt, compileClaimRules, isScopeClaim } from '../jwt/claim-rules.ts'
import type { SignedToken } from '../jwt/signature-cache.ts'
import type { TokenIntegration, TokenVerifier, Verification } from '../jwt/token-verifier.ts'
import type { Login } from '../login/create-login.ts'
import type { JwtAuth } from './config.ts'
import { createSessionRoute } from './session-route.ts'
import type { Authenticator, Verdict } from './verdict.ts'

/** Says nothing about which check failed; the event does. RFC 6750 §3.1. */
const INVALID_TOKEN = {
  error: 'invalid_token',
  error_description: 'The token is malformed, expired, revoked, or not meant for this service',
}

/** An authenticator for the route called `name`. With `login`, browsers may come with a session instead of a token. */
export function createJwtRoute(
  name: string,
  auth: JwtAuth,
  integrations: readonly TokenIntegration[],
  verify: TokenVerifier,
  unauthenticated: 401 | 403,
  login?: Login,
): Authenticator {
  // Copied, since its owner may change the configuration later.
  const scopes = auth.scopes && [...auth.scopes]
  const { cookie } = auth
  const failedClaim = compileClaimRules(auth.claims ?? {})
  const scopeClaims = Object.keys(auth.claims ?? {}).filter(isScopeClaim)
  const wantedScopes = scopes ?? scopeClaims.flatMap((claim) => auth.claims?.[claim] ?? []).filter(isLiteral)
  const self = {}

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
  function authFor(signed: SignedToken, integration: TokenIntegration): Auth {
    const { derived } = signed
    if (derived?.by === self && (derived.value as Auth).integration === integration.name) return derived.value as Auth
    const made = describeCaller(name, signed, integration)
    signed.derived = { by: self, value: made }
    return made
  }

  function judge(verification: Verification): Verdict {
    if (verification.kind === 'unavailable') {
      const seconds = String(Math.max(1, Math.ceil(verification.retryAfterMs / 1000)))
      const detail = `no keys of the integration "${verification.integration.name}"`
      return { kind: 'refuse', reply: problem(503, { 'retry-after': seconds }), reason: 'keys_unavailable', detail }
    }
    if (verification.kind === 'bad') {
      return {
        kind: 'refuse',
        reply: invalid,
        reason: verification.problem.reason,
        detail: verification.problem.detail,
      }
    }
    const { signed, integration } = verification
    return judgeClaims(signed.payload, authFor(signed, integration))
  }

  /** Scopes and claim rules. */
  function judgeClaims(claims: Readonly<Record<string, unknown>>, found: Auth): Verdict {
    if (scopes !== undefined && !hasScopes(claims, scopes)) {
      return {
        kind: 'refuse',
        reply: tooLittleScope,
        reason: 'scope',
        detail: `wants ${scopes.join(' ')}`,
        auth: found,
      }
    }
    const failed = failedClaim(claims)
    if (failed === undefined) return { kind: 'pass', auth: found }
    const reply = isScopeClaim(failed) ? tooLittleScope : forbidden
    return {
      kind: 'refuse',
      reply,
      reason: 'claim',
      detail: `claim ${JSON.stringify(failed)} is ${claimAt(claims, failed) === undefined ? 'missing' : 'not accepted'}`,
      auth: found,
    }
  }

  /** The credential is a cookie, which caches do not heed. */
  function authenticateCookie(
    request: GateRequest,
    normalised: NormalisedRequest,
    token: string,
  ): Verdict | Promise<Verdict> {
    const verification = verify(token, integrations)
    return 'then' in verification
      ? verification.then((later) => judgeCookie(request, normalised, later))
      : judgeCookie(request, normalised, verification)
  }

  function judgeCookie(
    request: GateRequest,
    normalised: NormalisedRequest,
    verification: Verification,
  ): Verdict | Promise<Verdict> {
    const verdict = judge(verification)
    if (verdict.kind === 'pass') return { kind: 'pass', auth: verdict.auth, headers: keeping(request) }
    // A browser keeps a cookie that is out of date, or that a sibling subdomain has set, and must not be locked out by it.
    return verification.kind === 'bad' && session !== undefined ? session(request, normalised, verdict) : verdict
  }

  const session = login && createSessionRoute({ name, integrations, login, judgeClaims, missing, forbidden })

  return {
    async ready() {
      await Promise.all([...integrations.map(({ keySet }) => keySet.settle()), login?.ready()])
    },
    authenticate(request, normalised) {
      let token = bearerToken(normalised.authorization)
      if (token === undefined && cookie !== undefined) {
        // An empty one is how applications clear theirs.
        token = readCookie(request.headers.cookie, cookie) || undefined
        if (token !== undefined && needsSameOrigin(request) && !isSameOrigin(request, normalised.origin)) {
          return { kind: 'refuse', reply: forbidden, reason: 'cross_origin' }
        }
        if (token !== undefined) return authenticateCookie(request, normalised, token)
      }
      if (token === undefined) {
        return session?.(request, normalised) ?? { kind: 'refuse', reply: missing, reason: 'no_credentials' }
      }
      const verification = verify(token, integrations)
      return 'then' in verification ? verification.then(judge) : judge(verification)
    },
  }
}

/** Frozen, since requests share it. */
function describeCaller(
  route: string,
  { payload: claims, identity }: SignedToken,
  integration: TokenIntegration,
): Auth {
  const { subject, id } = identity?.by === integration ? identity : integration.identify(claims)
  const { name } = integration
  return Object.freeze(
    subject === undefined || id === undefined
      ? { type: 'jwt', route, integration: name, claims }
      : { type: 'jwt', route, integration: name, claims, subject, id },
  )
}

function hasScopes(claims: Readonly<Record<string, unknown>>, wanted: readonly string[]): boolean {
  const granted = [claims.scope, claims.scp].flatMap((claim) => (typeof claim === 'string' ? claim.split(' ') : claim))
  return wanted.every((scope) => granted.includes(scope))
}

function isLiteral(value: unknown): value is string {
  return typeof value === 'string' && !value.includes('*')
}
