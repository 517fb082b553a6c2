/**
 * External identities: names for the callers whose JWT meets some rules. A name is an attribute: whoever the token speaks
 * of stays the same person, under the subject and with the groups that the integration's own claims tell.
 */
import { type ClaimRules, compileClaimRules } from '../jwt/claim-rules.ts'

/** An external identity in configuration. */
export interface ExternalIdentity {
  /** The integration whose JWTs it is about. Nobody has to be able to sign in there with a browser. */
  readonly integration: string
  /** What the token must say; all tokens of the integration meet no rules. */
  readonly claims?: ClaimRules
  readonly description?: string
}

/** See the top of the file. */
export interface ExternalIdentities {
  /** The names of those whose rules a token of `integration` with these claims meets: all of them, in their order. */
  matching(integration: string, claims: Readonly<Record<string, unknown>>): readonly string[]
}

/** External identities of a configuration that has passed `checkExternalIdentities`. */
export function createExternalIdentities(configured: Readonly<Record<string, ExternalIdentity>>): ExternalIdentities {
  const compiled = Object.entries(configured).map(([name, { integration, claims = {} }]) => ({
    name,
    integration,
    failedClaim: compileClaimRules(claims),
  }))
  return {
    matching: (integration, claims) =>
      compiled
        .filter((each) => each.integration === integration && each.failedClaim(claims) === undefined)
        .map(({ name }) => name),
  }
}
