/**
 * Reads what token endpoints answer (RFC 6749 §5.1). Real ones differ from the RFC in small ways, which are made even
 * here, before oauth4webapi sees any of it.
 */
import { asObject, type EndpointFailure, isErrorAnswer, readFailure, readJson } from './endpoint-answer.ts'

/** Tokens as they came; of the ID token nothing has been checked. */
export interface GrantedTokens {
  readonly kind: 'tokens'
  readonly accessToken: string
  readonly expiresInSeconds: number | undefined
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  readonly scope: string | undefined
  /** RFC 8693 §2.2.1. */
  readonly issuedTokenType: string | undefined
}

/** RFC 6749 appendix A.12 and A.17; no other text fits into a header. */
const TOKEN = /^[\x20-\x7e]+$/
/** Servers take header sections of 16 KiB, and most of them less. */
const MAX_TOKEN_LENGTH = 16_384
/** Ten years; more does not fit into dates. */
const MAX_LIFETIME_SECONDS = 315_360_000

/** Where in an answer tokens are, if not at its top. */
export interface TokenPlace {
  /** The name of an object in it: `authed_user` for Slack's user tokens. What is at the top is somebody else's, a bot's. */
  readonly member: string
  /** Whether tokens of the same person may be at the top too: Slack answers a refresh so. */
  readonly orTop: boolean
}

/** What an answer may have in place of a `token_type` of `Bearer`, in lower case. */
export interface TokenKinds {
  readonly types: readonly string[]
}

/**
 * Reads an answer. `secrets` are texts of the request that must not be repeated.
 *
 * - `expires_in` may be a text. Missing, zero, negative or nonsense, it is `undefined`: some servers say 0 of tokens that
 *   do not expire, and nobody hands out a token that is over already.
 * - `token_type` is compared without regard to case (§5.1). Missing, as Shopify leaves it, it is taken for `Bearer`; any
 *   other is a failure, since its tokens need proofs that we cannot make.
 * - `scope` may be a list.
 * - An access token that no header takes is `rejected`: another one would be no shorter.
 * - With a `place`, the `token_type` may be `user` too, which is sent as `Bearer` all the same.
 * - With `types`, it is one of these.
 */
export async function readTokenResponse(
  response: Response,
  secrets: readonly string[],
  expected?: TokenPlace | TokenKinds,
): Promise<GrantedTokens | EndpointFailure> {
  const { status } = response
  const body = await readJson(response)
  if (isErrorAnswer(response, body)) return readFailure(response, body, secrets)
  const place = expected !== undefined && 'member' in expected ? expected : undefined
  const types =
    expected !== undefined && 'types' in expected
      ? expected.types
      : place === undefined
        ? ['bearer']
        : ['bearer', 'user']
  const {
    access_token: accessToken,
    refresh_token: refreshToken,
    id_token: idToken,
    token_type: type,
    expires_in: lifetime,
    scope,
    issued_token_type: issued,
  } = place === undefined ? asObject(body) : membersAt(asObject(body), place)

  const problem =
    body === undefined
      ? 'no JSON'
      : !isToken(accessToken)
        ? 'no access_token'
        : isSet(type) && (typeof type !== 'string' || !types.includes(type.toLowerCase()))
          ? 'a token_type other than Bearer'
          : isSet(refreshToken) && !isToken(refreshToken)
            ? 'a refresh_token that is none'
            : isSet(idToken) && !isToken(idToken)
              ? 'an id_token that is none'
              : undefined
  if (problem !== undefined || !isToken(accessToken)) {
    const detail = `answered ${status} with ${problem}`
    return { kind: 'failure', failure: 'transient', status, detail, error: undefined, retryAfterMs: undefined }
  }
  if (accessToken.length > MAX_TOKEN_LENGTH) {
    const detail = `sent a token of ${accessToken.length} characters, which no header takes`
    return { kind: 'failure', failure: 'rejected', status, detail, error: undefined, retryAfterMs: undefined }
  }
  return {
    kind: 'tokens',
    accessToken,
    expiresInSeconds: readLifetime(lifetime),
    refreshToken: isToken(refreshToken) ? refreshToken : undefined,
    idToken: isToken(idToken) ? idToken : undefined,
    scope: readScope(scope),
    issuedTokenType: typeof issued === 'string' && issued !== '' ? issued : undefined,
  }
}

function membersAt(body: Readonly<Record<string, unknown>>, { member, orTop }: TokenPlace) {
  const nested = asObject(Object.hasOwn(body, member) ? body[member] : undefined)
  return orTop && !isSet(nested.access_token) ? body : nested
}

/** Whether it is a text that can be sent as a token. */
export function isToken(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value)
}

/** Some servers write `null` or an empty text for what they do not send. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== ''
}

function readLifetime(value: unknown): number | undefined {
  const seconds =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && /^\s*\d+(?:\.\d+)?\s*$/.test(value)
        ? Number(value)
        : 0
  const whole = Math.floor(seconds)
  return whole > 0 ? Math.min(whole, MAX_LIFETIME_SECONDS) : undefined
}

function readScope(value: unknown): string | undefined {
  const texts = (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string' && text !== '')
  return texts.length === 0 ? undefined : texts.join(' ')
}
