/** Callers with a JWT of one of the integrations (G3): who the claims speak of, and which external identities they meet. */
import type { Clock } from '../core/clock.ts'
import { mayShareIssuer, type Resource, signedProblem } from '../jwt/registered-claims.ts'
import type { SignedToken } from '../jwt/signature-cache.ts'
import type { TokenIntegration, TokenVerifier, Verification } from '../jwt/token-verifier.ts'
import type { Caller } from './caller.ts'
import { type CallerProblem, INVALID_TOKEN, type Unauthenticated } from './caller-problem.ts'
import { identityOfClaims } from './claims-identity.ts'
import type { ExternalIdentities } from './external-identities.ts'
import type { Integration } from './integration.ts'
import { keySource } from './integrations.ts'

/** What callers with JWTs need. */
export interface JwtCallerSettings {
  readonly verify: TokenVerifier
  /** The integrations whose JWTs are accepted, in the order in which they are tried. */
  readonly accepted: readonly TokenIntegration[]
  /** The integrations as they are configured. */
  readonly configured: Readonly<Record<string, Integration>>
  readonly externalIdentities: ExternalIdentities
  readonly clock: Clock
}

/** Authenticates JWTs for a resource; at once where the signature is known to be good. */
export function createJwtCallers(
  settings: JwtCallerSettings,
): (token: string, resource?: Resource) => Caller | CallerProblem | Promise<Caller | CallerProblem> {
  const { verify, configured, externalIdentities, clock } = settings
  const accepted = withResource(settings.accepted)
  const self = {}
  /** Other integrations of the same provider: a token can be good for several, and its signature is good for all of them. */
  const sources = new Map(Object.entries(configured).map(([name, integration]) => [name, keySource(integration)]))
  const siblings = new Map(
    // By the source: sets of keys are two where they are fetched at other times.
    accepted.map((one) => [one, accepted.filter((other) => other !== one && isSibling(one, other))]),
  )

  function isSibling(one: TokenIntegration, other: TokenIntegration): boolean {
    return sources.get(one.name) === sources.get(other.name)
  }

  /** The same object for every request with the same token, as long as it means the same. */
  function callerOf(signed: SignedToken, integration: TokenIntegration): Caller | undefined {
    const { derived, payload } = signed
    const others = siblings.get(integration) ?? []
    const made = derived?.by === self ? (derived.value as Caller) : undefined
    const known = made?.identity.integration === integration.name ? made : undefined
    if (known !== undefined && others.length === 0) return known
    const identity = known?.identity ?? identify(signed, integration)
    if (identity === undefined) return undefined
    const now = clock.now()
    // Without the resource, which no integration with siblings takes: so the caller does not depend on the endpoint.
    const good = others.filter(({ expected }) => signedProblem(signed, expected, now) === undefined)
    const names = [integration, ...good].flatMap(({ name }) => externalIdentities.matching(name, payload))
    if (known?.externalIdentities.join() === names.join()) return known
    const caller: Caller = Object.freeze({
      kind: 'person',
      via: 'jwt',
      identity,
      externalIdentities: Object.freeze(names),
      jwt: signed.token,
    })
    signed.derived = { by: self, value: caller }
    return caller
  }

  function identify({ payload, identity }: SignedToken, integration: TokenIntegration) {
    const known = identity?.by === integration ? identity : undefined
    const own = configured[integration.name]
    const found = own && identityOfClaims(integration, own, payload, known)
    return found && Object.freeze({ ...found, groups: Object.freeze(found.groups) })
  }

  function judge(verification: Verification): Caller | CallerProblem {
    if (verification.kind === 'unavailable') {
      const { retryAfterMs, integration } = verification
      const detail = `no keys of the integration "${integration.name}"`
      return { kind: 'unavailable', via: 'jwt', reason: 'keys_unavailable', retryAfterMs, detail }
    }
    if (verification.kind === 'bad') return refusal(verification.problem.reason, verification.problem.detail)
    const { signed, integration } = verification
    const detail = `the claims of the integration "${integration.name}" name nobody: see subjectClaim`
    return callerOf(signed, integration) ?? refusal('no_subject', detail)
  }

  return (token, resource) => {
    const verification = verify(token, accepted, resource)
    return 'then' in verification ? verification.then(judge) : judge(verification)
  }
}

/**
 * The integrations, of which those take tokens for a resource (RFC 8707) that can tell whose these are. Where several are of
 * one provider, their audiences tell its tokens apart, and a token that is for the resource alone could be of any: a grant to
 * the people of one would be a grant to the people of all.
 */
function withResource(accepted: readonly TokenIntegration[]): TokenIntegration[] {
  return accepted.map((one) => {
    const { expected } = one
    const takesResource =
      expected.source === 'access_token' &&
      expected.audienceClaim === undefined &&
      accepted.every((other) => other === one || !mayShareIssuer(expected.issuer, other.expected.issuer))
    return takesResource ? { ...one, expected: { ...expected, takesResource } } : one
  })
}

function refusal(reason: Unauthenticated['reason'], detail: string): Unauthenticated {
  const error = 'invalid_token'
  return { kind: 'unauthenticated', via: 'jwt', reason, error, description: INVALID_TOKEN, detail, keyId: null }
}
