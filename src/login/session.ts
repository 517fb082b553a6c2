/** What is known of somebody who has signed in. */

/** The tokens of a session and what they say. Plain data that survives JSON. */
export interface SessionTokens {
  readonly integration: string
  /** The claims that rules judge, of the token that the integration names, its signature checked, and of UserInfo. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The names of those claims that UserInfo has said, and not the token. */
  readonly fromUserInfo?: readonly string[]
  /** The ID token's `sub`, by which the provider speaks of the person; else that of the access token. */
  readonly providerSubject: string
  /** The provider's name for its session with this browser (`sid`). */
  readonly providerSession?: string
  readonly accessToken?: string
  readonly refreshToken?: string
  /** For signing out at the provider. */
  readonly idToken?: string
  /** The `nonce` of the sign-in's ID token, where sessions are refreshed: an ID token that comes then has the same, or none. */
  readonly nonce?: string
  /** When the provider made the ID token of the sign-in, in epoch seconds by its own clock (`iat`). */
  readonly issuedAt?: number
  /** Where the tokens that a refresh brought could not be checked yet: the claims are those of before. */
  readonly unchecked?: UncheckedTokens
  /** When the tokens end, in epoch milliseconds. */
  readonly expiresAt: number
  /** When the person signed in, in epoch milliseconds. */
  readonly startedAt: number
  /** When a refresh last said the groups, in epoch milliseconds; absent where only the sign-in has. */
  readonly saidAt?: number
}

/** What is kept of new tokens until they can be checked; access and refresh token are the session's. Times are epoch milliseconds. */
export interface UncheckedTokens {
  readonly idToken?: string
  /** How long it is worth looking at them. */
  readonly until: number
  /** How long the claims of before count at most, however often there are new tokens that cannot be checked. */
  readonly goesOnUntil: number
  /** When they came. An earlier version kept no such time. */
  readonly cameAt?: number
}

/** What `text` says; `undefined` for what is no JSON. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const TEXTS = ['providerSession', 'accessToken', 'refreshToken', 'idToken', 'nonce'] as const

/** `value` as {@link SessionTokens}; `undefined` for what is none, since another version of this has sealed or stored it. */
export function asSessionTokens(value: unknown): SessionTokens | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const tokens = value as SessionTokens
  const {
    integration,
    claims,
    fromUserInfo = [],
    unchecked,
    providerSubject,
    issuedAt = 0,
    expiresAt,
    startedAt,
    saidAt = 0,
  } = tokens
  const whole =
    [integration, providerSubject].every((text) => typeof text === 'string') &&
    [issuedAt, expiresAt, startedAt, saidAt].every(Number.isFinite) &&
    TEXTS.every((key) => tokens[key] === undefined || typeof tokens[key] === 'string') &&
    typeof claims === 'object' &&
    claims !== null &&
    Array.isArray(fromUserInfo) &&
    isUnchecked(unchecked)
  return whole ? tokens : undefined
}

function isUnchecked(value: unknown): boolean {
  if (value === undefined) return true
  const { idToken = '', until, goesOnUntil, cameAt = 0 } = (value ?? {}) as Partial<UncheckedTokens>
  return typeof idToken === 'string' && [until, goesOnUntil, cameAt].every(Number.isFinite)
}

/** Where a session is used: an origin, and the integration it is of. */
export interface SessionPlace {
  readonly origin: string
  readonly integration: string
}

/** What a browser's cookies come to. `cookies` are `Set-Cookie` lines for the answer. */
export type FoundSession =
  | { readonly kind: 'session'; readonly tokens: SessionTokens; readonly cookies: readonly string[] }
  /** No session; `ended` is whether there was one. */
  | { readonly kind: 'none'; readonly ended: boolean; readonly cookies: readonly string[] }
  /** The store or the provider does not answer. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number }

/** What a provider says has ended: one of its sessions, else all that the person began before. */
export interface Ending {
  readonly integration: string
  readonly subject: string | undefined
  readonly session: string | undefined
  /** The issuer of the tenant that says so, where the integration has several: each has its own subjects and sessions. */
  readonly tenant?: string
  /** When it was said, in epoch seconds by the provider's clock. */
  readonly at: number
}

/** Keeps sessions: in a store, or in the cookies themselves. */
export interface Sessions {
  /** Finds the session that `cookieHeader` names. */
  find(cookieHeader: string | undefined, place: SessionPlace): Promise<FoundSession>
  /**
   * Begins a session; the `Set-Cookie` lines, and what another of our origins can take it over with. `undefined` when the
   * provider has ended it meanwhile.
   */
  begin(
    tokens: SessionTokens,
    place: SessionPlace,
    cookieHeader: string | undefined,
  ): Promise<{ readonly cookies: readonly string[]; readonly handle: string } | undefined>
  /** A name of the session that stays the same however often its cookie is renewed; `undefined` for no cookie of ours. */
  nameOf(cookieHeader: string | undefined, place: SessionPlace): Promise<string | undefined>
  /** What another of our origins can take over the session with that is used at `place`. */
  handleOf(cookieHeader: string | undefined, place: SessionPlace): Promise<string | undefined>
  /** Takes a session over to `place`; `undefined` when it is no more. */
  adopt(
    handle: string,
    place: SessionPlace,
    cookieHeader: string | undefined,
  ): Promise<{ readonly cookies: readonly string[]; readonly tokens: SessionTokens } | undefined>
  /** Ends the session; what it was, and the `Set-Cookie` lines that clear its cookies. */
  end(
    cookieHeader: string | undefined,
    place: SessionPlace,
  ): Promise<{ readonly cookies: readonly string[]; readonly tokens: SessionTokens | undefined }>
  /** Ends sessions from afar; how many. Absent where that cannot be done. */
  endAll?(ending: Ending): Promise<number>
  ready(): Promise<void>
  close(): Promise<void>
}
