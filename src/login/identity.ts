/** Who a session is of. */
import { groupsOf } from '../identity/integrations.ts'
import type { People } from '../identity/people.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { Provider } from './provider.ts'
import type { SessionTokens } from './session.ts'

/** The identity of a session; `null` where its integration is gone, or its claims name nobody. */
export function identityOf(
  tokens: SessionTokens,
  { providers }: { readonly providers: ReadonlyMap<string, Provider> },
): Identity | null {
  const provider = providers.get(tokens.integration)
  const { id, subject } = provider?.judged.identify(tokens.claims) ?? {}
  if (provider === undefined || id === undefined || subject === undefined) return null
  const { claims } = tokens
  // Some providers say it in a text.
  const verified = claims.email_verified === true || claims.email_verified === 'true'
  return {
    id,
    subject,
    integration: provider.name,
    groups: groupsOf(provider.integration, claims),
    claims,
    ...(verified && typeof claims.email === 'string' ? { email: claims.email } : {}),
  }
}

/** Writes the record of the person whose session it is. */
export async function writePerson(
  people: People | undefined,
  tokens: SessionTokens,
  parts: { readonly providers: ReadonlyMap<string, Provider> },
  seenAt: number,
): Promise<void> {
  const identity = identityOf(tokens, parts)
  const issuer = parts.providers.get(tokens.integration)?.integration.issuer
  if (people === undefined || identity === null || issuer === undefined) return
  const { claims: _, ...known } = identity
  await people.write({ ...known, issuer, seenAt })
}
