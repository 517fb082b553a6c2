/**
 * An OAuth 2.0 and OpenID Connect client: authorization code with PKCE (RFC 6749 §4.1, RFC 7636), refresh, revocation,
 * UserInfo. On oauth4webapi, which makes the requests and checks the answers that it can be trusted with; errors never
 * carry its own as their cause, since those hold codes and tokens.
 */

import * as oauth from 'oauth4webapi'
import { messageOf } from '../core/errors.ts'
import { presentable } from '../net/fetch.ts'
import { RedeemError } from '../store/redeem-error.ts'
import { isHashableAlgorithm } from './at-hash.ts'
import { AuthorizationError } from './authorization-error.ts'
import {
  type AuthorizationRequest,
  type AuthorizationSettings,
  authorizationParameters,
} from './authorization-request.ts'
import { checkAuthorizationResponse } from './authorization-response.ts'
import { type ClientRequestSettings, createClientRequests, endpointOf, toServer } from './client-requests.ts'
import {
  asObject,
  type EndpointFailure,
  isErrorAnswer,
  readFailure,
  readJson,
  refreshFailureOf,
} from './endpoint-answer.ts'
import { checkIdToken } from './id-token.ts'
import type { ServerMetadata } from './metadata.ts'
import { reportingAs, unlessAborted } from './reporting.ts'
import { type GrantedTokens, isToken, readTokenResponse } from './token-response.ts'

/** What an OAuth client is made of. */
export interface OAuthClientSettings extends AuthorizationSettings, ClientRequestSettings {
  /** The endpoints. Asked for with every operation, so it should remember what it found. */
  readonly server: () => Promise<ServerMetadata>
  /** RFC 9126: `auto`, the default, uses it where the server offers it. */
  readonly pushedAuthorizationRequests?: 'auto' | 'never'
  /** `never` leaves tokens to their end: some servers revoke all that a person has given a client with any one of them. */
  readonly revocation?: 'auto' | 'never'
  /** For `exp` and `nbf` of ID tokens that come with a code; 5 by default. */
  readonly clockToleranceSeconds?: number
  /** `alg` of ID tokens. By default those that the server announces, but no unsigned and no symmetric ones; else RS256. */
  readonly idTokenAlgorithms?: readonly string[]
  /** The issuer that ID tokens with these claims must be of; the server's by default. For issuers with `{tenantid}`. */
  readonly idTokenIssuer?: (claims: Readonly<Record<string, unknown>>) => string
  /** Leaves ID tokens alone: for clients that want access and no identity. Checked by default where the scope is `openid`. */
  readonly idTokens?: 'check' | 'ignore'
  /** The object in the token endpoint's answers that the tokens are in, `authed_user` for Slack's; at the top by default. */
  readonly tokensIn?: string
}

/** What a token endpoint gave. */
export interface TokenSet {
  readonly accessToken: string
  /** More than 0. Left out where the server does not say, or says what cannot be. */
  readonly expiresInSeconds?: number
  readonly refreshToken?: string
  /** Its claims are checked, its signature is not. With a refresh, `exp` and `nbf` are left to whoever checks that. */
  readonly idToken?: string
  readonly idTokenClaims?: Readonly<Record<string, unknown>>
  /** Left out where the server does not say, which means: what was asked for. */
  readonly scope?: string
}

/** See the top of the file. Any number of people use one at once. */
export interface OAuthClient {
  /**
   * Where to send the browser.
   *
   * @throws AuthorizationError
   */
  authorizationUrl(request: AuthorizationRequest): Promise<string>
  /**
   * The callback's parameters for tokens. Checks `state` and `iss` (RFC 9207) before the code goes anywhere. With a nonce
   * an ID token is demanded and its claims are checked; without, one that comes all the same is left out.
   *
   * @throws AuthorizationError
   */
  redeem(callback: URLSearchParams, expected: Omit<AuthorizationRequest, 'parameters'>): Promise<TokenSet>
  /**
   * New tokens for a refresh token, with the old refresh token where no new one comes. With the scope `openid`, an ID
   * token that comes is checked, but for its times; otherwise it is left out. Once `signal` has aborted, nothing is sent;
   * an answer is waited for until then, however long it takes.
   *
   * @throws RedeemError
   */
  refresh(refreshToken: string, signal: AbortSignal): Promise<TokenSet>
  /**
   * Revokes a token (RFC 7009). Resolves at once where the server offers no revocation, or it is never to be used.
   *
   * @throws AuthorizationError
   */
  revoke(token: string, hint: 'refresh_token' | 'access_token'): Promise<void>
  /**
   * Claims about the person (OpenID Connect Core §5.3). Their `sub` is `expectedSubject`.
   *
   * @throws AuthorizationError
   */
  userInfo(accessToken: string, expectedSubject: string): Promise<Readonly<Record<string, unknown>>>
}

/** Makes a client. Nothing is fetched before it is needed. */
export function createOAuthClient(settings: OAuthClientSettings): OAuthClient {
  const { clientId, scopes, resource, tokensIn, clockToleranceSeconds = 5 } = settings
  const placeOf = (orTop: boolean) => (tokensIn === undefined ? undefined : { member: tokensIn, orTop })
  const client: oauth.Client = { client_id: clientId }
  const additionalParameters: Record<string, string> = resource === undefined ? {} : { resource }
  const { authenticate, transport } = createClientRequests(settings)

  /** RFC 9126 §2: the parameters by the back channel, and a name for them. */
  async function push(
    server: ServerMetadata,
    parameters: Record<string, string>,
    secrets: string[],
  ): Promise<Record<string, string>> {
    const auth = await authenticate(secrets)
    const body = new URLSearchParams(parameters)
    const response = await oauth.pushedAuthorizationRequest(toServer(server), client, auth, body, transport(secrets))
    const answer = await readJson(response)
    const endpoint = `the pushed authorization request endpoint of ${presentable(server.issuer)}`
    if (isErrorAnswer(response, answer)) throw refused(endpoint, readFailure(response, answer, secrets))
    const { request_uri: requestUri } = asObject(answer)
    if (typeof requestUri === 'string' && requestUri !== '') return { client_id: clientId, request_uri: requestUri }
    throw new AuthorizationError('unavailable', `${endpoint} sent no request_uri`)
  }

  /** The checked ID token, of tokens that should have one. */
  async function identify(
    server: ServerMetadata,
    tokens: GrantedTokens,
    nonce: string | undefined,
    secrets: readonly string[],
  ): Promise<Pick<TokenSet, 'idToken' | 'idTokenClaims'>> {
    if (tokens.idToken === undefined) return {}
    const expected = {
      issuer: settings.idTokenIssuer ?? (() => server.issuer),
      clientId,
      algorithms: settings.idTokenAlgorithms ?? server.idTokenAlgorithms?.filter(isHashableAlgorithm) ?? ['RS256'],
      // Where a clock is off, this must not cost the refresh token that has been spent for it.
      clockToleranceSeconds: nonce === undefined ? Number.MAX_SAFE_INTEGER : clockToleranceSeconds,
      ...(nonce === undefined ? {} : { nonce }),
    }
    const { idToken, accessToken } = tokens
    const idTokenClaims = await checkIdToken(idToken, accessToken, expected, [...secrets, accessToken])
    return { idToken, idTokenClaims }
  }

  return {
    authorizationUrl: (request) =>
      reportingAs(AuthorizationError, [request.verifier], async (secrets) => {
        const server = await settings.server()
        const url = new URL(endpointOf(server, 'authorizationUrl'))
        const parameters = await authorizationParameters(settings, request)
        const pushed =
          server.pushedAuthorizationUrl !== undefined && settings.pushedAuthorizationRequests !== 'never'
            ? await push(server, parameters, secrets)
            : parameters
        // RFC 6749 §3.1: a query that the endpoint has stays.
        for (const [name, value] of Object.entries(pushed)) url.searchParams.set(name, value)
        url.hash = ''
        return url.href
      }),

    redeem: (callback, { redirectUri, state, nonce, verifier }) =>
      reportingAs(AuthorizationError, [...callback.getAll('code'), verifier], async (secrets) => {
        const server = await settings.server()
        const as = toServer(server)
        const checked = checkAuthorizationResponse(as, client, callback, state, secrets)
        endpointOf(server, 'tokenUrl')
        const auth = await authenticate(secrets)
        const options = { ...transport(secrets), additionalParameters }
        const response = await oauth.authorizationCodeGrantRequest(
          as,
          client,
          auth,
          checked,
          redirectUri,
          verifier,
          options,
        )
        const endpoint = `the token endpoint of ${presentable(server.issuer)}`
        const answer = await readTokenResponse(response, secrets, placeOf(false))
        if (answer.kind === 'failure') throw refused(endpoint, answer)
        if (nonce === undefined) return toTokenSet(answer)
        if (answer.idToken === undefined) throw new AuthorizationError('invalid', `${endpoint} sent no ID token`)
        return { ...toTokenSet(answer), ...(await identify(server, answer, nonce, secrets)) }
      }),

    refresh: (refreshToken, signal) =>
      reportingAs(RedeemError, [refreshToken], async (secrets) => {
        const preparing = Promise.all([settings.server(), authenticate(secrets)])
        const [server, auth] = await unlessAborted(signal, preparing)
        endpointOf(server, 'tokenUrl')
        // The server may have spent the refresh token already: whoever gives up before the answer has lost it.
        const options = { ...transport(secrets, signal, 'signal'), additionalParameters }
        const response = await oauth.refreshTokenGrantRequest(toServer(server), client, auth, refreshToken, options)
        const answer = await readTokenResponse(response, secrets, placeOf(true))
        if (answer.kind === 'failure') {
          const { detail, retryAfterMs, error } = answer
          const failure = refreshFailureOf(answer)
          const said = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(error !== undefined && { error }) }
          throw new RedeemError(failure, `the token endpoint of ${presentable(server.issuer)} ${detail}`, said)
        }
        const identified = scopes.includes('openid') && settings.idTokens !== 'ignore'
        const identity = identified ? await identify(server, answer, undefined, secrets).catch(spent) : {}
        return { refreshToken, ...toTokenSet(answer), ...identity }
      }),

    revoke: (token, hint) =>
      reportingAs(AuthorizationError, [token], async (secrets) => {
        if (settings.revocation === 'never') return
        const server = await settings.server()
        if (server.revocationUrl === undefined) return
        const auth = await authenticate(secrets)
        const options = { ...transport(secrets), additionalParameters: { token_type_hint: hint } }
        const response = await oauth.revocationRequest(toServer(server), client, auth, token, options)
        if (response.ok) return
        const failure = readFailure(response, await readJson(response), secrets)
        // RFC 7009 §2.2: one that is no more is as good as revoked. Google says so of the second token of a grant.
        if (failure.error === 'invalid_token') return
        throw refused(`the revocation endpoint of ${presentable(server.issuer)}`, failure)
      }),

    userInfo: (accessToken, expectedSubject) =>
      reportingAs(AuthorizationError, [accessToken], async (secrets) => {
        const server = await settings.server()
        endpointOf(server, 'userInfoUrl')
        const endpoint = `the UserInfo endpoint of ${presentable(server.issuer)}`
        // Fetch functions quote a header that they cannot send.
        if (!isToken(accessToken)) throw new AuthorizationError('rejected', `${endpoint}: this is no access token`)
        const as = toServer(server)
        const response = await oauth.userInfoRequest(as, client, accessToken, transport(secrets))
        const body = await readJson(response.clone())
        if (isErrorAnswer(response, body)) throw refused(endpoint, readFailure(response, body, secrets))
        try {
          return await oauth.processUserInfoResponse(as, client, expectedSubject, response)
        } catch (error) {
          // §5.3.4: of somebody else, it must not be used.
          const kind = typeof asObject(body).sub === 'string' ? 'invalid' : 'unavailable'
          throw new AuthorizationError(kind, `the answer of ${endpoint} does not fit: ${messageOf(error)}`)
        }
      }),
  }
}

/** The refresh token may be spent by now: sent again, it would be taken for a stolen one. @throws RedeemError `dead` */
function spent(error: unknown): never {
  throw new RedeemError('dead', messageOf(error))
}

function toTokenSet({ accessToken, expiresInSeconds, refreshToken, scope }: GrantedTokens): TokenSet {
  return {
    accessToken,
    ...(expiresInSeconds !== undefined && { expiresInSeconds }),
    ...(refreshToken !== undefined && { refreshToken }),
    ...(scope !== undefined && { scope }),
  }
}

function refused(endpoint: string, { failure, detail, error }: EndpointFailure): AuthorizationError {
  return new AuthorizationError(failure === 'transient' ? 'unavailable' : 'rejected', `${endpoint} ${detail}`, {
    error,
  })
}
