/** What is known of somebody who has signed in. */

/** The tokens of a session and what they say. Plain data that survives JSON. */
export interface SessionTokens {
  readonly integration: string
  /** The claims that rules judge, of the token that the integration names, its signature checked. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The ID token's `sub`, by which the provider speaks of the person; else that of the access token. */
  readonly providerSubject: string
  /** The provider's name for its session with this browser (`sid`). */
  readonly providerSession?: string
  readonly accessToken?: string
  readonly refreshToken?: string
  /** For signing out at the provider. */
  readonly idToken?: string
  /** When the tokens end, in epoch milliseconds. */
  readonly expiresAt: number
  /** When the person signed in, in epoch milliseconds. */
  readonly startedAt: number
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

/** Keeps sessions: in a store, or in the cookies themselves. */
export interface Sessions {
  /** Finds the session that `cookieHeader` names. */
  find(cookieHeader: string | undefined, place: SessionPlace): Promise<FoundSession>
  /** Begins a session; the `Set-Cookie` lines, and what another of our origins can take it over with. */
  begin(
    tokens: SessionTokens,
    place: SessionPlace,
    cookieHeader: string | undefined,
  ): Promise<{ readonly cookies: readonly string[]; readonly handle: string }>
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
  /** Ends sessions from afar, by the provider's names for person and session; how many. Absent where that cannot be done. */
  endAll?(integration: string, subject: string | undefined, session: string | undefined): Promise<number>
  ready(): Promise<void>
  close(): Promise<void>
}
