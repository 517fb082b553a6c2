/** An integration that people can sign in with: its OAuth client, and what its tokens must be. */
import type { SecretResolver } from '../core/secrets.ts'
import type { Integration, OAuth2 } from '../identity/integration.ts'
import { expectationsFor, expectedIssuer } from '../identity/integrations.ts'
import { ALGORITHMS } from '../jwt/algorithms.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import type { Fetch } from '../net/fetch.ts'
import { rememberCredentials } from '../oauth/client-credentials.ts'
import { findServer } from '../oauth/find-server.ts'
import type { ServerMetadata } from '../oauth/metadata.ts'
import { createOAuthClient, type OAuthClient } from '../oauth/oauth-client.ts'
import { rememberMetadata } from '../oauth/remembered-metadata.ts'

/** See the top of the file. */
export interface Provider {
  readonly name: string
  readonly label: string
  readonly integration: Integration
  readonly oauth2: OAuth2
  readonly scopes: readonly string[]
  /** What claim rules judge. */
  readonly judged: TokenIntegration
  /** The ID token, whether or not that is what is judged. */
  readonly idToken: TokenIntegration
  readonly client: OAuthClient
  metadata(): Promise<ServerMetadata>
  /** Looks up secrets and endpoints; rejects with what is missing. */
  ready(): Promise<void>
}

const LIMITS = { timeoutMs: 10_000, maxBytes: 512 * 1024 }

/** The provider of `integration`, whose tokens `judged` stands for. */
export function createProvider(
  name: string,
  integration: Integration,
  oauth2: OAuth2,
  judged: TokenIntegration,
  fetch: Fetch,
  secrets: SecretResolver | undefined,
): Provider {
  const scopes = oauth2.scopes ?? ['openid']
  const metadata = rememberMetadata(() => findMetadata(integration, oauth2, fetch))
  const authentication = rememberCredentials(oauth2, secrets)
  const client = createOAuthClient({
    server: metadata,
    clientId: oauth2.clientId,
    authentication,
    scopes,
    authorizationParameters: oauth2.authorizationParameters ?? {},
    responseMode: oauth2.responseMode ?? 'query',
    pushedAuthorizationRequests: oauth2.pushedAuthorizationRequests ?? 'auto',
    revocation: oauth2.revocation ?? 'auto',
    clockToleranceSeconds: integration.clockToleranceSeconds ?? 5,
    idTokenAlgorithms: integration.algorithms ?? ALGORITHMS,
    idTokenIssuer: (claims) => expectedIssuer(integration, claims) ?? integration.issuer,
    ...(oauth2.resource === undefined ? {} : { resource: oauth2.resource }),
    fetch,
    limits: LIMITS,
  })
  return {
    name,
    label: oauth2.label ?? name,
    integration,
    oauth2,
    scopes,
    judged,
    idToken: {
      ...judged,
      expected: expectationsFor(integration, 'id_token'),
    },
    client,
    metadata,
    async ready() {
      await Promise.all([metadata(), authentication()])
    },
  }
}

/** The endpoints: those that are written out, and the provider's own for the rest. */
function findMetadata(integration: Integration, oauth2: OAuth2, fetch: Fetch): Promise<ServerMetadata> {
  const { issuer, metadataUrl, jwksUri, allowInsecureHttp = false } = integration
  const { authorizationUrl, tokenUrl, userInfoUrl, revocationUrl, endSessionUrl } = oauth2
  const endpoints = { authorizationUrl, tokenUrl, userInfoUrl, revocationUrl, endSessionUrl }
  return findServer({ issuer, metadataUrl, jwksUri, endpoints, allowInsecureHttp }, fetch, LIMITS)
}
