/** Looks at the authorization servers that tokens are asked for at without a browser: facts for `gateway.doctor`. Nothing secret is sent. */
import type { Fetch } from '../../net/fetch.ts'
import { guardedFetch } from '../../net/guarded-fetch.ts'
import type { ClientAuthentication } from '../../oauth/client-authentication.ts'
import { methodOf } from '../../oauth/client-credentials.ts'
import type { DocumentFetch } from '../../oauth/fetch-document.ts'
import { findTokenEndpoint } from '../../oauth/find-token-endpoint.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { CLIENT_CREDENTIALS, JWT_BEARER, TOKEN_EXCHANGE } from '../../oauth/token-grant.ts'
import { AUTHORIZATION_SERVER_LIMITS } from '../bound-client.ts'
import { type Examination, type Looked, looked } from '../discovery/examine.ts'
import type { GrantClient, GrantedUpstreamAuth } from './auth.ts'
import { type GrantServer, writtenIn } from './grants.ts'
import { findAssertionServer } from './survey.ts'

/** One of them. */
export interface ExaminedGrant {
  readonly about: 'authorization_server' | 'identity_provider'
  /** As configured; `undefined` for the one that the MCP server names. */
  readonly named: string | undefined
  /** Whether the configuration has its endpoint, so that it was asked nothing. */
  readonly written: boolean
  readonly metadata: Looked<ServerMetadata>
  readonly grantType: string
  readonly authentication: ClientAuthentication['method']
}

const EXAMINATION_MS = 20_000

/** Looks, in the order in which they are asked. Never rejects for what others do or say. */
export async function examineGrants(
  { url, auth }: GrantServer,
  { resource }: Pick<Examination, 'resource'>,
  userFetch: Fetch | undefined,
): Promise<readonly ExaminedGrant[]> {
  const idp =
    auth.type === 'identity_assertion' ? [await examineOne('identity_provider', auth.idp, TOKEN_EXCHANGE)] : []
  return [...idp, await examineOne('authorization_server', auth, GRANT_TYPES[auth.type])]

  async function examineOne(
    about: ExaminedGrant['about'],
    client: GrantClient,
    grantType: string,
  ): Promise<ExaminedGrant> {
    const { issuer, tokenUrl } = client
    return {
      about,
      named: issuer ?? tokenUrl,
      written: tokenUrl !== undefined,
      metadata: await looked((issuer ?? tokenUrl) === undefined ? named() : find(client)),
      grantType,
      authentication: methodOf(client),
    }
  }

  function find(client: GrantClient): Promise<ServerMetadata> {
    const fetch = guardedFetch({ written: writtenIn(client), fetch: userFetch })
    return findTokenEndpoint(client, fetch, AUTHORIZATION_SERVER_LIMITS)
  }

  async function named(): Promise<ServerMetadata | undefined> {
    if (resource.kind !== 'found') return undefined
    const documents: DocumentFetch = {
      fetch: guardedFetch({ written: [url], fetch: userFetch }),
      limits: AUTHORIZATION_SERVER_LIMITS,
      signal: AbortSignal.timeout(EXAMINATION_MS),
      allowInsecureHttp: auth.allowInsecureHttp === true,
    }
    return findAssertionServer(url, resource.value, documents)
  }
}

const GRANT_TYPES: Readonly<Record<GrantedUpstreamAuth['type'], string>> = {
  token_exchange: TOKEN_EXCHANGE,
  identity_assertion: JWT_BEARER,
  client_credentials: CLIENT_CREDENTIALS,
}
