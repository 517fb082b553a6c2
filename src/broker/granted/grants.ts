/** How tokens are asked for that an authorization server gives without a browser: which requests go where, kind by kind. */
import type { SecretResolver } from '../../core/secrets.ts'
import { type Fetch, isSecureUrl } from '../../net/fetch.ts'
import { guardedFetch } from '../../net/guarded-fetch.ts'
import { rememberCredentials } from '../../oauth/client-credentials.ts'
import type { DocumentFetch } from '../../oauth/fetch-document.ts'
import { findTokenEndpoint } from '../../oauth/find-token-endpoint.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { rememberMetadata } from '../../oauth/remembered-metadata.ts'
import { unionOf } from '../../oauth/scopes.ts'
import {
  CLIENT_CREDENTIALS,
  createTokenGrants,
  type GrantedToken,
  ID_JAG_TYPE,
  JWT_BEARER,
  TOKEN_EXCHANGE,
  TOKEN_TYPES,
} from '../../oauth/token-grant.ts'
import { AUTHORIZATION_SERVER_LIMITS } from '../bound-client.ts'
import type {
  ClientCredentialsUpstreamAuth,
  GrantClient,
  GrantedUpstreamAuth,
  IdentityAssertionUpstreamAuth,
  TokenExchangeUpstreamAuth,
} from './auth.ts'
import { findAssertionServer, surveyServer } from './survey.ts'

/** A server whose tokens are granted. */
export interface GrantServer {
  readonly id: string
  readonly url: string
  readonly auth: GrantedUpstreamAuth
}

/** What the requests are made with. */
export interface GrantSettings {
  readonly secrets: SecretResolver | undefined
  /** Reaches authorization servers in place of our own, as in the broker. */
  readonly fetch: Fetch | undefined
}

/** One token that is wanted. */
export interface GrantRequest {
  /** The caller's JWT; of `client_credentials` there is none. */
  readonly subject: string | undefined
  /** Scopes beside those that are configured or that the server asks for. */
  readonly more: readonly string[]
  readonly signal: AbortSignal
}

/** A token, and what was asked for with it. */
export interface Grant extends GrantedToken {
  readonly asked: readonly string[]
}

/** How one server's tokens are asked for. */
export interface Granter {
  /** @throws RedeemError, AuthorizationError, FetchError (`ERR_FETCH`); messages hold no token and no secret */
  grant(request: GrantRequest): Promise<Grant>
  /** Looks up secrets. @throws SecretError (`ERR_SECRET`) */
  ready(): Promise<void>
}

/** For everything that is asked of an MCP server and its authorization servers in one search. */
const SEARCH_MS = 20_000

/** See the top of the file. Nothing is fetched before it is needed. */
export function createGranter({ url, auth }: GrantServer, { secrets, fetch: ownFetch }: GrantSettings): Granter {
  // What the MCP server names leads to no network that only the authorization servers of the configuration are in.
  const fetch = guardedFetch({ written: [url], fetch: ownFetch })
  // The configuration has decided already whether the server itself may be plain http.
  const survey = rememberMetadata(() => surveyServer(url, documents(!isSecureUrl(url))))

  function documents(allowInsecureHttp: boolean): DocumentFetch {
    return { fetch, limits: AUTHORIZATION_SERVER_LIMITS, signal: AbortSignal.timeout(SEARCH_MS), allowInsecureHttp }
  }

  async function scopesWith(more: readonly string[]): Promise<readonly string[]> {
    return auth.scopes ?? unionOf((await survey()).scopes, more)
  }

  /** RFC 8707 §2: an absolute URI without a fragment. */
  function resourceFor(byDefault: boolean, found?: string): string | undefined {
    const { resource = byDefault } = auth
    if (typeof resource === 'string') return resource
    return resource ? (found ?? url.replace(/#.*$/s, '')) : undefined
  }

  switch (auth.type) {
    case 'client_credentials':
      return ofClient(auth)
    case 'token_exchange':
      return byExchange(auth)
    case 'identity_assertion':
      return byAssertion(auth)
  }

  function grantsOf(client: GrantClient, server?: () => Promise<ServerMetadata>) {
    const authentication = rememberCredentials(client, secrets)
    // Nobody's metadata leads to the addresses that somebody else's are at.
    const guarded = guardedFetch({ written: writtenIn(client), fetch: ownFetch })
    const own = server === undefined ? guarded : fetch
    const find = rememberMetadata(() => findTokenEndpoint(client, guarded, AUTHORIZATION_SERVER_LIMITS))
    const limits = AUTHORIZATION_SERVER_LIMITS
    const grants = createTokenGrants({
      clientId: client.clientId,
      server: server ?? find,
      authentication,
      fetch: own,
      limits,
    })
    return { grants, server: server ?? find, ready: async () => void (await authentication()) }
  }

  function ofClient(own: ClientCredentialsUpstreamAuth): Granter {
    const { grants, ready } = grantsOf(own)
    return {
      ready,
      async grant({ more, signal }) {
        const asked = await scopesWith(more)
        const resource = resourceFor(own.audience === undefined)
        const parameters = present({ scope: asked.join(' '), resource, audience: own.audience })
        return { asked, ...(await grants.request({ grantType: CLIENT_CREDENTIALS, parameters, secrets: [], signal })) }
      },
    }
  }

  function byExchange(own: TokenExchangeUpstreamAuth): Granter {
    const { subjectTokenType = 'access_token', requestedTokenType = 'access_token' } = own
    const { grants, ready } = grantsOf(own)
    const audiences = [own.audience ?? []].flat()
    return {
      ready,
      async grant({ subject = '', more, signal }) {
        const asked = await scopesWith(more)
        const granted = await grants.request({
          grantType: TOKEN_EXCHANGE,
          parameters: present({
            subject_token: subject,
            subject_token_type: TOKEN_TYPES[subjectTokenType],
            requested_token_type: TOKEN_TYPES[requestedTokenType],
            audience: audiences,
            resource: resourceFor(own.audience === undefined),
            scope: asked.join(' '),
          }),
          secrets: [subject],
          issued: ISSUED[requestedTokenType],
          signal,
        })
        return { asked, ...granted }
      },
    }
  }

  function byAssertion(own: IdentityAssertionUpstreamAuth): Granter {
    const { subjectTokenType = 'id_token' } = own
    const idp = grantsOf(own.idp)
    const find =
      own.issuer === undefined
        ? rememberMetadata(async () =>
            findAssertionServer(url, await survey(), documents(own.allowInsecureHttp === true)),
          )
        : undefined
    const server = grantsOf(own, find)
    return {
      async ready() {
        await Promise.all([idp.ready(), server.ready()])
      },
      async grant({ subject = '', more, signal }) {
        const asked = await scopesWith(more)
        const found = own.scopes === undefined || own.issuer === undefined ? await survey() : undefined
        const scope = asked.join(' ')
        const resource = resourceFor(true, found?.resource)
        const { token: assertion } = await idp.grants.request({
          grantType: TOKEN_EXCHANGE,
          parameters: present({
            subject_token: subject,
            subject_token_type: TOKEN_TYPES[subjectTokenType],
            requested_token_type: ID_JAG_TYPE,
            audience: own.issuer ?? (await server.server()).issuer,
            resource,
            scope,
          }),
          secrets: [subject],
          issued: [ID_JAG_TYPE],
          signal,
        })
        const granted = await server.grants.request({
          grantType: JWT_BEARER,
          parameters: present({ assertion, resource, scope }),
          secrets: [subject, assertion],
          signal,
        })
        return { asked, ...granted }
      },
    }
  }
}

/** Servers that give JWTs as access tokens may say either. */
const ISSUED = {
  access_token: [TOKEN_TYPES.access_token, TOKEN_TYPES.jwt],
  jwt: [TOKEN_TYPES.jwt, TOKEN_TYPES.access_token],
  id_token: [TOKEN_TYPES.id_token],
} as const

/** Parameters with a value; a list is one of each. */
function present(
  parameters: Readonly<Record<string, string | readonly string[] | undefined>>,
): readonly (readonly [string, string])[] {
  return Object.entries(parameters).flatMap(([name, values]) =>
    [values ?? []].flat().flatMap((value) => (value === '' ? [] : [[name, value] as const])),
  )
}

/** The URLs that a configuration has written down. */
export function writtenIn({ issuer, tokenUrl }: Pick<GrantClient, 'issuer' | 'tokenUrl'>): readonly string[] {
  return [issuer, tokenUrl].filter((each) => each !== undefined)
}
