/** Which credential goes upstream (G6, G7, G8, G9, G10, G11, G12, G14, G16), and what callers are told where there is none. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { GateRequest, Identity, SignIn } from 'sallyport'
import type { GatewayConfig } from 'sallyport/gateway'
import { describe, expect, onTestFinished, test } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { API, PASSWORD, startLoginProvider } from '../support/login-provider.ts'
import { startProtectedServer } from '../support/mcp/protected-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, startWorld, type World } from './world.ts'

async function upstream(options: Parameters<typeof startSdk2Server>[0] = {}) {
  const server = await startSdk2Server(options)
  onTestFinished(() => server.close())
  return server
}

/** The host application's own sign-in: a cookie says who is at the browser. */
function cookieSignIn(issuer: () => string): SignIn {
  return {
    integrations: ['corp'],
    async identify({ headers }: GateRequest): Promise<Identity | null> {
      const name = /(?:^|; )who=(\w+)/.exec(headers.cookie ?? '')?.[1]
      if (name === undefined) return null
      return {
        id: identityId(issuer(), name),
        integration: 'corp',
        subject: name,
        groups: [],
        email: `${name}@example.com`,
        claims: {},
      }
    },
    start: () => ({ status: 302, headers: { location: '/sign-in' } }),
  }
}

/** A gateway with one server of the users' own accounts, its authorization server, and somebody to consent. */
async function startConsentWorld(options: Partial<GatewayConfig> & { readonly accessTokenSeconds?: number } = {}) {
  const { accessTokenSeconds, ...config } = options
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  const provider = await startLoginProvider({
    ...(accessTokenSeconds === undefined ? {} : { accessTokenSeconds }),
    clients: [
      {
        client_id: 'gw',
        client_secret: SECRET,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        redirect_uris: [`${origin}/consented`],
      },
    ],
  })
  onTestFinished(() => provider.close())
  const { issuer } = provider
  const notes = await startProtectedServer({
    server: await startSdk2Server({ name: 'notes' }),
    issuer,
    audience: API,
  })
  onTestFinished(() => notes.close())
  let corpIssuer = ''
  const world = await startWorld({
    server,
    url: origin,
    signIn: cookieSignIn(() => corpIssuer),
    servers: {
      'dev/notes': {
        url: notes.url,
        auth: {
          type: 'oauth2',
          issuer,
          clientId: 'gw',
          clientSecret: SECRET,
          scopes: ['openid', 'orders:read'],
          resource: API,
          callbackPath: '/consented',
        },
      },
    },
    access: [EVERYTHING],
    ...config,
  })
  corpIssuer = world.provider.issuer
  return { world, notes, provider }
}

const SECRET = 'a-secret-of-the-gateway-0123456789-0123456789'

/** Follows a link as somebody; the page at the end. */
async function consent(world: World, link: string, name: string, atProvider = name) {
  const browser = new FormBrowser()
  browser.setCookie('127.0.0.1', 'who', name)
  let page = await browser.load(link)
  for (let step = 0; step < 6 && /<form[^>]*method="post"/i.test(page.body); step++) {
    const isSignIn = page.body.includes('id="password"')
    page = await browser.submit(page, isSignIn ? { name: atProvider, password: PASSWORD } : {})
  }
  expect(new URL(page.url).origin).toBe(world.origin)
  return page
}

function linkIn(text: string): string {
  const [, url = ''] = /Please visit: ([^\s"]+)"/.exec(text) ?? []
  if (url === '') throw new Error(`no link in ${text}`)
  return url
}

describe('shared and passed credentials', () => {
  test('G7 static headers are put in after the access check and never shown', async () => {
    const hub = await upstream()
    const world = await startWorld({
      servers: {
        'data/hub': {
          url: hub.url,
          auth: { type: 'header', headers: { authorization: 'Bearer {{key}}' }, values: { key: 'hub-key' } },
        },
      },
      access: [{ to: 'user:corp/alice@example.com', on: 'data/hub' }],
    })
    const url = world.endpoint('data/hub')
    const answer = await rpc(url, { token: await world.jwt('alice'), body: initialize() })
    expect(answer.status).toBe(200)
    expect(hub.calls.map((call) => call.headers.authorization)).toEqual(['Bearer hub-key'])
    expect((await rpc(url, { token: await world.jwt('bob'), body: initialize() })).status).toBe(404)
    expect(hub.calls).toHaveLength(1)
    expect(JSON.stringify([world.audits, answer.text, [...answer.headers]])).not.toContain('hub-key')
  })

  test('G10 a JWT goes on unchanged by passthrough; a gateway key never does, and is told why', async () => {
    const orders = await upstream()
    const world = await startWorld({
      servers: { 'core/orders': { url: orders.url, auth: { type: 'passthrough' } } },
      virtualAccounts: { ci: {} },
      access: [EVERYTHING, { to: 'virtual-account:ci', on: '*' }],
    })
    const token = await world.jwt('alice')
    expect((await rpc(world.endpoint('core/orders'), { token, body: initialize() })).status).toBe(200)
    expect(orders.calls.map((call) => call.headers.authorization)).toEqual([`Bearer ${token}`])
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    const refused = await rpc(world.endpoint('core/orders'), { token: key, body: initialize() })
    expect(refused.status).toBe(403)
    expect(refused.json.error.message).toMatch(/key/i)
    expect(orders.calls).toHaveLength(1)
  })

  test('G12 headers of the caller win over what is configured, and do not go upstream by themselves', async () => {
    const hub = await upstream()
    const world = await startWorld({
      servers: { 'data/hub': { url: hub.url, auth: { type: 'header', headers: { authorization: 'Bearer shared' } } } },
      access: [EVERYTHING],
    })
    const url = world.endpoint('data/hub')
    const token = await world.jwt('alice')
    const headers = { 'x-tfy-mcp-headers': '{"Authorization":"Bearer own","X-Team":"blue"}' }
    expect((await rpc(url, { token, headers, body: initialize() })).status).toBe(200)
    expect(hub.calls[0]?.headers).toMatchObject({ authorization: 'Bearer own', 'x-team': 'blue' })
    expect(hub.calls[0]?.headers['x-tfy-mcp-headers']).toBeUndefined()
    expect(await world.told(({ outcome }) => outcome === 'relayed')).toMatchObject({ credential: 'caller_headers' })
    for (const bad of ['{', '[]', '{"Authorization":"a\\r\\nx: y"}', '{"host":"evil"}']) {
      const answer = await rpc(url, { token, headers: { 'x-tfy-mcp-headers': bad }, body: initialize() })
      expect([bad, answer.status]).toEqual([bad, 400])
    }
  })

  test('an upstream that refuses the shared key is 502, without its challenge', async () => {
    const hub = await upstream({
      async before(_request, response) {
        response.writeHead(401, { 'www-authenticate': 'Bearer realm="hub"' }).end()
        return true
      },
    })
    const world = await startWorld({
      servers: { 'data/hub': { url: hub.url, auth: { type: 'header', headers: { authorization: 'Bearer shared' } } } },
      access: [EVERYTHING],
    })
    const answer = await rpc(world.endpoint('data/hub'), { token: await world.jwt('alice'), body: initialize() })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([502, null])
    expect(await world.told(({ outcome }) => outcome === 'failed')).toMatchObject({
      reason: 'credential_rejected',
      upstreamStatus: 401,
    })
  })
})

describe('accounts of the users’ own', () => {
  test('G8 G16 missing consent is told while connecting; after it the same call works, with that user’s token', async () => {
    const { world, notes } = await startConsentWorld()
    const url = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    const first = await rpc(url, { token, body: initialize('2025-06-18') })
    expect([first.status, first.json.id, first.json.error.code]).toEqual([200, 1, 4011])
    const link = linkIn(first.text)
    expect(first.json.error.data).toBe(`Please visit: ${link}`)
    expect(link.startsWith(`${world.origin}/connect/`)).toBe(true)
    expect(await world.told(({ outcome }) => outcome === 'authorization_required')).toMatchObject({
      server: 'dev/notes',
      credential: null,
    })
    // A retrying agent gets the same link.
    expect(linkIn((await rpc(url, { token, body: initialize() })).text)).toBe(link)

    expect((await consent(world, link, 'alice')).status).toBe(200)
    const headers = await openSession(url, token)
    const answer = await rpc(url, { token, headers, body: callTool('whoami') })
    expect(answer.json.result.content[0].text).toBe('alice')
    expect(notes.inner.calls.every((call) => call.headers.authorization !== `Bearer ${token}`)).toBe(true)

    // G14: nobody else has it.
    const bob = await world.jwt('bob')
    expect((await rpc(url, { token: bob, body: initialize() })).json.error.code).toBe(4011)
    // G13: seen and ended by its owner.
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    expect(await world.gateway.connections.list(me)).toMatchObject([{ server: 'dev/notes', state: 'connected' }])
    expect(await world.gateway.connections.revoke(me, 'dev/notes')).toBe(true)
    const after = await rpc(url, { token, headers, body: ask('tools/list') })
    expect([after.status, after.json.error.code]).toEqual([200, 4011])
    expect((await rpc(url, { token, headers, method: 'GET' })).status).toBe(405)
    expect(JSON.stringify(world.audits)).not.toContain(link.slice(-20))
    const kinds = world.audits.flatMap((event) => (event.type === 'connection' ? [event.kind] : []))
    expect(kinds).toEqual(expect.arrayContaining(['consent_started', 'connected', 'disconnected']))
  })

  test('B2 a link opens for nobody but the person whose agent asked', async () => {
    const { world } = await startConsentWorld()
    const url = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    const link = linkIn((await rpc(url, { token, body: initialize() })).text)
    expect((await consent(world, link, 'mallory')).status).toBe(403)
    expect((await rpc(url, { token, body: initialize() })).json.error.code).toBe(4011)
    expect((await rpc(url, { token: await world.jwt('mallory'), body: initialize() })).json.error.code).toBe(4011)
  })

  test('G21 who may not use a server is not asked to consent, also not when that has changed since', async () => {
    const { world } = await startConsentWorld({ access: [{ to: 'user:corp/alice@example.com', on: '*' }] })
    const url = world.endpoint('dev/notes')
    const bob = await rpc(url, { token: await world.jwt('bob'), body: initialize() })
    expect([bob.status, bob.text.includes('/connect/')]).toEqual([404, false])
    const token = await world.jwt('alice')
    const me = await world.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    const link = await world.gateway.connections.connectUrl({ server: 'dev/notes', who: me })
    await world.gateway.access.set([])
    expect((await consent(world, link, 'alice')).status).toBe(403)
    await expect(world.gateway.connections.connectUrl({ server: 'dev/notes', who: me })).rejects.toMatchObject({
      code: 'ERR_ACCESS',
    })
    await expect(
      world.gateway.connections.connectUrl({ server: 'dev/nots', who: { authorization: `Bearer ${token}` } }),
    ).rejects.toMatchObject({ code: 'ERR_UNKNOWN_SERVER', message: expect.stringContaining('dev/notes') })
    await expect(
      world.gateway.connections.connectUrl({ server: 'dev/notes', who: { authorization: 'Bearer nonsense' } }),
    ).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' })
  })

  test('G2 a virtual account uses what one of its owners has connected for it, and gets no link', async () => {
    const { world } = await startConsentWorld({
      virtualAccounts: { ci: { owners: ['user:corp/alice@example.com'] } },
      access: [{ to: 'virtual-account:ci', on: 'dev/*' }],
    })
    const url = world.endpoint('dev/notes')
    const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    const first = await rpc(url, { token: key, body: initialize() })
    expect([first.json.error.code, first.text.includes('http')]).toEqual([4012, false])
    const request = { server: 'dev/notes', forVirtualAccount: 'ci' }
    const bob = { authorization: `Bearer ${await world.jwt('bob')}` }
    await expect(world.gateway.connections.connectUrl({ ...request, who: bob })).rejects.toMatchObject({
      code: 'ERR_ACCESS',
    })
    await expect(
      world.gateway.connections.connectUrl({ ...request, who: { authorization: `Bearer ${key}` } }),
    ).rejects.toMatchObject({ code: 'ERR_ACCESS' })
    const alice = { authorization: `Bearer ${await world.jwt('alice')}` }
    const link = await world.gateway.connections.connectUrl({ ...request, who: alice })
    expect((await consent(world, link, 'alice')).status).toBe(200)
    const headers = await openSession(url, key)
    const answer = await rpc(url, { token: key, headers, body: callTool('whoami') })
    expect(answer.json.result.content[0].text).toBe('alice')
    expect(await world.gateway.connections.list({ virtualAccount: 'ci' })).toHaveLength(1)
  })

  test('a token that the upstream refuses is refreshed once, and then somebody has to consent anew', async () => {
    const { world, notes, provider } = await startConsentWorld()
    const url = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    await consent(world, linkIn((await rpc(url, { token, body: initialize() })).text), 'alice')
    const headers = await openSession(url, token)
    const sent = () => notes.inner.calls.at(-1)?.headers.authorization?.replace('Bearer ', '') ?? ''
    const before = sent()
    notes.revoke(before)
    const renewed = await rpc(url, { token, headers, body: callTool('whoami') })
    expect(renewed.json.result.content[0].text).toBe('alice')
    expect(sent()).not.toBe(before)

    const redeemed = provider.asked.get('POST /token') ?? 0
    const reached = notes.calls.length
    provider.mode = 'ok'
    const refuse = notes.revoke
    // It takes no token at all from here on.
    refuse(sent())
    const calls = await Promise.all(
      Array.from({ length: 4 }, (_, id) => rpc(url, { token, headers, body: callTool('whoami', {}, id) })),
    )
    expect(calls.map(({ json }) => json.result?.content[0].text)).toEqual(['alice', 'alice', 'alice', 'alice'])
    // One redemption for all of them.
    expect(provider.asked.get('POST /token')).toBe(redeemed + 1)
    expect(notes.calls.length).toBeGreaterThan(reached)
  })

  test('G9 tokens that are about to expire are refreshed without anybody’s doing', async () => {
    const { world, provider } = await startConsentWorld({ accessTokenSeconds: 2 })
    const url = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    await consent(world, linkIn((await rpc(url, { token, body: initialize() })).text), 'alice')
    const headers = await openSession(url, token)
    const before = provider.asked.get('POST /token') ?? 0
    await expect
      .poll(
        async () => {
          const answer = await rpc(url, { token, headers, body: callTool('whoami') })
          expect(answer.json.result.content[0].text).toBe('alice')
          return provider.asked.get('POST /token') ?? 0
        },
        { interval: 100 },
      )
      .toBeGreaterThan(before)
  })

  test('an upstream that takes no token leads to the signal, after one more try', async () => {
    const refusing = await startSdk2Server({
      async before(_request, response) {
        response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
        return true
      },
    })
    onTestFinished(() => refusing.close())
    const { world, provider } = await startConsentWorld()
    const current = world.gateway.servers.list()['dev/notes']
    if (current === undefined) throw new Error('no server')
    await world.gateway.servers.set('dev/notes', { ...current, url: refusing.url })
    const url = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    await consent(world, linkIn((await rpc(url, { token, body: initialize() })).text), 'alice')
    const before = provider.asked.get('POST /token') ?? 0
    const answer = await rpc(url, { token, body: initialize() })
    expect([answer.status, answer.json.error.code]).toEqual([200, 4011])
    expect(refusing.calls).toHaveLength(2)
    expect(provider.asked.get('POST /token')).toBe(before + 1)
    expect(await world.told(({ reason }) => reason === 'token_rejected')).toMatchObject({
      credential: 'oauth2',
      upstreamStatus: 401,
    })
  })
})

describe('B3 the form of the answer', () => {
  const modern = (method: string, params: object, capabilities: object = {}) => ({
    headers: {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...('name' in params ? { 'mcp-name': String(params.name) } : {}),
    },
    body: ask(method, {
      ...params,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': capabilities,
        'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
      },
    }),
  })
  const url = { elicitation: { url: {} } }

  test('2025-11-25 with URL elicitation: -32042', async () => {
    const { world } = await startConsentWorld()
    const token = await world.jwt('alice')
    const answer = await rpc(world.endpoint('dev/notes'), { token, body: initialize('2025-11-25', url) })
    expect([answer.status, answer.json.error.code]).toEqual([200, -32042])
    expect(answer.json.error.data.elicitations[0]).toMatchObject({ mode: 'url' })
  })

  test('2026-07-28: discover is refused until the server is known to be modern; calls are input_required', async () => {
    const { world } = await startConsentWorld()
    const endpoint = world.endpoint('dev/notes')
    const token = await world.jwt('alice')
    expect((await rpc(endpoint, { token, ...modern('server/discover', {}) })).status).toBe(404)
    const listed = await rpc(endpoint, { token, ...modern('tools/list', {}) })
    expect([listed.status, listed.json.error.code]).toEqual([200, 4011])
    const plain = await rpc(endpoint, { token, ...modern('tools/call', { name: 'whoami', arguments: {} }) })
    expect(plain.json.error.code).toBe(4011)
    const asked = await rpc(endpoint, { token, ...modern('tools/call', { name: 'whoami', arguments: {} }, url) })
    const { resultType, inputRequests, requestState } = asked.json.result
    expect(resultType).toBe('input_required')
    const [key, input] = Object.entries(inputRequests)[0] as [string, { params: { url: string } }]

    await consent(world, input.params.url, 'alice')
    const inputResponses = { [key]: { action: 'accept' } }
    const params = { name: 'whoami', arguments: {}, requestState, inputResponses }
    const again = await rpc(endpoint, { token, ...modern('tools/call', params, url) })
    expect(again.json.result.content[0].text).toBe('alice')
    // The state is nobody else's, and for no other request.
    const bob = await world.jwt('bob')
    for (const each of [
      { token: bob, ...modern('tools/call', params, url) },
      { token, ...modern('tools/call', { ...params, name: 'echo', arguments: { text: 'a' } }, url) },
    ]) {
      expect((await rpc(endpoint, each)).json.error.code).toBe(-32602)
    }
  })

  test('a gateway behind a gateway gets its own requestState back, and judges it itself', async () => {
    const { world: inner } = await startConsentWorld()
    const token = await inner.jwt('alice')
    const me = await inner.gateway.identify(`Bearer ${token}`)
    if (me === null) throw new Error('nobody')
    const { key: innerKey } = await inner.gateway.keys.create(me, { name: 'for the gateway in front' })
    const outer = await startWorld({
      servers: {
        'far/notes': {
          url: inner.endpoint('dev/notes'),
          auth: { type: 'header', headers: { authorization: `Bearer ${innerKey}` } },
        },
      },
      access: [EVERYTHING],
    })
    const endpoint = outer.endpoint('far/notes')
    const outerToken = await outer.jwt('bob')
    const call = { name: 'whoami', arguments: {} }
    const asked = await rpc(endpoint, { token: outerToken, ...modern('tools/call', call, url) })
    const { resultType, inputRequests, requestState } = asked.json.result
    expect([resultType, requestState]).toEqual(['input_required', expect.stringMatching(/^sallyport\./)])
    const [[key = '', input] = []] = Object.entries<{ params: { url: string } }>(inputRequests)
    await consent(inner, input?.params.url ?? '', 'alice')
    const params = { ...call, requestState, inputResponses: { [key]: { action: 'accept' } } }
    const again = await rpc(endpoint, { token: outerToken, ...modern('tools/call', params, url) })
    expect(again.json.result.content[0].text).toBe('alice')
    // It is the inner gateway's to refuse, and it does.
    const other = { ...params, name: 'echo', arguments: { text: 'a' } }
    const refused = await rpc(endpoint, { token: outerToken, ...modern('tools/call', other, url) })
    expect(refused.json.error).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') })
    expect(outer.audits.filter((event) => event.type === 'request').map(({ outcome }) => outcome)).toEqual([
      'relayed',
      'relayed',
      'relayed',
    ])
  })

  test('a server that is configured as modern is discovered before consent; text is forced where that is said', async () => {
    const { world } = await startConsentWorld()
    const current = world.gateway.servers.list()['dev/notes']
    if (current === undefined) throw new Error('no server')
    await world.gateway.servers.set('dev/notes', { ...current, era: 'modern', signal: 'text' })
    const token = await world.jwt('alice')
    const endpoint = world.endpoint('dev/notes')
    const discovered = await rpc(endpoint, { token, ...modern('server/discover', {}) })
    expect(discovered.json.result).toMatchObject({ cacheScope: 'private', ttlMs: 0 })
    const asked = await rpc(endpoint, { token, ...modern('tools/call', { name: 'whoami', arguments: {} }, url) })
    expect(asked.json.error.code).toBe(4011)
  })
})

test('G11 all models mix in one gateway, with one token', async () => {
  const { world, notes } = await startConsentWorld()
  const [wiki, hub, orders] = await Promise.all([upstream(), upstream(), upstream()])
  const { servers } = world.config
  await world.gateway.configure({
    access: [EVERYTHING],
    servers: {
      ...servers,
      'public/wiki': { url: wiki.url, auth: { type: 'none' } },
      'data/hub': { url: hub.url, auth: { type: 'header', headers: { 'x-key': 'hub-key' } } },
      'core/orders': { url: orders.url, auth: { type: 'passthrough' } },
    },
  })
  const token = await world.jwt('alice')
  const link = linkIn((await rpc(world.endpoint('dev/notes'), { token, body: initialize() })).text)
  await consent(world, link, 'alice')
  for (const name of ['public/wiki', 'data/hub', 'core/orders', 'dev/notes']) {
    expect((await rpc(world.endpoint(name), { token, body: initialize() })).json.result).toBeDefined()
  }
  expect(wiki.calls[0]?.headers.authorization).toBeUndefined()
  expect(hub.calls[0]?.headers['x-key']).toBe('hub-key')
  expect(orders.calls[0]?.headers.authorization).toBe(`Bearer ${token}`)
  expect(notes.inner.calls[0]?.headers.authorization).not.toBe(`Bearer ${token}`)
})
