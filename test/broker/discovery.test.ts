/** B5: `{ url, auth: { type: 'oauth2' } }` is enough. What is found, in which order, by whom, and how it is remembered. */
import { describe, expect, it } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { sealed } from '../../src/store/sealed.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { AS_METADATA, json, RESOURCE_METADATA, startOpenProvider, startOpenServer, startSite } from './open-site.ts'
import { type Bureau, type BureauOptions, connect, openBureau, person, SERVER, untilCallback, wish } from './setup.ts'

const ALICE = person('alice').id

/** An authorization server, an MCP server that trusts it, and a gateway that is told nothing but the URL. */
async function openAll(options: BureauOptions & { readonly auth?: object; readonly path?: string } = {}) {
  const { auth, path, ...rest } = options
  const provider = await startOpenProvider(path)
  const upstream = await startOpenServer([provider.issuer], auth)
  return Object.assign(await openBureau({ servers: [upstream.server], ...rest }), { provider, upstream })
}

function asked(provider: { received: readonly { line: string; body: string }[] }, line: string) {
  return provider.received.filter((each) => each.line === line).map(({ body }) => body)
}

describe('a server that follows the specification', () => {
  it('is connected with nothing but its URL: found, registered, consented, refreshed', async () => {
    const all = await openAll()
    const { broker, provider, upstream, events } = all
    expect(broker.redirectUrls()).toEqual([])
    const done = await connect(all)
    expect(done.body).toContain('is connected')

    const [registration = '{}'] = asked(provider, 'POST /register')
    const [{ redirectUrl = '' } = {}] = broker.redirectUrls()
    expect(redirectUrl).toMatch(new RegExp(`^${all.origin}/oauth2/callback/127.0.0.1-[0-9a-f]{8}$`))
    expect(JSON.parse(registration)).toMatchObject({
      redirect_uris: [redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      application_type: 'native',
    })
    const [authorize = ''] = asked(provider, 'GET /authorize')
    expect(Object.fromEntries(new URLSearchParams(authorize))).toMatchObject({
      client_id: [...provider.clients.keys()][0],
      resource: upstream.url,
      scope: 'code:read',
      code_challenge_method: 'S256',
    })
    const first = await broker.tokens(ALICE, SERVER)
    if (first.kind !== 'tokens') throw new Error(first.kind)
    expect(provider.isGood(first.tokens.accessToken)).toBe(true)
    expect(first.tokens).toMatchObject({ issuer: provider.issuer, resource: upstream.url })
    const next = await broker.tokens(ALICE, SERVER, { rejected: first.stamp })
    expect(next.kind === 'tokens' && next.stamp !== first.stamp).toBe(true)
    expect(events.map(({ kind }) => kind)).toEqual([
      'authorization_server_found',
      'client_registered',
      'consent_started',
      'connected',
      'refreshed',
    ])
    expect(await broker.list(ALICE)).toMatchObject([{ server: SERVER, state: 'connected', scope: 'code:read' }])
  })

  it('says on the page where one will agree, and to what, before it registers anything', async () => {
    const all = await openAll()
    const page = await all.browserOf('alice').load(await all.broker.connectUrl(wish('alice')))
    expect(page.body).toContain(new URL(all.provider.origin).host)
    expect(page.body).toContain('code:read')
    expect(all.provider.count('POST /register')).toBe(0)
  })

  it('is asked once for many people, and its tokens are used without asking anybody', async () => {
    const all = await openAll()
    await connect(all)
    const before = [all.upstream.received.length, all.provider.received.length]
    await connect(all, 'bob')
    expect(all.provider.count('POST /register')).toBe(1)
    expect(all.upstream.received.length).toBe(before[0])
    const requests = all.provider.received.length
    for (const name of ['alice', 'bob']) {
      expect(await all.broker.tokens(person(name).id, SERVER)).toMatchObject({ kind: 'tokens' })
    }
    expect(all.provider.received.length).toBe(requests)
  })

  it('another process knows what the first has found, and refreshes with the same client', async () => {
    const keys = [generateKey()]
    const store = sealed(memoryStore(), keys)
    const one = await openAll({ store, keys })
    await connect(one)
    const two = await openBureau({ store, keys, servers: [one.upstream.server], url: one.origin })
    await two.broker.ready()
    expect(two.broker.redirectUrls()).toEqual(one.broker.redirectUrls())
    const found = await two.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    expect(await two.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toMatchObject({ kind: 'tokens' })
    expect(one.provider.count('POST /register')).toBe(1)
  })

  it('B7 the answer may come to another process than the one that sent the person off, and be used by a third', async () => {
    const keys = [generateKey()]
    const store = sealed(memoryStore(), keys)
    const one = await openAll({ store, keys })
    const rest = { store, keys, servers: [one.upstream.server], url: one.origin }
    const [two, three] = [await openBureau(rest), await openBureau(rest)]
    // All of them know by now that there is nothing.
    for (const { broker } of [one, two, three]) expect(await broker.tokens(ALICE, SERVER)).toEqual({ kind: 'none' })
    const browser = one.browserOf('alice')
    const callback = await untilCallback(browser, await one.broker.connectUrl(wish('alice')))
    const done = await browser.load(callback.replace(one.origin, two.origin), {
      headers: { host: new URL(one.origin).host },
    })
    expect(done.body).toContain('is connected')
    for (const { broker } of [one, two, three])
      expect(await broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })

    // The same where they knew something else.
    const other = await startOpenProvider()
    one.upstream.metadata.authorization_servers = [other.issuer]
    for (const { clock } of [one, two, three]) clock.advance(120)
    for (const { broker } of [two, three]) await broker.tokens(ALICE, SERVER)
    await connect(one)
    for (const { broker, clock } of [one, two, three]) {
      // What is remembered in a process is good for some seconds.
      clock.advance(10)
      await expect
        .poll(() => broker.tokens(ALICE, SERVER))
        .toMatchObject({ kind: 'tokens', tokens: { issuer: other.issuer } })
    }
  })

  it('what was found does not count for another configuration', async () => {
    const all = await openAll()
    await connect(all)
    const other = await startOpenProvider()
    const { server } = all.upstream
    for (const changed of [
      { ...server, auth: { ...server.auth, issuer: other.issuer } },
      { ...server, auth: { ...server.auth, clientId: 'mine' } },
      { ...server, url: `${all.upstream.origin}/other` },
    ]) {
      all.broker.setServers([changed])
      expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    }
    all.broker.setServers([server])
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it('two gateways that begin at once register once', async () => {
    const keys = [generateKey()]
    const store = sealed(memoryStore(), keys)
    const provider = await startOpenProvider()
    const upstream = await startOpenServer([provider.issuer])
    const one = await openBureau({ store, keys, servers: [upstream.server] })
    const rest = { store, keys, servers: [upstream.server], url: one.origin }
    const others = await Promise.all([openBureau(rest), openBureau(rest)])
    const all: Bureau[] = [one, ...others]
    const pages = await Promise.all(
      all.map(async (bureau, index) => {
        const link = await bureau.broker.connectUrl(wish(`p${index}`))
        const browser = bureau.browserOf(`p${index}`)
        const url = link.replace(one.origin, bureau.origin)
        const sent = { headers: { host: new URL(one.origin).host, origin: one.origin } }
        const page = await browser.load(url, sent)
        return browser.submit(page, {}, { ...sent, follow: false })
      }),
    )
    expect(pages.map(({ status }) => status)).toEqual([303, 303, 303])
    const clients = pages.map(({ headers }) => new URL(String(headers.location)).searchParams.get('client_id'))
    expect(new Set(clients).size).toBe(1)
    expect(provider.count('POST /register')).toBe(1)
  })

  it('a stranger to the gateway causes no request at all', async () => {
    const all = await openAll()
    const url = await all.broker.connectUrl(wish('alice'))
    await all.browserOf('mallory').load(url)
    await new FormBrowser().load(url, { follow: false })
    expect(all.upstream.received).toEqual([])
  })
})

describe('where the resource describes itself', () => {
  it.each<[string, string, string[]]>([
    ['its challenge says where', 'GET /elsewhere', ['GET /elsewhere']],
    ['at its path', RESOURCE_METADATA, [RESOURCE_METADATA]],
    [
      'at the root',
      'GET /.well-known/oauth-protected-resource',
      [RESOURCE_METADATA, 'GET /.well-known/oauth-protected-resource'],
    ],
  ])('%s', async (_, place, order) => {
    const all = await openAll()
    const { upstream } = all
    upstream.routes.delete(RESOURCE_METADATA)
    upstream.routes.set(place, (request, response) => json(upstream.metadata)(request, response))
    const named = place === 'GET /elsewhere' ? `resource_metadata=${upstream.origin}/elsewhere` : 'realm="mcp"'
    upstream.routes.set('POST /mcp', (_request, response) =>
      response.writeHead(401, { 'www-authenticate': `Basic realm="a, Bearer", Bearer ${named}` }).end(),
    )
    expect((await connect(all)).body).toContain('is connected')
    expect(upstream.received.map(({ line }) => line).filter((line) => line.startsWith('GET'))).toEqual(order)
  })

  it('is asked in a modern way first, then with initialize', async () => {
    const all = await openAll()
    const { upstream } = all
    const challenge = upstream.routes.get('POST /mcp')
    upstream.routes.set('POST /mcp', (request, response) => {
      if (request.body.includes('"initialize"')) challenge?.(request, response)
      else response.writeHead(400).end('{}')
    })
    expect((await connect(all)).body).toContain('is connected')
    const methods = asked(upstream, 'POST /mcp').map((body) => JSON.parse(body).method)
    expect(methods).toEqual(['server/discover', 'initialize'])
    expect(upstream.received[0]?.headers).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'server/discover',
    })
  })

  it('a server that lets anybody begin a session is not left with one', async () => {
    const all = await openAll()
    all.upstream.routes.set('POST /mcp', json({}, 200, { 'mcp-session-id': 's1' }))
    all.upstream.routes.set('DELETE /mcp', json({}))
    expect((await connect(all)).body).toContain('is connected')
    expect(all.upstream.received.find(({ line }) => line === 'DELETE /mcp')?.headers['mcp-session-id']).toBe('s1')
  })

  it('a resource that its URL lies below is asked for by that name', async () => {
    const all = await openAll()
    all.upstream.metadata.resource = all.upstream.origin
    expect((await connect(all)).body).toContain('is connected')
    const [authorize = ''] = asked(all.provider, 'GET /authorize')
    expect(new URLSearchParams(authorize).get('resource')).toBe(all.upstream.origin)
  })
})

describe('where the authorization server describes itself', () => {
  it.each<[string, string[]]>([
    ['', [AS_METADATA, 'GET /.well-known/openid-configuration']],
    [
      '/tenant',
      [
        `${AS_METADATA}/tenant`,
        'GET /.well-known/openid-configuration/tenant',
        'GET /tenant/.well-known/openid-configuration',
      ],
    ],
  ])('an issuer with the path %j is looked for in the right order', async (path, order) => {
    const all = await openAll({ path })
    const { provider } = all
    provider.routes.delete(order[0] ?? '')
    const last = order.at(-1) ?? ''
    provider.routes.set(last, (request, response) => json(provider.metadata)(request, response))
    expect((await connect(all)).body).toContain('is connected')
    const looked = provider.received.map(({ line }) => line).filter((line) => line.includes('well-known'))
    expect(looked.slice(0, order.length)).toEqual(order)
  })

  it('2025-03-26: at the origin of the MCP server, where that has no resource metadata', async () => {
    const provider = await startOpenProvider()
    provider.routes.set('POST /mcp', (_request, response) => response.writeHead(401).end())
    const server = { id: SERVER, url: `${provider.origin}/mcp`, label: 'Old', auth: { type: 'oauth2' } as const }
    const bureau = await openBureau({ servers: [server] })
    expect((await connect(bureau)).body).toContain('is connected')
  })

  it('2025-03-26: the endpoints that such servers have by default', async () => {
    const provider = await startOpenProvider()
    provider.iss = undefined
    provider.routes.delete(AS_METADATA)
    provider.routes.set('POST /mcp', (_request, response) => response.writeHead(401).end())
    const server = { id: SERVER, url: `${provider.origin}/mcp`, label: 'Old', auth: { type: 'oauth2' } as const }
    const bureau = await openBureau({ servers: [server] })
    expect((await connect(bureau)).body).toContain('is connected')
    expect(await bureau.broker.tokens(ALICE, SERVER)).toMatchObject({
      kind: 'tokens',
      tokens: { issuer: provider.origin },
    })
  })

  it('a configured issuer wins over what the MCP server says, which is not even asked; the gateway registers there', async () => {
    const [named, configured] = [await startOpenProvider(), await startOpenProvider()]
    // Whoever writes it down vouches for it.
    delete configured.metadata.code_challenge_methods_supported
    const upstream = await startOpenServer([named.issuer], { issuer: configured.issuer, scopes: ['a'] })
    const bureau = await openBureau({ servers: [upstream.server] })
    expect((await connect(bureau)).body).toContain('is connected')
    expect(upstream.received).toEqual([])
    expect(named.received).toEqual([])
    expect(await bureau.broker.tokens(ALICE, SERVER)).toMatchObject({ tokens: { issuer: configured.issuer } })
  })

  it('of several, the first that can be used, and then always the same', async () => {
    const [closed, first, second] = [await startSite(), await startOpenProvider(), await startOpenProvider()]
    const upstream = await startOpenServer([closed.origin, first.issuer, second.issuer])
    const bureau = await openBureau({ servers: [upstream.server] })
    await connect(bureau)
    expect([first.count('POST /token'), second.count('POST /token')]).toEqual([1, 0])
    upstream.metadata.authorization_servers = [second.issuer, first.issuer]
    bureau.clock.advance(120)
    await connect(bureau, 'bob')
    expect([first.count('POST /token'), second.count('POST /token')]).toEqual([2, 0])
    expect(bureau.events.filter(({ kind }) => kind === 'authorization_server_changed')).toEqual([])
  })
})

describe('scopes', () => {
  it.each<[string, string, unknown, unknown, string | null]>([
    ['those of the challenge', 'scope="a b"', ['c'], undefined, 'a b'],
    ['else those that the resource lists', '', ['c'], undefined, 'c'],
    ['else none', '', undefined, undefined, null],
    ['with offline_access where it is listed', '', ['c'], ['x', 'offline_access'], 'c offline_access'],
    ['without it where it is not', '', ['c', 'offline_access'], ['x'], 'c'],
    ['nothing that is none', '', ['c', 'd e', 7, '', 'é', '"'], undefined, 'c'],
  ])('%s', async (_, challenge, resource, authorizationServer, expected) => {
    const all = await openAll()
    all.upstream.challenge = challenge
    all.upstream.metadata.scopes_supported = resource
    all.provider.metadata.scopes_supported = authorizationServer
    await connect(all)
    const [authorize = ''] = asked(all.provider, 'GET /authorize')
    const query = new URLSearchParams(authorize)
    expect(query.get('scope')).toBe(expected)
    expect(query.get('prompt')).toBe(expected?.includes('offline_access') ? 'consent' : null)
  })

  it('configured ones win', async () => {
    const all = await openAll({ auth: { scopes: ['mine'] } })
    all.upstream.challenge = 'scope="a b"'
    await connect(all)
    expect(new URLSearchParams(asked(all.provider, 'GET /authorize')[0]).get('scope')).toBe('mine')
  })
})

describe('step-up', () => {
  const CHALLENGE = 'Bearer error="insufficient_scope", scope="code:write"'

  it('asks for all of before and what is wanted, on the page too, and then has it', async () => {
    const all = await openAll()
    await connect(all)
    const stepUp = await all.broker.stepUp(ALICE, SERVER, CHALLENGE)
    expect(stepUp).toEqual({ scopes: ['code:read', 'code:write'], count: 1 })
    if (stepUp === undefined) throw new Error('no step')
    const url = await all.broker.connectUrl(wish('alice', { stepUp }))
    expect(url).not.toBe(await all.broker.connectUrl(wish('alice')))
    const browser = all.browserOf('alice')
    const page = await browser.load(url)
    expect(page.body).toContain('code:write')
    await browser.submit(page, {})
    expect(new URLSearchParams(asked(all.provider, 'GET /authorize')[1]).get('scope')).toBe('code:read code:write')
    const found = await all.broker.tokens(ALICE, SERVER)
    expect(found.kind === 'tokens' && all.provider.scopeOf(found.tokens.accessToken)).toBe('code:read code:write')
    // The server says that it is not enough, though it has it all.
    expect(await all.broker.stepUp(ALICE, SERVER, CHALLENGE)).toBeUndefined()
  })

  it('what is never granted is not asked for for ever', async () => {
    const all = await openAll()
    all.provider.grants = () => 'code:read'
    await connect(all)
    const stepUp = await all.broker.stepUp(ALICE, SERVER, CHALLENGE)
    await connect(all, 'alice', stepUp && { stepUp })
    expect(await all.broker.stepUp(ALICE, SERVER, CHALLENGE)).toBeUndefined()
  })

  it('a server that wants something new each time is not followed for ever', async () => {
    const all = await openAll()
    await connect(all)
    let steps = 0
    for (; steps < 30; steps++) {
      const stepUp = await all.broker.stepUp(ALICE, SERVER, `Bearer error=insufficient_scope, scope="new:${steps}"`)
      if (stepUp === undefined) break
      await connect(all, 'alice', { stepUp })
    }
    expect(steps).toBe(10)
  })

  it.each(['Bearer error="invalid_token", scope="x"', 'Bearer error="insufficient_scope"', 'Basic realm="x"', ''])(
    'nothing is asked for by %j',
    async (challenge) => {
      const all = await openAll()
      await connect(all)
      expect(await all.broker.stepUp(ALICE, SERVER, challenge)).toBeUndefined()
      expect(await all.broker.stepUp(person('bob').id, SERVER, CHALLENGE)).toBeUndefined()
    },
  )
})

describe('another authorization server', () => {
  it('ends the connections at the one before; its tokens go nowhere, and consent leads to the new one', async () => {
    const all = await openAll()
    await connect(all)
    const found = await all.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    const other = await startOpenProvider()
    all.upstream.metadata.authorization_servers = [other.issuer]
    all.clock.advance(120)
    const before = all.provider.count('POST /token')
    // The upstream does not take the old server's tokens any more.
    expect(await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toEqual({ kind: 'reauth_required' })
    expect(await all.broker.list(ALICE)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
    expect([all.provider.count('POST /token'), other.count('POST /token')]).toEqual([before, 0])
    expect(all.events.at(-1)).toMatchObject({ kind: 'authorization_server_changed', detail: other.issuer })
    await connect(all)
    const sent = other.received.map(({ body }) => body).join()
    expect(sent).not.toContain(found.tokens.accessToken)
    expect(sent).not.toContain(found.tokens.refreshToken)
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens', tokens: { issuer: other.issuer } })
  })

  it('is found at once when a token is refused, however lately the last was found; but not at every refusal', async () => {
    const all = await openAll()
    await connect(all)
    let found = await all.broker.tokens(ALICE, SERVER)
    const other = await startOpenProvider()
    all.upstream.metadata.authorization_servers = [other.issuer]
    const asked = () => all.upstream.count(RESOURCE_METADATA)
    const before = asked()
    if (found.kind !== 'tokens') throw new Error(found.kind)
    expect(await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toEqual({ kind: 'reauth_required' })
    expect(asked()).toBe(before + 1)
    await connect(all)
    found = await all.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    expect(found.tokens.issuer).toBe(other.issuer)
    const after = asked()
    for (let refusals = 0; refusals < 5; refusals++) {
      await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })
    }
    expect(asked()).toBe(after)
  })

  it('in the middle of a consent: the answer of the one before counts for nothing', async () => {
    const all = await openAll()
    const browser = all.browserOf('alice')
    const callback = await untilCallback(browser, await all.broker.connectUrl(wish('alice')))
    const other = await startOpenProvider()
    all.upstream.metadata.authorization_servers = [other.issuer]
    all.clock.advance(120)
    await connect(all, 'bob')
    expect((await browser.load(callback)).status).toBe(400)
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'none' })
    expect(all.provider.count('POST /token')).toBe(0)
  })

  it('scopes that are listed in another order are none, nor do more of them end a consent under way', async () => {
    const all = await openAll()
    for (const scopes of [['code:write', 'code:read'], ['code:read']]) {
      const browser = all.browserOf('alice')
      const callback = await untilCallback(browser, await all.broker.connectUrl(wish('alice')))
      all.upstream.metadata.scopes_supported = scopes
      all.clock.advance(90)
      // Somebody else has them looked at again.
      await all.browserOf('bob').load(await all.broker.connectUrl(wish('bob')))
      expect((await browser.load(callback)).body).toContain('is connected')
    }
  })

  it('configured scopes that have changed end a consent under way: its answer is to another question', async () => {
    const all = await openAll({ auth: { scopes: ['all'] } })
    const browser = all.browserOf('alice')
    const callback = await untilCallback(browser, await all.broker.connectUrl(wish('alice')))
    all.broker.setServers([{ ...all.upstream.server, auth: { type: 'oauth2', scopes: ['less'] } }])
    expect((await browser.load(callback)).status).toBe(400)
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'none' })
  })

  it('is found however far the clock is set back', async () => {
    const all = await openAll()
    await connect(all)
    const found = await all.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })
    const [second, third] = [await startOpenProvider(), await startOpenProvider()]
    // When somebody connects,
    all.upstream.metadata.authorization_servers = [second.issuer]
    all.clock.advance(-86_400)
    await connect(all, 'bob')
    const bobs = await all.broker.tokens(person('bob').id, SERVER)
    if (bobs.kind !== 'tokens') throw new Error(bobs.kind)
    expect(bobs.tokens.issuer).toBe(second.issuer)
    // and when a token is refused.
    all.upstream.metadata.authorization_servers = [third.issuer]
    const next = await all.broker.tokens(person('bob').id, SERVER, { rejected: bobs.stamp })
    expect(next).toEqual({ kind: 'reauth_required' })
    expect(all.events.at(-1)).toMatchObject({ kind: 'authorization_server_changed', detail: third.issuer })
  })

  it('metadata that never comes holds up a call for a while only, and its tokens are refreshed by what is known', async () => {
    const all = await openAll()
    await connect(all)
    const held: unknown[] = []
    all.upstream.routes.set(RESOURCE_METADATA, (_request, response) => void held.push(response))
    all.clock.advance(120)
    const found = await all.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    const began = performance.now()
    expect(await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toMatchObject({ kind: 'tokens' })
    expect(performance.now() - began).toBeLessThan(9_000)
    expect(held).toHaveLength(1)
  })

  it('metadata that cannot be had, or is gone, is no other server', async () => {
    const all = await openAll()
    await connect(all)
    for (const route of [json({}, 503), json({}, 404)]) {
      all.upstream.routes.set(RESOURCE_METADATA, route)
      all.clock.advance(120)
      const found = await all.broker.tokens(ALICE, SERVER)
      if (found.kind !== 'tokens') throw new Error(found.kind)
      expect(await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toMatchObject({
        kind: 'tokens',
        tokens: { issuer: all.provider.issuer },
      })
    }
  })

  it.each(['', '/'])('a resource goes on by the name "<origin>%s" while its metadata is away', async (slash) => {
    const all = await openAll()
    const { upstream, clock, broker } = all
    upstream.metadata.resource = `${upstream.origin}${slash}`
    await connect(all)
    const usual = upstream.routes.get(RESOURCE_METADATA)
    upstream.routes.delete(RESOURCE_METADATA)
    clock.advance(120)
    // A second person has it looked at again, and consents to the same.
    expect((await connect(all, 'bob')).body).toContain('is connected')
    const [, authorize = ''] = asked(all.provider, 'GET /authorize')
    expect(Object.fromEntries(new URLSearchParams(authorize))).toMatchObject({
      resource: `${upstream.origin}${slash}`,
      scope: 'code:read',
    })
    expect(await broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
    if (usual !== undefined) upstream.routes.set(RESOURCE_METADATA, usual)
    clock.advance(120)
    await connect(all, 'carol')
    for (const name of ['alice', 'bob', 'carol']) {
      expect(await broker.tokens(person(name).id, SERVER)).toMatchObject({ kind: 'tokens' })
    }
  })

  it.each(['', '/'])(
    '2025-03-26: metadata at the origin, issuer "<origin>%s", that is away is no other server',
    async (slash) => {
      const provider = await startOpenProvider()
      const token = provider.routes.get('POST /token')
      if (token !== undefined) provider.routes.set('POST /oauth/token', token)
      provider.routes.delete('POST /token')
      provider.iss = `${provider.origin}${slash}`
      Object.assign(provider.metadata, { issuer: provider.iss, token_endpoint: `${provider.origin}/oauth/token` })
      provider.routes.set('POST /mcp', (_request, response) => response.writeHead(401).end())
      const server = { id: SERVER, url: `${provider.origin}/mcp`, label: 'Old', auth: { type: 'oauth2' } as const }
      const bureau = await openBureau({ servers: [server] })
      expect((await connect(bureau)).body).toContain('is connected')
      const usual = provider.routes.get(AS_METADATA)
      provider.routes.delete(AS_METADATA)
      bureau.clock.advance(120)
      const found = await bureau.broker.tokens(ALICE, SERVER)
      if (found.kind !== 'tokens') throw new Error(found.kind)
      expect(await bureau.broker.tokens(ALICE, SERVER, { rejected: found.stamp })).toMatchObject({ kind: 'tokens' })
      // Who would connect now is told to try again, and nobody is sent to endpoints that are made up.
      const page = await bureau.browserOf('bob').load(await bureau.broker.connectUrl(wish('bob')))
      expect(page.status).toBe(503)
      expect(bureau.events.map(({ kind }) => kind)).not.toContain('authorization_server_changed')
      if (usual !== undefined) provider.routes.set(AS_METADATA, usual)
      expect((await connect(bureau, 'bob')).body).toContain('is connected')
      expect(provider.count('POST /register')).toBe(1)
    },
  )

  it('a configured client is not taken to another server than the first', async () => {
    const all = await openAll({ auth: { clientId: 'mine' } })
    all.provider.clients.set('mine', undefined)
    await connect(all)
    const other = await startOpenProvider()
    all.upstream.metadata.authorization_servers = [other.issuer]
    all.clock.advance(120)
    const page = await all.browserOf('bob').load(await all.broker.connectUrl(wish('bob')))
    expect(page.status).toBe(502)
    expect(all.events.at(-1)?.detail).toContain(`names ${other.issuer} now`)
  })
})

describe('registration', () => {
  it('is done anew where the server does not know the client any more; people are asked again', async () => {
    const all = await openAll()
    await connect(all)
    all.provider.clients.clear()
    const found = await all.broker.tokens(ALICE, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    await all.broker.tokens(ALICE, SERVER, { rejected: found.stamp })
    expect(all.events.map(({ kind }) => kind)).toContain('client_forgotten')
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    expect((await connect(all)).body).toContain('is connected')
    expect(all.provider.count('POST /register')).toBe(2)
  })

  it('is done anew though nobody has a refresh token, and the server sends nobody back with a client that it has lost', async () => {
    const all = await openAll()
    await connect(all)
    all.provider.clients.clear()
    // Its page says so, and nothing comes back.
    expect((await connect(all, 'bob')).body).toBe('unknown client')
    all.clock.advance(61)
    expect((await connect(all, 'bob')).body).toContain('is connected')
    // The same where that was long ago.
    all.provider.clients.clear()
    all.clock.advance(86_400)
    expect((await connect(all, 'carol')).body).toContain('is connected')
    expect(all.provider.count('POST /register')).toBe(3)
    expect(all.events.filter(({ kind }) => kind === 'client_forgotten')).toHaveLength(2)
  })

  it('is asked about where somebody is long in coming back, or it has not been used for long, and stays where it is known', async () => {
    const all = await openAll()
    await connect(all)
    await untilCallback(all.browserOf('bob'), await all.broker.connectUrl(wish('bob')))
    const tokenRequests = () => all.provider.count('POST /token')
    expect(tokenRequests()).toBe(1)
    all.clock.advance(61)
    await connect(all, 'carol')
    expect(tokenRequests()).toBe(3)
    await connect(all, 'dan')
    expect(tokenRequests()).toBe(4)
    all.clock.advance(86_400)
    // An answer that says nothing about the client is none.
    const usual = all.provider.routes.get('POST /token')
    all.provider.routes.set('POST /token', json({ error: 'invalid_client' }, 503))
    expect((await connect(all, 'eve')).status).toBe(503)
    if (usual !== undefined) all.provider.routes.set('POST /token', usual)
    expect((await connect(all, 'eve')).body).toContain('is connected')
    expect(all.provider.count('POST /register')).toBe(1)
  })

  it('is not forgotten for what a server says while it is unwell', async () => {
    const all = await openAll()
    for (const name of ['alice', 'bob']) await connect(all, name)
    const usual = all.provider.routes.get('POST /token')
    all.provider.routes.set('POST /token', json({ error: 'invalid_client' }, 503))
    all.clock.advance(3601)
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'unavailable' })
    // The same for a code.
    expect((await connect(all, 'carol')).status).toBe(503)
    if (usual !== undefined) all.provider.routes.set('POST /token', usual)
    expect(await all.broker.tokens(person('bob').id, SERVER)).toMatchObject({ kind: 'tokens' })
    all.clock.advance(60)
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
    expect(all.events.map(({ kind }) => kind)).not.toContain('client_forgotten')
  })

  it("is not forgotten for what a browser brings: anybody could end everybody's connection", async () => {
    const all = await openAll()
    await connect(all)
    const browser = all.browserOf('bob')
    const callback = new URL(await untilCallback(browser, await all.broker.connectUrl(wish('bob'))))
    callback.searchParams.delete('code')
    callback.searchParams.set('error', 'invalid_client')
    expect((await browser.load(callback.href)).status).toBeGreaterThanOrEqual(400)
    expect(all.events.map(({ kind }) => kind)).not.toContain('client_forgotten')
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it('is done anew for another redirect URI, as for a gateway that has moved', async () => {
    const keys = [generateKey()]
    const store = sealed(memoryStore(), keys)
    const one = await openAll({ store, keys })
    await connect(one)
    const two = await openBureau({ store, keys, servers: [one.upstream.server] })
    expect(await two.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    expect((await connect(two)).body).toContain('is connected')
    const uris = asked(one.provider, 'POST /register').map((body) => JSON.parse(body).redirect_uris)
    expect(uris).toEqual([[expect.stringContaining(one.origin)], [expect.stringContaining(two.origin)]])
  })

  it('servers of one issuer share a client, with a callback of their own too', async () => {
    const provider = await startOpenProvider()
    const [a, b] = [
      await startOpenServer([provider.issuer]),
      await startOpenServer([provider.issuer], { callbackPath: '/back' }),
    ]
    const bureau = await openBureau({
      servers: [
        { ...a.server, id: 'a/a' },
        { ...b.server, id: 'b/b' },
      ],
    })
    await connect(bureau, 'alice', { server: 'a/a' })
    await connect(bureau, 'alice', { server: 'b/b' })
    await connect(bureau, 'alice', { server: 'a/a' })
    expect(provider.count('POST /register')).toBe(2)
    for (const server of ['a/a', 'b/b']) {
      expect(await bureau.broker.tokens(ALICE, server)).toMatchObject({ kind: 'tokens' })
    }
  })

  it('a secret that will end is done without, where a public client will do', async () => {
    const all = await openAll()
    all.provider.registered = (answer) =>
      'client_secret' in answer ? { ...answer, client_secret_expires_at: Math.floor(Date.now() / 1000) + 3600 } : answer
    expect((await connect(all)).body).toContain('is connected')
    const [first = '{}', second = '{}'] = asked(all.provider, 'POST /register')
    expect(JSON.parse(first).token_endpoint_auth_method).toBe('client_secret_basic')
    expect(JSON.parse(second).token_endpoint_auth_method).toBe('none')
  })

  it('where only such a secret is to be had, the client is made anew before it ends', async () => {
    const all = await openAll()
    all.provider.metadata.token_endpoint_auth_methods_supported = ['client_secret_basic']
    const ends = Math.floor(Date.now() / 1000) + 3600
    all.provider.registered = (answer) => ({
      ...answer,
      client_secret_expires_at: ends + 3600 * all.provider.clients.size,
    })
    await connect(all)
    await connect(all, 'bob')
    expect(all.provider.count('POST /register')).toBe(1)
    all.clock.advance(2 * 3600)
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    await connect(all)
    expect(all.provider.count('POST /register')).toBe(2)
  })

  it('is stayed with where a server registers nobody any more; a new one is not to be had there', async () => {
    const all = await openAll()
    await connect(all)
    delete all.provider.metadata.registration_endpoint
    all.clock.advance(120)
    expect((await connect(all, 'bob')).body).toContain('is connected')
    expect(await all.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
    expect(all.provider.count('POST /register')).toBe(1)
    all.provider.clients.clear()
    all.clock.advance(3601)
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    all.clock.advance(120)
    const page = await all.browserOf('carol').load(await all.broker.connectUrl(wish('carol')))
    expect(page.status).toBe(502)
    expect(all.events.at(-1)?.detail).toContain('needs a client id')
  })

  it('which is lost while the server is looked at is not taken for a good one', async () => {
    const all = await openAll()
    await connect(all)
    delete all.provider.metadata.registration_endpoint
    all.provider.clients.clear()
    const usual = all.upstream.routes.get(RESOURCE_METADATA)
    const held: (() => void)[] = []
    all.upstream.routes.set(RESOURCE_METADATA, (...asked) => void held.push(() => usual?.(...asked)))
    all.clock.advance(3601)
    // Looks for itself, in the background.
    expect(await all.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
    await expect.poll(() => held).toHaveLength(1)
    all.clock.advance(120)
    if (usual !== undefined) all.upstream.routes.set(RESOURCE_METADATA, usual)
    held[0]?.()
    const page = await all.browserOf('carol').load(await all.broker.connectUrl(wish('carol')))
    expect(page.status).toBe(502)
  })

  it('a server that registers nobody: it is said that a client id is needed, and where', async () => {
    const all = await openAll()
    delete all.provider.metadata.registration_endpoint
    const page = await all.browserOf('alice').load(await all.broker.connectUrl(wish('alice')))
    expect(page.status).toBe(502)
    expect(all.events.at(-1)).toMatchObject({ kind: 'consent_failed', reason: 'rejected' })
    expect(all.events.at(-1)?.detail).toContain(`"${SERVER}" needs a client id: ${all.provider.issuer}`)
  })
})
