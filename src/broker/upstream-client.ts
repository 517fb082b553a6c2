/** An upstream server's OAuth client: its authorization server's endpoints, its credentials, and where answers come back to. */
import type { SecretResolver } from '../core/secrets.ts'
import type { Fetch } from '../net/fetch.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { rememberCredentials } from '../oauth/client-credentials.ts'
import { findServer } from '../oauth/find-server.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { createOAuthClient, type OAuthClient } from '../oauth/oauth-client.ts'
import { rememberMetadata } from '../oauth/remembered-metadata.ts'
import type { OAuth2Server } from './broker.ts'
import { callbackPathOf } from './callback-path.ts'
import type { TokenOrigin } from './tokens.ts'

/** See the top of the file. */
export interface UpstreamClient {
  readonly server: OAuth2Server
  readonly origin: TokenOrigin
  readonly scopes: readonly string[]
  readonly callbackPath: string
  readonly redirectUri: string
  readonly client: OAuthClient
  metadata(): Promise<ServerMetadata>
  /** Looks up secrets and endpoints; rejects with what is missing. */
  ready(): Promise<void>
}

/** Where the broker lives, and how it reaches others. */
export interface UpstreamClientSettings {
  /** The origin of the gateway. */
  readonly url: string
  /** The path that callbacks begin with. */
  readonly callback: string
  readonly fetch: Fetch | undefined
  readonly secrets: SecretResolver | undefined
}

const LIMITS = { timeoutMs: 10_000, maxBytes: 512 * 1024 }

/** The client of `server`. Nothing is fetched before it is needed. */
export function createUpstreamClient(server: OAuth2Server, settings: UpstreamClientSettings): UpstreamClient {
  const { auth } = server
  const { authorizationUrl, tokenUrl, revocationUrl, metadataUrl, tokensIn, allowInsecureHttp = false } = auth
  const resource = resourceOf(server)
  const scopes = auth.scopes ?? []
  const written = [auth.issuer, metadataUrl, authorizationUrl, tokenUrl, revocationUrl]
  const fetch = guardedFetch({ written: written.filter((url) => url !== undefined), fetch: settings.fetch })
  const configured = {
    // Without one configured, its name is of use in messages only: an `iss` is not compared with it.
    issuer: auth.issuer ?? new URL(authorizationUrl ?? '').origin,
    metadataUrl,
    jwksUri: undefined,
    endpoints: { authorizationUrl, tokenUrl, revocationUrl },
    allowInsecureHttp,
  }
  const metadata = rememberMetadata(() => findServer(configured, fetch, LIMITS))
  const authentication = rememberCredentials(auth, settings.secrets)
  const callbackPath = callbackPathOf(auth, settings.callback)
  return {
    server,
    origin: { issuer: auth.issuer ?? tokenUrl ?? '', clientId: auth.clientId, resource: resource ?? null },
    scopes,
    callbackPath,
    redirectUri: `${settings.url}${callbackPath}`,
    client: createOAuthClient({
      server: metadata,
      clientId: auth.clientId,
      authentication,
      scopes,
      authorizationParameters: auth.authorizationParameters ?? {},
      responseMode: auth.responseMode ?? 'query',
      idTokens: 'ignore',
      ...(tokensIn === undefined ? {} : { tokensIn }),
      ...(resource === undefined ? {} : { resource }),
      fetch,
      limits: LIMITS,
    }),
    metadata,
    async ready() {
      await Promise.all([metadata(), authentication()])
    },
  }
}

/** RFC 8707 §2: an absolute URI without a fragment. */
function resourceOf({ url, auth: { resource = true } }: OAuth2Server): string | undefined {
  if (resource === false) return undefined
  return resource === true ? url.replace(/#.*$/s, '') : resource
}
