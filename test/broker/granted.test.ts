/** What goes over the wire for tokens that an authorization server gives without a browser, and what comes of the answers. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, exportPKCS8, generateKeyPair } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CredentialRequest, CredentialResult } from '../../src/broker/credential.ts'
import { createCredentials } from '../../src/broker/credentials.ts'
import type { GrantedUpstreamAuth } from '../../src/broker/granted/auth.ts'
import { createGrantedServers } from '../../src/broker/granted/servers.ts'
import { systemClock } from '../../src/core/clock.ts'
import type { Caller } from '../../src/identity/caller.ts'
import type { Fetch } from '../../src/net/fetch.ts'
import { type KeyServer, startKeyServer } from '../support/identity-provider.ts'
import {
  type Instead,
  startTokenService,
  type TokenService,
  type TokenServiceOptions,
} from '../support/token-service.ts'

const SECRET = 'the secret/of+the gateway'
const SERVER = 'core/orders'
const URL_ = 'https://orders.example.com/mcp'
const URN = 'urn:ietf:params:oauth:'
const CLIENT = { clientId: 'gateway', clientSecret: SECRET }

interface Desk {
  readonly people: KeyServer
  readonly service: TokenService
  readonly jwt: string
  ask(auth: GrantedUpstreamAuth, more?: Partial<CredentialRequest>): Promise<CredentialResult>
  /** Parameters of the last request, without those that are secret. */
  last(): Record<string, string | string[]>
}

async function openDesk(
  options: Partial<TokenServiceOptions> = {},
  { url = URL_, fetch }: { url?: string; fetch?: Fetch } = {},
): Promise<Desk> {
  const people = await startKeyServer()
  const service = await startTokenService({
    trusts: [people.issuer],
    clients: { gateway: { secret: SECRET } },
    ...options,
  })
  onTestFinished(async () => {
    await service.close()
    await people.close()
  })
  const jwt = await people.sign({ sub: 'alice' })
  return {
    people,
    service,
    jwt,
    async ask(auth, more = {}) {
      const secrets = async (name: string) => (name === 'gateway-secret' ? SECRET : undefined)
      const credentials = createCredentials({
        servers: [{ id: SERVER, url, auth }],
        broker: { tokens: () => ({ kind: 'none' }), connectUrl: async () => '' },
        secrets,
        granted: createGrantedServers({ secrets, fetch, clock: systemClock }),
      })
      return credentials.resolve({ caller: callerWith(jwt), principals: [], server: SERVER, headers: {}, ...more })
    },
    last() {
      const { parameters } = service.requests.at(-1) ?? { parameters: new URLSearchParams() }
      const names = [...new Set(parameters.keys())].filter(
        (name) => !/^(?:subject_token|client_)|assertion$/.test(name),
      )
      return Object.fromEntries(
        names.map((name) => {
          const all = parameters.getAll(name)
          return [name, all.length === 1 ? (all[0] ?? '') : all]
        }),
      )
    },
  }
}

function callerWith(jwt: string | undefined, claims: object = { exp: Math.floor(Date.now() / 1000) + 300 }): Caller {
  const identity = { id: 'alice', integration: 'corp', subject: 'alice', groups: [], claims: { ...claims } }
  const own = jwt === undefined ? { via: 'personal_token' as const } : { via: 'jwt' as const, jwt }
  return { kind: 'person', externalIdentities: [], identity, ...own }
}

function tokenOf(result: CredentialResult): Record<string, unknown> {
  if (result.kind !== 'credential') throw new Error(`no credential: ${JSON.stringify(result)}`)
  return JSON.parse(Buffer.from(result.headers.authorization?.split('.')[1] ?? '', 'base64url').toString())
}

const exchange = (issuer: string, more: object = {}): GrantedUpstreamAuth => ({
  type: 'token_exchange',
  issuer,
  scopes: [],
  ...CLIENT,
  ...more,
})

describe('token exchange (RFC 8693)', () => {
  it('asks for an access token for the server, with the token of the caller', async () => {
    const { ask, service, last, jwt } = await openDesk()
    const result = await ask(exchange(service.issuer, { scopes: ['read', 'write'] }))
    expect(tokenOf(result)).toMatchObject({ sub: 'alice', aud: [URL_], client_id: 'gateway' })
    expect(result).toMatchObject({ credential: 'token_exchange' })
    expect(last()).toEqual({
      grant_type: `${URN}grant-type:token-exchange`,
      requested_token_type: `${URN}token-type:access_token`,
      resource: URL_,
      scope: 'read write',
    })
    const [{ parameters, method } = { parameters: new URLSearchParams(), method: '' }] = service.requests
    expect(parameters.get('subject_token')).toBe(jwt)
    expect(parameters.get('subject_token_type')).toBe(`${URN}token-type:access_token`)
    expect(method).toBe('client_secret_basic')
  })

  it('asks for what is configured instead', async () => {
    const { ask, service, last } = await openDesk()
    const auth = { audience: ['orders', 'stock'], subjectTokenType: 'id_token', requestedTokenType: 'jwt' }
    expect(tokenOf(await ask(exchange(service.issuer, auth)))).toMatchObject({ aud: ['orders', 'stock'] })
    expect(last()).toEqual({
      grant_type: `${URN}grant-type:token-exchange`,
      requested_token_type: `${URN}token-type:jwt`,
      audience: ['orders', 'stock'],
    })
    expect(service.requests[0]?.parameters.get('subject_token_type')).toBe(`${URN}token-type:id_token`)
    await ask(exchange(service.issuer, { audience: 'orders', resource: 'urn:orders' }))
    expect(last()).toMatchObject({ audience: 'orders', resource: 'urn:orders' })
    await ask(exchange(service.issuer, { resource: false }))
    expect(last()).not.toHaveProperty('resource')
  })

  it('goes straight to a token endpoint that is written out', async () => {
    const { ask, service } = await openDesk()
    const auth = { issuer: undefined, tokenUrl: service.tokenUrl, clientSecret: { secret: 'gateway-secret' } }
    tokenOf(await ask(exchange('', auth)))
    expect(service.asked).toEqual(['POST /token'])
  })

  it.each([
    ['client_secret_post', { clientAuthentication: 'client_secret_post' }, 'client_secret_post'],
    ['nothing, where it has nothing', { clientSecret: undefined, clientId: 'open' }, 'none'],
  ])('proves who it is by %s', async (_, more, method) => {
    const { ask, service } = await openDesk({ clients: { gateway: { secret: SECRET }, open: { public: true } } })
    tokenOf(await ask(exchange(service.issuer, more)))
    expect(service.requests.at(-1)?.method).toBe(method)
  })

  it('proves who it is by a key', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const { ask, service } = await openDesk({ clients: { gateway: { key: await exportJWK(publicKey) } } })
    tokenOf(await ask(exchange(service.issuer, { clientSecret: undefined, privateKey: await exportPKCS8(privateKey) })))
    expect(service.requests[0]?.method).toBe('private_key_jwt')
  })

  it('exchanges no gateway key, and says so; and nothing of somebody who is nobody in particular', async () => {
    const { ask, service } = await openDesk()
    const refused = await ask(exchange(service.issuer), { caller: callerWith(undefined) })
    expect(refused).toMatchObject({ kind: 'refused', status: 403, reason: 'exchange_key' })
    expect(JSON.stringify(refused)).toMatch(/gateway key cannot be exchanged.*JWT of your identity provider/)
    const nobody = { ...callerWith(undefined), kind: 'anonymous', via: 'none' } as Caller
    expect(await ask(exchange(service.issuer), { caller: nobody })).toMatchObject({ reason: 'anonymous' })
    expect(service.asked).toEqual([])
  })

  it('is told that a token that has ended is no good, in words that repeat nothing', async () => {
    const { ask, service, people } = await openDesk()
    const old = await people.sign({ exp: Math.floor(Date.now() / 1000) - 60 })
    const result = await ask(exchange(service.issuer), { caller: callerWith(old) })
    expect(result).toMatchObject({ kind: 'refused', status: 403, reason: 'exchange_refused' })
    const text = JSON.stringify(result)
    expect(text).toMatch(/invalid_grant.*Sign in again/)
    for (const secret of [old, old.split('.')[2] ?? '', SECRET]) expect(text).not.toContain(secret)
  })

  it('tells the operator of a client that is not known, without its secret', async () => {
    const { ask, service } = await openDesk()
    const result = await ask(exchange(service.issuer, { clientSecret: 'wrong-secret-0123456789' }))
    expect(result).toMatchObject({ kind: 'misconfigured', detail: expect.stringMatching(/401 invalid_client/) })
    expect(JSON.stringify(result)).not.toContain('wrong-secret')
  })
})

describe('answers that are none', () => {
  const cases: [string, Instead, unknown][] = [
    ['an outage', { status: 503, headers: { 'retry-after': '7' } }, { kind: 'unavailable', retryAfterMs: 7_000 }],
    ['too many requests', { status: 429, body: { error: 'slow_down' } }, { kind: 'unavailable' }],
    ['a connection that breaks', 'break', { kind: 'unavailable' }],
    ['a page', { status: 200, body: '<html>' }, { kind: 'unavailable' }],
    [
      'another kind of token',
      { status: 200, body: { access_token: 'a', token_type: 'DPoP' } },
      { kind: 'unavailable' },
    ],
    ['no token', { status: 200, body: { token_type: 'Bearer' } }, { kind: 'unavailable' }],
    ['more than anybody reads', { status: 200, body: ' '.repeat(600_000) }, { kind: 'unavailable' }],
    [
      'a token that no header takes',
      { status: 200, body: { access_token: 'x'.repeat(20_000), token_type: 'Bearer' } },
      { kind: 'misconfigured', detail: expect.stringMatching(/token of 20000 characters/) },
    ],
    [
      'a refresh token for an access token',
      {
        status: 200,
        body: { access_token: 'a', token_type: 'N_A', issued_token_type: `${URN}token-type:refresh_token` },
      },
      { kind: 'unavailable' },
    ],
    [
      'another type than was asked for',
      { status: 200, body: { access_token: 'a', token_type: 'Bearer', issued_token_type: `${URN}token-type:saml2` } },
      { kind: 'misconfigured' },
    ],
    ['a redirect', { status: 307, headers: { location: 'https://elsewhere.example.com/' } }, { kind: 'unavailable' }],
  ]
  it.each(cases)('%s', async (_, instead, expected) => {
    const { ask, service, jwt } = await openDesk()
    service.instead = () => instead
    const result = await ask(exchange(service.issuer))
    expect(result).toMatchObject(expected as object)
    for (const secret of [jwt, SECRET]) expect(JSON.stringify(result)).not.toContain(secret)
  })

  it('an error that repeats what was sent is told without it', async () => {
    const { ask, service, jwt } = await openDesk()
    service.instead = ({ parameters }) => ({
      status: 400,
      body: { error: parameters.get('subject_token'), error_description: `${jwt} and ${SECRET}` },
    })
    const text = JSON.stringify(await ask(exchange(service.issuer)))
    expect(text).toContain('answered 400')
    for (const secret of [jwt, SECRET]) expect(text).not.toContain(secret)
  })

  it('an authorization server that never answers is given up', async () => {
    const { ask, service } = await openDesk()
    service.instead = () => 'hang'
    expect(await ask(exchange(service.issuer))).toMatchObject({
      kind: 'unavailable',
      detail: expect.stringMatching(/no whole answer within 10000 ms/),
    })
  }, 20_000)

  it('metadata of another issuer, and none at all, is an outage', async () => {
    const { ask, service } = await openDesk()
    service.metadata = { issuer: 'https://elsewhere.example.com' }
    expect(await ask(exchange(service.issuer))).toMatchObject({ kind: 'unavailable' })
    service.metadata = { token_endpoint: undefined }
    expect(await ask(exchange(service.issuer))).toMatchObject({
      kind: 'unavailable',
      detail: expect.stringMatching(/names no token_endpoint/),
    })
    expect(service.requests).toEqual([])
  })
})

describe('identity assertions (ID-JAG)', () => {
  async function openEnterprise(options: { mcp?: Record<string, unknown>; assertionsFor?: string } = {}) {
    const people = await startKeyServer()
    // They trust each other by their URLs, which are known once they listen.
    const trusted: string[] = [people.issuer]
    const assertionsFor: Record<string, string> = {}
    const idp = await startTokenService({
      trusts: trusted,
      clients: { 'gateway-at-idp': { secret: SECRET } },
      assertionsFor,
    })
    const server = await startTokenService({
      trusts: [idp.issuer],
      clients: { gateway: { secret: 's2' }, open: { public: true } },
    })
    assertionsFor[server.issuer] = options.assertionsFor ?? 'gateway'
    const mcp = createServer((request, response) => {
      const { port } = mcp.address() as AddressInfo
      const resource = `http://127.0.0.1:${port}/mcp`
      if (request.url !== '/.well-known/oauth-protected-resource/mcp') return void response.writeHead(401).end()
      const document = { resource, authorization_servers: [server.issuer], scopes_supported: ['chat'], ...options.mcp }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
    })
    await new Promise<void>((resolve) => mcp.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(mcp.address() as AddressInfo).port}/mcp`
    const { ask } = await openDesk({}, { url })
    onTestFinished(async () => {
      await Promise.all([people.close(), idp.close(), server.close()])
      mcp.close()
      mcp.closeAllConnections()
    })
    const jwt = await people.sign({ sub: 'alice' })
    const auth = (more: object = {}): GrantedUpstreamAuth => ({
      type: 'identity_assertion',
      idp: { issuer: idp.issuer, clientId: 'gateway-at-idp', clientSecret: SECRET },
      issuer: server.issuer,
      clientId: 'gateway',
      clientSecret: 's2',
      ...more,
    })
    return { idp, server, url, auth, jwt, ask: (given = auth()) => ask(given, { caller: callerWith(jwt) }) }
  }

  it('are made by the identity provider for the server and its authorization server, which gives the token', async () => {
    const { idp, server, url, ask, jwt } = await openEnterprise()
    expect(tokenOf(await ask())).toMatchObject({ iss: server.issuer, sub: 'alice', aud: [url], scope: 'chat' })
    expect(Object.fromEntries(idp.requests[0]?.parameters ?? [])).toEqual({
      grant_type: `${URN}grant-type:token-exchange`,
      subject_token: jwt,
      subject_token_type: `${URN}token-type:id_token`,
      requested_token_type: `${URN}token-type:id-jag`,
      audience: server.issuer,
      resource: url,
      scope: 'chat',
    })
    const { parameters, method } = server.requests[0] ?? { parameters: new URLSearchParams(), method: '' }
    expect([parameters.get('grant_type'), method]).toEqual([`${URN}grant-type:jwt-bearer`, 'client_secret_basic'])
    expect(parameters.get('resource')).toBe(url)
    // The other one never sees what the caller came with.
    expect(String(parameters)).not.toContain(jwt)
  })

  it('go to the authorization server that the MCP server names, for a client without a secret', async () => {
    const { ask, auth, server } = await openEnterprise({ assertionsFor: 'open' })
    const found = await ask(auth({ issuer: undefined, clientId: 'open', clientSecret: undefined }))
    expect(tokenOf(found)).toMatchObject({ iss: server.issuer, sub: 'alice' })
  })

  it.each([
    ['names no authorization server', { authorization_servers: [] }, /names no authorization server/],
    ['names one that is not there', { authorization_servers: ['http://127.0.0.1:9'] }, /cannot be had/],
    ['is about another resource', { resource: 'https://elsewhere.example.com/mcp' }, /about/],
  ])('are not asked for where the MCP server %s', async (_, mcp, detail) => {
    const { ask, auth, idp } = await openEnterprise({ mcp })
    const found = await ask(auth({ issuer: undefined, clientId: 'open', clientSecret: undefined }))
    expect(found).toMatchObject({ detail: expect.stringMatching(detail) })
    expect(idp.requests).toEqual([])
  })

  it('that are refused by the identity provider go nowhere', async () => {
    const { ask, idp, server } = await openEnterprise()
    idp.instead = () => ({ status: 403, body: { error: 'access_denied', error_description: 'policy' } })
    expect(await ask()).toMatchObject({ kind: 'refused', reason: 'exchange_refused' })
    expect(server.requests).toEqual([])
  })

  it.each([
    ['says what else it is', { issued_token_type: `${URN}token-type:access_token` }],
    ['does not say what it is', {}],
  ])('must be assertions: a token that %s is not passed on', async (_, said) => {
    const { ask, idp, server } = await openEnterprise()
    idp.instead = () => ({ status: 200, body: { access_token: 'good-at-the-idp', token_type: 'Bearer', ...said } })
    const found = await ask()
    expect(found).toMatchObject({ kind: 'misconfigured' })
    expect(JSON.stringify(found)).not.toContain('good-at-the-idp')
    expect(server.requests).toEqual([])
  })

  it('that are for another client are told as what they are', async () => {
    const { ask } = await openEnterprise({ assertionsFor: 'somebody-else' })
    expect(await ask()).toMatchObject({ kind: 'refused', detail: expect.stringMatching(/400 invalid_grant/) })
  })
})

describe('client credentials (RFC 6749 §4.4)', () => {
  const own = (issuer: string, more: object = {}): GrantedUpstreamAuth => ({
    type: 'client_credentials',
    issuer,
    scopes: ['sync'],
    ...CLIENT,
    ...more,
  })

  it('are the gateway’s, whoever calls', async () => {
    const { ask, service, last } = await openDesk()
    expect(tokenOf(await ask(own(service.issuer), { caller: callerWith(undefined) }))).toMatchObject({
      sub: 'gateway',
      aud: [URL_],
      scope: 'sync',
    })
    expect(last()).toEqual({ grant_type: 'client_credentials', resource: URL_, scope: 'sync' })
    await ask(own(service.issuer, { audience: 'orders' }))
    expect(last()).toEqual({ grant_type: 'client_credentials', audience: 'orders', scope: 'sync' })
  })

  it('that are refused are the operator’s to mend', async () => {
    const { ask, service } = await openDesk()
    service.instead = () => ({ status: 400, body: { error: 'invalid_grant' } })
    expect(await ask(own(service.issuer))).toMatchObject({ kind: 'misconfigured' })
  })
})

describe('addresses of our own network', () => {
  it.each([
    ['the token endpoint', 'http://169.254.169.254/token'],
    ['the token endpoint, in disguise', 'https://[::ffff:10.0.0.1]/token'],
  ])('%s that metadata names is not asked', async (_, endpoint) => {
    const { ask, service } = await openDesk()
    service.metadata = { token_endpoint: endpoint }
    expect(await ask(exchange(service.issuer, { allowInsecureHttp: true }))).toMatchObject({
      kind: 'unavailable',
      detail: expect.stringMatching(/the configuration names no such address/),
    })
  })

  it('an authorization server that an MCP server names there is not asked', async () => {
    const asked: string[] = []
    const fetch: Fetch = async (url) => {
      asked.push(url)
      const document = { resource: URL_, authorization_servers: ['https://10.0.0.1', 'https://[fd00::1]'] }
      if (url.endsWith('/oauth-protected-resource/mcp')) return Response.json(document)
      return new Response(null, { status: 401 })
    }
    const { ask } = await openDesk({}, { fetch })
    const idp = { tokenUrl: 'https://idp.example.com/token', clientId: 'g' }
    const found = await ask({ type: 'identity_assertion', idp, clientId: 'gateway' })
    expect(found).toMatchObject({ kind: 'unavailable' })
    expect(asked.filter((url) => !url.startsWith('https://orders.example.com/'))).toEqual([])
  })

  it('nothing there is asked for because an authorization server of the configuration is there', async () => {
    const { ask, service } = await openDesk(
      {},
      {
        fetch: async (url, init) =>
          url === URL_
            ? new Response(null, {
                status: 401,
                headers: { 'www-authenticate': 'Bearer resource_metadata="http://127.0.0.1:9/secrets"' },
              })
            : fetch(url, init),
      },
    )
    expect(await ask(exchange(service.issuer, { scopes: undefined }))).toMatchObject({
      kind: 'unavailable',
      detail: expect.stringMatching(/127\.0\.0\.1: its address is loopback/),
    })
    expect(service.requests).toEqual([])
  })

  it('a server that may be plain http may say there what it wants', async () => {
    const url = 'http://orders.example.com/mcp'
    const document = { resource: url, scopes_supported: ['read', 'offline_access'] }
    const { ask, service } = await openDesk(
      {},
      {
        url,
        fetch: async (asked, init) => {
          if (asked === url) return new Response(null, { status: 401 })
          return asked.startsWith('http://orders.') ? Response.json(document) : fetch(asked, init)
        },
      },
    )
    expect(tokenOf(await ask(exchange(service.issuer, { scopes: undefined })))).toMatchObject({
      scope: 'read',
      aud: [url],
    })
  })

  it('plain http is not sent a token to', async () => {
    const { ask, service } = await openDesk()
    service.metadata = { token_endpoint: 'http://as.example.com/token' }
    expect(await ask(exchange(service.issuer))).toMatchObject({
      kind: 'unavailable',
      detail: expect.stringMatching(/not https/),
    })
  })
})
