/** Why an authorization server gave no token, by who can do something about it: the caller, the operator, or time. */
import { messageOf } from '../../core/errors.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { RedeemError } from '../../store/redeem-error.ts'
import type { CredentialResult } from '../credential.ts'

/** What is answered, and how long it is answered without asking again, in milliseconds. */
export interface GrantFailure {
  readonly result: Extract<CredentialResult, { kind: 'refused' | 'unavailable' | 'misconfigured' }>
  readonly forMs: number
}

/** Policies change, and somebody waits for that. */
const REFUSED_MS = 30_000
const MISCONFIGURED_MS = 10_000
const OUTAGE_MS = 1_000
const MAX_OUTAGE_MS = 60_000

/**
 * RFC 8693 §2.2.2, RFC 6749 §5.2: the caller's token is no good for it, or they may not go there. Others of those names are what
 * servers say by whose rules somebody has to sign in once more.
 */
const OF_THE_CALLER = new Set([
  'invalid_grant',
  'invalid_request',
  'invalid_target',
  'access_denied',
  'login_required',
  'interaction_required',
  'consent_required',
  'insufficient_user_authentication',
])

/**
 * What `error`, which was thrown when a token was asked for, means.
 *
 * @param server - the MCP server, as people know it
 * @param ofCaller - whether the token was asked for with a caller's own
 */
export function grantFailure(error: unknown, server: string, ofCaller: boolean): GrantFailure {
  const detail = messageOf(error)
  const isKnown = error instanceof RedeemError || error instanceof AuthorizationError
  const isRefusal =
    (error instanceof RedeemError && error.failure !== 'transient') ||
    (error instanceof AuthorizationError && error.kind !== 'unavailable')
  if (!isKnown || !isRefusal) {
    const wished = error instanceof RedeemError ? (error.retryAfterMs ?? 0) : 0
    const forMs = Math.min(MAX_OUTAGE_MS, Math.max(OUTAGE_MS, wished))
    return { result: { kind: 'unavailable', retryAfterMs: forMs, detail }, forMs }
  }
  const { error: code } = error
  if (!ofCaller || code === undefined || !OF_THE_CALLER.has(code)) {
    return { result: { kind: 'misconfigured', detail }, forMs: MISCONFIGURED_MS }
  }
  const message =
    `${server} is called with a token that is made from yours, and the authorization server makes none of it (${code}): yours may ` +
    'have expired, or you may have no access there. Sign in again, or ask whoever runs the gateway'
  return { result: { kind: 'refused', status: 403, reason: 'exchange_refused', message, detail }, forMs: REFUSED_MS }
}
