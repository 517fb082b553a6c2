/** Consent from the link to the connection, as a person sees it. */
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { generateKey } from '../../src/core/sealing.ts'
import type { SignIn } from '../../src/identity/sign-in.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { connect, MCP_URL, openBureau, openWith, person, SERVER, untilCallback, wish } from './setup.ts'

describe('G8 consent', () => {
  it('a link shows a page that says what will happen, and its button leads to a connection', async () => {
    const bureau = await openWith()
    const { broker, provider, events } = bureau
    const browser = bureau.browserOf('alice')
    const url = await broker.connectUrl(wish('alice'))
    expect(url).toMatch(new RegExp(`^${bureau.origin}/connect/[\\w-]{43}$`))

    const page = await browser.load(url)
    expect(page.status).toBe(200)
    expect(page.headers).toMatchObject({ 'cache-control': 'no-store', 'referrer-policy': 'strict-origin' })
    expect(page.body).toContain('signed in as <bdi>alice</bdi>')
    expect(page.body).toContain('Code of dev/code')
    expect(page.body).toContain('tools:write')
    expect(page.body).toContain(new URL(provider.url).host)

    const done = await browser.submit(page, {})
    expect(done.status).toBe(200)
    expect(done.body).toContain('Code of dev/code is connected')
    expect(await broker.tokens(person('alice').id, SERVER)).toMatchObject({
      kind: 'tokens',
      tokens: { accessToken: provider.last.accessToken, refreshToken: provider.last.refreshToken, server: SERVER },
    })
    expect(events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected'])
    expect(events[1]).toMatchObject({ server: SERVER, owner: person('alice').id, by: person('alice').id, reason: null })
    expect(browser.cookies().filter((cookie) => cookie.includes('consent'))).toEqual([])
  })

  it('the address of the last page has neither code nor state in it, is good once, and says nothing to anybody else', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    expect(callback).toContain('code=')
    const redirected = await browser.load(callback, { follow: false })
    const address = String(redirected.headers.location)
    expect([redirected.status, address]).toEqual([
      303,
      expect.stringMatching(new RegExp(`^${bureau.origin}/connect/[\\w-]{43}$`)),
    ])
    expect([redirected.headers['cache-control'], redirected.body]).toEqual(['no-store', ''])
    // A scanner looks at its head; somebody else has made an address up.
    expect((await bureau.browserOf().load(address, { method: 'HEAD' })).status).toBe(404)
    const madeUp = await bureau.browserOf('bob').load(`${bureau.origin}/connect/${'a'.repeat(43)}`)
    expect([madeUp.status, madeUp.body.includes('dev/code')]).toEqual([404, false])

    const done = await browser.load(address)
    expect([done.status, done.url, done.headers['cache-control']]).toEqual([200, address, 'no-store'])
    expect(done.body).toContain('Code of dev/code is connected')
    for (const secret of new URL(callback).searchParams.values()) {
      expect([done.body.includes(secret), address.includes(secret)]).toEqual([false, false])
    }
    // Another replica knows nothing of impatient clicks.
    const other = await openWith('standard', { store: bureau.store })
    const again = await other.browserOf('alice').load(address.replace(bureau.origin, other.origin))
    expect([again.status, again.body.includes('dev/code')]).toEqual([404, false])
  })

  it('where the note of it cannot be kept, the page is shown all the same', async () => {
    const memory = memoryStore()
    const put: TokenStore['put'] = (key, ...rest) =>
      key.space === 'connected-notes' ? Promise.reject(new StoreError('down')) : memory.put(key, ...rest)
    const store = sealed({ ...memory, put }, [generateKey()])
    const bureau = await openWith('standard', { store })
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    const done = await browser.load(callback)
    expect([done.status, done.url]).toEqual([200, callback])
    expect(done.body).toContain('is connected')
    expect(await bureau.broker.list(person('alice').id)).toHaveLength(1)
  })

  it('"Not you?" signs in again at the same provider and comes back to the link, which is still good', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    const page = await browser.load(url)
    const [, other = ''] = /<a href="([^"]+)">Not you\? Use another account</.exec(page.body) ?? []
    expect((await browser.load(other)).url).toBe(`${bureau.origin}/sign-in`)
    expect(bureau.signIns).toEqual([{ returnTo: url, anotherAccount: true, integration: 'corp' }])
    browser.setCookie('127.0.0.1', 'who', 'bob')
    expect((await browser.load(url)).body).toContain('This link is for somebody else')
    browser.setCookie('127.0.0.1', 'who', 'alice')
    expect((await browser.submit(await browser.load(url), {})).body).toContain('is connected')
  })

  it('Cancel says that nothing has happened, to whoever asks and nothing else; the link is still good', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    const cancel = /<a class="button" href="([^"]+)">Cancel</
    const [, href = ''] = cancel.exec((await browser.load(url)).body) ?? []
    for (const reader of [browser, bureau.browserOf('bob'), bureau.browserOf()]) {
      const page = await reader.load(href)
      expect(page.status).toBe(200)
      expect(page.body).toContain('Nothing has happened')
      for (const text of ['alice', 'dev/code', '<form']) expect(page.body).not.toContain(text)
    }
    expect([bureau.events, bureau.signIns]).toEqual([[], []])
    const [, back = ''] = /<a class="button" href="([^"]+)">Go back</.exec((await browser.load(href)).body) ?? []
    expect(back).toBe(url)
    expect((await browser.submit(await browser.load(back), {})).body).toContain('is connected')
    // Of a link that is used up there is nothing to cancel.
    expect((await browser.load(href)).status).toBe(404)
  })

  it('Cancel goes back to the application that the person came from', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('alice', { returnTo: 'https://app.example.com/settings?a=1&b=2' }))
    const page = await bureau.browserOf('alice').load(url)
    expect(page.body).toContain('<a class="button" href="https://app.example.com/settings?a=1&amp;b=2">Cancel</a>')
  })

  it('asks with PKCE, the scopes and the resource, which is the server by default, and redeems with the same', async () => {
    const bureau = await openWith()
    await connect(bureau)
    const [authorize, token] = ['/authorize', '/token'].map((path) =>
      bureau.provider.asked.find((each) => each.path === path),
    )
    expect(authorize?.parameters).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      scope: 'tools:read tools:write',
      resource: MCP_URL,
      redirect_uri: bureau.broker.redirectUrls()[0]?.redirectUrl,
    })
    expect(token?.parameters).toMatchObject({ resource: MCP_URL, redirect_uri: authorize?.parameters.redirect_uri })
  })

  it('a retrying agent gets the same link, for another person, server or end another one', async () => {
    const bureau = await openWith()
    const { broker } = bureau
    const url = await broker.connectUrl(wish('alice'))
    expect(await broker.connectUrl(wish('alice'))).toBe(url)
    const others = [wish('bob'), wish('alice', { by: person('bob') }), wish('alice', { returnTo: '/settings' })]
    for (const other of others) expect(await broker.connectUrl(other)).not.toBe(url)
    await bureau.browserOf('alice').load(url)
    expect(await broker.connectUrl(wish('alice'))).toBe(url)
  })

  it('goes back to the host application where that was asked for', async () => {
    const bureau = await openWith()
    const done = await connect(bureau, 'alice', { returnTo: `${bureau.origin}/settings?tab=2` })
    expect(done.url).toBe(`${bureau.origin}/settings?tab=2`)
    expect(done.body).toBe('the application')
  })

  it.each([
    'javascript:alert(1)',
    '//evil.test',
    '/\\evil.test',
    'https://a@evil.test/',
    'ftp://x/',
    ' https://x/',
    'x',
  ])('never to %j', async (returnTo) => {
    const bureau = await openWith()
    await expect(bureau.broker.connectUrl(wish('alice', { returnTo }))).rejects.toThrow(TypeError)
  })

  it('is refused for a server that does not exist', async () => {
    const { broker } = await openWith()
    await expect(broker.connectUrl(wish('alice', { server: 'dev/none' }))).rejects.toThrow(/dev\/none/)
  })

  it('a person who is not signed in signs in first, and comes back to the link', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('alice'))
    const browser = bureau.browserOf()
    const page = await browser.load(url)
    expect(page.url).toBe(`${bureau.origin}/sign-in`)
    expect(bureau.signIns).toEqual([{ returnTo: url, anotherAccount: false, integration: 'corp' }])
    browser.setCookie('127.0.0.1', 'who', 'alice')
    expect((await browser.submit(await browser.load(url), {})).body).toContain('is connected')
  })

  it('one who was signed out before the button begins by signing in again, and the link is not used up', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('alice'))
    const browser = bureau.browserOf('alice')
    const page = await browser.load(url)
    browser.clear()
    expect((await browser.submit(page, {}, { follow: false })).headers.location).toBe(url)
    browser.setCookie('127.0.0.1', 'who', 'alice')
    expect((await browser.load(url)).status).toBe(200)
  })

  it('for a virtual account, the person connects and the account owns it; the page says whose it will be', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const asked = { server: SERVER, owner: 'id-of-ci', by: person('alice'), ownerLabel: 'ci <b>' }
    const page = await browser.load(await bureau.broker.connectUrl(asked))
    expect(page.body).toContain('ci &lt;b&gt;')
    await browser.submit(page, {})
    expect(await bureau.broker.list('id-of-ci')).toMatchObject([{ server: SERVER, state: 'connected' }])
    expect(await bureau.broker.list(person('alice').id)).toEqual([])
    expect(bureau.questions.at(-1)).toMatchObject({
      owner: 'id-of-ci',
      by: { id: person('alice').id },
      identity: person('alice'),
    })
  })

  it('signIn: link: whoever holds the link connects it for the owner', async () => {
    const bureau = await openWith('standard', { signIn: 'link' })
    const browser = bureau.browserOf()
    const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
    expect(page.body).not.toContain('signed in as')
    expect(page.body).not.toContain('Not you')
    expect((await browser.submit(page, {})).body).toContain('is connected')
    expect(await bureau.broker.list(person('alice').id)).toHaveLength(1)
  })

  it('without sign-in there are no pages', async () => {
    const bureau = await openWith('standard', { signIn: undefined })
    expect((await bureau.browserOf('alice').load(`${bureau.origin}/connect/${'a'.repeat(43)}`)).status).toBe(404)
  })

  it('form_post: the answer comes by POST without the session, and the browser comes back by GET with it sealed', async () => {
    const bureau = await openWith('standard', { auth: { responseMode: 'form_post' } })
    const browser = bureau.browserOf('alice')
    const page = await browser.submit(await browser.load(await bureau.broker.connectUrl(wish('alice'))), {})
    expect(page.body).toContain('Go on')
    const cookie = browser.cookies('127.0.0.1').find((each) => each.includes('consent')) ?? ''
    const crossSite = { origin: bureau.provider.url, 'sec-fetch-site': 'cross-site', cookie }
    const posted = await browser.submit(page, {}, { follow: false, headers: crossSite })
    expect(posted.status).toBe(303)
    const back = String(posted.headers.location)
    expect(back).not.toContain(/code-[\w-]+/.exec(page.body)?.[0])
    expect((await browser.load(back)).body).toContain('is connected')
  })

  it('G21 access is asked about when the page is shown and when the button is pressed', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('alice'))
    bureau.allowed = false
    const browser = bureau.browserOf('alice')
    const refused = await browser.load(url)
    expect(refused.status).toBe(403)
    expect(refused.body).toContain('You do not have access')
    bureau.allowed = true
    const page = await browser.load(url)
    bureau.allowed = false
    const stopped = await browser.submit(page, {})
    expect(stopped.status).toBe(403)
    expect(bureau.provider.asked.filter(({ path }) => path === '/authorize')).toEqual([])
    expect(bureau.events.map(({ kind, reason }) => [kind, reason])).toEqual([
      ['consent_failed', 'no_access'],
      ['consent_failed', 'no_access'],
    ])
  })

  it('G21 and when the answer comes back: the code of who has lost it meanwhile is not redeemed', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice', { owner: 'id-of-ci' })))
    bureau.allowed = false
    const refused = await browser.load(callback)
    expect(refused.status).toBe(403)
    expect(refused.body).toContain('You do not have access')
    expect(bureau.questions.at(-1)).toMatchObject({ owner: 'id-of-ci', identity: person('alice') })
    expect(bureau.provider.asked.filter(({ path }) => path === '/token')).toEqual([])
    expect(await bureau.broker.list('id-of-ci')).toEqual([])
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'consent_failed', reason: 'no_access', by: 'id-of-alice' })
  })
})

describe('consent that comes to nothing', () => {
  it('the person said no: says so, stores nothing, and can be tried again', async () => {
    const bureau = await openWith()
    bureau.provider.mode = 'deny'
    const browser = bureau.browserOf('alice')
    const page = await browser.submit(await browser.load(await bureau.broker.connectUrl(wish('alice'))), {})
    expect(page.status).toBe(403)
    expect(page.body).toContain('Not connected')
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'consent_failed', reason: 'denied', server: SERVER })
    expect(await bureau.broker.list(person('alice').id)).toEqual([])
    bureau.provider.mode = 'ok'
    const again = /class="button primary" href="([^"]+)"/.exec(page.body)?.[1] ?? ''
    expect((await browser.submit(await browser.load(again), {})).body).toContain('is connected')
  })

  it('the authorization server is down: before the redirect nothing is used up, after it there is a fresh link', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    const page = await browser.load(url)
    bureau.provider.mode = 'fail'
    const failed = await browser.submit(page, {})
    expect(failed.status).toBe(503)
    expect(failed.body).toContain(`href="${url}"`)
    bureau.provider.mode = 'ok'
    const callback = await untilCallback(browser, url)
    bureau.provider.mode = 'fail'
    const later = await browser.load(callback)
    expect(later.status).toBe(503)
    expect(later.body).toContain('/connect/')
    expect(later.body).not.toContain(url)
    expect(await bureau.broker.list(person('alice').id)).toEqual([])
  })

  it('our client is not accepted: 502, with what the server says in the event only', async () => {
    const bureau = await openWith('standard', { auth: { clientSecret: 'wrong' } })
    const page = await connect(bureau)
    expect(page.status).toBe(502)
    expect(page.body).not.toContain('invalid_client')
    const { reference = '?', detail } = bureau.events.at(-1) ?? {}
    expect(detail).toContain('invalid_client')
    expect(page.body).toContain(reference)
  })

  it('used, expired and made-up links look alike', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const used = await bureau.broker.connectUrl(wish('alice'))
    await browser.submit(await browser.load(used), {})
    const expired = await bureau.broker.connectUrl(wish('alice'))
    bureau.clock.advance(601)
    const bodies = new Set<string>()
    for (const url of [used, expired, `${bureau.origin}/connect/${'x'.repeat(43)}`]) {
      const page = await browser.load(url)
      expect(page.status, url).toBe(404)
      bodies.add(page.body.replace(/nonce="[^"]*"/, ''))
    }
    expect(bodies.size).toBe(1)
    expect([...bodies][0]).toContain('ask your agent to try again')
  })

  it('an answer that comes too late', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    bureau.clock.advance(31 * 60)
    const page = await browser.load(callback)
    expect(page.status).toBe(400)
    expect(page.body).toContain('This has expired')
    expect(bureau.provider.asked.filter(({ path }) => path === '/token')).toEqual([])
  })

  it('a server that is taken away or configured anew meanwhile', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const first = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    bureau.broker.setServers([{ ...bureau.server, auth: { ...bureau.server.auth, clientId: 'another' } }])
    expect((await browser.load(first)).body).toContain('This has expired')
    bureau.broker.setServers([bureau.server])
    const second = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    bureau.broker.setServers([])
    expect((await browser.load(second)).body).toContain('This has expired')
    expect(bureau.provider.asked.filter(({ path }) => path === '/token')).toEqual([])
  })

  it('one that stays is not disturbed by a change of others', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    bureau.broker.setServers([{ ...bureau.server, id: 'dev/new' }, { ...bureau.server }])
    expect((await browser.load(callback)).body).toContain('is connected')
  })

  it('other methods and upgrades', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    expect((await browser.load(url, { method: 'PUT' })).headers.allow).toBe('GET, HEAD, POST')
    const callback = String(bureau.broker.redirectUrls()[0]?.redirectUrl)
    for (const method of ['HEAD', 'POST', 'DELETE']) {
      expect((await browser.load(callback, { method })).status, method).toBe(405)
    }
  })

  it('the host application cannot say who is signed in', async () => {
    const bureau = await openWith('standard', {
      signIn: {
        identify: () => Promise.reject(new Error('the session store is away')),
        start: () => ({ status: 500 }),
      },
    })
    const page = await bureau.browserOf('alice').load(await bureau.broker.connectUrl(wish('alice')))
    expect(page.status).toBe(503)
    expect(page.body).not.toContain('session store')
    expect(bureau.events.at(-1)?.detail).toContain('the session store is away')
  })
})

describe('an identify() of the host application', () => {
  const openAt = (found: unknown) =>
    openWith('standard', {
      signIn: {
        identify: () => found,
        start: () => ({ status: 302, headers: { location: '/sign-in' } }),
      } as unknown as SignIn,
    })

  it('that answers undefined has found nobody', async () => {
    const bureau = await openAt(undefined)
    const url = await bureau.broker.connectUrl(wish('alice'))
    const page = await bureau.browserOf('alice').load(url, { follow: false })
    expect([page.status, page.headers.location]).toEqual([302, '/sign-in'])
  })

  it('that answers with something that is no identity is told', async () => {
    const bureau = await openAt({ id: 'i', integration: 'corp' })
    const page = await bureau.browserOf('alice').load(await bureau.broker.connectUrl(wish('alice')))
    expect(page.status).toBe(503)
    expect(bureau.events.at(-1)?.detail).toContain('no identity: without subject, groups, claims')
  })
})

describe('where answers come back to', () => {
  it('redirectUrls names what to register, one path for each authorization server', async () => {
    const [one, other] = [await openWith(), await openWith('github')]
    const bureau = await openBureau({
      servers: [one.server, { ...one.server, id: 'dev/two' }, { ...other.server, id: 'dev/three' }],
    })
    const urls = bureau.broker.redirectUrls()
    expect(urls.map(({ server }) => server)).toEqual([SERVER, 'dev/two', 'dev/three'])
    expect(urls[0]?.redirectUrl).toMatch(new RegExp(`^${bureau.origin}/oauth2/callback/127\\.0\\.0\\.1-[0-9a-f]{8}$`))
    expect(urls[1]?.redirectUrl).toBe(urls[0]?.redirectUrl)
    expect(urls[2]?.redirectUrl).not.toBe(urls[0]?.redirectUrl)
  })

  it('G19 both paths can be chosen', async () => {
    const callbackPath = '/api/svc/v1/llm-gateway/mcp-servers/oauth2/callback'
    const bureau = await openWith('standard', { auth: { callbackPath }, paths: { connect: '/link' } })
    expect(bureau.broker.redirectUrls()).toEqual([{ server: SERVER, redirectUrl: `${bureau.origin}${callbackPath}` }])
    const done = await connect(bureau)
    expect(done.way.some((url) => new URL(url).pathname === callbackPath)).toBe(true)
    expect(done.body).toContain('is connected')
    const random = 'x'.repeat(43)
    expect(bureau.broker.owns(`/connect/${random}`)).toBe(false)
    expect(bureau.broker.owns(`/link/${random}`)).toBe(true)
    expect(bureau.broker.owns(`/linked/${random}`)).toBe(false)
  })

  it('what only begins as links and callbacks do is the application’s', async () => {
    const bureau = await openWith('standard')
    const random = 'x'.repeat(43)
    const [{ redirectUrl = '' } = {}] = bureau.broker.redirectUrls()
    const callback = redirectUrl.slice(bureau.origin.length)
    for (const path of [`/connect/${random}`, callback, '/oauth2/callback/gone.example.com-0123abcd']) {
      expect([path, bureau.broker.owns(path)]).toEqual([path, true])
    }
    const others = ['/connect', '/connect/', '/connect/wifi', `/connect/${random}x`, `/connect/${random}/x`]
    others.push('/oauth2/callback', '/oauth2/callback/', '/oauth2/callback/mine', `${callback}/x`, `/oauth2${random}`)
    for (const path of others) {
      expect([path, bureau.broker.owns(path)]).toEqual([path, false])
      expect(await (await fetch(`${bureau.origin}${path}`)).text()).toBe('the application')
    }
  })
})
