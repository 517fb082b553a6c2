/** Tokens that an authorization server gives without a browser, from the caller to the MCP server behind (G10 done conformantly). */
import { describe, expect, onTestFinished, test } from 'vitest'
import { startKeyServer } from '../support/identity-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { startTokenService, type TokenService, type TokenServiceOptions } from '../support/token-service.ts'
import {
  callTool,
  EVERYTHING,
  initialize,
  openSession,
  rpc,
  startWorld,
  type World,
  type WorldOptions,
} from './world.ts'

const SECRET = 'the-secret-of-the-gateway'
const CLIENT = { clientId: 'gateway', clientSecret: SECRET } as const

interface Site extends World {
  readonly service: TokenService
  readonly orders: Awaited<ReturnType<typeof startProtectedServer>>
}

async function service(options: Partial<TokenServiceOptions> & { trusts: readonly string[] }): Promise<TokenService> {
  const made = await startTokenService({ clients: { gateway: { secret: SECRET } }, ...options })
  onTestFinished(() => made.close())
  return made
}

/** A gateway in front of a server that takes tokens of the service only, made for it. */
async function site(
  servers: (parts: { orders: string; service: TokenService; provider: string }) => WorldOptions['servers'],
  { scopes = [], ...options }: Partial<WorldOptions> & { scopes?: string[] } = {},
): Promise<Site> {
  const provider = await startKeyServer()
  const tokens = await service({ trusts: [provider.issuer] })
  const orders = await startProtectedServer({ server: await startSdk2Server(), issuer: tokens.issuer, scopes })
  onTestFinished(async () => {
    await orders.close()
    await provider.close()
  })
  const world = await startWorld({
    provider,
    servers: servers({ orders: orders.url, service: tokens, provider: provider.issuer }) ?? {},
    access: [EVERYTHING],
    ...options,
  })
  return { ...world, service: tokens, orders }
}

const claimsOf = (authorization: string | string[] | undefined) =>
  JSON.parse(Buffer.from(String(authorization).split('.')[1] ?? '', 'base64url').toString())

const exchanging = (more: object = {}, options: Parameters<typeof site>[1] = {}) =>
  site(
    ({ orders, service: { issuer } }) => ({
      'core/orders': { url: orders, auth: { type: 'token_exchange', issuer, ...CLIENT, ...more } },
    }),
    options,
  )

describe('token exchange (RFC 8693)', () => {
  test('the server gets a token of its own for this caller, and never the one that they came with', async () => {
    const world = await exchanging()
    const token = await world.jwt('alice')
    const answer = await rpc(world.endpoint('core/orders'), { token, body: initialize() })
    expect(answer.status).toBe(200)
    const sent = world.orders.inner.calls.map((call) => call.headers.authorization)
    expect(sent).toHaveLength(1)
    expect(claimsOf(sent[0])).toMatchObject({ iss: world.service.issuer, sub: 'alice', aud: [world.orders.url] })
    const all = JSON.stringify([world.orders.calls.map(({ headers }) => headers), world.audits])
    expect(all).not.toContain(token)
    expect(await world.told(({ outcome }) => outcome === 'relayed')).toMatchObject({ credential: 'token_exchange' })
  })

  test('a second caller gets another one, however the first one is kept', async () => {
    const world = await exchanging()
    const url = world.endpoint('core/orders')
    const people = { alice: await world.jwt('alice'), bob: await world.jwt('bob') }
    for (const name of ['alice', 'bob', 'alice', 'bob'] as const) {
      await rpc(url, { token: people[name], body: initialize() })
      expect(claimsOf(world.orders.inner.calls.at(-1)?.headers.authorization).sub).toBe(name)
    }
    expect(world.service.requests).toHaveLength(2)
  })

  test('simultaneous calls of one caller make one of it', async () => {
    const world = await exchanging()
    const token = await world.jwt('alice')
    let open = () => {}
    world.service.gate = new Promise((resolve) => {
      open = resolve
    })
    const calls = Array.from({ length: 5 }, () => rpc(world.endpoint('core/orders'), { token, body: initialize() }))
    await expect.poll(() => world.service.requests.length).toBe(1)
    open()
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    expect(world.service.requests).toHaveLength(1)
  })

  test('a gateway key is refused in words, and goes nowhere; somebody without a token is asked for one', async () => {
    const world = await exchanging(
      {},
      { virtualAccounts: { ci: {} }, access: [EVERYTHING, { to: ['virtual-account:ci', 'anonymous'], on: '*' }] },
    )
    const url = world.endpoint('core/orders')
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    const refused = await rpc(url, { token: key, body: initialize() })
    expect([refused.status, refused.json.error.message]).toEqual([
      403,
      expect.stringMatching(/key cannot be exchanged/),
    ])
    expect(await world.told(({ outcome }) => outcome === 'refused')).toMatchObject({ reason: 'exchange_key' })
    expect((await rpc(url, { body: initialize() })).status).toBe(401)
    expect([world.service.asked, world.orders.calls]).toEqual([[], []])
  })

  test('what the authorization server refuses is told once and not asked again by an agent that keeps trying', async () => {
    const world = await exchanging()
    world.service.instead = ({ grantType }) =>
      grantType.endsWith('token-exchange') ? { status: 400, body: { error: 'invalid_grant' } } : undefined
    const token = await world.jwt('alice')
    for (let calls = 0; calls < 5; calls++) {
      const { status, json } = await rpc(world.endpoint('core/orders'), { token, body: initialize() })
      expect([status, json.error.message]).toEqual([403, expect.stringMatching(/invalid_grant.*Sign in again/)])
    }
    expect(world.service.requests).toHaveLength(1)
    expect(await world.told(({ outcome }) => outcome === 'refused')).toMatchObject({
      reason: 'exchange_refused',
      detail: expect.stringMatching(/answered 400 invalid_grant/),
    })
  })

  test('an authorization server that is down is 503 with a time, and one that does not know the gateway is 502', async () => {
    const world = await exchanging()
    const url = world.endpoint('core/orders')
    world.service.instead = () => ({ status: 503, headers: { 'retry-after': '3' } })
    const down = await rpc(url, { token: await world.jwt('alice'), body: initialize() })
    expect([down.status, down.headers.get('retry-after')]).toEqual([503, '3'])
    world.service.instead = () => ({ status: 401, body: { error: 'invalid_client', error_description: SECRET } })
    const unknown = await rpc(url, { token: await world.jwt('bob'), body: initialize() })
    expect([unknown.status, unknown.headers.get('www-authenticate')]).toEqual([502, null])
    expect(await world.told(({ status }) => status === 502)).toMatchObject({ reason: 'credential_misconfigured' })
    expect(JSON.stringify([unknown, world.audits])).not.toContain(SECRET)
    expect(world.orders.inner.calls).toEqual([])
  })

  test('a token that the server does not take is exchanged for once more, and then not with every call', async () => {
    const world = await exchanging()
    const url = world.endpoint('core/orders')
    const token = await world.jwt('alice')
    expect((await rpc(url, { token, body: initialize() })).status).toBe(200)
    const revoke = () => {
      const { authorization = '' } = world.orders.inner.calls.at(-1)?.headers ?? {}
      world.orders.revoke(String(authorization).replace('Bearer ', ''))
    }
    revoke()
    expect((await rpc(url, { token, body: initialize() })).status).toBe(200)
    expect(world.service.requests).toHaveLength(2)
    revoke()
    for (let calls = 0; calls < 4; calls++) {
      const refused = await rpc(url, { token, body: initialize() })
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([502, null])
    }
    expect(world.service.requests).toHaveLength(2)
    expect(await world.told(({ status }) => status === 502)).toMatchObject({
      reason: 'credential_rejected',
      credential: 'token_exchange',
      upstreamStatus: 401,
    })
  })

  test('a call that needs another scope goes again with a token that has it', async () => {
    const scopes: string[] = []
    const world = await exchanging({}, { scopes })
    const url = world.endpoint('core/orders')
    const token = await world.jwt('alice')
    expect((await rpc(url, { token, body: initialize() })).status).toBe(200)
    scopes.push('orders:write')
    expect((await rpc(url, { token, body: initialize() })).status).toBe(200)
    const [, { parameters } = { parameters: new URLSearchParams() }] = world.service.requests
    expect(parameters.get('scope')).toBe('orders:write')
    scopes.push('orders:admin')
    world.service.instead = () => ({ status: 400, body: { error: 'invalid_scope' } })
    const refused = await rpc(url, { token, body: initialize() })
    // As the server has said it: there is nobody to ask.
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([403, null])
  })

  test('scopes that are configured are all that is ever asked for', async () => {
    const world = await exchanging({ scopes: ['orders:read'] }, { scopes: ['orders:read', 'orders:write'] })
    const refused = await rpc(world.endpoint('core/orders'), { token: await world.jwt('alice'), body: initialize() })
    expect(refused.status).toBe(403)
    expect(world.service.requests.map(({ parameters }) => parameters.get('scope'))).toEqual(['orders:read'])
  })

  test('tokens outlive a change of the configuration, unless it is about their server', async () => {
    const world = await exchanging()
    const url = world.endpoint('core/orders')
    const token = await world.jwt('alice')
    await rpc(url, { token, body: initialize() })
    const { servers = {} } = world.config
    const orders = servers['core/orders'] ?? { url: '', auth: { type: 'none' } }
    const wiki = { url: 'https://wiki.example.com/mcp', auth: { type: 'none' } } as const
    await world.gateway.configure({ servers: { ...servers, 'public/wiki': wiki }, access: [EVERYTHING] })
    await rpc(url, { token, body: initialize() })
    expect(world.service.requests).toHaveLength(1)
    const auth = { ...orders.auth, scopes: ['orders:read'] } as typeof orders.auth
    await world.gateway.configure({ servers: { 'core/orders': { ...orders, auth } }, access: [EVERYTHING] })
    await rpc(url, { token, body: initialize() })
    expect(world.service.requests.at(-1)?.parameters.get('scope')).toBe('orders:read')
    expect(world.service.requests).toHaveLength(2)
  })

  test('a secret that is missing is told when the gateway starts', async () => {
    const world = await exchanging({ clientSecret: { secret: 'env:SALLYPORT_NOT_SET' } })
    await expect(world.gateway.ready()).rejects.toThrow(/SALLYPORT_NOT_SET/)
  })
})

describe('other kinds', () => {
  test('an identity assertion takes the caller to a server of another authorization server', async () => {
    const provider = await startKeyServer()
    const assertionsFor: Record<string, string> = {}
    const idp = await service({ trusts: [provider.issuer], assertionsFor })
    const theirs = await service({ trusts: [idp.issuer] })
    assertionsFor[theirs.issuer] = 'gateway'
    const chat = await startProtectedServer({
      server: await startSdk2Server(),
      issuer: theirs.issuer,
      scopes: ['chat'],
    })
    onTestFinished(() => chat.close())
    const auth = {
      type: 'identity_assertion',
      idp: { issuer: idp.issuer, ...CLIENT },
      issuer: theirs.issuer,
      ...CLIENT,
    } as const
    const world = await startWorld({ provider, servers: { 'ext/chat': { url: chat.url, auth } }, access: [EVERYTHING] })
    onTestFinished(() => provider.close())
    const url = world.endpoint('ext/chat')
    expect((await rpc(url, { token: await world.jwt('alice'), body: initialize() })).status).toBe(200)
    const { authorization } = chat.inner.calls.at(-1)?.headers ?? {}
    expect(claimsOf(authorization)).toMatchObject({ iss: theirs.issuer, sub: 'alice', scope: 'chat' })
    expect(await world.told(({ outcome }) => outcome === 'relayed')).toMatchObject({ credential: 'identity_assertion' })
  })

  test('client credentials are one token for all who may use the server, whatever they come with', async () => {
    const world = await site(
      ({ orders, service: { issuer } }) => ({
        'core/orders': { url: orders, auth: { type: 'client_credentials', issuer, ...CLIENT } },
      }),
      {
        scopes: ['orders:read'],
        virtualAccounts: { ci: {} },
        access: [{ to: ['user:corp/alice@example.com', 'virtual-account:ci'], on: 'core/orders' }],
      },
    )
    const url = world.endpoint('core/orders')
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    for (const token of [await world.jwt('alice'), key]) {
      expect((await rpc(url, { token, body: initialize() })).status).toBe(200)
    }
    expect((await rpc(url, { token: await world.jwt('bob'), body: initialize() })).status).toBe(404)
    const sent = world.orders.inner.calls.map(({ headers }) => headers.authorization)
    expect(claimsOf(sent[0])).toMatchObject({ sub: 'gateway', scope: 'orders:read' })
    expect(sent[1]).toBe(sent[0])
    expect(world.service.requests).toHaveLength(1)
  })
})

describe('members of a virtual server', () => {
  async function team(scopes: string[] = []) {
    const world = await site(
      ({ orders, service: { issuer } }) => ({
        'core/orders': { url: orders, auth: { type: 'token_exchange', issuer, ...CLIENT } },
      }),
      { scopes, virtualServers: { 'team/all': { tools: { 'core/orders': ['whoami'] } } } },
    )
    const url = world.endpoint('team/all')
    const token = await world.jwt('alice')
    const whoami = async (by = token) => {
      const session = await openSession(url, by)
      return rpc(url, { token: by, headers: session, body: callTool('whoami') })
    }
    return { ...world, url, token, whoami }
  }

  test('are called with the token of this caller', async () => {
    const { whoami, jwt, service: tokens } = await team()
    expect((await whoami()).json.result.content[0].text).toBe('alice')
    expect((await whoami(await jwt('bob'))).json.result.content[0].text).toBe('bob')
    expect(tokens.requests).toHaveLength(2)
  })

  test('that do not take it are called with another one, once', async () => {
    const { whoami, orders, service: tokens, url, token } = await team()
    await whoami()
    const revoke = () =>
      orders.revoke(String(orders.inner.calls.at(-1)?.headers.authorization ?? '').replace('Bearer ', ''))
    revoke()
    expect((await whoami()).json.result.content[0].text).toBe('alice')
    expect(tokens.requests).toHaveLength(2)
    revoke()
    const session = await openSession(url, token)
    for (let calls = 0; calls < 4; calls++) {
      const { json } = await rpc(url, { token, headers: session, body: callTool('whoami') })
      expect(json.error).toBeDefined()
      expect(JSON.stringify(json)).not.toContain('/connect/')
    }
    expect(tokens.requests).toHaveLength(2)
  })

  test('that want more scopes get them', async () => {
    const scopes: string[] = []
    const { whoami, service: tokens } = await team(scopes)
    await whoami()
    scopes.push('orders:write')
    expect((await whoami()).json.result.content[0].text).toBe('alice')
    expect(tokens.requests.at(-1)?.parameters.get('scope')).toBe('orders:write')
  })

  test('that have no token at present, and that never will, are told as such', async () => {
    const { service: tokens, whoami, jwt, url } = await team()
    tokens.instead = () => ({ status: 503 })
    const session = await openSession(url, await jwt('carol'))
    expect(session).toBeDefined()
    expect((await whoami()).json.error.message).toMatch(/cannot be used at present/)
    tokens.instead = () => ({ status: 401, body: { error: 'invalid_client' } })
    expect((await whoami(await jwt('bob'))).json.error.message).toMatch(/set up wrongly/)
    tokens.instead = () => ({ status: 400, body: { error: 'invalid_target' } })
    const dave = await rpc(url, { token: await jwt('dave'), body: initialize() })
    expect(dave.json.error.message).toMatch(/invalid_target/)
  })
})

describe('gateway.doctor', () => {
  test('says where tokens are asked for, and asks for none', async () => {
    const world = await exchanging({}, { scopes: ['orders:read'] })
    world.service.metadata = {
      grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      token_endpoint_auth_methods_supported: ['client_secret_basic'],
    }
    const { verdict, text } = await world.gateway.doctor('core/orders')
    expect(verdict).toBe('good')
    expect(text).toContain(`tokens are asked for at the authorization server ${world.service.issuer}, as configured`)
    expect(text).toContain('takes the grant urn:ietf:params:oauth:grant-type:token-exchange')
    expect(text).toContain('the scopes that it wants: orders:read')
    expect(world.service.requests).toEqual([])
    expect(text).not.toContain(SECRET)
  })

  test('says what an authorization server does not seem to take', async () => {
    const world = await exchanging({ scopes: [] })
    world.service.metadata = {
      grant_types_supported: ['authorization_code'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
    }
    const { verdict, text } = await world.gateway.doctor('core/orders')
    expect(verdict).toBe('attention')
    expect(text).toMatch(/does not list the grant \S+token-exchange/)
    expect(text).toMatch(/does not list client_secret_basic.*private_key_jwt/)
  })

  test('says that there is none, and whose it is', async () => {
    const world = await site(({ orders, provider, service: { issuer } }) => ({
      'core/orders': { url: orders, auth: { type: 'token_exchange', issuer: provider, ...CLIENT } },
      'ext/chat': {
        url: orders,
        auth: { type: 'identity_assertion', idp: { issuer: provider, clientId: 'g' }, clientId: 'gateway' },
      },
      'ext/written': {
        url: orders,
        auth: { type: 'client_credentials', tokenUrl: `${issuer}/token`, ...CLIENT },
      },
    }))
    const orders = await world.gateway.doctor('core/orders')
    expect([orders.verdict, orders.text]).toEqual(['bad', expect.stringMatching(/names no token_endpoint/)])
    const chat = await world.gateway.doctor('ext/chat')
    expect(chat.verdict).toBe('bad')
    expect(chat.text).toMatch(/BAD +the identity provider \S+ cannot be used/)
    expect(chat.text).toMatch(/the authorization server \S+, named by the MCP server/)
    expect(chat.text).toMatch(/does not say that it takes identity assertions/)
    expect((await world.gateway.doctor('ext/written')).text).toContain(
      '/token, as configured; it was not asked what it takes',
    )
  })
})
