import {
  auth,
  checkResourceAllowed,
  discoverOAuthProtectedResourceMetadata,
  discoverOAuthServerInfo,
  extractWWWAuthenticateParams,
  type OAuthClientProvider,
} from '@modelcontextprotocol/client'
import { discoverOAuthProtectedResourceMetadata as discoverWithV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import fc from 'fast-check'
import * as oauth from 'oauth4webapi'
import { describe, expect, it } from 'vitest'
import { issuersOf } from '../../src/gateway/protected-resource.ts'
import type { Reply } from '../../src/http/gate.ts'
import type { Unauthenticated } from '../../src/identity/caller-problem.ts'
import type { Integration } from '../../src/identity/integration.ts'
import { createDoors, type DoorOptions, startDoors } from './doors.ts'

const ORIGIN = 'https://gw.example.com'
const WELL_KNOWN = '/.well-known/oauth-protected-resource'

function documentOf(path: string, options: DoorOptions = {}, method = 'GET', otherPaths: string[] = []) {
  return createDoors(ORIGIN, options).resource.answer({ method }, { path, otherPaths })
}
function bodyOf(reply: Reply | 'ambiguous' | undefined): unknown {
  if (typeof reply !== 'object') throw new Error(`no document: ${reply}`)
  return JSON.parse(String(reply.body))
}

describe('B4 metadata of an endpoint (RFC 9728)', () => {
  it('says where people sign in, and for what', () => {
    const options = {
      resource: { issuers: ['https://a.test/', 'https://b.test'], scopes: ['mcp', 'offline_access', 'x'] },
    }
    expect(bodyOf(documentOf(`${WELL_KNOWN}/mcp/dev/github/server`, options))).toEqual({
      resource: `${ORIGIN}/mcp/dev/github/server`,
      authorization_servers: ['https://a.test/', 'https://b.test'],
      scopes_supported: ['mcp', 'x'],
      bearer_methods_supported: ['header'],
      resource_name: 'dev/github (MCP gateway at gw.example.com)',
    })
  })

  it('has one resource id for each endpoint, of one server too', () => {
    expect(bodyOf(documentOf(`${WELL_KNOWN}/api/llm/mcp/gh/server`))).toMatchObject({
      resource: `${ORIGIN}/api/llm/mcp/gh/server`,
      resource_name: 'gh (MCP gateway at gw.example.com)',
    })
  })

  it('of the gateway as a whole names the origin', () => {
    expect(bodyOf(documentOf(WELL_KNOWN))).toEqual({
      resource: ORIGIN,
      authorization_servers: ['https://login.test/'],
      bearer_methods_supported: ['header'],
      resource_name: 'MCP gateway at gw.example.com',
    })
  })

  it('leaves out lists without entries (§3.2)', () => {
    const document = bodyOf(documentOf(WELL_KNOWN, { resource: { issuers: [], scopes: ['offline_access'] } }))
    expect(document).not.toHaveProperty('authorization_servers')
    expect(document).not.toHaveProperty('scopes_supported')
  })

  it('is the same whether there is a server or not, but for what was asked for', () => {
    const path = `${WELL_KNOWN}/mcp/dev/github/server`
    const [with_, without] = [documentOf(path), documentOf(path, { servers: { 'a/b': {} } })]
    expect(without).toEqual(with_)
    const byId = `${WELL_KNOWN}/api/llm/mcp/gh/server`
    expect(documentOf(byId, { servers: {} })).toEqual(documentOf(byId))
  })

  it.each([
    `${WELL_KNOWN}/mcp/dev/github`,
    `${WELL_KNOWN}/mcp`,
    `${WELL_KNOWN}/orders`,
    `${WELL_KNOWN}x`,
    '/.well-known/oauth-authorization-server',
    '/.well-known',
    '/mcp/dev/github/server',
    `/x${WELL_KNOWN}`,
  ])('%s is none of ours', (path) => {
    expect(documentOf(path)).toBeUndefined()
    expect(documentOf(path, {}, 'OPTIONS')).toBeUndefined()
  })

  it('has one spelling', () => {
    expect(documentOf(WELL_KNOWN, {}, 'GET', ['/x'])).toBe('ambiguous')
    expect(documentOf('/x', {}, 'GET', ['/y', `${WELL_KNOWN}/mcp/a/b/server`])).toBe('ambiguous')
    expect(documentOf('/x', {}, 'GET', ['/y', `${WELL_KNOWN}/y`])).toBeUndefined()
  })

  it('may be read by pages of all origins, and kept for a minute', async () => {
    const { origin } = await startDoors()
    const url = `${origin}${WELL_KNOWN}/mcp/dev/github/server`
    const found = await fetch(url, {
      headers: { origin: 'https://anybody.test', 'mcp-protocol-version': '2025-11-25' },
    })
    expect(found.status).toBe(200)
    expect(Object.fromEntries(found.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=60',
      'content-type': 'application/json',
    })
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/json', ''])
    const preflight = await fetch(url, {
      method: 'OPTIONS',
      headers: { origin: 'https://anybody.test', 'access-control-request-method': 'GET' },
    })
    expect([preflight.status, await preflight.text()]).toEqual([204, ''])
    expect(Object.fromEntries(preflight.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-headers': '*',
      'access-control-allow-methods': 'GET, HEAD, OPTIONS',
    })
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const refused = await fetch(url, { method })
      expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    }
  })
})

describe('B4 clients find the identity provider', () => {
  it('as oauth4webapi reads the documents', async () => {
    const { origin, endpoints } = await startDoors()
    for (const url of [origin, ...endpoints.urlsOf('dev/github'), `${origin}/mcp/no/such/server`]) {
      const resource = new URL(url)
      const response = await oauth.resourceDiscoveryRequest(resource, { [oauth.allowInsecureRequests]: true })
      const found = await oauth.processResourceDiscoveryResponse(resource, response)
      expect(found.authorization_servers).toEqual(['https://login.test/'])
    }
  })

  it('as oauth4webapi reads the challenge', async () => {
    const { origin, resource } = await startDoors({ resource: { scopes: ['mcp'] } })
    const problem = { error: 'invalid_token', description: 'It is "bad" \\ \u00e9' } as const
    const { status, headers, body } = resource.unauthenticated({ path: '/mcp/dev/github/server' }, problem)
    const thrown = await oauth
      .processUserInfoResponse(
        { issuer: origin },
        { client_id: 'c' },
        's',
        new Response(String(body), { status, headers: { 'www-authenticate': String(headers?.['www-authenticate']) } }),
      )
      .catch((error: unknown) => error)
    expect((thrown as oauth.WWWAuthenticateChallengeError).cause).toEqual([
      {
        scheme: 'bearer',
        parameters: {
          resource_metadata: `${origin}${WELL_KNOWN}/mcp/dev/github/server`,
          error: 'invalid_token',
          error_description: "It is 'bad' ' '",
          scope: 'mcp',
        },
      },
    ])
  })

  it.each(['/mcp/dev/github/server', '/api/llm/mcp/gh/server', '/mcp/no/such/server', '/mcp/dev/github/server/'])(
    'as the MCP SDK does it, from the 401 of %s on',
    async (path) => {
      const { origin } = await startDoors({ resource: { scopes: ['mcp', 'offline_access'] } })
      const refused = await fetch(`${origin}${path}`, { method: 'POST' })
      expect(refused.status).toBe(401)
      const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(refused)
      const canonical = path.replace(/\/$/, '')
      expect(resourceMetadataUrl?.href).toBe(`${origin}${WELL_KNOWN}${canonical}`)
      expect({ scope, error }).toEqual({ scope: 'mcp', error: undefined })
      for (const opts of [{ resourceMetadataUrl: String(resourceMetadataUrl) }, {}]) {
        const found = await discoverOAuthProtectedResourceMetadata(`${origin}${path}`, opts)
        expect(found.authorization_servers).toEqual(['https://login.test/'])
        expect(found.resource).toBe(`${origin}${canonical}`)
        const places = { requestedResource: `${origin}${path}`, configuredResource: found.resource }
        expect(checkResourceAllowed(places)).toBe(true)
      }
      const old = await discoverWithV1(`${origin}${path}`)
      expect(old).toMatchObject({ resource: `${origin}${canonical}`, authorization_servers: ['https://login.test/'] })
    },
  )

  it('as the MCP SDK asks for a token: at that provider, for the endpoint, with the scopes of the challenge', async () => {
    const { origin } = await startDoors({ resource: { issuers: ['https://login.test'], scopes: ['mcp'] } })
    const serverUrl = `${origin}/mcp/dev/github/server`
    /** The network, with an authorization server in it. */
    const network: typeof fetch = async (input, init) => {
      const url = new URL(String(input))
      if (url.origin === origin) return fetch(input, init)
      expect(url.href).toBe('https://login.test/.well-known/oauth-authorization-server')
      return Response.json({
        issuer: 'https://login.test',
        authorization_endpoint: 'https://login.test/authorize',
        token_endpoint: 'https://login.test/token',
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
      })
    }
    const info = await discoverOAuthServerInfo(serverUrl, { fetchFn: network })
    expect(info).toMatchObject({ authorizationServerUrl: 'https://login.test' })
    let sentTo: URL | undefined
    const provider: OAuthClientProvider = {
      redirectUrl: 'http://localhost/callback',
      clientMetadata: { redirect_uris: ['http://localhost/callback'] },
      clientInformation: () => ({ client_id: 'agent' }),
      tokens: () => undefined,
      saveTokens: () => {},
      redirectToAuthorization(url) {
        sentTo = url
      },
      saveCodeVerifier: () => {},
      codeVerifier: () => '',
    }
    expect(await auth(provider, { serverUrl, fetchFn: network })).toBe('REDIRECT')
    expect(sentTo?.origin).toBe('https://login.test')
    expect(sentTo?.searchParams.get('resource')).toBe(serverUrl)
    expect(sentTo?.searchParams.get('scope')).toBe('mcp')
  })
})

describe('B4 a challenge', () => {
  const { resource } = createDoors(ORIGIN)
  const path = '/mcp/dev/github/server'
  const metadata = `Bearer resource_metadata="${ORIGIN}${WELL_KNOWN}${path}"`

  it('has no error where no credentials were sent (RFC 6750 §3)', () => {
    const reply = resource.unauthenticated({ path }, undefined, 7)
    expect(reply.status).toBe(401)
    expect(reply.headers).toEqual({
      'content-type': 'application/json',
      'cache-control': 'no-store',
      'www-authenticate': metadata,
    })
    expect(bodyOf(reply)).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: { code: 4010, message: 'Authentication is required' },
    })
  })

  it('says what is wrong with a token, and has no id where none is known', () => {
    const problem: Pick<Unauthenticated, 'error' | 'description'> = {
      error: 'invalid_token',
      description: 'It has expired',
    }
    const reply = resource.unauthenticated({ path }, problem)
    expect(reply.headers?.['www-authenticate']).toBe(
      `${metadata}, error="invalid_token", error_description="It has expired"`,
    )
    expect(bodyOf(reply)).toEqual({ jsonrpc: '2.0', error: { code: 4010, message: 'It has expired' } })
  })

  it('has no error for credentials of another scheme (RFC 6750 §3.1)', () => {
    const reply = resource.unauthenticated({ path }, { error: null, description: 'Expected a bearer token' }, 'a')
    expect(reply.headers?.['www-authenticate']).toBe(metadata)
    expect(bodyOf(reply)).toMatchObject({ id: 'a', error: { message: 'Expected a bearer token' } })
  })

  it('keeps to the characters of RFC 6750 §3, whatever the description', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (description) => {
        const reply = resource.unauthenticated({ path }, { error: 'invalid_token', description })
        const said = /, error_description="(.*)"$/s.exec(String(reply.headers?.['www-authenticate']))?.[1]
        expect(said).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/)
      }),
    )
  })

  it('is the same for a server that is not there', () => {
    const without = createDoors(ORIGIN, { servers: {} }).resource
    const problem = { error: 'invalid_token', description: 'x' } as const
    expect(without.unauthenticated({ path }, problem, 1)).toEqual(resource.unauthenticated({ path }, problem, 1))
  })

  it.each([
    [0, '1'],
    [1, '1'],
    [1_000, '1'],
    [1_001, '2'],
    [90_000, '90'],
  ])('is none while nobody can tell: 503, again in %d ms', (retryAfterMs, seconds) => {
    const reply = resource.unavailable({ retryAfterMs }, 3)
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': seconds, 'cache-control': 'no-store' } })
    expect(reply.headers).not.toHaveProperty('www-authenticate')
    expect(bodyOf(reply)).toMatchObject({ id: 3, error: { code: 5030 } })
  })
})

describe('B4 the authorization servers', () => {
  const one = (issuer: string, more: Partial<Integration> = {}): Integration => ({ issuer, audience: null, ...more })

  it('are the issuers whose JWTs are accepted, each once, in their order', () => {
    const integrations = { b: one('https://b.test/'), a: one('https://a.test'), again: one('https://b.test/') }
    expect(issuersOf(integrations)).toEqual(['https://b.test/', 'https://a.test'])
    expect(issuersOf(integrations, ['a'])).toEqual(['https://a.test'])
    expect(issuersOf(integrations, ['c', 'toString'])).toEqual([])
    expect(issuersOf({})).toEqual([])
  })

  it('are those of each tenant, or the one that knows everybody’s', () => {
    const issuer = 'https://login.test/{tenantid}/v2.0'
    const [t, u] = ['11111111-1111-1111-1111-111111111111', '22222222-2222-2222-2222-222222222222']
    expect(issuersOf({ entra: one(issuer, { tenants: [t, u] }) })).toEqual([
      `https://login.test/${t}/v2.0`,
      `https://login.test/${u}/v2.0`,
    ])
    expect(issuersOf({ entra: one(issuer, { tenants: ['*'] }) })).toEqual(['https://login.test/common/v2.0'])
  })

  it('are those whose access tokens are taken: clients have no use for the others', () => {
    const integrations = { a: one('https://a.test', { jwtSource: 'id_token' }), b: one('https://b.test') }
    expect(issuersOf(integrations)).toEqual(['https://b.test'])
  })

  it('are URLs: clients refuse the whole document for one that is none', () => {
    expect(issuersOf({ a: one('corp', { jwksUri: 'https://a.test/keys' }), b: one('urn:x:y') })).toEqual([])
  })
})
