/**
 * Records of people who have not signed in with a browser here: whoever comes with a JWT, or is named by the host application, gets
 * one when they are identified or make a personal token, or that token would be good for nothing. A record that is there and not
 * too old stays as it is: what a sign-in has written knows more of their groups than a token for one API may.
 */
import type { Clock } from '../core/clock.ts'
import type { Integration } from '../identity/integration.ts'
import { expectedIssuer, letsIn } from '../identity/integrations.ts'
import { type People, personAgeSeconds } from '../identity/people.ts'
import type { Identity } from '../identity/sign-in.ts'
import { unlessSealed } from '../store/unopened.ts'

/** Sees to it that there is a record of somebody who is known for certain right now. */
export type RememberPerson = (identity: Identity) => Promise<void>

/** @param maxAgeSeconds - how old a record may be to count */
export function createKnownPeople(
  people: People,
  configured: Readonly<Record<string, Integration>>,
  clock: Clock,
  maxAgeSeconds: number,
): RememberPerson {
  return async ({ claims = {}, ...identity }) => {
    const { id, integration } = identity
    const own = Object.hasOwn(configured, integration) ? configured[integration] : undefined
    // Virtual accounts, and people of providers that are not configured here.
    if (own === undefined) return
    const before = await people.read(id).catch(unlessSealed)
    const isKnown = before !== undefined && letsIn(own, before.issuer)
    if (isKnown && personAgeSeconds(before, clock) <= maxAgeSeconds) return
    // Without claims nothing tells the tenant but what was written earlier: an id is of one issuer.
    const issuer = expectedIssuer(own, claims) ?? (isKnown ? before.issuer : undefined)
    if (issuer === undefined) return
    await people.write({ ...identity, issuer, seenAt: clock.now() })
  }
}
