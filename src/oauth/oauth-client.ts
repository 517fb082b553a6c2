/**
 * An OAuth 2.0 and OpenID Connect client: authorization code with PKCE (RFC 6749 §4.1, RFC 7636), refresh, revocation,
 * UserInfo. On oauth4webapi, which makes the requests and checks the answers that it can be trusted with; errors never
 * carry its own as their cause, since those hold codes and tokens.
 */
import * as oauth from 'oauth4webapi'
import { FetchError, messageOf, SallyportError } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits } from '../net/fetch.ts'
import { RedeemError } from '../store/redeem-error.ts'
import { isHashableAlgorithm } from './at-hash.ts'
import { AuthorizationError } from './authorization-error.ts'
import {
  type AuthorizationRequest,
  type AuthorizationSettings,
  authorizationParameters,
} from './authorization-request.ts'
import { checkAuthorizationResponse } from './authorization-response.ts'
import { type ClientAuthentication, toClientAuth } from './client-authentication.ts'
import { asObject, type EndpointFailure, isErrorAnswer, readFailure, readJson } from './endpoint-answer.ts'
import { checkIdToken } from './id-token.ts'
import type { ServerMetadata } from './metadata.ts'
import { withoutSecrets } from './presentable.ts'
import { type GrantedTokens, isToken, readTokenResponse } from './token-response.ts'

/** What an OAuth client is made of. */
export interface OAuthClientSettings extends AuthorizationSettings {
  /** The endpoints. Asked for with every operation, so it should remember what it found. */
  readonly server: () => Promise<ServerMetadata>
  /** Asked for with every request that needs it, like `server`; as long as the same object comes back, a key is read once. */
  readonly authentication: () => Promise<ClientAuthentication>
  /** RFC 9126: `auto`, the default, uses it where the server offers it. */
  readonly pushedAuthorizationRequests?: 'auto' | 'never'
  /** For `exp` and `nbf` of ID tokens; 5 by default. */
  readonly clockToleranceSeconds?: number
  /** `alg` of ID tokens. By default those that the server announces, but no unsigned and no symmetric ones; else RS256. */
  readonly idTokenAlgorithms?: readonly string[]
  /** The issuer that ID tokens with these claims must be of; the server's by default. For issuers with `{tenantid}`. */
  readonly idTokenIssuer?: (claims: Readonly<Record<string, unknown>>) => string
  /** Leaves ID tokens alone: for clients that want access and no identity. Checked by default where the scope is `openid`. */
  readonly idTokens?: 'check' | 'ignore'
  /** The object in the token endpoint's answers that the tokens are in, `authed_user` for Slack's; at the top by default. */
  readonly tokensIn?: string
  readonly fetch: Fetch
  readonly limits: FetchLimits
}

/** What a token endpoint gave. */
export interface TokenSet {
  readonly accessToken: string
  /** More than 0. Left out where the server does not say, or says what cannot be. */
  readonly expiresInSeconds?: number
  readonly refreshToken?: string
  /** Its claims are checked, its signature is not. */
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
   * token that comes is checked; otherwise it is left out. Once `signal` has aborted, nothing is sent.
   *
   * @throws RedeemError
   */
  refresh(refreshToken: string, signal: AbortSignal): Promise<TokenSet>
  /**
   * Revokes a token (RFC 7009). Resolves at once where the server offers no revocation.
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
  let prepared: { readonly from: ClientAuthentication; readonly auth: Promise<oauth.ClientAuth> } | undefined

  /** How this client authenticates. What of it must not be repeated is added to `secrets`. */
  async function authenticate(secrets: string[]): Promise<oauth.ClientAuth> {
    const from = await settings.authentication()
    if ('secret' in from) secrets.push(from.secret)
    if (prepared?.from !== from) prepared = { from, auth: toClientAuth(from) }
    return prepared.auth
  }

  /** For requests that carry credentials, codes or tokens: a redirect would take these elsewhere. */
  function transport(secrets: string[], signal: AbortSignal | null = null) {
    async function send(url: string, { method, headers, body = null }: Sent): Promise<Response> {
      const credentials = headers.authorization?.replace(/^\w+ /, '')
      const assertion = body?.get('client_assertion')
      for (const secret of [credentials, assertion]) if (secret) secrets.push(secret)
      try {
        const init = { method, headers, body, redirect: 'error', signal } as const
        return await boundedFetch(settings.fetch, url, settings.limits, init)
      } catch (error) {
        // Without its cause: the user's own fetch may have put the whole request there.
        throw new FetchError(withoutSecrets(messageOf(error), secrets))
      }
    }
    // The configuration has decided already which addresses may be plain http.
    return { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: send }
  }

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
    const endpoint = `the pushed authorization request endpoint of ${server.issuer}`
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
      clockToleranceSeconds,
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
        const endpoint = `the token endpoint of ${server.issuer}`
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
        const options = { ...transport(secrets, signal), additionalParameters }
        const response = await oauth.refreshTokenGrantRequest(toServer(server), client, auth, refreshToken, options)
        const answer = await readTokenResponse(response, secrets, placeOf(true))
        if (answer.kind === 'failure') {
          const { failure, detail, retryAfterMs, error } = answer
          const said = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(error !== undefined && { error }) }
          throw new RedeemError(failure, `the token endpoint of ${server.issuer} ${detail}`, said)
        }
        const identified = scopes.includes('openid') && settings.idTokens !== 'ignore'
        const identity = identified ? await identify(server, answer, undefined, secrets) : {}
        return { refreshToken, ...toTokenSet(answer), ...identity }
      }),

    revoke: (token, hint) =>
      reportingAs(AuthorizationError, [token], async (secrets) => {
        const server = await settings.server()
        if (server.revocationUrl === undefined) return
        const auth = await authenticate(secrets)
        const options = { ...transport(secrets), additionalParameters: { token_type_hint: hint } }
        const response = await oauth.revocationRequest(toServer(server), client, auth, token, options)
        if (response.ok) return
        const failure = readFailure(response, await readJson(response), secrets)
        throw refused(`the revocation endpoint of ${server.issuer}`, failure)
      }),

    userInfo: (accessToken, expectedSubject) =>
      reportingAs(AuthorizationError, [accessToken], async (secrets) => {
        const server = await settings.server()
        endpointOf(server, 'userInfoUrl')
        const endpoint = `the UserInfo endpoint of ${server.issuer}`
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

/** What oauth4webapi gives to a fetch function. */
interface Sent {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: URLSearchParams | null | undefined
}

const ENDPOINTS = {
  authorizationUrl: 'authorization_endpoint',
  tokenUrl: 'token_endpoint',
  userInfoUrl: 'userinfo_endpoint',
} as const

function endpointOf(server: ServerMetadata, name: keyof typeof ENDPOINTS): string {
  const url = server[name]
  if (url !== undefined) return url
  throw new AuthorizationError('unavailable', `the metadata of ${server.issuer} names no ${ENDPOINTS[name]}`)
}

/** The metadata in oauth4webapi's terms. */
function toServer(server: ServerMetadata): oauth.AuthorizationServer {
  return {
    issuer: server.issuer,
    authorization_response_iss_parameter_supported: server.issParameter,
    ...(server.tokenUrl !== undefined && { token_endpoint: server.tokenUrl }),
    ...(server.userInfoUrl !== undefined && { userinfo_endpoint: server.userInfoUrl }),
    ...(server.revocationUrl !== undefined && { revocation_endpoint: server.revocationUrl }),
    ...(server.pushedAuthorizationUrl !== undefined && {
      pushed_authorization_request_endpoint: server.pushedAuthorizationUrl,
    }),
  }
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

/**
 * Runs `operation` with a list of what must not be repeated, which it adds to. What it throws comes out as `Kind`, with
 * causes only where they are errors of our own.
 */
async function reportingAs<T>(
  Kind: typeof AuthorizationError | typeof RedeemError,
  sent: readonly string[],
  operation: (secrets: string[]) => Promise<T>,
): Promise<T> {
  const secrets = [...sent]
  try {
    return await operation(secrets)
  } catch (error) {
    if (error instanceof Kind) throw error
    const message = withoutSecrets(messageOf(error), secrets)
    const options = error instanceof SallyportError ? { cause: error } : {}
    if (Kind === AuthorizationError) throw new AuthorizationError('unavailable', message, options)
    // An ID token that does not fit says nothing of the refresh token, but more of the same will not help.
    const rejected = error instanceof AuthorizationError && error.kind !== 'unavailable'
    throw new RedeemError(rejected ? 'rejected' : 'transient', message, options)
  }
}

/** What `promise` resolves with, if that is before `signal` aborts. */
async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let stop = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(new RedeemError('transient', 'given up'))
    signal.addEventListener('abort', stop, { once: true })
  })
  if (signal.aborted) stop()
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
