/** Signing in, over the wire, against a real provider. */
import { describe, expect, it } from 'vitest'
import { PASSWORD } from '../support/login-provider.ts'
import { openShop, seen, visit } from './setup.ts'

describe('A8 sign-in: a page load without a session', () => {
  it('goes to the provider and comes back to the very page, signed in', async () => {
    const { browser, origin, logins } = await openShop()
    const page = await visit(browser, `${origin}/orders/42?page=2&q=a%20b`)
    expect(page.url).toBe(`${origin}/orders/42?page=2&q=a%20b`)
    const { auth } = seen(page)
    expect(auth).toMatchObject({ type: 'session', integration: 'corp', subject: 'alice', route: '/' })
    expect(auth?.claims).toMatchObject({ sub: 'alice', groups: ['staff', 'admin'] })
    expect(logins.map(({ kind }) => kind)).toEqual(['started', 'signed_in'])
  })

  it('asks the provider with PKCE S256, state, nonce, the scopes and the resource', async () => {
    const { browser, origin, provider } = await openShop()
    const { headers } = await browser.load(`${origin}/`, { follow: false })
    const url = new URL(String(headers.location))
    expect(url.origin + url.pathname).toBe(`${provider.issuer}/auth`)
    const sent = Object.fromEntries(url.searchParams)
    // The provider offers pushed authorization requests (RFC 9126), so that the rest does not go through the browser.
    expect(Object.keys(sent).sort()).toEqual(['client_id', 'request_uri'])
  })

  it('without pushed requests too, and with what else is configured', async () => {
    const { browser, origin } = await openShop({
      oauth2: { pushedAuthorizationRequests: 'never', authorizationParameters: { ui_locales: 'cy' } },
    })
    const { headers } = await browser.load(`${origin}/`, { follow: false })
    expect(Object.fromEntries(new URL(String(headers.location)).searchParams)).toEqual({
      client_id: 'shop',
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      redirect_uri: `${origin}/.sallyport/callback/corp`,
      resource: 'https://orders.example.com',
      response_type: 'code',
      scope: 'openid orders:read',
      // With what it carries.
      state: expect.stringMatching(/^[0-7][\w-]{32}\.[\w.-]+$/),
      ui_locales: 'cy',
    })
    expect(seen(await visit(browser, `${origin}/`)).auth).toMatchObject({ subject: 'alice' })
  })

  it('stays signed in for later requests, those of scripts included', async () => {
    const { browser, origin, provider } = await openShop()
    await visit(browser, `${origin}/`)
    const asked = new Map(provider.asked)
    expect(seen(await browser.load(`${origin}/orders`)).auth).toMatchObject({ subject: 'alice' })
    expect(seen(await browser.script(`${origin}/api`)).auth).toMatchObject({ subject: 'alice' })
    expect(provider.asked).toEqual(asked)
  })

  it('sets one cookie, out of reach of scripts, and leaves nothing of the sign-in behind', async () => {
    const { browser, origin } = await openShop()
    await visit(browser, `${origin}/`)
    const names = browser.cookies('127.0.0.1').map((cookie) => cookie.replace(/=.*/, ''))
    const own = names.filter((name) => name.startsWith('sallyport'))
    expect(own).toEqual([`sallyport-${new URL(origin).port}.corp`])
  })

  it.each([
    ['fetch', { accept: 'application/json', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }],
    ['curl', { accept: '*/*', 'sec-fetch-mode': undefined, 'sec-fetch-dest': undefined }],
    ['an image', { accept: 'image/*', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    ['a prefetch', { 'sec-purpose': 'prefetch' }],
  ])('anything else gets the status: %s', async (_what, headers) => {
    const { browser, origin } = await openShop()
    const answer = await browser.load(`${origin}/`, { headers, follow: false })
    expect(answer.status).toBe(403)
    expect(answer.headers['www-authenticate']).toBe('Bearer')
    expect(browser.cookies()).toEqual([])
  })

  it('a form that finds no session gets a page that says so, and no redirect', async () => {
    const { browser, origin } = await openShop()
    const page = await browser.load(`${origin}/orders`, {
      method: 'POST',
      form: { item: '1' },
      headers: { origin, 'sec-fetch-site': 'same-origin' },
    })
    expect([page.status, page.way.length]).toEqual([403, 1])
    expect(page.body).toContain('<h1')
  })

  it('an open route stays open, and a bearer token is judged as ever', async () => {
    const { browser, origin } = await openShop()
    expect(seen(await browser.load(`${origin}/open`)).auth).toMatchObject({ type: 'none' })
    const answer = await browser.load(`${origin}/`, { headers: { authorization: 'Bearer nonsense' } })
    expect([answer.status, answer.way.length]).toEqual([401, 1])
  })
})

describe('A7 A10 sign-in: who gets in', () => {
  it('somebody whose claims do not fit sees a page that says so; a script gets the status', async () => {
    const { browser, origin, decisions } = await openShop()
    const page = await visit(browser, `${origin}/admin`, 'bob')
    expect(page.status).toBe(403)
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.body).toContain('Bob &lt;b&gt;Bold&lt;/b&gt;')
    expect(page.body).not.toContain('groups')
    expect(decisions.at(-1)).toMatchObject({ reason: 'claim', subject: 'bob', status: 403 })
    const answer = await browser.script(`${origin}/admin`)
    expect([answer.status, answer.headers['content-type']]).toEqual([403, 'application/problem+json'])
    expect(seen(await browser.load(`${origin}/`)).auth).toMatchObject({ subject: 'bob' })
  })

  it('the ID token is judged where the integration says so', async () => {
    const { browser, origin } = await openShop({
      integration: { jwtSource: 'id_token', audience: 'shop' },
      oauth2: { scopes: ['openid', 'email'] },
    })
    expect(seen(await visit(browser, `${origin}/`)).auth?.claims).toMatchObject({
      aud: 'shop',
      email: 'alice@example.com',
    })
  })

  it('userinfo adds what the token leaves out', async () => {
    const { browser, origin } = await openShop({
      oauth2: { userInfo: true, resource: undefined, scopes: ['openid'] } as never,
      integration: { jwtSource: 'id_token', audience: 'shop' },
    })
    expect(seen(await visit(browser, `${origin}/`)).auth?.claims).toMatchObject({ name: 'Alice Ames' })
  })

  it('opaque access tokens are no good, and the operator reads why', async () => {
    const { browser, origin, logins, told } = await openShop({
      oauth2: { resource: undefined, scopes: ['openid'] } as never,
    })
    const page = await visit(browser, `${origin}/`)
    expect(page.status).toBe(502)
    const failed = logins.at(-1)
    expect(failed).toMatchObject({ kind: 'failed', reason: 'rejected' })
    expect(failed?.detail).toContain("jwtSource: 'id_token'")
    expect(page.body).toContain(failed?.reference)
    expect(told()).not.toContain(PASSWORD)
  })
})

describe('sign-in: several at once, and once too often', () => {
  it('two tabs sign in at the same time, and both end where they wanted to', async () => {
    const { browser, origin } = await openShop()
    const [first, second] = [await browser.load(`${origin}/first`), await browser.load(`${origin}/second`)]
    const one = await browser.submit(first, { name: 'alice', password: PASSWORD })
    expect(one.url).toBe(`${origin}/first`)
    const two = await browser.submit(second, { name: 'alice', password: PASSWORD })
    expect(two.url).toBe(`${origin}/second`)
    expect(seen(await browser.load(`${origin}/third`)).auth).toMatchObject({ subject: 'alice' })
  })

  it('attempts that nobody finishes do not pile up', async () => {
    const { browser, origin } = await openShop()
    for (let index = 0; index < 12; index++) await browser.load(`${origin}/${index}`, { follow: false })
    const own = browser.cookies('127.0.0.1').filter((cookie) => cookie.startsWith('sallyport'))
    expect(own.length).toBeLessThanOrEqual(5)
    // The last one still works.
    expect(seen(await visit(browser, `${origin}/last`)).url).toBe('/last')
  })

  it.each([
    ['short', 100],
    ['long', 1_900],
  ])('thirty tabs with %s addresses that a browser opens at once do not lock it out', async (_what, length) => {
    const { browser, origin, provider } = await openShop()
    const address = (index: number) => `${origin}/${index}?filter=${'x'.repeat(length)}`
    const forms = await Promise.all(Array.from({ length: 30 }, (_, index) => browser.load(address(index))))
    const own = browser.cookies('127.0.0.1').filter((cookie) => cookie.startsWith('sallyport'))
    expect(own.join('; ').length).toBeLessThan(6_000)
    const pages = []
    for (const form of forms) pages.push(await browser.submit(form, { name: 'alice', password: PASSWORD }))
    for (const [index, page] of pages.entries()) {
      // Those that were overwritten go where they wanted to; what is too long to go along with a state is asked for again.
      if (page.status === 200) expect(page.url).toBe(address(index))
      else expect([page.status, length]).toEqual([400, 1_900])
    }
    expect(pages.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(length === 100 ? 30 : 1)
    expect(seen(await browser.load(`${origin}/home`)).auth).toMatchObject({ subject: 'alice' })
    expect(provider.asked.get('POST /token')).toBeLessThanOrEqual(8)
  })

  it('the same answer twice: the second leads where the first did, and the session stays', async () => {
    const { browser, origin, provider } = await openShop()
    const page = await visit(browser, `${origin}/deep`)
    const callback = page.way.find((url) => url.includes('/callback/')) ?? ''
    const again = await browser.load(callback)
    expect([again.url, seen(again).auth]).toMatchObject([`${origin}/deep`, { subject: 'alice' }])
    expect(provider.asked.get('POST /token')).toBe(1)
  })

  it('an attempt left alone for an hour is over, and begins anew', async () => {
    const { browser, origin, clock, provider, logins } = await openShop()
    const form = await browser.load(`${origin}/deep`)
    clock.advance(3600)
    const page = await browser.submit(form, { name: 'alice', password: PASSWORD })
    expect([page.url, seen(page).auth]).toMatchObject([`${origin}/deep`, { subject: 'alice' }])
    expect(provider.asked.get('POST /token')).toBe(1)
    expect(logins.map(({ kind }) => kind)).toEqual(['started', 'started', 'signed_in'])
  })

  it('a browser that keeps no cookies is told so after three rounds', async () => {
    const { browser, origin, logins, newBrowser } = await openShop()
    const form = await browser.load(`${origin}/deep`)
    let page = await browser.submit(form, { name: 'alice', password: PASSWORD }, { follow: false })
    const rounds = []
    for (let step = 0; step < 20 && typeof page.headers.location === 'string'; step++) {
      const next = new URL(page.headers.location, page.url).href
      if (next.includes('/callback/')) rounds.push(next)
      page = await (next.startsWith(origin) ? newBrowser() : browser).load(next, { follow: false })
    }
    expect([rounds.length, page.status]).toEqual([3, 400])
    expect(page.body).toContain(`href="${origin}/deep"`)
    expect(logins.map(({ kind }) => kind)).toEqual(['started', 'started', 'started', 'failed'])
  })

  it('a sign-in as somebody else that is lost still asks, though somebody is signed in', async () => {
    const { browser, origin } = await openShop()
    await visit(browser, `${origin}/`)
    const form = await browser.load(`${origin}/.sallyport/sign-in?integration=corp&prompt=login&return_to=/deep`)
    for (const cookie of browser.cookies('127.0.0.1').filter((each) => each.includes('~sign-in-'))) {
      browser.setCookie('127.0.0.1', cookie.slice(0, cookie.indexOf('=')), 'lost')
    }
    const again = await browser.submit(form, { name: 'alice', password: PASSWORD })
    expect(again.body).toContain('<h1>Provider</h1>')
    const page = await browser.submit(again, { name: 'alice', password: PASSWORD })
    expect([page.url, seen(page).auth]).toMatchObject([`${origin}/deep`, { subject: 'alice' }])
  })

  it('somebody who says no at the provider reads so, and can try again', async () => {
    const { browser, origin, logins } = await openShop()
    const form = await browser.load(`${origin}/deep`)
    const page = await browser.submit(form, { cancel: '1' })
    expect(page.status).toBe(403)
    expect(page.body).not.toContain('alert(1)')
    expect(logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'denied' })
    const retry = /href="([^"]*sign-in[^"]*)"/.exec(page.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
    expect(seen(await visit(browser, retry)).url).toBe('/deep')
  })
})

describe('sign-in: the provider is down', () => {
  it('a page load gets a page with 503 and no session; it works once the provider is back', async () => {
    const { browser, origin, provider, logins } = await openShop()
    provider.mode = 'hang-up'
    const page = await browser.load(`${origin}/`)
    expect([page.status, page.headers['retry-after'] !== undefined]).toEqual([503, true])
    expect(logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'unavailable' })
    provider.mode = 'ok'
    expect(seen(await visit(browser, `${origin}/`)).auth).toMatchObject({ subject: 'alice' })
  })

  it.each([['fail'], ['hang-up']] as const)(
    'the token endpoint does not work (%s): 503, and again from the start',
    async (mode) => {
      const { browser, origin, provider } = await openShop()
      const form = await browser.load(`${origin}/deep`)
      provider.harmed = ['/token']
      provider.mode = mode
      const page = await browser.submit(form, { name: 'alice', password: PASSWORD })
      expect(page.status).toBe(503)
      provider.mode = 'ok'
      const retry = /href="([^"]*sign-in[^"]*)"/.exec(page.body)?.[1]?.replaceAll('&amp;', '&') ?? ''
      expect(seen(await visit(browser, retry)).url).toBe('/deep')
    },
  )
})
