/** One callback for many hosts: how a session gets to another of our origins, and to no other browser. */
import { describe, expect, it } from 'vitest'
import { request } from '../guard/harness.ts'
import { PASSWORD } from '../support/login-provider.ts'
import { openShop, type ShopOptions, seen, visit } from './setup.ts'

const PARTNER = 'http://partner.test'

const twoHosts: ShopOptions = {
  hosts: ['partner.test', 'one.apps.test', 'two.apps.test'],
  routes: () => [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { host: '*.apps.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}

describe.each([['store'], ['cookie']] as const)('hand-off of a session in a %s', (session) => {
  const options: ShopOptions = { ...twoHosts, login: { session } }

  it('signing in on another host goes over the one callback and ends there, with a cookie of its own', async () => {
    const { browser, port, origin, logins } = await openShop(options)
    const page = await visit(browser, `${PARTNER}:${port}/deep?x=1`)
    expect(page.url).toBe(`${PARTNER}:${port}/deep?x=1`)
    expect(seen(page).auth).toMatchObject({ subject: 'alice', type: 'session' })
    expect(page.way.filter((url) => url.startsWith(`${origin}/.sallyport/callback/corp`))).toHaveLength(1)
    expect(logins.map(({ kind }) => kind)).toContain('signed_in')
    expect((await browser.script(`${PARTNER}:${port}/api`)).status).toBe(200)
  })

  it('who is signed in on one host need not do so on another', async () => {
    const { browser, port, origin, provider } = await openShop(options)
    await visit(browser, `${origin}/`)
    const asked = provider.asked.get('POST /token')
    const page = await browser.load(`http://one.apps.test:${port}/`)
    expect(seen(page).auth).toMatchObject({ subject: 'alice' })
    expect(provider.asked.get('POST /token')).toBe(asked)
  })

  it('who wants to be somebody else is asked by the provider, signed in elsewhere or not', async () => {
    const { browser, port, guard, provider } = await openShop(options)
    await visit(browser, `${PARTNER}:${port}/`)
    const headers = { Cookie: browser.cookies('partner.test').join('; ') }
    const reply = await guard.start(request({ host: `partner.test:${port}`, headers }), '/', { anotherAccount: true })
    for (const cookie of [reply.headers?.['set-cookie'] ?? []].flat()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
      browser.setCookie('partner.test', name, value)
    }
    const form = await browser.load(String(reply.headers?.location))
    expect([new URL(form.url).origin, form.body]).toEqual([
      provider.issuer,
      expect.stringContaining('<h1>Provider</h1>'),
    ])
  })

  it('a ticket is good once, and only in the browser that asked for it', async () => {
    const { browser, port, newBrowser } = await openShop(options)
    const page = await visit(browser, `${PARTNER}:${port}/`)
    const ticket = page.way.find((url) => url.includes('/hand-off?')) ?? ''
    expect(ticket).not.toBe('')
    expect((await browser.load(ticket)).status).toBe(400)

    // Mallory stops before her own ticket is used, and sends it to Alice.
    const mallory = newBrowser()
    const form = await mallory.load(`${PARTNER}:${port}/`)
    let step = await mallory.submit(form, { name: 'mallory', password: PASSWORD }, { follow: false })
    while (!step.url.includes('/hand-off') && typeof step.headers.location === 'string') {
      const next = new URL(step.headers.location, step.url).href
      if (next.includes('/hand-off?')) {
        const alice = newBrowser()
        await visit(alice, `${PARTNER}:${port}/`)
        const page = await alice.load(next)
        expect([page.url, seen(page).auth]).toMatchObject([`${PARTNER}:${port}/`, { subject: 'alice' }])
        expect(seen(await alice.load(`${PARTNER}:${port}/`)).auth).toMatchObject({ subject: 'alice' })
        return
      }
      step = await mallory.load(next, { follow: false })
    }
    throw new Error('there was no ticket')
  })

  it('ten tabs that a browser opens at once on another host all end there', async () => {
    const { browser, port } = await openShop(options)
    const address = (index: number) => `${PARTNER}:${port}/${index}`
    const forms = await Promise.all(Array.from({ length: 10 }, (_, index) => browser.load(address(index))))
    for (const [index, form] of forms.entries()) {
      const page = await browser.submit(form, { name: 'alice', password: PASSWORD })
      expect([page.url, seen(page).auth]).toMatchObject([address(index), { subject: 'alice' }])
    }
  })

  it('a cookie of one host does not open on another', async () => {
    const { browser, port, newBrowser } = await openShop(options)
    await visit(browser, `${PARTNER}:${port}/`)
    const thief = newBrowser()
    for (const cookie of browser.cookies('partner.test')) {
      const [name = '', value = ''] = cookie.split(/=(.*)/s)
      thief.setCookie('one.apps.test', name, value)
    }
    expect((await thief.script(`http://one.apps.test:${port}/`)).status).toBe(403)
  })
})

describe('hand-off', () => {
  it('with a store, signing out on one host signs out on all', async () => {
    const { browser, port, origin } = await openShop({ ...twoHosts, login: { signOut: 'local' } })
    await visit(browser, `${PARTNER}:${port}/`)
    await browser.load(`${PARTNER}:${port}/.sallyport/sign-out`, {
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
    })
    expect((await browser.script(`${PARTNER}:${port}/`)).status).toBe(403)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
  })

  it('a host that nobody has configured is taken for another name of the login, and gets no ticket', async () => {
    const { browser, port, origin } = await openShop({ ...twoHosts, hosts: ['stranger.test'] })
    const page = await visit(browser, `http://stranger.test:${port}/deep`)
    expect(page.url).toBe(`${origin}/deep`)
  })

  it.each([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test',
    'http://partner.test.evil.test/',
    'http://three.deep.apps.test/',
    'javascript:alert(1)',
  ])('return_to stays on our own origins: %s', async (value) => {
    const { browser, origin, port } = await openShop(twoHosts)
    const hop = 'A'.repeat(43)
    const url = `${origin}/.sallyport/sign-in?integration=corp&hop=${hop}&return_to=${encodeURIComponent(value)}`
    const page = await visit(browser, url)
    expect(new URL(page.url).origin).toBe(origin)
    expect(page.way.every((each) => new URL(each).hostname === '127.0.0.1')).toBe(true)
    expect(port).toBeGreaterThan(0)
  })
})
