/** A server's OAuth client where everything about it is settled: the authorization server, who we are there, where answers come back to. */
import type { Fetch, FetchLimits } from '../net/fetch.ts'
import { AuthorizationError } from '../oauth/authorization-error.ts'
import type { ClientAuthentication } from '../oauth/client-authentication.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { createOAuthClient, type OAuthClient } from '../oauth/oauth-client.ts'
import { OFFLINE_ACCESS } from '../oauth/scopes.ts'
import { RedeemError } from '../store/redeem-error.ts'
import type { OAuth2Server } from './broker.ts'
import type { TokenOrigin } from './tokens.ts'

/** See the top of the file. */
export interface BoundClient {
  readonly server: OAuth2Server
  readonly origin: TokenOrigin
  /** Asked for where nothing more is needed. */
  readonly scopes: readonly string[]
  readonly callbackPath: string
  readonly redirectUri: string
  /** Tells authorization servers apart. */
  readonly authorizationServer: string
  /** Whether `iss` of an answer can be compared with something. */
  readonly comparesIss: boolean
  /** Whether an answer without `iss` is refused, whatever the metadata says by then. */
  readonly demandsIss: boolean
  readonly client: OAuthClient
  metadata(): Promise<ServerMetadata>
}

/** What one is made of. */
export interface BoundClientSettings extends Omit<BoundClient, 'client' | 'redirectUri'> {
  /** The origin of the gateway. */
  readonly url: string
  readonly authentication: () => Promise<ClientAuthentication>
  /** Told that the authorization server does not know the client (any more). */
  readonly onUnknownClient?: (() => Promise<void>) | undefined
  /** Told that it does: it has given tokens to it. */
  readonly onKnownClient?: (() => void) | undefined
  readonly fetch: Fetch
}

/** Of everything that is asked of an authorization server. */
export const AUTHORIZATION_SERVER_LIMITS: FetchLimits = { timeoutMs: 10_000, maxBytes: 512 * 1024 }

/** Puts one together. Nothing is fetched before it is needed. */
export function createBoundClient(settings: BoundClientSettings): BoundClient {
  const { url, authentication, onUnknownClient, onKnownClient, fetch, ...bound } = settings
  const { auth } = bound.server
  const { clientId, resource } = bound.origin
  const client = createOAuthClient({
    server: bound.metadata,
    clientId,
    authentication,
    scopes: bound.scopes,
    authorizationParameters: {
      // OpenID Connect Core §11: without it, the scope is ignored.
      ...(auth.scopes === undefined && bound.scopes.includes(OFFLINE_ACCESS) && { prompt: 'consent' }),
      ...auth.authorizationParameters,
    },
    responseMode: auth.responseMode ?? 'query',
    revocation: auth.revocation ?? 'auto',
    idTokens: 'ignore',
    ...(auth.tokensIn === undefined ? {} : { tokensIn: auth.tokensIn }),
    ...(resource === null ? {} : { resource }),
    fetch,
    limits: AUTHORIZATION_SERVER_LIMITS,
  })
  return {
    ...bound,
    redirectUri: `${url}${bound.callbackPath}`,
    client: onUnknownClient === undefined ? client : tellingOf(client, onUnknownClient, onKnownClient),
  }
}

/** RFC 6749 §5.2, RFC 9126 §2.3. */
function tellingOf(client: OAuthClient, tell: () => Promise<void>, tellKnown: (() => void) | undefined): OAuthClient {
  async function watched<T>(work: Promise<T>): Promise<T> {
    try {
      return await work
    } catch (error) {
      // Whether that can be written down or not, what the caller hears of is the refusal.
      if (isUnknownClient(error)) await tell().catch(() => {})
      throw error
    }
  }
  async function proving<T>(work: Promise<T>): Promise<T> {
    const given = await watched(work)
    tellKnown?.()
    return given
  }
  return {
    ...client,
    authorizationUrl: (request) => watched(client.authorizationUrl(request)),
    // What a browser brings is no word of the server's: anybody could have written it (§4.1.2.1 has no such error either).
    redeem: (callback, expected) =>
      callback.has('error') ? client.redeem(callback, expected) : proving(client.redeem(callback, expected)),
    refresh: (token, signal) => proving(client.refresh(token, signal)),
  }
}

/** Of a server that is unwell (429, 5xx) it says nothing about the client, whose end would be that of everybody's connection. */
function isUnknownClient(thrown: unknown): boolean {
  if (thrown instanceof AuthorizationError) return thrown.error === 'invalid_client' && thrown.kind === 'rejected'
  return thrown instanceof RedeemError && thrown.error === 'invalid_client' && thrown.failure === 'rejected'
}
