/** An integration that people can sign in with: its OAuth client, and what its tokens must be. */
import { ConfigError, FetchError } from '../core/errors.ts'
import { resolveSecret, type SecretResolver } from '../core/secrets.ts'
import type { Integration, OAuth2 } from '../identity/integration.ts'
import { expectationsFor, expectedIssuer } from '../identity/integrations.ts'
import { ALGORITHMS } from '../jwt/algorithms.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import { type Fetch, isSecureUrl } from '../net/fetch.ts'
import type { ClientAuthentication } from '../oauth/client-authentication.ts'
import { discoverServer, type ServerMetadata } from '../oauth/metadata.ts'
import { createOAuthClient, type OAuthClient } from '../oauth/oauth-client.ts'

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
/** Metadata is looked at again after so long, since endpoints move. */
const METADATA_MS = 60 * 60_000
const METADATA_RETRY_MS = 60_000

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
  let known: { readonly at: number; readonly metadata: Promise<ServerMetadata> } | undefined
  let authenticated: Promise<ClientAuthentication> | undefined

  function metadata(): Promise<ServerMetadata> {
    const before = known
    if (before === undefined) {
      const looking = findMetadata(integration, oauth2, fetch).catch((error: unknown) => {
        known = undefined
        throw error
      })
      known = { at: performance.now(), metadata: looking }
      return looking
    }
    if (performance.now() - before.at > METADATA_MS) {
      // What was good an hour ago will do meanwhile, and for as long as there is nothing newer to be had.
      known = { ...before, at: performance.now() - METADATA_MS + METADATA_RETRY_MS }
      findMetadata(integration, oauth2, fetch).then(
        (found) => {
          known = { at: performance.now(), metadata: Promise.resolve(found) }
        },
        () => {},
      )
    }
    return before.metadata
  }

  function authentication(): Promise<ClientAuthentication> {
    authenticated ??= authenticationOf(oauth2, secrets).catch((error: unknown) => {
      authenticated = undefined
      throw error
    })
    return authenticated
  }

  const client = createOAuthClient({
    server: metadata,
    clientId: oauth2.clientId,
    authentication,
    scopes,
    authorizationParameters: oauth2.authorizationParameters ?? {},
    responseMode: oauth2.responseMode ?? 'query',
    pushedAuthorizationRequests: oauth2.pushedAuthorizationRequests ?? 'auto',
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
      expected: {
        ...expectationsFor(integration, 'id_token'),
        ...(judged.expected.keyTenants && { keyTenants: judged.expected.keyTenants }),
      },
    },
    client,
    metadata,
    async ready() {
      await Promise.all([metadata(), authentication()])
    },
  }
}

/** The endpoints: those that are written out, and the provider's own for the rest. */
async function findMetadata(integration: Integration, oauth2: OAuth2, fetch: Fetch): Promise<ServerMetadata> {
  const { issuer, metadataUrl, jwksUri, allowInsecureHttp } = integration
  const written = {
    ...(oauth2.userInfoUrl && { userInfoUrl: oauth2.userInfoUrl }),
    ...(oauth2.revocationUrl && { revocationUrl: oauth2.revocationUrl }),
    ...(oauth2.endSessionUrl && { endSessionUrl: oauth2.endSessionUrl }),
  }
  if (oauth2.authorizationUrl !== undefined) {
    return {
      issuer,
      jwksUri,
      authorizationUrl: oauth2.authorizationUrl,
      tokenUrl: oauth2.tokenUrl,
      userInfoUrl: undefined,
      revocationUrl: undefined,
      endSessionUrl: undefined,
      pushedAuthorizationUrl: undefined,
      issParameter: false,
      idTokenAlgorithms: undefined,
      ...written,
    }
  }
  const options = metadataUrl === undefined ? {} : { metadataUrl, issuerInDocument: issuer }
  const found = { ...(await discoverServer(issuer, fetch, LIMITS, options)), ...written }
  for (const key of [
    'authorizationUrl',
    'tokenUrl',
    'userInfoUrl',
    'revocationUrl',
    'endSessionUrl',
    'pushedAuthorizationUrl',
  ] as const) {
    const url = found[key]
    if (url !== undefined && !isSecureUrl(url) && allowInsecureHttp !== true) {
      throw new FetchError(`the ${key} of ${issuer} is not https`)
    }
  }
  if (found.authorizationUrl === undefined || found.tokenUrl === undefined) {
    throw new FetchError(`the metadata of ${issuer} names no authorization_endpoint or no token_endpoint`)
  }
  return found
}

async function authenticationOf(oauth2: OAuth2, secrets: SecretResolver | undefined): Promise<ClientAuthentication> {
  const { clientSecret, privateKey, privateKeyId } = oauth2
  const method =
    oauth2.clientAuthentication ??
    (clientSecret !== undefined ? 'client_secret_basic' : privateKey !== undefined ? 'private_key_jwt' : 'none')
  if (method === 'none') return { method }
  if (method === 'private_key_jwt') {
    const key = await resolveSecret(privateKey ?? missing('privateKey'), secrets)
    return { method, key, ...(privateKeyId === undefined ? {} : { keyId: privateKeyId }) }
  }
  return { method, secret: await resolveSecret(clientSecret ?? missing('clientSecret'), secrets) }
}

/** The configuration has been checked; this is for the compiler. */
function missing(what: string): never {
  throw new ConfigError([{ path: `oauth2.${what}`, message: 'required' }])
}
