/** Several providers on one host: which one people sign in with, and sessions side by side. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { request } from '../guard/harness.ts'
import { API, type LoginProvider, startLoginProvider } from '../support/login-provider.ts'
import { freePort } from '../support/temp-server.ts'
import { openShop, type Shop, type ShopOptions, seen, visit } from './setup.ts'

const OTHER = { id: 'partner-shop', secret: 'a-secret-of-the-partner-0123456789-012345' }

/** A shop with a second provider; the shop's port is known only once it listens, so the client is put in late. */
async function openTwo(options: ShopOptions = {}): Promise<Shop & { readonly partner: LoginProvider }> {
  const port = await freePort()
  const partner = await startLoginProvider({
    clients: [
      {
        client_id: OTHER.id,
        client_secret: OTHER.secret,
        redirect_uris: [`http://127.0.0.1:${port}/.sallyport/callback/partner`],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
      },
    ],
    people: { petra: { email: 'petra@partner.test', groups: ['partners'] } },
  })
  onTestFinished(() => partner.close())
  const shop = await openShop({
    ...options,
    port,
    integrations: {
      partner: {
        issuer: partner.issuer,
        audience: API,
        oauth2: { clientId: OTHER.id, clientSecret: OTHER.secret, resource: API, label: 'Our <partners>' },
      },
    },
    routes: () => [
      { path: '/staff', auth: { type: 'jwt', integration: 'corp', login: true } },
      { path: '/partners', auth: { type: 'jwt', integration: 'partner', login: true } },
      {
        path: '/for-partners',
        auth: { type: 'jwt', integration: ['corp', 'partner'], login: true, claims: { groups: 'partners' } },
      },
      { path: '/', auth: { type: 'jwt', integration: ['corp', 'partner'], login: true } },
    ],
  })
  return Object.assign(shop, { partner })
}

describe('A6 A8 several providers', () => {
  it('people choose where a route takes either, and come back to where they wanted', async () => {
    const { browser, origin, partner } = await openTwo()
    const choice = await browser.load(`${origin}/deep?x=1`)
    expect(choice.status).toBe(200)
    expect(choice.body).toContain('Our &lt;partners&gt;')
    const links = [...choice.body.matchAll(/href="([^"]*sign-in[^"]*)"/g)].map(
      ([, href = '']) => new URL(href.replaceAll('&amp;', '&'), choice.url).href,
    )
    expect(links).toHaveLength(2)
    const form = await browser.load(links.find((link) => link.includes('partner')) ?? '')
    expect(form.url.startsWith(partner.issuer)).toBe(true)
    const page = await browser.submit(form, { name: 'petra', password: 'correct horse' })
    expect(page.url).toBe(`${origin}/deep?x=1`)
    expect(seen(page).auth).toMatchObject({ integration: 'partner', subject: 'petra' })
  })

  it('nobody chooses where another gate names the one; an unknown one is as good as none', async () => {
    const { origin, guard, partner, provider } = await openTwo()
    const from = request({ host: new URL(origin).host })
    const locationFor = async (integration: string, anotherAccount: boolean) =>
      String((await guard.start(from, '/connect/abc', { integration, anotherAccount })).headers?.location)
    expect(new URL(await locationFor('partner', false)).origin).toBe(partner.issuer)
    expect(new URL(await locationFor('corp', true)).origin).toBe(provider.issuer)
    const choice = new URL(await locationFor('nobody', false))
    expect([choice.origin, choice.searchParams.get('integration')]).toEqual([origin, 'corp partner'])
  })

  it('of a browser that is signed in at several, the one that is asked for counts', async () => {
    const { browser, origin, guard } = await openTwo()
    const who = (integration?: string) => {
      const cookie = browser.cookies('127.0.0.1').join('; ')
      const from = request({ host: new URL(origin).host, headers: { Cookie: cookie } })
      return guard.identify(from, integration === undefined ? {} : { integration })
    }
    await visit(browser, `${origin}/staff`)
    // Somebody of another one is still somebody: to be told that they are not whom a link is for.
    expect(await who('partner')).toMatchObject({ integration: 'corp', subject: 'alice' })
    await visit(browser, `${origin}/partners`, 'petra')
    expect(await who('partner')).toMatchObject({ integration: 'partner', subject: 'petra' })
    expect(await who('corp')).toMatchObject({ integration: 'corp', subject: 'alice' })
    expect(await who()).toMatchObject({ integration: 'corp' })
    expect(await who('nobody')).toMatchObject({ integration: 'corp' })
  })

  it('a session of one is none for a route of the other; both can be there, and one sign-out ends both', async () => {
    const { browser, origin } = await openTwo()
    await visit(browser, `${origin}/staff`)
    expect((await browser.script(`${origin}/partners`)).status).toBe(403)
    await visit(browser, `${origin}/partners`, 'petra')
    expect(seen(await browser.load(`${origin}/staff`)).auth).toMatchObject({ subject: 'alice' })
    expect(seen(await browser.load(`${origin}/partners`)).auth).toMatchObject({ subject: 'petra' })
    await browser.load(`${origin}/.sallyport/sign-out`, {
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
      follow: false,
    })
    expect((await browser.script(`${origin}/staff`)).status).toBe(403)
    expect((await browser.script(`${origin}/partners`)).status).toBe(403)
  })

  it('a session that cannot be had hides no good one', async () => {
    const { browser, origin, provider, partner, clock, guard } = await openTwo({ provider: { accessTokenSeconds: 60 } })
    await visit(browser, `${origin}/staff`)
    await visit(browser, `${origin}/partners`, 'petra')
    expect(seen(await browser.load(`${origin}/x`)).auth).toMatchObject({ subject: 'alice' })
    const who = (integration?: string) => {
      const headers = { Cookie: browser.cookies('127.0.0.1').join('; ') }
      return guard.identify(request({ host: new URL(origin).host, headers }), integration ? { integration } : {})
    }
    // The token of corp is over, and corp is down.
    provider.mode = 'fail'
    clock.advance(100)
    expect((await browser.script(`${origin}/staff`)).status).toBe(503)
    expect(seen(await browser.load(`${origin}/x`)).auth).toMatchObject({ subject: 'petra' })
    expect(await who()).toMatchObject({ subject: 'petra' })
    await expect(who('corp')).rejects.toThrow(/cannot be had/)
    // No session is left that says no.
    partner.mode = 'fail'
    clock.advance(4000)
    expect((await browser.script(`${origin}/x`)).status).toBe(503)
    expect((await browser.load(`${origin}/x`)).status).toBe(503)
  })

  it('a session that a claim rule refuses hides none that meets it', async () => {
    const { browser, origin, partner, clock } = await openTwo()
    await visit(browser, `${origin}/staff`)
    const refused = await browser.load(`${origin}/for-partners`)
    expect([refused.status, refused.body]).toEqual([403, expect.stringContaining('Use another account')])
    await visit(browser, `${origin}/partners`, 'petra')
    expect(seen(await browser.load(`${origin}/for-partners`)).auth).toMatchObject({ subject: 'petra' })
    const elsewhere = { method: 'POST', headers: { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' } }
    expect((await browser.script(`${origin}/for-partners`, elsewhere)).status).toBe(403)
    // Who may come in cannot be told while one of them is down.
    partner.mode = 'fail'
    clock.advance(3700)
    expect((await browser.script(`${origin}/for-partners`)).status).toBe(503)
  })

  it('the same name at two providers is two people', async () => {
    const { browser, origin } = await openTwo()
    const alice = seen(await visit(browser, `${origin}/staff`)).auth as { id: string }
    const petra = seen(await visit(browser, `${origin}/partners`, 'petra')).auth as { id: string }
    expect(alice.id).not.toBe(petra.id)
  })
})
