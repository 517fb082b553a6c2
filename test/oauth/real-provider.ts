/** A real OpenID Provider (`oidc-provider`) with a client for each way to authenticate, and a browser to sign in with. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportPKCS8 } from 'jose'
import type { Configuration, Provider } from 'oidc-provider'
import type { ClientAuthentication } from '../../src/oauth/client-authentication.ts'
import { makeKeyPair } from '../support/key-pairs.ts'

/** Where browsers are sent back to; nobody listens there. */
export const REDIRECT_URI = 'http://127.0.0.1/callback'
/** The API that access tokens can be had for (RFC 8707). */
export const API = 'urn:test:orders'
/** Characters that mean something in forms, URLs and Basic credentials (RFC 6749 §2.3.1). */
const SECRET = 'a:secret %with+odd/characters&=0123456789'

/** A provider that runs. */
export interface RealProvider {
  readonly issuer: string
  /** How to authenticate, by client id. */
  readonly clients: Readonly<Record<string, ClientAuthentication>>
  /** The paths of requests so far. */
  readonly asked: string[]
  /** Whether the provider knows a token still, by its own introspection endpoint. */
  isActive(token: string): Promise<boolean>
  close(): Promise<void>
}

/** Starts one. */
export async function startRealProvider(): Promise<RealProvider> {
  const { Provider } = await import('oidc-provider')
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const signing = await Promise.all(
    ['RS256', 'ES256', 'Ed25519'].map(async (alg) => {
      const { privateKey } = await makeKeyPair(alg)
      return { ...(await exportJWK(privateKey)), kid: alg, use: 'sig' }
    }),
  )
  const asserting = await Promise.all(
    ['RS256', 'PS384', 'ES256', 'ES512', 'EdDSA', 'Ed25519'].map(async (alg) => {
      const { privateKey, publicKey } = await makeKeyPair(alg)
      return {
        alg,
        pem: await exportPKCS8(privateKey),
        jwk: await exportJWK(privateKey),
        publicJwk: await exportJWK(publicKey),
      }
    }),
  )

  const common = {
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code' as const],
  }
  const secret = (method: 'client_secret_basic' | 'client_secret_post') => ({ method, secret: SECRET })
  const clients: Record<string, ClientAuthentication> = {
    'the basic:client+1': secret('client_secret_basic'),
    post: secret('client_secret_post'),
    es256: secret('client_secret_basic'),
    ed25519: secret('client_secret_basic'),
    public: { method: 'none' },
    'jwt-jwk': {
      method: 'private_key_jwt',
      key: JSON.stringify({ ...asserting[2]?.jwk, kid: 'ES256', alg: 'ES256' }),
    },
  }
  for (const { alg, pem } of asserting) {
    clients[`jwt-${alg}`] = { method: 'private_key_jwt', key: pem, keyId: alg, algorithm: alg }
  }
  const configuration: Configuration = {
    jwks: { keys: signing as NonNullable<Configuration['jwks']>['keys'] },
    cookies: { keys: ['only-for-tests'] },
    clients: [
      ...Object.entries(clients).map(([id, authentication]) => ({
        client_id: id,
        token_endpoint_auth_method: authentication.method,
        ...('secret' in authentication && { client_secret: authentication.secret }),
        ...(id === 'es256' && { id_token_signed_response_alg: 'ES256' as const }),
        ...(id === 'ed25519' && { id_token_signed_response_alg: 'Ed25519' as const }),
        ...(authentication.method === 'private_key_jwt' && {
          jwks: { keys: asserting.map(({ alg, publicJwk }) => ({ ...publicJwk, kid: alg, alg })) },
        }),
        ...common,
      })),
      { client_id: 'introspect', client_secret: SECRET, grant_types: [], redirect_uris: [], response_types: [] },
    ] as NonNullable<Configuration['clients']>,
    claims: { openid: ['sub'], email: ['email'] },
    conformIdTokenClaims: false,
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256', 'ES256', 'Ed25519'],
      clientAuthSigningAlgValues: asserting.map(({ alg }) => alg) as never,
    },
    findAccount: (_ctx, accountId) => ({
      accountId,
      claims: () => ({ sub: accountId, email: `${accountId}@example.com` }),
    }),
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({
        clientId: `${oidc.client?.clientId}`,
        accountId: `${oidc.session?.accountId}`,
      })
      grant.addOIDCScope('openid email')
      grant.addResourceScope(API, 'orders:read')
      await grant.save()
      return grant
    },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    ttl: { AccessToken: 300, IdToken: 300, RefreshToken: 3600, Grant: 3600, Session: 3600, Interaction: 60 },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => false,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope: 'orders:read orders:write',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
  const provider: Provider = new Provider(issuer, configuration)
  const answer = provider.callback()
  const asked: string[] = []
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    asked.push((request.url ?? '').replace(/\?.*/s, ''))
    if (!request.url?.startsWith('/sign-in/')) void answer(request, response)
    else signIn(provider, request, response).catch((error) => response.writeHead(400).end(String(error)))
  })
  return {
    issuer,
    clients,
    asked,
    async isActive(token) {
      const response = await fetch(`${issuer}/token/introspection`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`introspect:${encodeURIComponent(SECRET)}`)}` },
        body: new URLSearchParams({ token }),
      })
      return ((await response.json()) as { active: boolean }).active
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** A provider asks for a name and a password; this one takes `login_hint` for an answer. `nobody` clicks on "cancel". */
async function signIn(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(request, response)
  const result =
    params.login_hint === 'nobody'
      ? { error: 'access_denied', error_description: 'the person clicked on cancel' }
      : { login: { accountId: String(params.login_hint) } }
  await provider.interactionFinished(request, response, result)
}

/** Follows redirects with cookies, as a browser would, up to the one that leads back; its parameters. */
export async function followToCallback(start: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>()
  let url = new URL(start)
  while (!url.href.startsWith(REDIRECT_URI)) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url.pathname}: ${response.status} ${await response.text()}`)
    await response.body?.cancel()
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    url = new URL(location, url)
  }
  return url.searchParams
}
