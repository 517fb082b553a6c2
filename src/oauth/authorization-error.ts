/** Why somebody's authorization did not succeed, by what can be done about it. */
import { errorCode } from './presentable.ts'

/**
 * What kind of failure it was:
 * - `denied`: the person, or the provider on their behalf, said no (`access_denied`, `login_required`, …); trying again is theirs to do
 * - `invalid`: the provider's answer does not fit what was asked for: forged, mixed up, or of another attempt
 * - `rejected`: the provider does not accept us or what we ask for (`invalid_client`, `invalid_scope`, `invalid_grant`, …)
 * - `unavailable`: no answer, a late one, nonsense, 429 or 5xx; also metadata or secrets of ours that cannot be had
 */
export type AuthorizationFailure = 'denied' | 'invalid' | 'rejected' | 'unavailable'

/**
 * Thrown by an OAuth client. The message is for the operator; it and whatever hangs on the error hold no code, token,
 * verifier, secret or client assertion.
 */
export class AuthorizationError extends Error {
  readonly kind: AuthorizationFailure
  /** The provider's own `error` (RFC 6749 §4.1.2.1, §5.2), where it sent one that is well-formed. */
  readonly error: string | undefined

  constructor(kind: AuthorizationFailure, message: string, options: ErrorOptions & { error?: unknown } = {}) {
    const { error, ...rest } = options
    super(message, rest)
    this.name = 'AuthorizationError'
    this.kind = kind
    this.error = errorCode(error)
  }
}

/**
 * OpenID Connect Core §3.1.2.6, what LinkedIn and Apple say when a person clicks on "cancel", and what Auth0 says of one
 * who is blocked.
 */
const DENIED = new Set([
  'access_denied',
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
  'user_cancelled_login',
  'user_cancelled_authorize',
  'unauthorized',
])
const UNAVAILABLE = new Set(['server_error', 'temporarily_unavailable'])

/** Classifies the `error` of an authorization response (RFC 6749 §4.1.2.1). */
export function classifyAuthorizationError(error: unknown): AuthorizationFailure {
  if (typeof error !== 'string') return 'rejected'
  return DENIED.has(error) ? 'denied' : UNAVAILABLE.has(error) ? 'unavailable' : 'rejected'
}
