/** How long sessions last, how their tokens stay fresh, and what ends them. */
import { describe, expect, it } from 'vitest'
import { generateKey } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { openShop, seen, visit } from './setup.ts'

const MINUTE = 60

describe('sessions in a store: how long they last', () => {
  it('ends after the idle time, and not while it is used', async () => {
    const { browser, origin, clock } = await openShop({
      login: { idleSeconds: 1200, absoluteSeconds: 7200 },
      provider: { accessTokenSeconds: 86_400 },
    })
    await visit(browser, `${origin}/`)
    for (let index = 0; index < 4; index++) {
      clock.advance(15 * MINUTE)
      expect((await browser.script(`${origin}/`)).status).toBe(200)
    }
    clock.advance(21 * MINUTE)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
  })

  it('ends after the absolute time however much it is used', async () => {
    const { browser, origin, clock } = await openShop({
      login: { idleSeconds: 1200, absoluteSeconds: 3600 },
      provider: { accessTokenSeconds: 86_400 },
    })
    await visit(browser, `${origin}/`)
    for (let index = 0; index < 3; index++) {
      clock.advance(16 * MINUTE)
      expect((await browser.script(`${origin}/`)).status).toBe(200)
    }
    clock.advance(13 * MINUTE)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
  })

  it('a page load after the end signs in again, silently while the provider still knows the person', async () => {
    const { browser, origin, clock, decisions } = await openShop({ provider: { accessTokenSeconds: 10 * 86_400 } })
    await visit(browser, `${origin}/`)
    clock.advance(86_401)
    const page = await browser.load(`${origin}/again`)
    expect(seen(page).url).toBe('/again')
    expect(page.way.some((url) => url.includes('/form/'))).toBe(false)
    expect(decisions.map(({ reason }) => reason)).toContain('login')
  })
})

describe('sessions in a store: tokens', () => {
  it('are refreshed before they expire, once, however many requests come at once', async () => {
    const { browser, origin, clock, provider, logins } = await openShop()
    await visit(browser, `${origin}/`)
    const before = provider.asked.get('POST /token') ?? 0
    clock.advance(3599)
    const answers = await Promise.all(Array.from({ length: 20 }, () => browser.script(`${origin}/`)))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    await expect.poll(() => logins.at(-1)).toMatchObject({ kind: 'refreshed', integration: 'corp', subject: 'alice' })
    expect(provider.asked.get('POST /token')).toBe(before + 1)
  })

  it('two servers over one store refresh once', async () => {
    const store = memoryStore()
    const keys = [generateKey()]
    const first = await openShop({ login: { store, keys } })
    await visit(first.browser, `${first.origin}/`)
    // The same server again, as another process would be.
    const { createGuard } = await import('../../src/index.ts')
    const second = createGuard({
      clock: first.clock,
      login: { url: first.origin, keys, store },
      integrations: {
        corp: {
          issuer: first.provider.issuer,
          audience: 'https://orders.example.com',
          oauth2: {
            clientId: 'shop',
            clientSecret: 'a-secret-of-the-shop-0123456789-0123456789',
            resource: 'https://orders.example.com',
          },
        },
      },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
    })
    const before = first.provider.asked.get('POST /token') ?? 0
    first.clock.advance(3601)
    const { request } = await import('../guard/harness.ts')
    const cookie = first.browser.cookies('127.0.0.1').join('; ')
    const asked = () => request({ host: new URL(first.origin).host, headers: { Cookie: cookie } })
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, (_, index) => (index % 2 === 0 ? first.guard : second).handle(asked())),
    )
    // By its own clock the provider's new tokens have expired already; what counts here is how often it was asked.
    expect(outcomes.length).toBe(10)
    expect((first.provider.asked.get('POST /token') ?? 0) - before).toBe(1)
    await second.close()
  })

  it('a provider that is down does not end a session whose tokens are still good', async () => {
    const { browser, origin, clock, provider } = await openShop()
    await visit(browser, `${origin}/`)
    provider.mode = 'hang-up'
    clock.advance(3590)
    expect((await browser.script(`${origin}/`)).status).toBe(200)
    clock.advance(20)
    const late = await browser.script(`${origin}/`)
    expect([late.status, late.headers['retry-after'] !== undefined]).toEqual([503, true])
    const page = await browser.load(`${origin}/`)
    expect([page.status, String(page.headers['content-type'])]).toEqual([503, expect.stringContaining('text/html')])
  })

  it('a refresh token that is dead ends the session: scripts get the status, a page load signs in', async () => {
    const { browser, origin, clock, logins, provider } = await openShop({
      client: { backchannel_logout_uri: undefined, backchannel_logout_session_required: undefined } as never,
    })
    await visit(browser, `${origin}/`)
    // The provider takes back what it gave out in that session, and tells nobody.
    await browser.submit(await browser.load(`${provider.issuer}/session/end`), { logout: 'yes' })
    expect((await browser.script(`${origin}/`)).status).toBe(200)
    clock.advance(3601)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
    expect(logins.find(({ kind }) => kind === 'refresh_failed')).toMatchObject({ reason: 'reauth_required' })
    expect(seen(await visit(browser, `${origin}/`)).auth).toMatchObject({ subject: 'alice' })
  })
})

describe("session: 'cookie'", () => {
  it('needs no store, and ends with its token; then a page load signs in again by itself', async () => {
    const { browser, origin, clock } = await openShop({ login: { session: 'cookie' } })
    await visit(browser, `${origin}/`)
    expect((await browser.script(`${origin}/`)).status).toBe(200)
    clock.advance(3601)
    expect((await browser.script(`${origin}/`)).status).toBe(403)
    const page = await browser.load(`${origin}/again`)
    expect(page.way.some((url) => url.startsWith(`${origin}/.sallyport/callback/`))).toBe(true)
    expect(page.way.some((url) => url.includes('/form/'))).toBe(false)
  })

  it('a long session goes into several cookies, all of which are cleared', async () => {
    const people = { alice: { groups: Array.from({ length: 120 }, (_, index) => `a-group-with-a-long-name-${index}`) } }
    const { browser, origin } = await openShop({ login: { session: 'cookie', signOut: 'local' }, provider: { people } })
    await visit(browser, `${origin}/`)
    const own = () => browser.cookies('127.0.0.1').filter((cookie) => cookie.startsWith('sallyport'))
    expect(own().length).toBeGreaterThan(1)
    expect((await browser.script(`${origin}/`)).status).toBe(200)
    await browser.load(`${origin}/.sallyport/sign-out`, {
      headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
    })
    expect(own()).toEqual([])
  })

  it('a session that is too long for cookies is a mistake to be told: no session, and no half of one', async () => {
    const people = { alice: { groups: Array.from({ length: 500 }, (_, index) => `a-group-with-a-long-name-${index}`) } }
    const { browser, origin, logins } = await openShop({ login: { session: 'cookie' }, provider: { people } })
    const page = await visit(browser, `${origin}/`)
    expect(page.status).toBe(502)
    expect(logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'rejected' })
    expect(browser.cookies('127.0.0.1').filter((cookie) => cookie.startsWith('sallyport'))).toEqual([])
  })

  it('keeps no refresh token and no access token', async () => {
    const { browser, origin } = await openShop({ login: { session: 'cookie' } })
    const page = await visit(browser, `${origin}/`)
    expect(JSON.stringify(seen(page).auth)).not.toMatch(/eyJ[\w-]+\./)
  })
})

describe('keys of sessions', () => {
  it('a new key in front: old sessions go on, and without the old key they are over', async () => {
    const [old, fresh] = [generateKey(), generateKey()]
    const store = memoryStore()
    const first = await openShop({ login: { keys: [old], store } })
    await visit(first.browser, `${first.origin}/`)
    const cookie = first.browser.cookies('127.0.0.1').find((each) => each.startsWith('sallyport')) ?? ''
    const { createGuard } = await import('../../src/index.ts')
    const { request } = await import('../guard/harness.ts')
    const withKeys = (keys: string[], own = store) =>
      createGuard({
        clock: first.clock,
        login: { url: first.origin, keys, store: own },
        integrations: {
          corp: { issuer: first.provider.issuer, audience: 'https://orders.example.com', oauth2: { clientId: 'shop' } },
        },
        routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
      })
    const asked = () => request({ host: new URL(first.origin).host, headers: { Cookie: cookie } })
    const both = withKeys([fresh, old])
    expect((await both.handle(asked())).kind).toBe('pass')
    const without = withKeys([fresh], memoryStore())
    const outcome = await without.handle(asked())
    expect(outcome).toMatchObject({ kind: 'reply', reply: { status: 403 } })
    // A store with records of a key that is gone is a mistake to be told, not a reason to sign everybody out.
    await expect(withKeys([fresh]).ready()).rejects.toThrow(/not configured/)
  })
})
