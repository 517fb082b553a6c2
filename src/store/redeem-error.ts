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

/** RFC 6749 §5.2, and what others say in its place; in lower case. */
const DEAD = new Set([
  'invalid_grant',
  // GitHub; HubSpot in capitals.
  'bad_refresh_token',
  // Slack.
  'invalid_refresh_token',
  'token_expired',
  'token_revoked',
  // Zoho, which calls every token a code.
  'invalid_code',
  // Auth0, also with 500: the account is blocked, or an Action says no.
  'access_denied',
  // Microsoft Entra ID: a policy wants the person themself, a second factor say. Only they can mend that.
  'interaction_required',
  'login_required',
  'consent_required',
])
const TRANSIENT = new Set(['temporarily_unavailable', 'server_error', 'slow_down'])
/** Whoever runs this has to mend it, and it says nothing of the token: `invalid_client`, `bad_client_secret`, `invalid_scope`. */
const OF_THE_CLIENT = /client|scope|target|redirect|grant_type/i
/** A dead refresh token in all but name. Some servers say `invalid_request` with these words. */
const DEAD_REQUEST =
  /refresh.?token.*(?:expired|revoked|invalid|not found|unknown|already been used|inactive)|(?:expired|revoked|invalid|unknown) refresh.?token/i
/** With any other code it has to be said of the token itself: a server may also fail "to refresh token: invalid answer". */
const DEAD_TOKEN =
  /refresh.?token (?:(?:\S+ )?(?:is|was|has|has been) (?:\S+ ){0,2}?)?(?:expired|revoked|invalid|inactive|not valid|not found|no longer valid|already been used)|(?:expired|revoked|invalid|inactive|unknown) refresh.?token(?!.?grant)/i

/**
 * Classifies an answer of a token endpoint (RFC 6749 §5.2) that is not a success. `body` is the parsed JSON, or
 * `undefined` for what is not JSON. Some servers report errors with status 200.
 */
export function classifyTokenError(status: number, body: unknown): RedeemFailure {
  const said = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  // HubSpot has `status` and `message`.
  const error = textOf(said.error) ?? textOf(said.status)
  const description = textOf(said.error_description) ?? textOf(said.message)
  if (DEAD.has(error?.toLowerCase() ?? '') || (status !== 429 && isSaidDead(error, description))) return 'dead'
  if (error !== undefined && TRANSIENT.has(error)) return 'transient'
  const refused = status >= 400 && status < 500 && status !== 429 && status !== 408
  return refused || (status < 400 && typeof said.error === 'string') ? 'rejected' : 'transient'
}

function isSaidDead(error: string | undefined, description: string | undefined): boolean {
  // The beginning says it, and the patterns take quadratic time on a text that is made for that.
  const beginning = [error, description].map((text) => text?.slice(0, 500) ?? '').join('. ')
  if (error === 'invalid_request') return DEAD_REQUEST.test(beginning)
  // Atlassian says `unauthorized_client` with the words of a dead token.
  const isOther = error !== undefined && error !== 'unauthorized_client' && OF_THE_CLIENT.test(error)
  return !isOther && DEAD_TOKEN.test(beginning)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** Whether the server refuses the client or what it asks for, whoever's token it is. */
export function isOfTheClient(thrown: unknown): boolean {
  return thrown instanceof RedeemError && OF_THE_CLIENT.test(thrown.error ?? '')
}

/**
 * Whether the server may have refused the token, in words that are not known here. Answers without a code say too little:
 * they also come from what stands in front of a server, or in its place.
 */
export function isRefusal(thrown: unknown): boolean {
  const isCoded = thrown instanceof RedeemError && thrown.failure === 'rejected' && thrown.error !== undefined
  return isCoded && !isOfTheClient(thrown)
}

/** What a thrown value means. */
export function failureOf(thrown: unknown): RedeemFailure {
  return thrown instanceof RedeemError ? thrown.failure : 'transient'
}
