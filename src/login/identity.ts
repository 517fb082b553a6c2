/** Who a session is of. */
import { identityOfClaims } from '../identity/claims-identity.ts'
import { expectedIssuer } from '../identity/integrations.ts'
import type { People } from '../identity/people.ts'
import type { Identity } from '../identity/sign-in.ts'
import { hasTenants } from '../jwt/registered-claims.ts'
import type { Provider } from './provider.ts'
import type { SessionTokens } from './session.ts'

/** The identity of a session; `null` where its integration is gone, or its claims name nobody. */
export function identityOf(
  tokens: SessionTokens,
  { providers }: { readonly providers: ReadonlyMap<string, Provider> },
): Identity | null {
  const provider = providers.get(tokens.integration)
  return (provider && identityOfClaims(provider.judged, provider.integration, tokens.claims)) ?? null
}

/** The issuer of the tenant that `claims` are of, where the provider has several. */
export function tenantOf({ integration }: Provider, claims: Readonly<Record<string, unknown>>): string | undefined {
  return hasTenants(integration.issuer) ? expectedIssuer(integration, claims) : undefined
}

/** Writes the record of the person whose session it is, as of when the provider has said what is in it. */
export async function writePerson(
  people: People | undefined,
  tokens: SessionTokens,
  parts: { readonly providers: ReadonlyMap<string, Provider> },
): Promise<void> {
  const identity = identityOf(tokens, parts)
  const provider = parts.providers.get(tokens.integration)
  const issuer = provider && expectedIssuer(provider.integration, tokens.claims)
  if (people === undefined || identity === null || issuer === undefined) return
  const { claims: _, ...known } = identity
  const { startedAt, saidAt = startedAt } = tokens
  await people.write({ ...known, issuer, seenAt: saidAt }, startedAt)
}
