/** Signing out: by a click, by a form, at the provider, from afar. */
import { describe, expect, it } from 'vitest'
import { openShop, seen, visit } from './setup.ts'
import { openStall, whoIs } from './stall.ts'

const click = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' }

describe('sign-out by the person', () => {
  it('a click on a link of our own signs out here and at the provider, and ends on a page that says so', async () => {
    const { browser, origin, provider, logins } = await openShop()
    await visit(browser, `${origin}/`)
    const asking = await browser.load(`${origin}/.sallyport/sign-out`, { headers: click })
    expect(asking.url.startsWith(`${provider.issuer}/session/end`)).toBe(true)
    expect(logins.at(-1)).toMatchObject({ kind: 'signed_out', subject: 'alice' })
    const page = await browser.submit(asking, { logout: 'yes' })
    expect(page.url).toBe(`${origin}/.sallyport/signed-out`)
    expect(page.status).toBe(200)
    // The provider asks for a name again: nobody is signed in there any more.
    const next = await browser.load(`${origin}/`)
    expect(next.body).toContain('<h1>Provider</h1>')
  })

  it('a GET from elsewhere changes nothing, and asks', async () => {
    const { browser, origin } = await openShop({ login: { signOut: 'local' } })
    await visit(browser, `${origin}/`)
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'none' },
      { ...click, 'sec-purpose': 'prefetch' },
    ]) {
      const page = await browser.load(`${origin}/.sallyport/sign-out`, { headers })
      expect([page.status, page.body.includes('Alice Ames')]).toEqual([200, true])
      expect(seen(await browser.load(`${origin}/`)).auth).toMatchObject({ subject: 'alice' })
    }
    const form = await browser.load(`${origin}/.sallyport/sign-out`)
    const page = await browser.submit(form, {})
    expect(page.url).toBe(`${origin}/.sallyport/signed-out`)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
    expect(browser.cookies('127.0.0.1').filter((cookie) => cookie.startsWith('sallyport'))).toEqual([])
  })

  it('a form goes on to the provider too', async () => {
    const { browser, origin, provider } = await openShop()
    await visit(browser, `${origin}/`)
    const form = await browser.load(`${origin}/.sallyport/sign-out`)
    const page = await browser.submit(form, {})
    expect([page.status, page.url]).toEqual([200, `${origin}/.sallyport/sign-out`])
    expect(String(page.headers.refresh)).toMatch(new RegExp(`^0;url=${provider.issuer}/session/end\\?`))
    expect((await browser.script(`${origin}/`)).status).toBe(403)
  })

  it('a POST from elsewhere, or with a forged token, changes nothing', async () => {
    const { browser, origin, newBrowser } = await openShop({ login: { signOut: 'local' } })
    await visit(browser, `${origin}/`)
    const target = `${origin}/.sallyport/sign-out`
    const other = newBrowser()
    await visit(other, `${origin}/`, 'bob')
    const bobs = /name="csrf_token" value="([^"]+)"/.exec((await other.load(target)).body)?.[1] ?? ''
    expect(bobs).not.toBe('')
    const tries: [Record<string, string>, Record<string, string | undefined>][] = [
      [{}, { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }],
      [{}, { origin: 'null', 'sec-fetch-site': 'cross-site' }],
      [{}, { 'sec-fetch-site': undefined }],
      [{ csrf_token: 'nonsense' }, { origin, 'sec-fetch-site': 'same-origin' }],
      [{ csrf_token: bobs }, { origin, 'sec-fetch-site': 'same-origin' }],
    ]
    for (const [form, headers] of tries) {
      const page = await browser.load(target, { method: 'POST', form, headers, follow: false })
      expect(page.status).toBe(403)
    }
    expect(seen(await browser.load(`${origin}/`)).auth).toMatchObject({ subject: 'alice' })
  })

  it('is for good: the old cookie is worth nothing, also in another browser', async () => {
    const { browser, origin, newBrowser, provider } = await openShop({ login: { signOut: 'local' } })
    await visit(browser, `${origin}/`)
    const cookie = browser.cookies('127.0.0.1').find((each) => each.startsWith('sallyport')) ?? ''
    await browser.load(`${origin}/.sallyport/sign-out`, { headers: click })
    // The refresh token went back to the provider.
    expect(provider.asked.get('POST /token/revocation')).toBe(1)
    const thief = newBrowser()
    const [name = '', value = ''] = cookie.split(/=(.*)/s)
    thief.setCookie('127.0.0.1', name, value)
    expect((await thief.script(`${origin}/`)).status).toBe(403)
  })

  it('without a session it is no error', async () => {
    const { browser, origin } = await openShop({ login: { signOut: 'local' } })
    const page = await browser.load(`${origin}/.sallyport/sign-out`, { headers: click })
    expect([page.url, page.status]).toEqual([`${origin}/.sallyport/signed-out`, 200])
  })

  it('works while the provider is down: signed out here, at least', async () => {
    const { browser, origin, provider } = await openShop()
    await visit(browser, `${origin}/`)
    provider.mode = 'hang-up'
    const page = await browser.load(`${origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect(page.status).toBe(303)
    provider.mode = 'ok'
    expect((await browser.script(`${origin}/`)).status).toBe(403)
  })

  it.each([
    ['auto', 1],
    ['never', 0],
  ] as const)('revocation: %s', async (revocation, revoked) => {
    const stall = await openStall({ oauth2: { revocation } })
    const page = `${stall.origin}/`
    const laptop = stall.browser
    const phone = stall.newBrowser()
    for (const browser of [laptop, phone]) {
      await browser.load(page)
      expect(await whoIs(browser, page)).toBe('alice')
    }
    await laptop.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect(await whoIs(laptop, page)).toBe(null)
    expect(stall.provider.count('POST /revoke')).toBe(revoked)
    // With one token some providers (Google) revoke those of the person's other browsers.
    expect(await whoIs(phone, page)).toBe('alice')
  })
})

describe('a provider that does not revoke', () => {
  it.each([
    ['says that it cannot: nothing is wrong', 'unsupported_token_type', 0],
    ['refuses: told, with whose it was, and not as a refresh', 'unauthorized_client', 1],
  ])('%s', async (_, error, told) => {
    const stall = await openStall()
    stall.provider.hooks.revocation = { error }
    stall.provider.hooks.answer = ({ refresh_token: _, ...body }) => body
    await stall.browser.load(`${stall.origin}/`)
    await stall.browser.load(`${stall.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    expect(stall.logins.some(({ kind }) => kind === 'refresh_failed')).toBe(false)
    const failed = stall.logins.filter(({ kind }) => kind === 'revocation_failed')
    expect(failed).toMatchObject(
      Array(told).fill({ integration: 'corp', subject: 'alice', detail: expect.stringContaining(error) }),
    )
    expect(failed).toHaveLength(told)
    expect(stall.provider.count('POST /revoke')).toBe(1)
  })
})

describe('sign-out from afar (OpenID Connect Back-Channel Logout 1.0)', () => {
  it('signing out at the provider ends the sessions that began with that sign-in, and no others', async () => {
    const { browser, origin, provider, newBrowser, logins } = await openShop()
    await visit(browser, `${origin}/`)
    const phone = newBrowser()
    await visit(phone, `${origin}/`)
    const asking = await browser.load(`${provider.issuer}/session/end`)
    await browser.submit(asking, { logout: 'yes' })
    await expect.poll(() => logins.at(-1)).toMatchObject({ kind: 'ended', detail: '1 session' })
    expect((await browser.script(`${origin}/`)).status).toBe(403)
    expect(seen(await phone.load(`${origin}/`)).auth).toMatchObject({ subject: 'alice' })
  })

  it('nothing but a logout token of the provider is accepted', async () => {
    const { browser, origin, logins, told } = await openShop()
    const page = await visit(browser, `${origin}/`)
    expect(page.status).toBe(200)
    const url = `${origin}/.sallyport/back-channel/corp`
    for (const token of ['', 'nonsense', 'e30.e30.e30']) {
      const answer = await browser.script(url, { method: 'POST', form: { logout_token: token } })
      expect(answer.status).toBe(400)
    }
    expect(logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'invalid' })
    expect((await browser.script(url)).status).toBe(405)
    expect((await browser.script(`${origin}/.sallyport/back-channel/other`, { method: 'POST', form: {} })).status).toBe(
      404,
    )
    expect(seen(await browser.load(`${origin}/`)).auth).toMatchObject({ subject: 'alice' })
    expect(told()).not.toContain('e30.e30.e30')
  })
})
