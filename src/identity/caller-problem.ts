/** Why nobody could be authenticated. */
import type { TokenProblem } from '../jwt/registered-claims.ts'
import type { Caller } from './caller.ts'

/** The credentials are no good: 401. */
export interface Unauthenticated {
  readonly kind: 'unauthenticated'
  readonly via: Caller['via']
  /**
   * Of a JWT, what {@link TokenProblem} says, or `no_subject`: its claims name nobody. Of an API key: `malformed`: mistyped or cut
   * off; `unknown_token`: revoked, or never made; `expired`; `person_unknown`: whoever made it has not signed in here, or
   * their integration is gone; `person_stale`: they have not done so for long; `account_deleted`: its virtual account is not
   * there any more. `scheme`: the request has credentials of another kind than a bearer token.
   */
  readonly reason:
    | TokenProblem['reason']
    | 'no_subject'
    | 'unknown_token'
    | 'person_unknown'
    | 'person_stale'
    | 'account_deleted'
    | 'scheme'
  /** What the challenge says as `error` (RFC 6750 §3.1); `null` for none. */
  readonly error: 'invalid_token' | null
  /** For the caller: plain words, no internals. */
  readonly description: string
  /** For the operator. */
  readonly detail: string
  /** The API key's id, where it is known. */
  readonly keyId: string | null
}

/** Nobody can tell at present: 503. */
export interface CallerUnavailable {
  readonly kind: 'unavailable'
  readonly via: Caller['via']
  /** `keys_unavailable`: those of the identity provider; `directory_unavailable`: the user's own function failed. */
  readonly reason: 'store_unavailable' | 'keys_unavailable' | 'directory_unavailable'
  readonly retryAfterMs: number
  /** For the operator. */
  readonly detail: string
}

/** See the top of the file. */
export type CallerProblem = Unauthenticated | CallerUnavailable

/** The caller's words for whatever is wrong with a JWT: which check failed is for the operator. */
export const INVALID_TOKEN = 'The token is malformed, expired, revoked, or not meant for this service'

/** Outages last longer than this, or are over by then. */
export const RETRY_AFTER_MS = 1_000
