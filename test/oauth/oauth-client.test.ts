/** The whole way with a real OpenID Provider: authorize, redeem, refresh, revoke, UserInfo. */
import { decodeJwt, decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fetch } from '../../src/net/fetch.ts'
import { AuthorizationError } from '../../src/oauth/authorization-error.ts'
import { discoverServer } from '../../src/oauth/metadata.ts'
import { createOAuthClient, type OAuthClient, type OAuthClientSettings } from '../../src/oauth/oauth-client.ts'
import { RedeemError } from '../../src/store/redeem-error.ts'
import { expectNothingOf, rejection } from './odd-server.ts'
import { API, followToCallback, REDIRECT_URI, type RealProvider, startRealProvider } from './real-provider.ts'

const limits = { timeoutMs: 5_000, maxBytes: 100_000 }
const verifier = 'v'.repeat(43)
const attempt = { redirectUri: REDIRECT_URI, state: 'the-state', nonce: 'the-nonce', verifier }
const never = new AbortController().signal

let provider: RealProvider
beforeAll(async () => {
  provider = await startRealProvider()
})
afterAll(() => provider.close())

/** A client of the provider, and the requests that it sends. */
function createClient(clientId: string, more: Partial<OAuthClientSettings> = {}): OAuthClient & { sent: string[] } {
  const sent: string[] = []
  const spying: Fetch = (url, init) => {
    sent.push(`${init.method} ${new URL(url).pathname} ${init.body ?? ''}`)
    return fetch(url, init)
  }
  const client = createOAuthClient({
    server: () => discoverServer(provider.issuer, (url, init) => fetch(url, init), limits),
    clientId,
    authentication: async () => provider.clients[clientId] ?? expect.fail(`no client ${clientId}`),
    scopes: ['openid', 'email'],
    pushedAuthorizationRequests: 'never',
    fetch: spying,
    limits,
    ...more,
  })
  return { ...client, sent }
}

/** Signs alice in, up to the parameters of the callback. */
async function authorize(client: OAuthClient, person = 'alice'): Promise<URLSearchParams> {
  return followToCallback(await client.authorizationUrl({ ...attempt, parameters: { login_hint: person } }))
}

describe('A8 sign-in with a real provider', () => {
  it.each([
    'the basic:client+1',
    'post',
    'public',
    'jwt-RS256',
    'jwt-PS384',
    'jwt-ES256',
    'jwt-ES512',
    'jwt-EdDSA',
    'jwt-Ed25519',
    'jwt-jwk',
    'es256',
    'ed25519',
  ])('by the client "%s": authorize, redeem, refresh, revoke', async (clientId) => {
    const client = createClient(clientId)
    const tokens = await client.redeem(await authorize(client), attempt)
    expect(tokens).toEqual({
      accessToken: expect.stringMatching(/.{20}/),
      expiresInSeconds: 300,
      refreshToken: expect.stringMatching(/.{20}/),
      idToken: expect.stringMatching(/^ey/),
      idTokenClaims: expect.objectContaining({
        iss: provider.issuer,
        aud: clientId,
        sub: 'alice',
        email: 'alice@example.com',
        nonce: 'the-nonce',
      }),
      scope: 'openid email',
    })
    const { refreshToken = '', idToken = '' } = tokens
    expect(decodeProtectedHeader(idToken).alg).toBe({ es256: 'ES256', ed25519: 'Ed25519' }[clientId] ?? 'RS256')

    const refreshed = await client.refresh(refreshToken, never)
    expect(refreshed.accessToken).not.toBe(tokens.accessToken)
    expect(refreshed.refreshToken).not.toBe(refreshToken)
    expect(refreshed).toMatchObject({ expiresInSeconds: 300, idTokenClaims: { sub: 'alice' } })

    expect(await provider.isActive(refreshed.refreshToken ?? '')).toBe(true)
    await client.revoke(refreshed.refreshToken ?? '', 'refresh_token')
    expect(await provider.isActive(refreshed.refreshToken ?? '')).toBe(false)
  })

  it('the provider says in the callback who it is (RFC 9207), and the metadata say that it will', async () => {
    const client = createClient('post')
    expect((await authorize(client)).get('iss')).toBe(provider.issuer)
    expect(await discoverServer(provider.issuer, (url, init) => fetch(url, init), limits)).toMatchObject({
      issParameter: true,
      tokenUrl: `${provider.issuer}/token`,
      userInfoUrl: `${provider.issuer}/me`,
      revocationUrl: `${provider.issuer}/token/revocation`,
      endSessionUrl: `${provider.issuer}/session/end`,
      pushedAuthorizationUrl: `${provider.issuer}/request`,
      idTokenAlgorithms: ['RS256', 'ES256', 'Ed25519'],
    })
  })

  it('pushed authorization requests are used where offered: nothing but their name is in the URL (RFC 9126)', async () => {
    for (const clientId of ['the basic:client+1', 'public', 'jwt-ES256']) {
      const client = createClient(clientId, { pushedAuthorizationRequests: 'auto' })
      const url = await client.authorizationUrl({ ...attempt, parameters: { login_hint: 'alice' } })
      expect([...new URL(url).searchParams.keys()]).toEqual(['client_id', 'request_uri'])
      const tokens = await client.redeem(await followToCallback(url), attempt)
      expect(tokens.idTokenClaims).toMatchObject({ sub: 'alice', nonce: 'the-nonce' })
    }
  })

  it('a resource is named to authorize, to redeem, and to refresh (RFC 8707)', async () => {
    const client = createClient('post', { resource: API, scopes: ['openid', 'orders:read'] })
    const url = await client.authorizationUrl({ ...attempt, parameters: { login_hint: 'alice' } })
    expect(new URL(url).searchParams.getAll('resource')).toEqual([API])
    const tokens = await client.redeem(await followToCallback(url), attempt)
    const refreshed = await client.refresh(tokens.refreshToken ?? '', never)
    for (const { accessToken } of [tokens, refreshed]) {
      expect(decodeJwt(accessToken)).toMatchObject({ aud: API, scope: 'orders:read' })
    }
    for (const request of client.sent) expect(request).toContain(`resource=${encodeURIComponent(API)}`)
  })

  it('without a nonce, no ID token is handed on', async () => {
    const client = createClient('post')
    const { nonce: _, ...plain } = attempt
    const url = await client.authorizationUrl({ ...plain, parameters: { login_hint: 'alice' } })
    const tokens = await client.redeem(await followToCallback(url), plain)
    expect(tokens.accessToken).toMatch(/.{20}/)
    expect(tokens).not.toHaveProperty('idToken')
    expect(tokens).not.toHaveProperty('idTokenClaims')
  })

  it('UserInfo is of the person expected, or an error', async () => {
    const client = createClient('post')
    const { accessToken } = await client.redeem(await authorize(client), attempt)
    expect(await client.userInfo(accessToken, 'alice')).toEqual({ sub: 'alice', email: 'alice@example.com' })
    const error = await rejection(client.userInfo(accessToken, 'bob'))
    expect(error).toBeInstanceOf(AuthorizationError)
    expect(error).toMatchObject({ kind: 'invalid' })
    expectNothingOf(error, accessToken)
    expect(await rejection(client.userInfo('another', 'alice'))).toMatchObject({
      kind: 'rejected',
      error: 'invalid_token',
    })
  })
})

describe('A8 a real provider says no', () => {
  it('because the person does', async () => {
    const client = createClient('post')
    const error = await rejection(client.redeem(await authorize(client, 'nobody'), attempt))
    expect(error).toBeInstanceOf(AuthorizationError)
    expect(error).toMatchObject({
      kind: 'denied',
      error: 'access_denied',
      message: `the authorization response of ${provider.issuer} is the error access_denied (the person clicked on cancel)`,
    })
  })

  it('because nobody is signed in and nobody may be asked', async () => {
    const client = createClient('post', { authorizationParameters: { prompt: 'none' } })
    const error = await rejection(client.redeem(await authorize(client), attempt))
    expect(error).toMatchObject({ kind: 'denied', error: 'login_required' })
  })

  it('because it knows no such scope', async () => {
    const client = createClient('post', { scopes: ['openid', 'orders:read'], resource: 'not-a-url' })
    const error = await rejection(client.redeem(await authorize(client), attempt))
    expect(error).toMatchObject({ kind: 'rejected', error: 'invalid_target' })
  })

  it('because the code has been used: the error does not repeat it', async () => {
    const client = createClient('post')
    const callback = await authorize(client)
    await client.redeem(callback, attempt)
    const error = await rejection(client.redeem(callback, attempt))
    expect(error).toMatchObject({ kind: 'rejected', error: 'invalid_grant' })
    expectNothingOf(error, callback.get('code') ?? '', verifier)
  })

  it('because the verifier is another: somebody slipped their own code in (RFC 7636)', async () => {
    const client = createClient('public')
    const error = await rejection(client.redeem(await authorize(client), { ...attempt, verifier: 'w'.repeat(43) }))
    expect(error).toMatchObject({ kind: 'rejected', error: 'invalid_grant' })
  })

  it('because the secret is wrong: to tokens, to pushed requests, to a revocation', async () => {
    const secret = 'wrong-secret-0123'
    const wrong = { authentication: async () => ({ method: 'client_secret_post', secret }) as const }
    const callback = await authorize(createClient('post'))
    const errors = [
      await rejection(createClient('post', wrong).redeem(callback, attempt)),
      await rejection(
        createClient('post', { ...wrong, pushedAuthorizationRequests: 'auto' }).authorizationUrl(attempt),
      ),
      await rejection(createClient('post', wrong).revoke('x', 'access_token')),
    ]
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'AuthorizationError', kind: 'rejected', error: 'invalid_client' })
      expectNothingOf(error, secret, callback.get('code') ?? '')
    }
    expect(await rejection(createClient('post', wrong).refresh('x', never))).toMatchObject({ failure: 'rejected' })
  })

  it('because a refresh token was used before: it is dead', async () => {
    const client = createClient('post')
    const { refreshToken = '' } = await client.redeem(await authorize(client), attempt)
    await client.refresh(refreshToken, never)
    const error = await rejection(client.refresh(refreshToken, never))
    expect(error).toBeInstanceOf(RedeemError)
    expect(error).toMatchObject({ failure: 'dead' })
    expectNothingOf(error, refreshToken)
  })
})
