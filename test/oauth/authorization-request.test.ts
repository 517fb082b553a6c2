/** The URL that a browser is sent to. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createOAuthClient, type OAuthClientSettings } from '../../src/oauth/oauth-client.ts'
import { json, type OddServer, startOddServer } from './odd-server.ts'

const verifier = 'v'.repeat(43)
const challenge = createHash('sha256').update(verifier).digest('base64url')
const request = { redirectUri: 'https://app.example/callback', state: 'the-state', nonce: 'the-nonce', verifier }
const own = {
  client_id: 'app',
  response_type: 'code',
  redirect_uri: 'https://app.example/callback',
  scope: 'openid email',
  state: 'the-state',
  nonce: 'the-nonce',
  code_challenge: challenge,
  code_challenge_method: 'S256',
}

let server: OddServer
beforeEach(async () => {
  server = await startOddServer()
})
afterEach(() => server.close())

function createClient(more: Partial<OAuthClientSettings> = {}) {
  return createOAuthClient({
    server: async () => server.metadata,
    clientId: 'app',
    authentication: () => Promise.reject(new Error('not needed')),
    scopes: ['openid', 'email'],
    fetch: (url, init) => fetch(url, init),
    limits: { timeoutMs: 5_000, maxBytes: 10_000 },
    ...more,
  })
}

/** The parameters of a URL, each of which comes once. */
function parametersOf(url: string): Record<string, string> {
  const { searchParams } = new URL(url)
  const parameters = Object.fromEntries(searchParams)
  expect([...searchParams]).toHaveLength(Object.keys(parameters).length)
  return parameters
}

describe('A8 an authorization request', () => {
  it('is a URL with these parameters, and needs no secret and no request', async () => {
    const url = await createClient().authorizationUrl(request)
    expect(url.replace(/\?.*/, '')).toBe(`${server.url}/authorize`)
    expect(parametersOf(url)).toEqual(own)
    expect(url).not.toContain(verifier)
    expect(server.received).toEqual([])
  })

  it('has no nonce and no scope where there is none', async () => {
    const { nonce: _, ...plain } = request
    const { nonce: __, scope: ___, ...expected } = own
    expect(parametersOf(await createClient({ scopes: [] }).authorizationUrl(plain))).toEqual(expected)
  })

  it('says how the answer shall come, and for what resource', async () => {
    const client = createClient({ responseMode: 'form_post', resource: 'https://api.example/v1' })
    expect(parametersOf(await client.authorizationUrl(request))).toEqual({
      ...own,
      response_mode: 'form_post',
      resource: 'https://api.example/v1',
    })
    const plain = await createClient({ responseMode: 'query' }).authorizationUrl(request)
    expect(parametersOf(plain)).toEqual(own)
  })

  it('has more parameters where told so: those of the request win over those of the client', async () => {
    const client = createClient({ authorizationParameters: { audience: 'orders', prompt: 'login' } })
    const parameters = { prompt: 'consent', login_hint: 'a&b=c#d ü' }
    expect(parametersOf(await client.authorizationUrl({ ...request, parameters }))).toEqual({
      ...own,
      audience: 'orders',
      prompt: 'consent',
      login_hint: 'a&b=c#d ü',
    })
  })

  it('cannot be bent by these parameters', async () => {
    const bent = Object.fromEntries(
      [...Object.keys(own), 'resource', 'response_mode'].map((name) => [name, `evil ${name}`]),
    )
    const client = createClient({
      authorizationParameters: bent,
      resource: 'https://api.example',
      responseMode: 'form_post',
    })
    expect(parametersOf(await client.authorizationUrl({ ...request, parameters: bent }))).toEqual({
      ...own,
      resource: 'https://api.example',
      response_mode: 'form_post',
    })
  })

  it('keeps the query of the endpoint (RFC 6749 §3.1), but for our own parameters, and no fragment', async () => {
    const authorizationUrl = 'https://idp.example/authorize?tenant=a%20b&client_id=evil&state=1&state=2#fragment'
    const client = createClient({ server: async () => ({ ...server.metadata, authorizationUrl }) })
    const url = await client.authorizationUrl(request)
    expect(parametersOf(url)).toEqual({ tenant: 'a b', ...own })
    expect(new URL(url).hash).toBe('')
  })
})

describe('A8 a pushed authorization request (RFC 9126)', () => {
  it('has the parameters and the client authentication; the URL has its name', async () => {
    server.answer = json({ request_uri: 'urn:ietf:params:oauth:request_uri:a+b', expires_in: 60 }, 201)
    const client = createClient({
      server: async () => ({ ...server.metadata, pushedAuthorizationUrl: `${server.url}/par` }),
      authentication: async () => ({ method: 'client_secret_post', secret: 'hidden' }),
    })
    const url = await client.authorizationUrl({ ...request, parameters: { login_hint: 'alice' } })
    expect(parametersOf(url)).toEqual({ client_id: 'app', request_uri: 'urn:ietf:params:oauth:request_uri:a+b' })
    expect(server.received.map(({ method, url: target }) => `${method} ${target}`)).toEqual(['POST /par'])
    expect(Object.fromEntries(server.received[0]?.form ?? [])).toEqual({
      ...own,
      login_hint: 'alice',
      client_secret: 'hidden',
    })
  })

  it('is not made where the configuration says so', async () => {
    const client = createClient({
      server: async () => ({ ...server.metadata, pushedAuthorizationUrl: `${server.url}/par` }),
      pushedAuthorizationRequests: 'never',
    })
    expect(parametersOf(await client.authorizationUrl(request))).toEqual(own)
    expect(server.received).toEqual([])
  })
})
