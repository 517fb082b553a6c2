/** Why a refresh token was not redeemed, by what follows from it. */

/**
 * What kind of failure it was:
 * - `dead`: the refresh token is worthless (`invalid_grant`), or good only once the person has come; they must consent again
 * - `rejected`: the server does not accept the request as such (another 4xx); the token may be good
 * - `transient`: no answer, a late one, nonsense, 429 or 5xx; the token may be good, or may have been redeemed
 */
export type RedeemFailure = 'dead' | 'rejected' | 'transient'

/** Thrown by a `redeem` function. Anything else that it throws counts as `transient`. */
export class RedeemError extends Error {
  readonly failure: RedeemFailure
  /** The server's wish (`Retry-After`), in milliseconds. */
  readonly retryAfterMs: number | undefined
  /** The server's own `error` (RFC 6749 §5.2), where it sent one. */
  readonly error: string | undefined

  constructor(
    failure: RedeemFailure,
    message: string,
    options: ErrorOptions & { retryAfterMs?: number; error?: string } = {},
  ) {
    super(message, options)
    this.name = 'RedeemError'
    this.failure = failure
    this.retryAfterMs = options.retryAfterMs
    this.error = options.error
  }
}

/** RFC 6749 §5.2, and what GitHub and Slack say in its place. */
const DEAD = new Set([
  'invalid_grant',
  'bad_refresh_token',
  'invalid_refresh_token',
  'token_expired',
  'token_revoked',
  // Microsoft Entra ID: a policy wants the person themself, a second factor say. Only they can mend that.
  'interaction_required',
  'login_required',
  'consent_required',
])
/** Errors that mean a dead refresh token in all but name: some servers say `invalid_request` with these words. */
const DEAD_DESCRIPTION =
  /refresh.?token.*(?:expired|revoked|invalid|not found|unknown|already been used|inactive)|(?:expired|revoked|invalid|unknown) refresh.?token/i

/**
 * Classifies an answer of a token endpoint (RFC 6749 §5.2) that is not a success. `body` is the parsed JSON, or
 * `undefined` for what is not JSON. Some servers report errors with status 200.
 */
export function classifyTokenError(status: number, body: unknown): RedeemFailure {
  const { error, error_description: description } = (typeof body === 'object' && body !== null ? body : {}) as Record<
    string,
    unknown
  >
  if (typeof error === 'string' && DEAD.has(error)) return 'dead'
  if (status === 429 || status >= 500 || typeof error !== 'string')
    return status >= 400 && status < 500 && status !== 429 && status !== 408 ? 'rejected' : 'transient'
  if (error === 'temporarily_unavailable' || error === 'server_error' || error === 'slow_down') return 'transient'
  // The beginning says it, and the pattern takes quadratic time on a text that is made for that.
  const beginning = typeof description === 'string' ? description.slice(0, 500) : ''
  return error === 'invalid_request' && DEAD_DESCRIPTION.test(beginning) ? 'dead' : 'rejected'
}

/** What a thrown value means. */
export function failureOf(thrown: unknown): RedeemFailure {
  return thrown instanceof RedeemError ? thrown.failure : 'transient'
}
