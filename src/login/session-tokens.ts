/** From the provider's answer to a session: which token is judged, whether it is good, and what it says. */
import type { Clock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { claimAt } from '../jwt/claim-rules.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import type { TokenSet } from '../oauth/oauth-client.ts'
import { mayPass } from './passing-problem.ts'
import type { Provider } from './provider.ts'
import type { SessionTokens } from './session.ts'

/** What a session is made with. */
export interface SessionParts {
  readonly verify: TokenVerifier
  readonly clock: Clock
  /** Whether sessions are refreshed. Where they are not, a refresh token is not kept, and makes no session last longer. */
  readonly refreshes: boolean
  /** When the tokens came, in epoch milliseconds, where that was earlier. */
  readonly cameAt?: number
}

/** What came of it. `detail` is for the operator and holds no token. */
export type MadeSession =
  /** `unchecked`: why something beside the token that is judged could not be had. */
  | { readonly kind: 'session'; readonly tokens: SessionTokens; readonly unchecked?: string }
  | { readonly kind: 'bad'; readonly detail: string }
  | { readonly kind: 'unavailable'; readonly detail: string }

const NO_KEYS = 'no keys to check its tokens with'
/** Where the provider says nothing of an end. */
const DEFAULT_LIFETIME_MS = 60 * 60_000

/**
 * Checks the signatures of a provider's tokens and reads them.
 *
 * @param before - the session that is refreshed: the person must be the same, and an ID token need not come again
 */
export async function makeSession(
  provider: Provider,
  set: TokenSet,
  { verify, clock, refreshes, cameAt }: SessionParts,
  before?: SessionTokens,
): Promise<MadeSession> {
  const now = clock.now()
  const source = provider.judged.expected.source
  const judgedText = source === 'access_token' ? set.accessToken : set.idToken
  if (judgedText === undefined && before === undefined) {
    return { kind: 'bad', detail: 'the provider sent no ID token, which jwtSource asks for' }
  }
  const known = before === undefined ? {} : claimsOf(before, 'judged token')
  let claims = known
  if (judgedText !== undefined) {
    const judged = await verify(judgedText, [provider.judged])
    if (judged.kind === 'unavailable') return { kind: 'unavailable', detail: NO_KEYS }
    if (judged.kind === 'bad') {
      const { reason, detail } = judged.problem
      const hint =
        reason === 'malformed' && source === 'access_token'
          ? "; the provider's access tokens are not JWTs, so try jwtSource: 'id_token', or name the API they shall be for"
          : ''
      const passes = before !== undefined && mayPass(judged.problem, judgedText, provider.judged, known)
      return { kind: passes ? 'unavailable' : 'bad', detail: `the ${source} is not good: ${detail}${hint}` }
    }
    claims = judged.signed.payload
  }
  // What a judged token says that has been checked counts, whatever else cannot be had with a refresh.
  const canDoWithout = before !== undefined && judgedText !== undefined
  let unchecked: string | undefined
  let { idToken } = set
  let idClaims: Readonly<Record<string, unknown>> | undefined
  if (idToken !== undefined) {
    const checked = source === 'id_token' ? undefined : await verify(idToken, [provider.idToken])
    if (checked !== undefined && checked.kind !== 'good') {
      const detail = checked.kind === 'bad' ? `the id_token is not good: ${checked.problem.detail}` : NO_KEYS
      const passes =
        checked.kind === 'unavailable' ||
        (before !== undefined && mayPass(checked.problem, idToken, provider.idToken, known))
      if (!passes || !canDoWithout) return { kind: passes ? 'unavailable' : 'bad', detail }
      unchecked = detail
      idToken = undefined
    } else idClaims = checked === undefined ? claims : checked.signed.payload
  }
  // One that cannot be checked is done without, but not where it is of somebody else or of another sign-in by its own words.
  const idSays = idClaims ?? set.idTokenClaims
  // Without a new ID token nothing new is said of it: an access token may call the same person something else.
  const subject = textOf(idSays === undefined && before !== undefined ? before.providerSubject : (idSays ?? claims).sub)
  if (subject === undefined) return { kind: 'bad', detail: 'the tokens have no sub' }
  const who = provider.judged.identify(claims)
  if (who.id === undefined || who.subject === '') {
    return { kind: 'bad', detail: `the ${source} has no subject: see subjectClaim` }
  }
  const same = before === undefined || provider.judged.identify(before.claims).id === who.id
  if (!same || subject !== (before?.providerSubject ?? subject)) {
    return { kind: 'bad', detail: 'the refreshed tokens are of somebody else' }
  }
  if (before !== undefined && idSays !== undefined && isOfAnotherSignIn(idSays, before)) {
    return { kind: 'bad', detail: 'the refreshed ID token has the nonce of another sign-in' }
  }
  let more: Readonly<Record<string, unknown>> = {}
  let userInfoFailed = false
  if (provider.oauth2.userInfo === true) {
    try {
      more = await provider.client.userInfo(set.accessToken, subject)
    } catch (error) {
      if (!canDoWithout) throw error
      more = knownOfUserInfo(before)
      userInfoFailed = true
      unchecked = messageOf(error)
    }
  }
  const addressed = withOneAddress(more, claims)
  const issuedAt = before === undefined ? idClaims?.iat : before.issuedAt
  const nonce = before === undefined ? textOf(idClaims?.nonce) : before.nonce
  const session = textOf(idClaims?.sid) ?? before?.providerSession
  const refreshToken = refreshes ? (set.refreshToken ?? before?.refreshToken) : undefined
  const lastIdToken = idToken ?? before?.idToken
  const judgedAt = judgedText === undefined ? undefined : (cameAt ?? now)
  const askedAt = userInfoFailed ? undefined : now
  const saidAt = before && ((groupsAreOfUserInfo(provider, claims, before) ? askedAt : judgedAt) ?? before.saidAt)
  const mayOutlive = refreshToken !== undefined && unchecked === undefined
  return {
    kind: 'session',
    tokens: {
      integration: provider.name,
      claims: { ...addressed.more, ...addressed.claims },
      ...(refreshes && provider.oauth2.userInfo === true
        ? { fromUserInfo: added(addressed.more, addressed.claims) }
        : {}),
      providerSubject: subject,
      accessToken: set.accessToken,
      expiresAt: endOf(provider, set, claims, clock.now(), mayOutlive),
      startedAt: before?.startedAt ?? now,
      ...(saidAt === undefined ? {} : { saidAt }),
      ...(typeof issuedAt === 'number' ? { issuedAt } : {}),
      ...(session === undefined ? {} : { providerSession: session }),
      ...(refreshToken === undefined ? {} : { refreshToken }),
      ...(lastIdToken === undefined ? {} : { idToken: lastIdToken }),
      ...(refreshes && nonce !== undefined ? { nonce } : {}),
    },
    ...(unchecked === undefined ? {} : { unchecked }),
  }
}

/**
 * OpenID Connect Core §12.2: a refreshed ID token has the first one's nonce, if any. `null` and an empty text are none, and
 * sessions of an earlier version have nothing to compare with.
 */
function isOfAnotherSignIn(idClaims: Readonly<Record<string, unknown>>, { nonce }: SessionTokens): boolean {
  const said = idClaims.nonce ?? ''
  return nonce !== undefined && said !== '' && said !== nonce
}

/** The claims of a session by who has said them: with a refresh either may come anew, and what it said before is over then. */
function claimsOf(
  { claims, fromUserInfo = [] }: SessionTokens,
  said: 'judged token' | 'UserInfo',
): Readonly<Record<string, unknown>> {
  const ofUserInfo = new Set(fromUserInfo)
  return Object.fromEntries(Object.entries(claims).filter(([name]) => ofUserInfo.has(name) === (said === 'UserInfo')))
}

/** Whether it is for UserInfo to say the groups: a token that said them and now says none has said that they are lost. */
function groupsAreOfUserInfo(
  { integration, oauth2 }: Provider,
  claims: Readonly<Record<string, unknown>>,
  before: SessionTokens,
): boolean {
  const { groupsClaim = 'groups' } = integration
  const tokens = [claims, claimsOf(before, 'judged token')]
  return oauth2.userInfo === true && tokens.every((token) => claimAt(token, groupsClaim) === undefined)
}

/** What UserInfo said before. Its word on an address counts for the one that it was about, also where the token named that. */
function knownOfUserInfo(before: SessionTokens): Readonly<Record<string, unknown>> {
  const said = claimsOf(before, 'UserInfo')
  const { email } = before.claims
  return email === undefined || !Object.hasOwn(said, 'email_verified') ? said : { ...said, email }
}

/**
 * Both without an `email_verified` that is not about the `email` that counts, the token's where it names one: an address that
 * UserInfo has verified says nothing of another in the token, nor the other way round.
 */
function withOneAddress(more: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>) {
  const isOne = more.email === claims.email
  const { email_verified: _, ...unverified } = claims.email === undefined ? claims : more
  if (isOne) return { more, claims }
  return claims.email === undefined ? { more, claims: unverified } : { more: unverified, claims }
}

/** The names of what `more` adds to `claims`. */
function added(more: Readonly<Record<string, unknown>>, claims: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(more).filter((name) => !Object.hasOwn(claims, name))
}

/**
 * When the tokens end: as the provider says of the access token, and never after the judged token's own end, unless
 * that is an ID token that can be had anew (`mayOutlive`).
 */
function endOf(
  { judged }: Provider,
  { expiresInSeconds, idToken }: TokenSet,
  claims: Readonly<Record<string, unknown>>,
  now: number,
  mayOutlive: boolean,
): number {
  const { source, clockToleranceSeconds } = judged.expected
  const told = expiresInSeconds === undefined ? undefined : now + expiresInSeconds * 1000
  const isOld = source === 'id_token' && idToken === undefined
  // As long as it is accepted: one that is new must not be over by the clock here, and be asked for again and again.
  const exp =
    typeof claims.exp === 'number' && !isOld ? (claims.exp + clockToleranceSeconds) * 1000 : now + DEFAULT_LIFETIME_MS
  return source === 'id_token' && mayOutlive ? (told ?? exp) : Math.min(told ?? exp, exp)
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
