/** B5: what an upstream, an authorization server or somebody between them can say to lead the gateway astray. */
import type { ServerResponse } from 'node:http'
import { describe, expect, it, vi } from 'vitest'
import {
  AS_METADATA,
  json,
  RESOURCE_METADATA,
  redirectTo,
  startOpenProvider,
  startOpenServer,
  startSite,
} from './open-site.ts'
import { type Bureau, connect, openBureau, person, SERVER, untilCallback, wish } from './setup.ts'

const ALICE = person('alice').id

async function openAll(auth: object = {}) {
  const provider = await startOpenProvider()
  const upstream = await startOpenServer([provider.issuer], auth)
  return Object.assign(await openBureau({ servers: [upstream.server] }), { provider, upstream })
}

/** The consent comes to nothing with these words for the operator, and nobody has a connection. */
async function expectRefused(bureau: Bureau, detail: RegExp | string) {
  const browser = bureau.browserOf('alice')
  let page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
  if (page.status === 200) page = await browser.submit(page, {})
  expect(page.status).toBeGreaterThanOrEqual(400)
  expect(page.url.startsWith(bureau.origin)).toBe(true)
  const event = bureau.events.findLast(({ kind }) => kind === 'consent_failed')
  expect(event?.detail).toMatch(detail)
  expect(await bureau.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'none' })
  expect(bureau.told()).not.toContain('client_secret')
}

describe('the metadata of the resource', () => {
  it.each([
    ['another host', 'https://other.example.com/mcp'],
    ['a host that begins like it', undefined],
    ['a path beside it', '/mcp2'],
    ['a path below it', '/mcp/more'],
    ['part of a name', '/mc'],
    ['with a fragment', '/mcp#x'],
    ['with a query', '/mcp?x=1'],
    ['nothing', null],
    ['a list', ['/mcp']],
  ])('about %s is refused, and no other is looked for', async (_, resource) => {
    const all = await openAll()
    const { origin } = all.upstream
    all.upstream.metadata.resource =
      resource === undefined
        ? `${origin}.evil.test/mcp`
        : typeof resource === 'string' && resource.startsWith('/')
          ? origin + resource
          : resource
    await expectRefused(all, /the metadata at .* is about .*, and not about/)
    expect(all.upstream.count('GET /.well-known/oauth-protected-resource')).toBe(0)
    expect(all.provider.received).toEqual([])
  })

  it('of another resource at the root is left alone', async () => {
    const all = await openAll()
    all.upstream.routes.delete(RESOURCE_METADATA)
    all.upstream.routes.set(
      'GET /.well-known/oauth-protected-resource',
      json({ resource: `${all.upstream.origin}/api`, authorization_servers: [all.provider.issuer] }),
    )
    all.upstream.routes.set('POST /mcp', json({}))
    await expectRefused(all, /asks for no authorization and names no authorization server/)
  })

  it('that cannot be had is waited for: nothing else takes its place', async () => {
    const all = await openAll()
    all.upstream.routes.set(RESOURCE_METADATA, json({}, 503))
    all.upstream.routes.set('GET /.well-known/oauth-protected-resource', json(all.upstream.metadata))
    await expectRefused(all, /answered 503/)
    expect(all.provider.received).toEqual([])
  })

  it.each([
    'ftp://as.example.com',
    'https://user:pass@as.example.com',
    'https://as.example.com?tenant=1',
    'https://as.example.com#x',
    'javascript:alert(1)',
    7,
  ])('that names %j as an authorization server names none', async (issuer) => {
    const all = await openAll()
    all.upstream.metadata.authorization_servers = [issuer]
    // What is left is that of 2025-03-26: the endpoints at its own origin, of which there are none.
    const page = await all.browserOf('alice').load(await all.broker.connectUrl(wish('alice')))
    expect(page.body).toContain(new URL(all.upstream.origin).host)
    await expectRefused(all, /registration endpoint .* answered 404/)
  })

  it('with a thousand authorization servers costs no thousand requests', async () => {
    const all = await openAll()
    const nowhere = await startSite()
    all.upstream.metadata.authorization_servers = Array.from({ length: 1000 }, (_, i) => `${nowhere.origin}/${i}`)
    await expectRefused(all, /has no metadata/)
    expect(nowhere.received.length).toBe(30)
  })
})

describe('addresses', () => {
  it.each([
    ['http://169.254.169.254/latest/meta-data', /not https|link-local/],
    ['https://169.254.169.254/latest/meta-data', /its address is link-local/],
    ['https://10.0.0.1/x', /its address is private/],
    ['https://[fd00::1]/x', /its address is private/],
    ['http://example.com/x', /not https/],
    ['file:///etc/passwd', /not https/],
  ])('a challenge that names %s leads nowhere', async (url, detail) => {
    const all = await openAll()
    all.upstream.routes.set('POST /mcp', (_request, response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="${url}"` }).end(),
    )
    await expectRefused(all, detail)
  })

  it.each([
    ['https://192.168.0.1', /its address is private/],
    ['https://169.254.169.254', /its address is link-local/],
    ['http://as.example.com', /not https/],
  ])('nor does an authorization server %s', async (issuer, detail) => {
    const all = await openAll()
    all.upstream.metadata.authorization_servers = [issuer]
    await expectRefused(all, detail)
  })

  it.each(['registration_endpoint', 'token_endpoint', 'revocation_endpoint'])('nor a %s', async (field) => {
    const all = await openAll()
    all.provider.metadata[field] = 'https://10.1.2.3/x'
    if (field === 'revocation_endpoint') {
      await connect(all)
      await all.broker.disconnect(ALICE, SERVER)
      expect(all.events.at(-2)).toMatchObject({ kind: 'revocation_failed' })
      expect(all.events.at(-2)?.detail).toMatch(/its address is private/)
    } else await expectRefused(all, /its address is private/)
  })

  it.each(['authorization_endpoint', 'token_endpoint', 'registration_endpoint'])(
    'nor a %s that is no https',
    async (field) => {
      const all = await openAll()
      all.provider.metadata[field] = 'http://login.example.com/x'
      await expectRefused(all, /endpoints that are not https/)
    },
  )

  it.each(['javascript:alert(1)', 'data:text/html,x', 'file:///x', '//evil.test'])(
    'nobody is sent to %s',
    async (url) => {
      const all = await openAll()
      all.provider.metadata.authorization_endpoint = url
      await expectRefused(all, /authorization_endpoint of .* is not https/)
    },
  )

  it.each([RESOURCE_METADATA, AS_METADATA])('redirects of %s are followed only to where one may go', async (place) => {
    const all = await openAll()
    const site = place === AS_METADATA ? all.provider : all.upstream
    site.routes.set(place, redirectTo('http://169.254.169.254/latest'))
    await expectRefused(all, /its address is link-local/)
  })

  it('nor in circles', async () => {
    const all = await openAll()
    all.upstream.routes.set(RESOURCE_METADATA, redirectTo('/.well-known/oauth-protected-resource/mcp'))
    await expectRefused(all, /more than 3 redirects/)
    expect(all.upstream.count(RESOURCE_METADATA)).toBe(4)
  })

  it('registration and tokens are sent to no other place', async () => {
    const all = await openAll()
    const thief = await startSite({ 'POST /take': json({}) })
    all.provider.routes.set('POST /register', (_request, response) =>
      response.writeHead(307, { location: `${thief.origin}/take` }).end(),
    )
    await expectRefused(all, /redirects, which is not followed/)
    expect(thief.received).toEqual([])
  })
})

describe('the metadata of the authorization server', () => {
  it.each([
    ['another issuer', 'https://login.example.com'],
    ['its issuer with a slash', undefined],
    ['no issuer', null],
  ])('that names %s is refused', async (_, issuer) => {
    const all = await openAll()
    all.provider.metadata.issuer = issuer === undefined ? `${all.provider.issuer}/` : issuer
    await expectRefused(all, /names the issuer .*, and not ".*" exactly/)
    expect(all.provider.count('POST /register')).toBe(0)
  })

  it.each([[undefined], [['plain']], ['S256']])('without PKCE it is refused: %j', async (methods) => {
    const all = await openAll()
    all.provider.metadata.code_challenge_methods_supported = methods
    await expectRefused(all, /PKCE with S256/)
  })

  it.each([RESOURCE_METADATA, AS_METADATA])('%s without an end is cut off', async (place) => {
    const all = await openAll()
    const site = place === AS_METADATA ? all.provider : all.upstream
    let sent = 0
    site.routes.set(place, (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const chunk = ' '.repeat(64 * 1024)
      const more = () => {
        while (!response.destroyed && response.write(chunk)) sent += chunk.length
        sent += chunk.length
      }
      response.on('drain', more)
      more()
    })
    await expectRefused(all, /more than 524288 bytes/)
    expect(sent).toBeLessThan(64 * 1024 * 1024)
  })

  it('that never comes is not waited for without an end', async () => {
    const all = await openAll()
    const held: ServerResponse[] = []
    for (const path of ['GET /.well-known/openid-configuration', AS_METADATA]) {
      all.provider.routes.set(path, (_request, response) => void held.push(response))
    }
    const timeout = AbortSignal.timeout
    const limits = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => timeout.call(AbortSignal, ms / 50))
    try {
      await expectRefused(all, /no whole answer within|given up/)
    } finally {
      limits.mockRestore()
    }
    expect(held.length).toBeGreaterThan(0)
  })
})

describe('registration', () => {
  it.each<[string, (answer: Record<string, unknown>) => unknown]>([
    ['other redirect URIs', (answer) => ({ ...answer, redirect_uris: ['https://evil.test/callback'] })],
    [
      'more redirect URIs',
      (answer) => ({ ...answer, redirect_uris: [...(answer.redirect_uris as string[]), 'https://evil.test/callback'] }),
    ],
    ['no redirect URIs', (answer) => ({ ...answer, redirect_uris: [] })],
    [
      'redirect URIs that are a text',
      (answer) => ({ ...answer, redirect_uris: (answer.redirect_uris as string[])[0] }),
    ],
    ['no client id', ({ client_id: _, ...answer }) => answer],
    ['a client id that is none', (answer) => ({ ...answer, client_id: 'a\nb' })],
    ['a client id without an end', (answer) => ({ ...answer, client_id: 'x'.repeat(2000) })],
    ["somebody's metadata document", (answer) => ({ ...answer, client_id: 'https://other.example.com/client.json' })],
    ['a secret that is none', (answer) => ({ ...answer, client_secret: { a: 1 } })],
    ['a secret that has ended', (answer) => ({ ...answer, client_secret_expires_at: 1000 })],
    ['a secret that ends at no time', (answer) => ({ ...answer, client_secret_expires_at: 'never' })],
    ['another way to authenticate', (answer) => ({ ...answer, token_endpoint_auth_method: 'private_key_jwt' })],
    ['a secret that is left out', ({ client_secret: _, ...answer }) => answer],
    ['no authorization code', (answer) => ({ ...answer, grant_types: ['client_credentials'] })],
    ['another answer than a code', (answer) => ({ ...answer, response_types: ['token'] })],
    ['a list', () => []],
    ['nothing', () => null],
  ])('that answers with %s is refused', async (_, registered) => {
    const all = await openAll()
    all.provider.registered = registered
    await expectRefused(all, /answered with a client that was not asked for/)
    expect(all.provider.count('GET /authorize')).toBe(0)
    for (const secret of all.provider.clients.values()) if (secret) expect(all.told()).not.toContain(secret)
  })

  it('that fails is tried again by the next who asks, and nothing is left of it', async () => {
    const all = await openAll()
    const usual = all.provider.routes.get('POST /register')
    all.provider.routes.set(
      'POST /register',
      json({ error: 'invalid_redirect_uri', error_description: 'no http' }, 400),
    )
    await expectRefused(all, /registration endpoint .* answered 400 invalid_redirect_uri \(no http\)/)
    if (usual !== undefined) all.provider.routes.set('POST /register', usual)
    expect((await connect(all)).body).toContain('is connected')
  })
})

describe('iss (RFC 9207)', () => {
  it.each([
    ['absent, though it is announced', undefined],
    ['of another server', 'https://honest.example.com'],
    ['spelled in another way', 'slash'],
  ])('%s: the code goes nowhere', async (_, iss) => {
    const all = await openAll()
    all.provider.iss = iss === 'slash' ? `${all.provider.issuer}/` : iss
    await expectRefused(all, /iss/)
    expect(all.provider.count('POST /token')).toBe(0)
  })

  it('not announced, but sent, it is compared all the same', async () => {
    const all = await openAll()
    all.provider.metadata.authorization_response_iss_parameter_supported = false
    all.provider.iss = 'https://honest.example.com'
    await expectRefused(all, /iss/)
  })

  it('an answer that comes to the callback of another server counts for nothing', async () => {
    const one = await startOpenProvider()
    const two = await startOpenProvider()
    const [a, b] = [await startOpenServer([one.issuer]), await startOpenServer([two.issuer])]
    const bureau = await openBureau({
      servers: [
        { ...a.server, id: 'a/a' },
        { ...b.server, id: 'b/b' },
      ],
    })
    await connect(bureau, 'bob', { server: 'b/b' })
    const browser = bureau.browserOf('alice')
    const callback = new URL(
      await untilCallback(browser, await bureau.broker.connectUrl(wish('alice', { server: 'a/a' }))),
    )
    const other = bureau.broker.redirectUrls().find(({ server }) => server === 'b/b')?.redirectUrl ?? ''
    expect(new URL(other).pathname).not.toBe(callback.pathname)
    callback.pathname = new URL(other).pathname
    expect((await browser.load(callback.href)).status).toBe(400)
    expect(one.count('POST /token') + two.count('POST /token')).toBe(1)
  })

  it('a path that they share is refused as long as one of them does not send it', async () => {
    const [one, two] = [await startOpenProvider(), await startOpenProvider()]
    two.metadata.authorization_response_iss_parameter_supported = false
    two.iss = undefined
    const shared = { callbackPath: '/back' }
    const [a, b] = [await startOpenServer([one.issuer], shared), await startOpenServer([two.issuer], shared)]
    const bureau = await openBureau({
      servers: [
        { ...a.server, id: 'a/a' },
        { ...b.server, id: 'b/b' },
      ],
    })
    await connect(bureau, 'alice', { server: 'a/a' })
    await connect(bureau, 'alice', { server: 'b/b' }).catch(() => {})
    expect(bureau.events.at(-1)?.detail).toMatch(/the callback path is shared/)
    expect(await bureau.broker.tokens(ALICE, 'b/b')).toEqual({ kind: 'none' })
  })
})
