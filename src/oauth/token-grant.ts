/**
 * Tokens for which nobody has to be asked: token exchange (RFC 8693), JWT bearer grant (RFC 7523 §2.1) and client credentials
 * (RFC 6749 §4.4). On oauth4webapi, with answers read as everywhere else here.
 */

import * as oauth from 'oauth4webapi'
import { presentable } from '../net/fetch.ts'
import { RedeemError } from '../store/redeem-error.ts'
import { type ClientRequestSettings, createClientRequests, endpointOf, toServer } from './client-requests.ts'
import type { ServerMetadata } from './metadata.ts'
import { reportingAs, unlessAborted } from './reporting.ts'
import { readTokenResponse } from './token-response.ts'

/** What it is made of. */
export interface TokenGrantSettings extends ClientRequestSettings {
  readonly clientId: string
  /** The endpoint. Asked for with every request, so it should remember what it found. */
  readonly server: () => Promise<ServerMetadata>
}

/** One request for a token. */
export interface TokenGrantRequest {
  readonly grantType: string
  /** Names and values; a name may come twice. */
  readonly parameters: readonly (readonly [string, string])[]
  /** Values that must not be repeated. */
  readonly secrets: readonly string[]
  /** Once it has aborted, nothing is sent. */
  readonly signal: AbortSignal
  /** What `issued_token_type` of the answer may be (RFC 8693 §2.2.1); the first is what is asked for. */
  readonly issued?: readonly [string, ...string[]]
}

/** What came of it. */
export interface GrantedToken {
  readonly token: string
  /** Left out where the server does not say. */
  readonly expiresInSeconds: number | undefined
  /** What was granted; `undefined` means: what was asked for. */
  readonly scopes: readonly string[] | undefined
}

/** See the top of the file. Any number of requests at once. */
export interface TokenGrants {
  /** @throws RedeemError, with the server's `error` and `Retry-After`; its message holds no token and no secret */
  request(request: TokenGrantRequest): Promise<GrantedToken>
}

/** RFC 8693 §3. */
export const TOKEN_TYPES = {
  access_token: 'urn:ietf:params:oauth:token-type:access_token',
  id_token: 'urn:ietf:params:oauth:token-type:id_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
} as const
/** Identity Assertion JWT Authorization Grant. */
export const ID_JAG_TYPE = 'urn:ietf:params:oauth:token-type:id-jag'
/** What an authorization server that takes them has among its `authorization_grant_profiles_supported`. */
export const ID_JAG_PROFILE = 'urn:ietf:params:oauth:grant-profile:id-jag'
/** RFC 8693 §2.1. */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
/** RFC 7523 §2.1. */
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
/** RFC 6749 §4.4. */
export const CLIENT_CREDENTIALS = 'client_credentials'

/** Makes one. Nothing is fetched before it is needed. */
export function createTokenGrants(settings: TokenGrantSettings): TokenGrants {
  const { clientId } = settings
  const { authenticate, transport } = createClientRequests(settings)
  const client: oauth.Client = { client_id: clientId }
  return {
    request: ({ grantType, parameters, secrets: sent, signal, issued }) =>
      reportingAs(RedeemError, sent, async (secrets) => {
        const preparing = Promise.all([settings.server(), authenticate(secrets)])
        const [server, auth] = await unlessAborted(signal, preparing)
        endpointOf(server, 'tokenUrl')
        const body = new URLSearchParams()
        for (const [name, value] of parameters) body.append(name, value)
        const options = transport(secrets, signal)
        const response = await oauth.genericTokenEndpointRequest(
          toServer(server),
          client,
          auth,
          grantType,
          body,
          options,
        )
        const endpoint = `the token endpoint of ${presentable(server.issuer)}`
        const isAccessToken = issued === undefined || issued[0] === TOKEN_TYPES.access_token
        const types = isAccessToken ? BEARER : OF_NO_TYPE
        const answer = await readTokenResponse(response, secrets, { types })
        if (answer.kind === 'failure') {
          const { failure, detail, retryAfterMs, error } = answer
          const said = { ...(retryAfterMs !== undefined && { retryAfterMs }), ...(error !== undefined && { error }) }
          throw new RedeemError(failure, `${endpoint} ${detail}`, said)
        }
        const { accessToken: token, expiresInSeconds, scope, issuedTokenType } = answer
        // Servers that know access tokens only may leave out that it is one. Whatever else it is goes to somebody else.
        const said = issuedTokenType ?? (isAccessToken ? issued?.[0] : undefined)
        if (issued !== undefined && (said === undefined || !issued.includes(said))) {
          throw new RedeemError('rejected', `${endpoint} sent another type of token than was asked for`)
        }
        return { token, expiresInSeconds, scopes: scope?.split(' ').filter((each) => each !== '') }
      }),
  }
}

const BEARER = ['bearer']
/** RFC 8693 §2.2.1: `N_A` of what is no access token, though some say `Bearer` of everything. */
const OF_NO_TYPE = ['bearer', 'n_a']
