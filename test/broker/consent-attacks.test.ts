/** Attacks on consent: links, forms, states and callbacks in the wrong hands (B2). */
import { describe, expect, it, vi } from 'vitest'
import type { OAuth2Server } from '../../src/broker/broker.ts'
import { ConfigError } from '../../src/core/errors.ts'
import { CSRF_FIELD } from '../../src/pages/login-pages.ts'
import type { QuirkyProvider } from '../support/mcp/quirky-provider.ts'
import {
  type Bureau,
  openBureau,
  openProvider,
  openWith,
  person,
  SERVER,
  serverOf,
  untilCallback,
  wish,
} from './setup.ts'

const [alice, mallory] = [person('alice').id, person('mallory').id]

/** Requests to an endpoint so far. */
function countOf(provider: QuirkyProvider, path: string): number {
  return provider.asked.filter((each) => each.path === path).length
}

/** Nobody has got anything, and nothing that was told gives anything away. */
async function expectNothing({ broker, told, provider }: Bureau & { provider: QuirkyProvider }, ...secrets: string[]) {
  for (const owner of [alice, mallory]) expect(await broker.list(owner)).toEqual([])
  for (const secret of [provider.last.accessToken, ...secrets]) if (secret !== '') expect(told()).not.toContain(secret)
}

describe('B2 a link in the wrong hands', () => {
  it('sent to somebody else: says so, does not say whose or for what, and offers another account', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('mallory', { returnTo: 'https://app.example.com/' }))
    const victim = bureau.browserOf('alice')
    const page = await victim.load(url)
    expect(page.status).toBe(403)
    expect(page.body).toContain('This link is for somebody else')
    for (const text of ['mallory', 'Code of', 'app.example.com', '<form']) expect(page.body).not.toContain(text)
    expect(bureau.events).toMatchObject([{ kind: 'consent_failed', reason: 'other_person', owner: mallory, by: alice }])
    const another = /class="button" href="([^"]+)"/.exec(page.body)?.[1] ?? ''
    // What the page says is to close it.
    expect(page.body).not.toContain('button primary')
    await victim.load(another)
    expect(bureau.signIns).toEqual([{ returnTo: url, anotherAccount: true, integration: 'corp' }])
    await expectNothing(bureau, url)
  })

  it('nor with a form that its own reader was shown', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('mallory'))
    const page = await bureau.browserOf('mallory').load(url)
    const sent = await bureau.browserOf('alice').submit(page, {})
    expect(sent.status).toBe(400)
    expect(countOf(bureau.provider, '/authorize')).toBe(0)
    expect((await bureau.browserOf('mallory').load(url)).status).toBe(200)
  })

  it('link previews, scanners and impatient readers: GET and HEAD change nothing, however often', async () => {
    const bureau = await openWith()
    const url = await bureau.broker.connectUrl(wish('alice'))
    const readers = [bureau.browserOf(), bureau.browserOf('alice')]
    for (const reader of readers) {
      for (let times = 0; times < 5; times++) {
        const [got, head] = [
          await reader.load(url, { follow: false }),
          await reader.load(url, { method: 'HEAD', follow: false }),
        ]
        expect(head.status).toBe(got.status)
        expect(head.body).toBe('')
        expect(got.headers['cache-control']).toBe('no-store')
      }
    }
    expect(bureau.provider.asked).toEqual([])
    expect(await bureau.broker.connectUrl(wish('alice'))).toBe(url)
    const [, own] = readers
    expect((await own?.submit(await own.load(url), {}))?.body).toContain('is connected')
  })
})

describe('B2 cross-site request forgery', () => {
  it.each([
    ['another site', { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }],
    ['a sibling subdomain, which is same-site', { origin: 'http://evil.127.0.0.1', 'sec-fetch-site': 'same-site' }],
    ['a page without an origin', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['a browser that does not say', { origin: undefined, 'sec-fetch-site': undefined }],
  ])('a form sent by %s does nothing, even with a token that was stolen', async (_, headers) => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    const page = await browser.load(url)
    expect((await browser.submit(page, {}, { headers })).status).toBe(400)
    expect(countOf(bureau.provider, '/authorize')).toBe(0)
    expect((await browser.submit(page, {})).body).toContain('is connected')
  })

  it.each([
    ['no token', () => ''],
    ['a token that is cut off', (token: string) => token.slice(0, -6)],
    ['a token of another link', (_: string, other: string) => other],
  ])('%s', async (_, change) => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
    const other = await browser.load(await bureau.broker.connectUrl(wish('alice', { returnTo: '/' })))
    const tokenOf = ({ body }: { body: string }) =>
      new RegExp(`name="${CSRF_FIELD}" value="([^"]+)"`).exec(body)?.[1] ?? ''
    const sent = await browser.submit(page, { [CSRF_FIELD]: change(tokenOf(page), tokenOf(other)) })
    expect(sent.status).toBe(400)
    expect(countOf(bureau.provider, '/authorize')).toBe(0)
  })

  it('an old form', async () => {
    const bureau = await openWith('standard', { linkMs: 3 * 3_600_000 })
    const browser = bureau.browserOf('alice')
    const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
    bureau.clock.advance(3_601)
    const sent = await browser.submit(page, {})
    expect(sent.status).toBe(400)
    const again = /class="button primary" href="([^"]+)"/.exec(sent.body)?.[1] ?? ''
    expect((await browser.submit(await browser.load(again), {})).body).toContain('is connected')
  })
})

describe('B2 callbacks', () => {
  it("an attacker's callback in somebody else's browser: no cookie, nothing redeemed, and the attacker's own still works", async () => {
    const bureau = await openWith()
    const attacker = bureau.browserOf('mallory')
    const callback = await untilCallback(attacker, await bureau.broker.connectUrl(wish('mallory')))
    const page = await bureau.browserOf('alice').load(callback)
    expect(page.status).toBe(400)
    expect(countOf(bureau.provider, '/token')).toBe(0)
    await expectNothing(
      bureau,
      new URL(callback).searchParams.get('code') ?? '',
      new URL(callback).searchParams.get('state') ?? '',
    )
    expect((await attacker.load(callback)).body).toContain('is connected')
  })

  it('in a browser that has the cookie but where another person is signed in by now', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('mallory')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('mallory')))
    browser.setCookie('127.0.0.1', 'who', 'alice')
    const page = await browser.load(callback)
    expect(page.status).toBe(403)
    expect(page.body).toContain('somebody else')
    expect(countOf(bureau.provider, '/token')).toBe(0)
    // The flow is used up, also for the one who began it.
    browser.setCookie('127.0.0.1', 'who', 'mallory')
    expect((await browser.load(callback)).status).toBe(400)
    await expectNothing(bureau)
  })

  it('or nobody', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    const cookie = browser.cookies().filter((each) => !each.startsWith('who='))
    const page = await bureau.browserOf().load(callback, { headers: { cookie: cookie.join('; ') } })
    expect(page.body).toContain('You were signed out')
    await expectNothing(bureau)
  })

  it('replayed: the code goes to the authorization server once', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    const cookie = browser.cookies().join('; ')
    expect((await browser.load(callback)).body).toContain('is connected')
    expect((await browser.load(callback)).status).toBe(400)
    // Also with the cookie that the answer has cleared, once a second click cannot be meant any more.
    const now = performance.now()
    const later = vi.spyOn(performance, 'now').mockImplementation(() => now + 60_000)
    expect((await browser.load(callback, { headers: { cookie } })).status).toBe(400)
    later.mockRestore()
    expect(countOf(bureau.provider, '/token')).toBe(1)
    expect(await bureau.broker.list(alice)).toHaveLength(1)
  })

  it.each([
    ['no state', (url: URL) => url.searchParams.delete('state')],
    ['a forged state', (url: URL) => url.searchParams.set('state', `00000000a${'x'.repeat(22)}`)],
    ['a state that is no state', (url: URL) => url.searchParams.set('state', '../../x')],
    ['two states', (url: URL) => url.searchParams.append('state', 'x')],
  ])('%s', async (_, change) => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = new URL(await untilCallback(browser, await bureau.broker.connectUrl(wish('alice'))))
    change(url)
    expect((await browser.load(url.href)).status).toBe(400)
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'consent_failed', server: null, owner: null })
    expect(countOf(bureau.provider, '/token')).toBe(0)
    await expectNothing(bureau)
  })

  it("the state of one of one's own flows with the code of another", async () => {
    const bureau = await openWith()
    const [browser, other] = [bureau.browserOf('alice'), bureau.browserOf('mallory')]
    const mine = new URL(await untilCallback(browser, await bureau.broker.connectUrl(wish('alice'))))
    const theirs = new URL(await untilCallback(other, await bureau.broker.connectUrl(wish('mallory'))))
    mine.searchParams.set('code', theirs.searchParams.get('code') ?? '')
    // PKCE: the verifier is of another code.
    expect((await browser.load(mine.href)).status).toBe(502)
    await expectNothing(bureau)
  })

  it('a sealed answer of form_post opens for its own state only', async () => {
    const bureau = await openWith('standard', { auth: { responseMode: 'form_post' } })
    async function answerOf(name: string) {
      const browser = bureau.browserOf(name)
      const page = await browser.submit(await browser.load(await bureau.broker.connectUrl(wish(name))), {})
      return { browser, back: new URL(String((await browser.submit(page, {}, { follow: false })).headers.location)) }
    }
    const [own, stolen] = [await answerOf('mallory'), await answerOf('alice')]
    own.back.searchParams.set('answer', stolen.back.searchParams.get('answer') ?? '')
    expect((await own.browser.load(own.back.href)).status).toBe(400)
    await expectNothing(bureau)
  })
})

describe('mix-up of authorization servers', () => {
  it('an answer with the iss of another server is not redeemed', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    for (const change of [
      (url: URL) => url.searchParams.set('iss', 'https://honest.example.com'),
      (url: URL) => url.searchParams.set('iss', `${bureau.provider.url}/`),
      (url: URL) => url.searchParams.delete('iss'),
    ]) {
      const url = new URL(await untilCallback(browser, await bureau.broker.connectUrl(wish('alice'))))
      change(url)
      const page = await browser.load(url.href)
      expect(page.status).toBe(400)
      expect(page.body).toContain('could not be checked')
    }
    expect(countOf(bureau.provider, '/token')).toBe(0)
    await expectNothing(bureau)
  })

  it("an answer at another server's callback is not redeemed", async () => {
    const [honest, evil] = [await openProvider(), await openProvider()]
    const servers = [serverOf(honest.auth), serverOf(evil.auth, 'dev/evil')]
    const bureau = Object.assign(await openBureau({ servers }), { provider: honest })
    const browser = bureau.browserOf('alice')
    const url = new URL(await untilCallback(browser, await bureau.broker.connectUrl(wish('alice'))))
    url.pathname = new URL(bureau.broker.redirectUrls()[1]?.redirectUrl ?? '').pathname
    expect((await browser.load(url.href)).body).toContain('This has expired')
    expect(countOf(honest, '/token') + countOf(evil, '/token')).toBe(0)
    await expectNothing(bureau)
  })

  const shared = { callbackPath: '/callback' }
  const withShared = (server: OAuth2Server, more = {}): OAuth2Server => ({
    ...server,
    auth: { ...server.auth, ...shared, ...more },
  })

  it('a shared path is a ConfigError for servers that are not known to send iss, unless typed out', async () => {
    const [one, two] = [await openProvider('github'), await openProvider('google')]
    const servers = [withShared(serverOf(one.auth)), withShared(serverOf(two.auth, 'dev/two'))]
    await expect(openBureau({ servers })).rejects.toThrow(ConfigError)
    await expect(openBureau({ servers })).rejects.toThrow(
      /servers\["dev\/two"\]\.auth\.callbackPath: .*allowSharedCallback/,
    )
    const typedOut = servers.map((server) => withShared(server, { allowSharedCallback: true }))
    const { broker } = await openBureau({ servers: typedOut })
    expect(new Set(broker.redirectUrls().map(({ redirectUrl }) => redirectUrl)).size).toBe(1)
    expect(() => broker.setServers(servers)).toThrow(ConfigError)
    expect(broker.redirectUrls()).toHaveLength(2)
  })

  it('of one server it is none', async () => {
    const one = await openProvider('github')
    const servers = [withShared(serverOf(one.auth)), withShared(serverOf(one.auth, 'dev/two'))]
    expect((await openBureau({ servers })).broker.redirectUrls()).toHaveLength(2)
  })

  it('G19 servers that send iss can share one; as soon as one of them does not, nobody is sent off', async () => {
    const [one, two] = [await openProvider(), await openProvider()]
    const servers = [withShared(serverOf(one.auth)), withShared(serverOf(two.auth, 'dev/two'))]
    const bureau = await openBureau({ servers })
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    expect((await browser.load(callback)).body).toContain('is connected')

    const silent = await openProvider('standard', { iss: false })
    bureau.broker.setServers([...servers, withShared(serverOf(silent.auth, 'dev/silent'))])
    for (const server of [SERVER, 'dev/silent']) {
      const page = await browser.load(await bureau.broker.connectUrl(wish('alice', { server })))
      expect((await browser.submit(page, {})).status, server).toBe(502)
      expect(bureau.events.at(-1)).toMatchObject({ reason: 'rejected', detail: expect.stringContaining('RFC 9207') })
    }
  })
})

describe('at the same time', () => {
  it('two tabs with consents for two servers', async () => {
    const [one, two] = [await openProvider(), await openProvider('github')]
    const bureau = await openBureau({ servers: [serverOf(one.auth), serverOf(two.auth, 'dev/two')] })
    const browser = bureau.browserOf('alice')
    const first = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    const second = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice', { server: 'dev/two' })))
    expect((await browser.load(first)).body).toContain('is connected')
    expect((await browser.load(second)).body).toContain('is connected')
    expect((await bureau.broker.list(alice)).map(({ server }) => server)).toEqual([SERVER, 'dev/two'])
  })

  it('one link in two tabs: the first button counts, the second says that it has been used', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const url = await bureau.broker.connectUrl(wish('alice'))
    const tabs = [await browser.load(url), await browser.load(url)]
    const [first, second] = [
      tabs[0] && (await browser.submit(tabs[0], {})),
      tabs[1] && (await browser.submit(tabs[1], {})),
    ]
    expect([first?.status, second?.status]).toEqual([200, 404])
    expect(countOf(bureau.provider, '/authorize')).toBe(1)
  })

  it('a double click on the button and on the way back: both get the same answer, one code is redeemed', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    const page = await browser.load(await bureau.broker.connectUrl(wish('alice')))
    const [one, two] = await Promise.all([1, 2].map(() => browser.submit(page, {}, { follow: false })))
    expect(one?.status).toBe(303)
    expect(two?.headers.location).toBe(one?.headers.location)
    const callback = String((await browser.load(String(one?.headers.location), { follow: false })).headers.location)
    const pages = await Promise.all([1, 2, 3].map(() => browser.load(callback)))
    for (const each of pages) expect(each.body).toContain('is connected')
    expect(countOf(bureau.provider, '/token')).toBe(1)
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected'])
  })

  it('few cookies, however many are begun', async () => {
    const bureau = await openWith()
    const browser = bureau.browserOf('alice')
    for (let times = 0; times < 8; times++) {
      bureau.clock.advance(1)
      await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    }
    expect(browser.cookies().filter((each) => each.includes('~consent-'))).toHaveLength(5)
  })
})

describe('B7 two machines behind one name', () => {
  it('the link on one, the button on the other, the callback on the first', async () => {
    const first = await openWith()
    const keys = ['k'.repeat(43)]
    const one = await openBureau({ servers: [first.server], keys })
    const two = await openBureau({ servers: [first.server], keys, store: one.store, url: one.origin })
    const browser = one.browserOf('alice')
    const other = (url: string) => url.replace(one.origin, two.origin)

    const url = await one.broker.connectUrl(wish('alice'))
    expect(await two.broker.connectUrl(wish('alice'))).toBe(url)
    const page = await browser.load(url)
    // The proxy in front sends the button to the other one.
    const sent = await browser.submit(
      { ...page, url: other(url) },
      {},
      { follow: false, headers: { origin: one.origin } },
    )
    expect(sent.status).toBe(303)
    expect((await browser.load(url)).status).toBe(404)
    const callback = String((await browser.load(String(sent.headers.location), { follow: false })).headers.location)
    expect(callback.startsWith(one.origin)).toBe(true)
    expect((await browser.load(callback)).body).toContain('is connected')
    for (const { broker } of [one, two]) {
      expect(await broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
    }
    // And what is over on one is over on the other.
    expect((await browser.load(other(callback))).status).toBe(400)
  })
})

describe('SSRF through discovery', () => {
  it('metadata that names an endpoint in another network: nothing is sent there', async () => {
    const provider = await openProvider()
    const fetched: string[] = []
    const servers = [serverOf(provider.auth)]
    const bureau = await openBureau({
      servers,
      async fetch(url, init) {
        fetched.push(url)
        const answer = await globalThis.fetch(url, init)
        if (!url.includes('.well-known')) return answer
        const document = (await answer.json()) as Record<string, unknown>
        return Response.json({ ...document, token_endpoint: 'https://169.254.169.254/latest/meta-data' })
      },
    })
    const browser = bureau.browserOf('alice')
    const callback = await untilCallback(browser, await bureau.broker.connectUrl(wish('alice')))
    expect((await browser.load(callback)).status).toBe(503)
    expect(bureau.events.at(-1)?.detail).toContain('its address is link-local')
    expect(fetched.filter((url) => url.includes('169.254'))).toEqual([])
  })
})
