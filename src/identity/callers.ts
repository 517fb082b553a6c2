/**
 * Who calls, by the `Authorization` field (G1, G2, G3): a personal token, a virtual account's token, a JWT, or nothing. All end as
 * one `Caller`, and one person as one identity (G22). Keeps nothing that cannot be made anew: a changed configuration
 * makes another one.
 */
import type { Clock } from '../core/clock.ts'
import { bearerToken } from '../http/credentials.ts'
import type { Resource } from '../jwt/registered-claims.ts'
import type { TokenIntegration, TokenVerifier } from '../jwt/token-verifier.ts'
import type { ApiKeys } from './api-keys.ts'
import type { Caller } from './caller.ts'
import { type CallerProblem, INVALID_TOKEN } from './caller-problem.ts'
import type { ExternalIdentities } from './external-identities.ts'
import { ANONYMOUS, identityId } from './identity.ts'
import type { Integration } from './integration.ts'
import { createJwtCallers } from './jwt-callers.ts'
import { createKeyCallers } from './key-callers.ts'
import type { KeyEvent } from './key-event.ts'
import { kindOfKey } from './key-format.ts'
import type { People } from './people.ts'
import { createTokenOwners, type Directory } from './token-owners.ts'
import type { VirtualAccounts } from './virtual-accounts.ts'

/** See the top of the file. */
export interface Callers {
  /**
   * Finds out who calls; at once where the token is known.
   *
   * @param authorization - the field's value, `undefined` for a request without: the anonymous caller
   * @param resource - the identifier of what is asked for, the endpoint's URL: an access token for it is good (RFC 8707), beside
   *   those for the integration's own `audience`. Not where that is `null` (nothing is checked), where it is in another claim
   *   (`audienceClaim`), or where several integrations are of one provider and their audiences tell them apart. Of several
   *   identifiers any one is enough. API keys are good everywhere.
   */
  authenticate(
    authorization: string | undefined,
    resource?: Resource,
  ): Caller | CallerProblem | Promise<Caller | CallerProblem>
}

/** What {@link createCallers} works with. */
export interface CallerSettings {
  readonly keys: Pick<ApiKeys, 'verify' | 'noteUse'>
  readonly virtualAccounts: Pick<VirtualAccounts, 'get'>
  /** Better with a cache: it is read for every request with a personal token. */
  readonly people: Pick<People, 'read'>
  readonly externalIdentities: ExternalIdentities
  /** The integrations as they are configured. */
  readonly configured: Readonly<Record<string, Integration>>
  /** The same, live (`createIntegrations`). */
  readonly integrations: ReadonlyMap<string, TokenIntegration>
  /** Those whose JWTs are accepted, by name; all of them by default. */
  readonly accepted?: readonly string[]
  readonly verify: TokenVerifier
  readonly clock: Clock
  /** How old the record of a personal token's owner may be, in seconds; 30 days by default. */
  readonly maxPersonAgeSeconds?: number
  /** Looks up the owners of personal tokens in place of their records. */
  readonly directory?: Directory
  /** Told of keys used and refused; must not throw. */
  readonly on?: (event: KeyEvent) => void
}

const NOBODY: Caller = Object.freeze({
  kind: 'anonymous',
  via: 'none',
  identity: Object.freeze({
    id: identityId(ANONYMOUS, ANONYMOUS),
    integration: ANONYMOUS,
    subject: ANONYMOUS,
    groups: Object.freeze([]),
    claims: Object.freeze({}),
  }),
  externalIdentities: Object.freeze([]),
})

/** Credentials that we cannot read are not taken for none. RFC 6750 §3.1: no `error`, since they are not of this scheme. */
const OTHER_SCHEME: CallerProblem = Object.freeze({
  kind: 'unauthenticated',
  via: 'none',
  reason: 'scheme',
  error: null,
  description: 'Expected a bearer token',
  detail: 'the Authorization field has another scheme than Bearer',
  keyId: null,
})

const NO_TOKEN: CallerProblem = Object.freeze({
  kind: 'unauthenticated',
  via: 'none',
  reason: 'malformed',
  error: 'invalid_token',
  description: INVALID_TOKEN,
  detail: 'there is nothing behind "Bearer"',
  keyId: null,
})

/** Puts the ways to authenticate together. */
export function createCallers(settings: CallerSettings): Callers {
  const { integrations, accepted = [...integrations.keys()] } = settings
  const byKey = createKeyCallers({ ...settings, findOwner: createTokenOwners(settings) })
  const byJwt = createJwtCallers({
    ...settings,
    accepted: accepted.map((name) => integrations.get(name)).filter((integration) => integration !== undefined),
  })
  return {
    authenticate(authorization, resource) {
      if (authorization === undefined) return NOBODY
      const token = bearerToken(authorization)
      if (token === undefined) return OTHER_SCHEME
      if (token === '') return NO_TOKEN
      const kind = kindOfKey(token)
      return kind === undefined ? byJwt(token, resource) : byKey(token, kind)
    },
  }
}
